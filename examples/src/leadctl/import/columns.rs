//! Which member of a lead a column stands for, whatever it is called.

use icu_normalizer::DecomposingNormalizerBorrowed;

use super::member::Member;
use crate::shown;

/// Columns that must be there, or be said otherwise: the others are optional members, or follow from the rest.
const REQUIRED: [Member; 4] = [Member::Name, Member::Email, Member::Message, Member::Consent];

/// The member of a column that is left out.
const NONE: &str = "-";

/// Columns that nobody has but a dump.
const DUMPED: [&str; 4] = ["status", "request_id", "ip_hash", "user_agent_hash"];

/// What else columns are called, in French and by other systems, as [`fold`] has it.
const ALIASES: &[(Member, &[&str])] = &[
    (
        Member::Name,
        &[
            "nom",
            "nomcomplet",
            "nomprenom",
            "nometprenom",
            "prenomnom",
            "prenometnom",
            "fullname",
            "contact",
            "contactname",
            "nomducontact",
            "yourname",
            "votrenom",
        ],
    ),
    (Member::GivenName, &["prenom", "prenoms", "firstname", "forename"]),
    (Member::FamilyName, &["nomdefamille", "lastname", "surname"]),
    (
        Member::Email,
        &[
            "mail",
            "courriel",
            "adresseemail",
            "adressemail",
            "adresseelectronique",
            "adressedemessagerie",
            "emailaddress",
            "youremail",
            "votreemail",
        ],
    ),
    (
        Member::Phone,
        &[
            "telephone",
            "tel",
            "mobile",
            "portable",
            "phonenumber",
            "numerodetelephone",
            "ntelephone",
            "ndetelephone",
            "yourphone",
        ],
    ),
    (Member::Company, &["societe", "entreprise", "raisonsociale", "organisation", "organization", "companyname"]),
    (Member::Service, &["prestation"]),
    (
        Member::Message,
        &["commentaire", "commentaires", "demande", "texte", "comments", "description", "yourmessage", "votremessage"],
    ),
    (Member::Consent, &["consentement", "consentementrgpd", "rgpd", "optin", "accord", "gdpr", "acceptance"]),
    (Member::Source, &["origine", "provenance", "leadsource"]),
    (
        Member::Timestamp,
        &[
            "date",
            "dateetheure",
            "dateheure",
            "datededemande",
            "datedelademande",
            "horodatage",
            "timestamp",
            "createdate",
            "createdat",
            "creationdate",
            "datecreation",
            "datedecreation",
            "submittedat",
            "submissiondate",
        ],
    ),
];

/// A header's columns, in their order.
pub(super) struct Columns {
    /// As they are called.
    pub(super) names: Vec<String>,
    pub(super) members: Vec<Option<Member>>,
    /// Whether a dump wrote the file: then cells are guarded within, too.
    pub(super) is_dump: bool,
}

impl Columns {
    /// # Errors
    /// A sentence for the operator, if a column is missing, or two are the same.
    pub(super) fn of<'h>(
        header: impl Iterator<Item = &'h str>,
        map: &[(String, Option<Member>)],
        has_source: bool,
    ) -> Result<Self, String> {
        let names: Vec<String> = header.map(|name| shown::cell(&name.trim().into())).collect();
        // What stands there is not to be shown, then.
        if names.iter().any(|name| name.contains('@')) {
            return Err(
                "the first line of the file is a lead, and no header: put the names of the columns in front".to_owned()
            );
        }
        let members: Vec<_> = names.iter().map(|name| member_of(name, map)).collect();
        let count = |member: Member| members.iter().filter(|column| **column == Some(member)).count();
        let has_halves = count(Member::GivenName) > 0 && count(Member::FamilyName) > 0;
        let is_missing = |member: &Member| count(*member) == 0 && !(*member == Member::Name && has_halves);
        let mut missing: Vec<String> =
            REQUIRED.into_iter().filter(is_missing).map(|member| member.name().to_owned()).collect();
        if count(Member::Source) == 0 && !has_source {
            missing.push("source (or say --source NAME)".to_owned());
        }
        if !missing.is_empty() {
            let found = names.join(", ");
            return Err(format!(
                "the file lacks columns: {}; it has: {found}. Say which is which by --map COLUMN=MEMBER",
                missing.join(", ")
            ));
        }
        if let Some(member) = Member::ALL.into_iter().find(|member| count(*member) > 1) {
            return Err(format!(
                "the file has the column {} twice: leave one out by --map COLUMN={NONE}",
                member.name()
            ));
        }
        let is_dump = DUMPED.iter().all(|name| names.iter().any(|column| column == name));
        Ok(Self { names, members, is_dump })
    }

    /// How many of these names are known.
    pub(super) fn known<'h>(header: impl Iterator<Item = &'h str>, map: &[(String, Option<Member>)]) -> usize {
        header.filter(|name| member_of(name, map).is_some()).count()
    }
}

/// The member that a column stands for; none for a column that no lead has.
pub(super) fn member_of(column: &str, map: &[(String, Option<Member>)]) -> Option<Member> {
    let folded = fold(column);
    if let Some((_, member)) = map.iter().find(|(name, _)| *name == folded) {
        return *member;
    }
    // Only what is in `meta` may be called so: `meta.name` is nobody's name.
    let (name, is_meta) = folded.strip_prefix("meta.").map_or((&*folded, false), |name| (name, true));
    let is_alias = |member: Member| ALIASES.iter().any(|(known, others)| *known == member && others.contains(&name));
    let is_meant = |member: &Member| fold(member.name()) == name || (!is_meta && is_alias(*member));
    Member::ALL.into_iter().find(is_meant).filter(|member| !is_meta || member.is_meta())
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

/// Reads `COLUMN=MEMBER`; none where the column is to be left out.
///
/// # Errors
/// A sentence for the operator.
pub(crate) fn mapping(text: &str) -> Result<(String, Option<Member>), String> {
    let (column, name) = text.rsplit_once('=').ok_or("say COLUMN=MEMBER, such as Nom=name")?;
    if name.trim() == NONE {
        return Ok((fold(column), None));
    }
    let name = fold(name);
    let known = || Member::ALL.map(Member::name).join(", ");
    let found = Member::ALL.into_iter().find(|member| fold(member.name()) == name);
    let member = found.ok_or_else(|| format!("a lead has no such member; it has: {}", known()))?;
    Ok((fold(column), Some(member)))
}
