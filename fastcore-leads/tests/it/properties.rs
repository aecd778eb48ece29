//! Whatever comes in: no panic, and a verdict of the contract.

use fastcore_leads::{
    ConsentPolicy, EmailAddress, Lead, ParseError,
    inbox::{CellGuard, IdPrefix, guarded_cell, restored_cell},
    mask_email, testing,
};
use proptest::prelude::*;
use serde_json::Value;

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
        "[a-z]{0,3}@[a-z]{1,3}\\.[a-z]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::hash_map(members(), inner, 0..8).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

fn members() -> impl Strategy<Value = String> {
    let known = [
        "name",
        "email",
        "phone",
        "company",
        "service",
        "message",
        "consent",
        "meta",
        "source",
        "request_id",
        "ip_hash",
        "user_agent_hash",
        "timestamp_utc",
        "suspicion",
        "version",
        "locale",
        "given_at",
    ];
    prop_oneof![4 => prop::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => ".*"]
}

/// What spreadsheets mind, and what they do not.
fn cells() -> impl Strategy<Value = String> {
    "(?s)([=+@'\",;|\t\n 0-9eh:./-]|mars|Zo\u{e9}|\u{a0}|.){0,12}"
}

proptest! {
    #[test]
    fn a_guarded_cell_runs_nothing_and_is_restored(text in cells()) {
        for guard in [CellGuard::Typed, CellGuard::Formulas, CellGuard::Spreadsheet] {
            let cell = guarded_cell(&text, guard);
            prop_assert_eq!(restored_cell(&cell), text.as_str());
            for piece in cell.split([',', ';', '\t', '|', '\n']).filter(|_| guard != CellGuard::Typed) {
                let bare = piece.trim_start_matches(['"', ' ', '\u{a0}']);
                prop_assert!(!bare.starts_with(['=', '+', '-', '@']), "{:?}", cell);
            }
            let is_number = cell.parse::<f64>().is_ok_and(f64::is_finite);
            prop_assert!(!is_number || guard != CellGuard::Spreadsheet, "{:?}", cell);
        }
    }

    #[test]
    fn the_beginning_of_an_id_finds_it(id in any::<u128>(), digits in 4_usize..=32, other in any::<u128>()) {
        let id = uuid::Uuid::from_u128(id);
        let prefix: IdPrefix = id.simple().to_string()[..digits].parse().unwrap();
        let (first, last) = prefix.range();
        prop_assert!((first..=last).contains(&id));
        let other = uuid::Uuid::from_u128(other);
        let begins_so = other.simple().to_string().starts_with(&prefix.to_string());
        prop_assert_eq!((first..=last).contains(&other), begins_so);
    }

    #[test]
    fn any_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let verdict = Lead::parse(&bytes, ConsentPolicy::Recorded);
        prop_assert_eq!(verdict, Err(ParseError::Malformed));
    }

    #[test]
    fn a_damaged_lead_is_judged(damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut bytes = testing::body().to_string().into_bytes();
        for (index, byte) in damage {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        match Lead::parse(&bytes, ConsentPolicy::Recorded) {
            Ok(lead) => prop_assert!((2..=80).contains(&lead.name().chars().count())),
            Err(ParseError::Invalid(violations)) => prop_assert!(!violations.is_empty()),
            Err(ParseError::Malformed) => {}
        }
    }

    #[test]
    fn any_json_is_judged(value in json()) {
        let verdict = Lead::parse(value.to_string().as_bytes(), ConsentPolicy::Recorded);
        match verdict {
            Err(ParseError::Malformed) => prop_assert!(!value.is_object()),
            Err(ParseError::Invalid(violations)) => prop_assert!(value.is_object() && !violations.is_empty()),
            Ok(_) => prop_assert!(false, "a lead by chance"),
        }
    }

    #[test]
    fn any_value_in_a_valid_lead_is_judged(pointer in members(), in_meta in any::<bool>(), value in json()) {
        let mut body = testing::body();
        let place = if in_meta { &mut body["meta"] } else { &mut body };
        place[&pointer] = value;
        match Lead::parse(body.to_string().as_bytes(), ConsentPolicy::Recorded) {
            Ok(lead) => {
                prop_assert!((2..=80).contains(&lead.name().chars().count()));
                prop_assert!((20..=2000).contains(&lead.message().chars().count()));
                prop_assert!(!lead.message().contains('\0'));
            }
            Err(ParseError::Invalid(violations)) => {
                let at = if in_meta { format!("/meta/{pointer}") } else { format!("/{pointer}") };
                prop_assert!(violations.iter().all(|v| v.pointer().starts_with(&at)));
            }
            Err(ParseError::Malformed) => prop_assert!(false, "an object is well-formed"),
        }
    }

    #[test]
    fn a_cut_body_is_malformed(cut in 0_usize..400) {
        let body = testing::body().to_string();
        let cut = body.floor_char_boundary(cut.min(body.len() - 1));
        prop_assert_eq!(Lead::parse(&body.as_bytes()[..cut], ConsentPolicy::Recorded), Err(ParseError::Malformed));
    }

    #[test]
    fn any_text_is_an_address_or_not(text in ".*") {
        if let Ok(address) = EmailAddress::parse(&text) {
            let again = EmailAddress::parse(address.as_str());
            prop_assert_eq!(again.as_ref().map(EmailAddress::as_str), Ok(address.as_str()));
        }
    }

    #[test]
    fn a_mask_shows_three_characters_at_most(text in "\\PC*") {
        let masked = mask_email(&text);
        let shown = masked.strip_suffix("***");
        prop_assert!(shown.is_some());
        prop_assert!(masked.chars().count() <= 6);
        let local = text.rsplit_once('@').map_or("", |(local, _)| local);
        prop_assert!(local.chars().count() <= 1 || shown.is_some_and(|shown| !shown.starts_with(local)));
    }
}
