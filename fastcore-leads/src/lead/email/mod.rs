//! Email addresses: the rules of Pydantic's `EmailStr`, which today's service and the sites hold themselves to.
//!
//! `EmailStr` is the Python package `email-validator` with its default options and without a DNS look-up. The known
//! disagreements are listed in the crate's `docs/email.md`; a corpus made with that package pins the rest.

mod domain;

use std::{borrow::Cow, fmt, str::FromStr};

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::{CodePointMapData, props::GeneralCategory};

use super::limits::{MAX_EMAIL_BYTES, MAX_EMAIL_LOCAL_BYTES};
use crate::text::as_text;

/// An email address that a person can be reached at.
///
/// The local part is as sent, in Unicode's normalisation form C; the domain is lower-cased, and in Unicode where it was
/// sent as Punycode. `Debug` and `Display` show it [masked](Self::masked), so that no address gets into a log by accident;
/// [`as_str`](Self::as_str) and serde have it in full.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EmailAddress {
    text: String,
    at: usize,
}

impl EmailAddress {
    /// Parses an address, without white space around it.
    ///
    /// # Errors
    /// [`InvalidEmail`] for whatever `EmailStr` refuses, and for a local part of more than 64 bytes (RFC 5321).
    pub fn parse(address: &str) -> Result<Self, InvalidEmail> {
        if address.len() > MAX_EMAIL_BYTES {
            return Err(InvalidEmail);
        }
        let (local, domain) = address.split_once('@').ok_or(InvalidEmail)?;
        let local = if plain_local(local) { Cow::Borrowed(local) } else { international_local(local)?.into() };
        let domain = domain::normalized(domain)?;
        if local.len() > MAX_EMAIL_LOCAL_BYTES || local.len() + 1 + domain.longer_len() > MAX_EMAIL_BYTES {
            return Err(InvalidEmail);
        }
        Ok(Self { at: local.len(), text: [&local, "@", &domain.unicode].concat() })
    }

    /// The whole address, normalised.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What stands before the `@`.
    pub fn local_part(&self) -> &str {
        &self.text[..self.at]
    }

    /// What stands after the `@`.
    pub fn domain(&self) -> &str {
        &self.text[self.at + 1..]
    }

    /// The address as a log may show it; see [`mask_email`](crate::mask_email).
    pub fn masked(&self) -> String {
        crate::mask_email(&self.text)
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl FromStr for EmailAddress {
    type Err = InvalidEmail;

    fn from_str(address: &str) -> Result<Self, InvalidEmail> {
        Self::parse(address)
    }
}

as_text!(EmailAddress, as_str);

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

/// Names of roles (RFC 2142): `EmailStr` writes them in lower case, whatever was sent.
const ROLES: &[&str] = &[
    "info",
    "marketing",
    "sales",
    "support",
    "abuse",
    "noc",
    "security",
    "postmaster",
    "hostmaster",
    "usenet",
    "news",
    "webmaster",
    "www",
    "uucp",
    "ftp",
];

impl EmailAddress {
    /// Whether a database's text is this address: as we store it, or as the FastAPI service does.
    pub(crate) fn is_stored_as(&self, text: &str) -> bool {
        let Some((local, domain)) = text.trim().rsplit_once('@') else {
            return false;
        };
        let is_role = || ROLES.contains(&local) && self.local_part().eq_ignore_ascii_case(local);
        domain.to_lowercase() == self.domain() && (local == self.local_part() || is_role())
    }
}

/// The text is not an address that a person can be reached at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an email address")]
pub struct InvalidEmail;

/// A dot-atom in ASCII (RFC 5322, section 3.2.3), as nearly every address has it.
fn plain_local(local: &str) -> bool {
    is_dot_atom(local, is_atext)
}

/// A dot-atom with characters beyond ASCII (RFC 6531, section 3.3), in normalisation form C.
fn international_local(local: &str) -> Result<String, InvalidEmail> {
    let is_sound = |text: &str| is_dot_atom(text, |c| !c.is_ascii() || is_atext(c)) && is_sensible(text);
    let normalized = to_nfc(local);
    (is_sound(local) && is_sound(&normalized)).then_some(normalized).ok_or(InvalidEmail)
}

fn is_dot_atom(text: &str, is_allowed: impl Fn(char) -> bool) -> bool {
    text.split('.').all(|atom| !atom.is_empty() && atom.chars().all(&is_allowed))
}

fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c)
}

/// No character that hides, reorders or joins: letters, numbers, punctuation and symbols, and marks except in front.
fn is_sensible(text: &str) -> bool {
    let categories = CodePointMapData::<GeneralCategory>::new();
    text.chars().enumerate().all(|(i, c)| match categories.get(c) {
        GeneralCategory::NonspacingMark | GeneralCategory::SpacingMark | GeneralCategory::EnclosingMark => i > 0,
        GeneralCategory::SpaceSeparator
        | GeneralCategory::LineSeparator
        | GeneralCategory::ParagraphSeparator
        | GeneralCategory::Control
        | GeneralCategory::Format
        | GeneralCategory::PrivateUse
        | GeneralCategory::Surrogate
        | GeneralCategory::Unassigned => false,
        _ => true,
    })
}

fn to_nfc(text: &str) -> String {
    ComposingNormalizerBorrowed::new_nfc().normalize(text).into_owned()
}
