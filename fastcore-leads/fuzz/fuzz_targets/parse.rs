//! `cargo +nightly fuzz run parse` in `fastcore-leads`: no body makes the parser panic, and what it accepts keeps the
//! rules and survives a second pass.

#![no_main]

use fastcore_leads::{ConsentPolicy, EmailAddress, Lead, ParseError, lead::limits, mask_email};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match Lead::parse(bytes, ConsentPolicy::Recorded) {
        Ok(lead) => {
            let length = lead.name().chars().count();
            assert!((limits::NAME.min..=limits::NAME.max).contains(&length));
            assert!(!lead.message().contains('\0'));
            let address = lead.email().as_str();
            assert_eq!(EmailAddress::parse(address).map(|again| again.as_str() == address), Ok(true));
        }
        Err(ParseError::Invalid(violations)) => assert!(!violations.is_empty()),
        Err(ParseError::Malformed) => {}
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = EmailAddress::parse(text);
        let _ = mask_email(text);
    }
});
