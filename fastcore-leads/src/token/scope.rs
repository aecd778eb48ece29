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
}

impl Scope {
    /// All scopes.
    pub const ALL: &[Self] = &[Self::Ingest, Self::Events];

    /// The name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Events => "events",
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
#[error("not a scope: ingest or events")]
pub struct UnknownScope;
