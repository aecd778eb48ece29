//! Which member of a lead a column stands for, whatever it is called.

use icu_normalizer::DecomposingNormalizerBorrowed;

use super::MEMBERS;
use crate::shown;

/// The way to a member of the endpoint's body.
pub(super) type Way = &'static [&'static str];

/// Columns that must be there, or be said otherwise: the others are optional members, or follow from the rest.
const REQUIRED: [&str; 4] = ["name", "email", "message", "consent"];

/// Columns that nobody has but a dump.
const DUMPED: [&str; 4] = ["status", "request_id", "ip_hash", "user_agent_hash"];

/// What else columns are called, in French and by other systems, as [`fold`] has it.
const ALIASES: &[(&str, &[&str])] = &[
    (
        "name",
        &["nom", "nomcomplet", "nometprenom", "prenometnom", "fullname", "contact", "contactname", "nomducontact"],
    ),
    ("email", &["mail", "courriel", "adresseemail", "adressemail", "adresseelectronique", "emailaddress"]),
    ("phone", &["telephone", "tel", "mobile", "portable", "phonenumber", "numerodetelephone", "ntelephone"]),
    ("company", &["societe", "entreprise", "raisonsociale", "organisation", "organization", "companyname"]),
    ("service", &["prestation"]),
    ("message", &["commentaire", "commentaires", "demande", "texte", "comments", "description"]),
    ("consent", &["consentement", "rgpd", "optin", "accord", "gdpr"]),
    ("source", &["origine", "provenance", "leadsource"]),
    (
        "timestamp_utc",
        &["date", "dateetheure", "dateheure", "datededemande", "datedelademande", "horodatage", "timestamp"],
    ),
];

/// A header's columns, in their order.
pub(super) struct Columns {
    /// As they are called.
    pub(super) names: Vec<String>,
    pub(super) ways: Vec<Option<Way>>,
    /// Whether a dump wrote the file: then cells are guarded within, too.
    pub(super) is_dump: bool,
}

impl Columns {
    /// # Errors
    /// A sentence for the operator, if a column is missing, or two are the same.
    pub(super) fn of<'h>(
        header: impl Iterator<Item = &'h str>,
        map: &[(String, Way)],
        has_source: bool,
    ) -> Result<Self, String> {
        let names: Vec<String> = header.map(|name| shown::cell(&name.trim().into())).collect();
        // What stands there is not to be shown, then.
        if names.iter().any(|name| name.contains('@')) {
            return Err(
                "the first line of the file is a lead, and no header: put the names of the columns in front".to_owned()
            );
        }
        let ways: Vec<_> = names.iter().map(|name| way_to(name, map)).collect();
        let count = |name: &str| {
            let way = MEMBERS.iter().find(|(member, _)| *member == name).map(|(_, way)| *way);
            ways.iter().filter(|column| **column == way).count()
        };
        let mut missing: Vec<String> =
            REQUIRED.into_iter().filter(|name| count(name) == 0).map(str::to_owned).collect();
        if count("source") == 0 && !has_source {
            missing.push("source (or say --source NAME)".to_owned());
        }
        if !missing.is_empty() {
            let found = names.join(", ");
            return Err(format!(
                "the file lacks columns: {}; it has: {found}. Say which is which by --map COLUMN=MEMBER",
                missing.join(", ")
            ));
        }
        if let Some((name, _)) = MEMBERS.iter().find(|(name, _)| count(name) > 1) {
            return Err(format!("the file has the column {name} twice"));
        }
        let is_dump = DUMPED.iter().all(|name| names.iter().any(|column| column == name));
        Ok(Self { names, ways, is_dump })
    }

    /// How many of these names are known.
    pub(super) fn known<'h>(header: impl Iterator<Item = &'h str>, map: &[(String, Way)]) -> usize {
        header.filter(|name| way_to(name, map).is_some()).count()
    }
}

/// The member that a column stands for; none for a column that no lead has.
pub(super) fn way_to(column: &str, map: &[(String, Way)]) -> Option<Way> {
    let folded = fold(column);
    if let Some((_, way)) = map.iter().find(|(name, _)| *name == folded) {
        return Some(way);
    }
    // Only what is in `meta` may be called so: `meta.name` is nobody's name.
    let (name, is_meta) = folded.strip_prefix("meta.").map_or((&*folded, false), |name| (name, true));
    let is_alias = |member: &str| ALIASES.iter().any(|(known, others)| *known == member && others.contains(&name));
    let found = MEMBERS.iter().find(|(member, _)| fold(member) == name || (!is_meta && is_alias(member)));
    found.map(|(_, way)| *way).filter(|way| !is_meta || way.first() == Some(&"meta"))
}

/// A name without accents, blanks, hyphens and other signs, in lower case.
pub(super) fn fold(name: &str) -> String {
    if name.is_ascii() {
        let kept = name.bytes().filter(|byte| byte.is_ascii_alphanumeric() || *byte == b'.');
        return kept.map(|byte| char::from(byte.to_ascii_lowercase())).collect();
    }
    let decomposed = DecomposingNormalizerBorrowed::new_nfkd().normalize_iter(name.chars());
    decomposed.filter(|letter| letter.is_alphanumeric() || *letter == '.').flat_map(char::to_lowercase).collect()
}

/// Reads `COLUMN=MEMBER`.
///
/// # Errors
/// A sentence for the operator.
pub(crate) fn mapping(text: &str) -> Result<(String, Way), String> {
    let (column, member) = text.rsplit_once('=').ok_or("say COLUMN=MEMBER, such as Nom=name")?;
    let member = fold(member);
    let found = MEMBERS.iter().find(|(known, _)| fold(known) == member).map(|(_, way)| *way);
    let members = || MEMBERS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    Ok((fold(column), found.ok_or_else(|| format!("a lead has no such member; it has: {}", members()))?))
}
