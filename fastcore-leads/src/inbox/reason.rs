use std::{fmt, str::FromStr};

use super::search::{fold, is_mark};
use crate::{lead::limits, store::StoredLead, text::as_text};

/// Why somebody changed a lead: a few words for the audit log, which keeps them for ever. Nothing personal.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Reason(String);

impl Reason {
    /// Takes the words, trimmed.
    ///
    /// # Errors
    /// [`InvalidReason`] where the text is empty, longer than 200 characters, or holds a control character or an `@`: an
    /// address could not be erased from the audit log.
    pub fn new(text: &str) -> Result<Self, InvalidReason> {
        let text = text.trim();
        let is_fit = (limits::REASON.min..=limits::REASON.max).contains(&text.chars().count());
        if !is_fit || text.chars().any(|c| c.is_control() || c == '@') {
            return Err(InvalidReason);
        }
        Ok(Self(text.to_owned()))
    }

    /// The words.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it holds something of the person whose lead this is: a name of three letters or more, a company, a number in
    /// any spelling, an address; with or without accents. What is said in other words it cannot know.
    pub fn names(&self, lead: &StoredLead) -> bool {
        let phone = lead.phone.as_deref().map(digits).unwrap_or_default();
        // With or without the country's code.
        let number = phone.get(phone.len().saturating_sub(9)..).filter(|number| number.len() >= 6);
        if number.is_some_and(|number| digits(&self.0).contains(number)) {
            return true;
        }
        let local = lead.email.rsplit_once('@').map(|(local, _)| local);
        let whole = [Some(lead.email.as_str()), local, lead.company.as_deref()].into_iter().flatten();
        // A first name is enough, or half of a double one; short particles are not a name.
        let is_joint = |letter: char| !letter.is_alphanumeric() && !is_mark(letter);
        let names = lead.name.split_whitespace().map(|name| name.trim_matches(is_joint));
        let halves = lead.name.split(is_joint);
        let words = fold(&self.0);
        let is_long = |text: &&str| text.trim().chars().filter(|letter| !is_mark(*letter)).count() >= 3;
        whole
            .chain(names)
            .chain(halves)
            .filter(is_long)
            .any(|text| words.match_indices(&fold(text.trim())).any(|(at, found)| stands_alone(&words, at, found)))
    }
}

impl FromStr for Reason {
    type Err = InvalidReason;

    fn from_str(text: &str) -> Result<Self, InvalidReason> {
        Self::new(text)
    }
}

as_text!(Reason, as_str);

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// "Ali" is in "Ali asked", but not in "qualified".
fn stands_alone(text: &str, at: usize, found: &str) -> bool {
    let is_letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    !is_letter(text[..at].chars().next_back()) && !is_letter(text[at + found.len()..].chars().next())
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reason(..)")
    }
}

/// The text cannot be a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a reason has 1 to 200 characters, none of them a control character or @: the audit log keeps it for ever")]
pub struct InvalidReason;
