//! The small values of a lead: ids, service, status.

use std::{fmt, str::FromStr};

use uuid::Uuid;

use crate::text::as_text;

/// A lead's id, minted by the server: a UUIDv7 (RFC 9562), so that ids sort by time.
///
/// Leads that the FastAPI service wrote have a UUIDv4 here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeadId(Uuid);

impl LeadId {
    /// Takes over an id that a database holds.
    pub const fn from_uuid(id: Uuid) -> Self {
        Self(id)
    }

    /// The id as a UUID.
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for LeadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl From<Uuid> for LeadId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl From<LeadId> for Uuid {
    fn from(id: LeadId) -> Self {
        id.0
    }
}

impl FromStr for LeadId {
    type Err = InvalidId;

    /// Reads a UUID in any of its usual spellings: hyphenated, simple, braced, URN, in either case.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Uuid::try_parse(text).map(Self).map_err(|_| InvalidId)
    }
}

/// The text, or the UUID, is no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a UUID, or one that nobody mints")]
pub struct InvalidId;

/// The sender's id of one request: the same id never makes a second lead. Neither nil nor max.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(Uuid);

impl RequestId {
    /// Takes a UUID.
    ///
    /// # Errors
    /// [`InvalidId`] where it is nil or max, which no sender mints.
    pub fn new(id: Uuid) -> Result<Self, InvalidId> {
        if id.is_nil() || id.is_max() { Err(InvalidId) } else { Ok(Self(id)) }
    }

    /// The id as a UUID.
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl TryFrom<Uuid> for RequestId {
    type Error = InvalidId;

    fn try_from(id: Uuid) -> Result<Self, InvalidId> {
        Self::new(id)
    }
}

impl From<RequestId> for Uuid {
    fn from(id: RequestId) -> Self {
        id.0
    }
}

impl FromStr for RequestId {
    type Err = InvalidId;

    /// Reads a UUID in any of its usual spellings: hyphenated, simple, braced, URN, in either case.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Uuid::try_parse(text).map_err(|_| InvalidId).and_then(Self::new)
    }
}

as_text!(LeadId);
as_text!(RequestId);

macro_rules! words {
    (
        $(#[$doc:meta])* $name:ident, $error:ident = $message:literal;
        $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)*
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word that stands for it on the wire and in the database.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = $error;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                match word {
                    $($word => Ok(Self::$variant),)*
                    _ => Err($error),
                }
            }
        }

        as_text!($name);

        #[doc = concat!("A word that is no [`", stringify!($name), "`].")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
        #[error($message)]
        pub struct $error;
    };
}

words! {
    /// What a visitor enquires about.
    Service, UnknownService = "not one of ponts, cabines, compresseurs, diagnostic, autre";
    /// Vehicle lifts.
    Ponts = "ponts",
    /// Spray booths.
    Cabines = "cabines",
    /// Compressors.
    Compresseurs = "compresseurs",
    /// A diagnosis.
    Diagnostic = "diagnostic",
    /// Something else.
    Autre = "autre",
}

words! {
    /// Where a lead is in its life.
    LeadStatus, UnknownStatus = "not one of received, processing, resolved, archived, quarantined";
    /// Taken in, not worked on yet.
    Received = "received",
    /// Somebody works on it.
    Processing = "processing",
    /// Answered.
    Resolved = "resolved",
    /// Put away.
    Archived = "archived",
    /// The sender found it suspicious.
    Quarantined = "quarantined",
}
