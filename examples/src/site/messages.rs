//! What visitors are told, in French. Which rule was broken is the core's word; how to say it is this module's.

use fastcore_leads::lead::{
    Violation,
    ViolationCode::{
        ConsentRequired, ControlCharacter, EmailInvalid, NotABoolean, Required, ServiceUnknown, TooLong, TooShort,
    },
};

/// Says what to correct.
pub(super) fn violation(violation: &Violation) -> String {
    let member = violation.pointer().trim_start_matches('/');
    let bound = violation.bound().unwrap_or_default();
    let characters = if bound > 1 { "caractères" } else { "caractère" };
    match (violation.code(), member) {
        (Required, "consent") => "Dites-nous si vous acceptez que vos données servent à vous répondre.".to_owned(),
        (Required, _) => format!("Indiquez {}.", named(member)),
        (TooShort, _) => format!("Complétez {} : il faut au moins {bound} {characters}.", named(member)),
        (TooLong, _) => format!("Raccourcissez {} : {bound} {characters} au plus.", named(member)),
        (EmailInvalid, _) => "Vérifiez votre adresse e-mail : elle doit être de la forme nom@exemple.fr.".to_owned(),
        (ServiceUnknown, _) => "Choisissez un sujet de la liste.".to_owned(),
        (ControlCharacter, _) => format!("Retirez les caractères invisibles : {} en contient.", named(member)),
        (ConsentRequired | NotABoolean, _) => "Cochez cette case pour que nous puissions vous répondre.".to_owned(),
        _ => format!("Corrigez {}.", named(member)),
    }
}

fn named(member: &str) -> &'static str {
    match member {
        "name" => "votre nom",
        "email" => "votre adresse e-mail",
        "phone" => "votre numéro de téléphone",
        "company" => "le nom de votre entreprise",
        "service" => "le sujet de votre demande",
        "message" => "votre message",
        _ => "ce champ",
    }
}
