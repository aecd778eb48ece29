use std::{fmt, str::FromStr};

use crate::text::as_text;

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Scope {
    /// To post leads.
    Ingest,
    /// To ask for events.
    Events,
    /// To read leads, masked.
    Read,
    /// To read leads in clear, beside [`Read`](Self::Read), which it needs.
    Reveal,
    /// To move leads, to release them, to record that a consent was withdrawn.
    Work,
    /// To erase leads.
    Erase,
}

impl Scope {
    /// All scopes.
    pub const ALL: &[Self] = &[Self::Ingest, Self::Events, Self::Read, Self::Reveal, Self::Work, Self::Erase];

    /// The name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Events => "events",
            Self::Read => "read",
            Self::Reveal => "reveal",
            Self::Work => "work",
            Self::Erase => "erase",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        Self::ALL.iter().copied().find(|known| known.as_str() == text).ok_or(UnknownScope)
    }
}

as_text!(Scope);

/// The text names no [`Scope`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a scope: ingest, events, read, reveal, work or erase")]
pub struct UnknownScope;
