use std::fmt;

/// Where in a [`Spool`](super::Spool) a lead is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// It is to be delivered.
    Waiting,
    /// It is kept for a person to look at.
    Aside(AsideReason),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting => f.write_str("waiting"),
            Self::Aside(reason) => f.write_str(reason.as_str()),
        }
    }
}

/// Why a lead was put aside. Each has a folder of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AsideReason {
    /// FASTCore has another lead under its request id.
    Conflict,
    /// FASTCore says that it is not valid. Also what an earlier version put aside without a reason.
    Invalid,
    /// FASTCore always had a fault with it, while others got through.
    Failing,
    /// The file holds no lead, or is encrypted under a key that is not here.
    Unreadable,
}

impl AsideReason {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::Conflict, Self::Invalid, Self::Failing, Self::Unreadable];

    /// The reason as a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::Invalid => "invalid",
            Self::Failing => "failing",
            Self::Unreadable => "unreadable",
        }
    }
}
