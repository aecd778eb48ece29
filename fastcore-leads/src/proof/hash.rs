use std::fmt;

/// A SHA-256 of the tree: a leaf, a node, a root. As a text, base64 (RFC 4648, section 4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; Self::LEN]);

impl Hash {
    /// Bytes of a hash.
    pub const LEN: usize = 32;

    /// A hash of these bytes.
    pub const fn new(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({})", crate::text::hexadecimal(&self.0))
    }
}

/// The text is no hash: it is not the base64 of 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hash is the base64 of 32 bytes")]
pub struct InvalidHash;

#[cfg(feature = "proof")]
impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use base64::{Engine, engine::general_purpose::STANDARD};
        f.write_str(&STANDARD.encode(self.0))
    }
}

#[cfg(feature = "proof")]
impl std::str::FromStr for Hash {
    type Err = InvalidHash;

    fn from_str(text: &str) -> Result<Self, InvalidHash> {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let bytes = STANDARD.decode(text).map_err(|_| InvalidHash)?;
        bytes.try_into().map(Self).map_err(|_| InvalidHash)
    }
}

/// What keeps a leaf from being guessed: 16 random bytes, which stay in the database. `Debug` leaves them out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt([u8; Self::LEN]);

impl Salt {
    /// Bytes of a salt.
    pub const LEN: usize = 16;

    /// The place of a salt that was removed, with its row's redaction: its leaf says nothing any more.
    pub const REMOVED: Self = Self([0; Self::LEN]);

    /// A salt of these bytes.
    pub const fn new(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// Whether it was removed.
    pub fn is_removed(&self) -> bool {
        *self == Self::REMOVED
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_removed() { "Salt(removed)" } else { "Salt(..)" })
    }
}
