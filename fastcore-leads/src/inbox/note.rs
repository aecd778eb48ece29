use std::{fmt, str::FromStr};

use crate::{lead::limits, text::as_text};

/// What somebody wrote down about a lead. It is kept with the lead and goes with it when it is erased, so it may say what is personal.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Note(String);

impl Note {
    /// Takes the text, trimmed.
    ///
    /// # Errors
    /// [`InvalidNote`] if the text is empty, longer than 1,000 characters, or holds a control character other than a line feed or a tab.
    pub fn new(text: &str) -> Result<Self, InvalidNote> {
        let text = text.trim().replace("\r\n", "\n");
        let is_fit = (limits::NOTE.min..=limits::NOTE.max).contains(&text.chars().count());
        let is_plain = !text.chars().any(|c| c.is_control() && c != '\n' && c != '\t');
        if is_fit && is_plain { Ok(Self(text)) } else { Err(InvalidNote) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Note {
    type Err = InvalidNote;

    fn from_str(text: &str) -> Result<Self, InvalidNote> {
        Self::new(text)
    }
}

as_text!(Note, as_str);

impl fmt::Debug for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Note(..)")
    }
}

/// The text cannot be a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a note has 1 to 1000 characters, none of them a control character but line feeds and tabs")]
pub struct InvalidNote;
