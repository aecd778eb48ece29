//! What visitors are told to correct. Which rule was broken is the core's word; how to say it is a matter of language.

use fastcore_leads::lead::{
    Violation,
    ViolationCode::{
        ConsentRequired, ControlCharacter, EmailInvalid, NotABoolean, Required, ServiceUnknown, TooLong, TooShort,
    },
};

use super::texts::{Corrections, counted};
use crate::web::Language;

/// Says what to correct.
pub(super) fn violation(violation: &Violation, language: Language) -> String {
    let corrections = &language.texts().corrections;
    let member = violation.pointer().trim_start_matches('/');
    let bound = violation.bound().unwrap_or_default();
    let text = match (violation.code(), member) {
        (Required, "consent") => corrections.say_consent,
        (Required, _) => corrections.missing,
        (TooShort, _) => counted(&corrections.too_short, bound),
        (TooLong, _) => counted(&corrections.too_long, bound),
        (EmailInvalid, _) => corrections.email,
        (ServiceUnknown, _) => corrections.service,
        (ControlCharacter, _) => corrections.control_character,
        (ConsentRequired | NotABoolean, _) => corrections.consent,
        _ => corrections.other,
    };
    text.replace("{field}", named(corrections, member)).replace("{}", &bound.to_string())
}

fn named(corrections: &Corrections, member: &str) -> &'static str {
    let fields = &corrections.fields;
    match member {
        "name" => fields.name,
        "email" => fields.email,
        "phone" => fields.phone,
        "company" => fields.company,
        "service" => fields.service,
        "message" => fields.message,
        _ => corrections.this_field,
    }
}
