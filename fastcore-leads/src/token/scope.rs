use crate::text::as_word;

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Scope {
    /// To post leads.
    Ingest,
    /// To ask for events.
    Events,
    /// To read checkpoints and hashes of the audit log, as a witness does.
    Audit,
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
    pub const ALL: &[Self] =
        &[Self::Ingest, Self::Events, Self::Audit, Self::Read, Self::Reveal, Self::Work, Self::Erase];

    /// The name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Events => "events",
            Self::Audit => "audit",
            Self::Read => "read",
            Self::Reveal => "reveal",
            Self::Work => "work",
            Self::Erase => "erase",
        }
    }
}

as_word!(Scope, UnknownScope);

/// The text names no [`Scope`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a scope: ingest, events, audit, read, reveal, work or erase")]
pub struct UnknownScope;
