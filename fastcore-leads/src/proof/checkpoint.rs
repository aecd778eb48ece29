use std::{fmt, str::FromStr};

use super::{Hash, InvalidNote, NoteKey, NoteVerifier, SignedNote};

/// The head of a log: how many leaves its tree has, and their root ([tlog-checkpoint](https://c2sp.org/tlog-checkpoint)). `Display` is
/// the text that is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log: the name of its key.
    pub origin: String,
    /// How many leaves.
    pub size: u64,
    /// Their root.
    pub root: Hash,
    /// Lines behind these three, which this version does not know.
    pub extensions: Vec<String>,
}

impl Checkpoint {
    /// The head of a log.
    pub fn new(origin: impl Into<String>, size: u64, root: Hash) -> Self {
        Self { origin: origin.into(), size, root, extensions: Vec::new() }
    }

    /// Signs it with these keys. The first is the log's own, whose name is the origin.
    ///
    /// # Errors
    /// [`InvalidNote::Form`] if a line of it cannot stand in a note.
    pub fn sign(&self, keys: &[NoteKey]) -> Result<SignedNote, InvalidNote> {
        let mut note = SignedNote::new(self.to_string())?;
        for key in keys {
            key.sign(&mut note);
        }
        Ok(note)
    }

    /// The head that a note is of, once a key of its log is found to have signed it: one of these, with the origin for its name.
    ///
    /// # Errors
    /// [`InvalidCheckpoint`] if it is none, or the log has not signed it.
    pub fn open(note: &SignedNote, known: &[NoteVerifier]) -> Result<Self, InvalidCheckpoint> {
        let checkpoint: Self = note.text().parse()?;
        let is_log = |key: &&NoteVerifier| key.name() == checkpoint.origin && !key.is_cosigner();
        if note.verify(known)?.iter().any(is_log) { Ok(checkpoint) } else { Err(InvalidNote::Unsigned.into()) }
    }
}

impl FromStr for Checkpoint {
    type Err = InvalidCheckpoint;

    fn from_str(text: &str) -> Result<Self, InvalidCheckpoint> {
        let mut lines = text.strip_suffix('\n').ok_or(InvalidCheckpoint::Form)?.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(InvalidCheckpoint::Form);
        };
        let extensions: Vec<_> = lines.map(str::to_owned).collect();
        let size = decimal(size).ok_or(InvalidCheckpoint::Form)?;
        let root = root.parse().map_err(|_| InvalidCheckpoint::Form)?;
        if origin.is_empty() || extensions.iter().any(String::is_empty) {
            return Err(InvalidCheckpoint::Form);
        }
        Ok(Self { origin: origin.to_owned(), size, root, extensions })
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, self.root)?;
        self.extensions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// The note is no checkpoint, or its log has not signed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCheckpoint {
    /// Its text is another one.
    #[error("this is no checkpoint: an origin, a size and a root, a line each")]
    Form,
    /// It is not signed as it should be.
    #[error(transparent)]
    Note(#[from] InvalidNote),
}

/// A number as these formats have it: digits, without a zero in front.
pub(super) fn decimal(text: &str) -> Option<u64> {
    let number = text.parse().ok()?;
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    is_plain.then_some(number)
}
