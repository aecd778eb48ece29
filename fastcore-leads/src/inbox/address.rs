//! Whose address is whose: for a person who asks, in whatever spelling.

use crate::lead::EmailAddress;

/// Letters beyond ASCII that are tried in both cases, at most: each doubles the spellings.
const MAX_FOLDED: usize = 6;

/// Whether two addresses are one person's: people do not tell upper from lower case in theirs.
pub(crate) fn is_same_address(one: &str, other: &str) -> bool {
    folded(one) == folded(other)
}

/// The spellings under which an address may be stored, up to the case of ASCII letters, which the database folds. Stored
/// addresses have their domain in lower case and in Unicode; the FastAPI service may have stored it in Punycode. Of the
/// letters before the `@` that are not ASCII, a database folds some or none: both cases are tried.
pub(crate) fn spellings(email: &str) -> Vec<String> {
    let address = normalised(email);
    let Some((local, domain)) = address.rsplit_once('@') else { return vec![address] };
    let mut locals = vec![String::new()];
    let mut left = MAX_FOLDED;
    for letter in local.chars() {
        let cases = [letter.to_lowercase().to_string(), letter.to_uppercase().to_string()];
        if letter.is_ascii() || cases[0] == cases[1] || left == 0 {
            for spelling in &mut locals {
                spelling.push(letter);
            }
            continue;
        }
        left -= 1;
        locals = locals.iter().flat_map(|start| cases.iter().map(move |case| format!("{start}{case}"))).collect();
    }
    let mut domains = vec![domain.to_owned()];
    domains.extend(idna::domain_to_ascii(domain).ok().filter(|ascii| ascii != domain));
    locals.iter().flat_map(|local| domains.iter().map(move |domain| format!("{local}@{domain}"))).collect()
}

fn folded(email: &str) -> String {
    normalised(email).to_lowercase()
}

/// As an address is stored, where it is one.
fn normalised(email: &str) -> String {
    let text = email.trim();
    // A domain in capitals is still the same one.
    let lowered = text.rsplit_once('@').map(|(local, domain)| format!("{local}@{}", domain.to_lowercase()));
    let text = lowered.unwrap_or_else(|| text.to_owned());
    EmailAddress::parse(&text).map_or(text, |address| address.as_str().to_owned())
}
