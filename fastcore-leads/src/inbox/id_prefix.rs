use std::{fmt, str::FromStr};

use uuid::Uuid;

use crate::text::as_text;

/// The fewest digits that stand for an id.
const MIN_DIGITS: usize = 4;
const MAX_DIGITS: usize = 32;

/// The beginning of an id, or all of it, as people type and paste it.
///
/// ```
/// use fastcore_leads::inbox::IdPrefix;
///
/// let prefix: IdPrefix = "0198F0C1-2".parse()?;
/// assert_eq!(prefix.to_string(), "0198f0c12");
/// assert!("019".parse::<IdPrefix>().is_err());
/// # Ok::<(), fastcore_leads::inbox::InvalidIdPrefix>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdPrefix {
    first: Uuid,
    digits: usize,
}

impl IdPrefix {
    /// Returns the first and the last id that begin so.
    pub fn range(self) -> (Uuid, Uuid) {
        let rest = if self.digits == MAX_DIGITS { 0 } else { u128::MAX >> (4 * self.digits) };
        (self.first, Uuid::from_u128(self.first.as_u128() | rest))
    }

    /// Returns the id, if all of it is there.
    pub fn whole(self) -> Option<Uuid> {
        (self.digits == MAX_DIGITS).then_some(self.first)
    }
}

impl From<Uuid> for IdPrefix {
    fn from(id: Uuid) -> Self {
        Self { first: id, digits: MAX_DIGITS }
    }
}

impl fmt::Display for IdPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.first.simple().to_string()[..self.digits])
    }
}

as_text!(IdPrefix);

impl FromStr for IdPrefix {
    type Err = InvalidIdPrefix;

    fn from_str(text: &str) -> Result<Self, InvalidIdPrefix> {
        let (mut first, mut digits) = (0_u128, 0);
        for letter in text.trim().chars().filter(|letter| *letter != '-') {
            let digit = letter.to_digit(16).filter(|_| digits < MAX_DIGITS).ok_or(InvalidIdPrefix)?;
            first = first << 4 | u128::from(digit);
            digits += 1;
        }
        if digits < MIN_DIGITS {
            return Err(InvalidIdPrefix);
        }
        Ok(Self { first: Uuid::from_u128(first << (4 * (MAX_DIGITS - digits))), digits })
    }
}

/// The text is no [`IdPrefix`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither an id, which is a UUID, nor its first digits, at least {MIN_DIGITS} of them")]
pub struct InvalidIdPrefix;
