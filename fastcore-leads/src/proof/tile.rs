use std::fmt;

use super::{Hash, Salt};

/// Hashes of a full tile ([tlog-tiles](https://c2sp.org/tlog-tiles)).
pub const TILE_WIDTH: u64 = 256;

/// Which tile: its level, 0 for leaves, and its place in the level. `Display` is its path, such as `tile/0/x001/234`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// The level: a hash of one is of a full tile of the level below.
    pub level: u8,
    /// Its place, counted from 0.
    pub number: u64,
}

impl TileId {
    /// A tile of leaves.
    pub const fn of_leaves(number: u64) -> Self {
        Self { level: 0, number }
    }

    /// How many hashes it has in a tree of so many leaves: none where the tree does not reach it.
    pub fn width(self, size: u64) -> u64 {
        let hashes = size.checked_shr(u32::from(self.level) * 8).unwrap_or(0);
        hashes.saturating_sub(self.number.saturating_mul(TILE_WIDTH)).min(TILE_WIDTH)
    }
}

impl fmt::Display for TileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut groups = vec![format!("{:03}", self.number % 1000)];
        let mut rest = self.number / 1000;
        while rest > 0 {
            groups.push(format!("x{:03}", rest % 1000));
            rest /= 1000;
        }
        groups.reverse();
        write!(f, "tile/{}/{}", self.level, groups.join("/"))
    }
}

/// Consecutive hashes of a level, up to [`TILE_WIDTH`]. A tile of leaves has a salt for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tile {
    /// Which one.
    pub id: TileId,
    /// Its hashes, from the first on.
    pub hashes: Vec<Hash>,
    /// The salts of its leaves. None above the leaves.
    pub salts: Vec<Salt>,
}

impl Tile {
    /// Its hashes as bytes, one behind the other, as they are published.
    pub fn hash_bytes(&self) -> Vec<u8> {
        self.hashes.iter().flat_map(Hash::as_bytes).copied().collect()
    }

    /// Its salts as bytes, one behind the other.
    pub fn salt_bytes(&self) -> Vec<u8> {
        self.salts.iter().flat_map(Salt::as_bytes).copied().collect()
    }

    /// A tile of such bytes. None where they are not whole hashes and salts, or more than a tile has.
    pub fn from_bytes(id: TileId, hashes: &[u8], salts: &[u8]) -> Option<Self> {
        let (hashes, no_hash) = hashes.as_chunks();
        let (salts, no_salt) = salts.as_chunks();
        let is_whole = no_hash.is_empty() && no_salt.is_empty() && hashes.len() as u64 <= TILE_WIDTH;
        is_whole.then(|| Self {
            id,
            hashes: hashes.iter().copied().map(Hash::new).collect(),
            salts: salts.iter().copied().map(Salt::new).collect(),
        })
    }
}
