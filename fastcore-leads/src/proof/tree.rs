//! The tree of RFC 6962, section 2.1, over tiles.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::{Hash, Salt, Seal, TILE_WIDTH, Tile, TileId};

/// The root of a tree without leaves: the SHA-256 of nothing.
pub const EMPTY_ROOT: Hash = Hash::new([
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41,
    0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
]);

/// The hash of a node over two.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut hasher = Sha256::new_with_prefix([1]);
    hasher.update(left.as_bytes());
    hasher.update(right.as_bytes());
    Hash::new(hasher.finalize().into())
}

/// The root of a tree of so many leaves. None where one of [`tiles_of_root`] is missing or too short.
pub fn root(size: u64, tiles: &BTreeMap<TileId, Tile>) -> Option<Hash> {
    if size == 0 {
        return Some(EMPTY_ROOT);
    }
    subtree(0, size, &mut |level, index| lookup(tiles, level, index))
}

/// What shows that a leaf is in a tree: the hashes beside its way to the root, from below (RFC 6962, 2.1.1). None where the tree has no
/// such leaf, or one of [`tiles_of_inclusion`] is missing or too short.
pub fn inclusion_proof(index: u64, size: u64, tiles: &BTreeMap<TileId, Tile>) -> Option<Vec<Hash>> {
    path(index, 0, size, &mut |level, index| lookup(tiles, level, index))
}

/// What shows that a tree is the beginning of another (RFC 6962, 2.1.2); empty where either is empty or they are equal. None where it is
/// the larger one, or one of [`tiles_of_consistency`] is missing or too short.
pub fn consistency_proof(from: u64, to: u64, tiles: &BTreeMap<TileId, Tile>) -> Option<Vec<Hash>> {
    between(from, to, &mut |level, index| lookup(tiles, level, index))
}

/// The tiles that a root is made of.
pub fn tiles_of_root(size: u64) -> BTreeSet<TileId> {
    needed(|get| if size == 0 { None } else { subtree(0, size, get) })
}

/// The tiles that a proof of inclusion is made of.
pub fn tiles_of_inclusion(index: u64, size: u64) -> BTreeSet<TileId> {
    needed(|get| path(index, 0, size, get))
}

/// The tiles that a proof of consistency is made of.
pub fn tiles_of_consistency(from: u64, to: u64) -> BTreeSet<TileId> {
    needed(|get| between(from, to, get))
}

/// Whether a proof shows that a leaf is in a tree (RFC 9162, 2.1.3.2).
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut fn_, mut sn, mut hash) = (index, size - 1, *leaf);
    for beside in proof {
        if sn == 0 {
            return false;
        }
        if fn_ & 1 == 1 || fn_ == sn {
            hash = node_hash(beside, &hash);
            let zeros = fn_.trailing_zeros().min(63);
            if fn_ & 1 == 0 {
                fn_ >>= zeros;
                sn >>= zeros;
            }
        } else {
            hash = node_hash(&hash, beside);
        }
        fn_ >>= 1;
        sn >>= 1;
    }
    sn == 0 && hash == *root
}

/// Whether a proof shows that a tree is the beginning of another (RFC 9162, 2.1.4.2).
pub fn verify_consistency(from: u64, from_root: &Hash, to: u64, to_root: &Hash, proof: &[Hash]) -> bool {
    if from > to {
        return false;
    }
    if from == to {
        return proof.is_empty() && from_root == to_root;
    }
    if from == 0 {
        return proof.is_empty() && *from_root == EMPTY_ROOT;
    }
    // A tree that is full is itself the first node.
    let mut nodes = from.is_power_of_two().then_some(from_root).into_iter().chain(proof);
    let Some(first) = nodes.next() else { return false };
    let (mut fn_, mut sn) = (from - 1, to - 1);
    let ones = fn_.trailing_ones();
    fn_ >>= ones;
    sn >>= ones;
    let (mut old, mut new) = (*first, *first);
    for node in nodes {
        if sn == 0 {
            return false;
        }
        if fn_ & 1 == 1 || fn_ == sn {
            old = node_hash(node, &old);
            new = node_hash(node, &new);
            if fn_ & 1 == 0 {
                let zeros = fn_.trailing_zeros().min(63);
                fn_ >>= zeros;
                sn >>= zeros;
            }
        } else {
            new = node_hash(&new, node);
        }
        fn_ >>= 1;
        sn >>= 1;
    }
    sn == 0 && old == *from_root && new == *to_root
}

/// A tree with more leaves than before.
#[derive(Clone, Debug)]
pub struct Growth {
    /// What is to be written.
    pub seal: Seal,
    /// The tree's root then.
    pub root: Hash,
}

/// Adds leaves to a tree of so many: `edge` has its [`tiles_of_root`], or more of them. None where one of them is missing or too short.
pub fn grow(size: u64, edge: &BTreeMap<TileId, Tile>, leaves: &[(Hash, Salt)]) -> Option<Growth> {
    let mut tiles = edge.clone();
    for (id, tile) in &mut tiles {
        // Another process may have added to it since: then nothing of this is written in the end.
        tile.hashes.truncate(usize::try_from(id.width(size)).ok()?);
    }
    let mut added = BTreeMap::<TileId, Tile>::new();
    let mut to = size;
    for (hash, salt) in leaves {
        let mut id = TileId::of_leaves(to / TILE_WIDTH);
        to += 1;
        append(&mut tiles, &mut added, id, to, *hash, Some(*salt))?;
        // A tile that is full is a hash of the level above.
        while id.width(to) == TILE_WIDTH && (to >> (u32::from(id.level) * 8)).is_multiple_of(TILE_WIDTH) {
            let full = balanced(&tiles.get(&id)?.hashes);
            id = TileId { level: id.level + 1, number: id.number / TILE_WIDTH };
            append(&mut tiles, &mut added, id, to, full, None)?;
            if id.width(to) < TILE_WIDTH {
                break;
            }
        }
    }
    let root = root(to, &tiles)?;
    Some(Growth { seal: Seal { from: size, to, added: added.into_values().collect() }, root })
}

fn append(
    tiles: &mut BTreeMap<TileId, Tile>,
    added: &mut BTreeMap<TileId, Tile>,
    id: TileId,
    size: u64,
    hash: Hash,
    salt: Option<Salt>,
) -> Option<()> {
    let empty = || Tile { id, hashes: Vec::new(), salts: Vec::new() };
    for of in [tiles.entry(id).or_insert_with(empty), added.entry(id).or_insert_with(empty)] {
        of.hashes.push(hash);
        of.salts.extend(salt);
    }
    (tiles.get(&id)?.hashes.len() as u64 == id.width(size)).then_some(())
}

/// Where a hash comes from: by its tile's level, and its place in the level.
type Get<'a> = &'a mut dyn FnMut(u8, u64) -> Option<Hash>;

fn lookup(tiles: &BTreeMap<TileId, Tile>, level: u8, index: u64) -> Option<Hash> {
    let tile = tiles.get(&TileId { level, number: index / TILE_WIDTH })?;
    tile.hashes.get(usize::try_from(index % TILE_WIDTH).ok()?).copied()
}

/// Runs a proof with nothing in it, and notes what it asks for.
fn needed<T>(run: impl FnOnce(Get<'_>) -> Option<T>) -> BTreeSet<TileId> {
    let mut ids = BTreeSet::new();
    run(&mut |level, index| {
        ids.insert(TileId { level, number: index / TILE_WIDTH });
        Some(EMPTY_ROOT)
    });
    ids
}

/// The root of the leaves from one to another, at least one.
fn subtree(from: u64, to: u64, get: Get<'_>) -> Option<Hash> {
    let leaves = to - from;
    if leaves.is_power_of_two() {
        let height = leaves.trailing_zeros();
        let (level, above) = (height / 8, height % 8);
        let first = from.checked_shr(level * 8)?;
        let level = u8::try_from(level).ok()?;
        let hashes: Option<Vec<_>> = (first..first + (1 << above)).map(|index| get(level, index)).collect();
        return Some(balanced(&hashes?));
    }
    let middle = from + left_of(leaves);
    Some(node_hash(&subtree(from, middle, get)?, &subtree(middle, to, get)?))
}

fn path(index: u64, from: u64, to: u64, get: Get<'_>) -> Option<Vec<Hash>> {
    if !(from..to).contains(&index) {
        return None;
    }
    if to - from == 1 {
        return Some(Vec::new());
    }
    let middle = from + left_of(to - from);
    let (mut hashes, beside) = if index < middle {
        (path(index, from, middle, get)?, subtree(middle, to, get)?)
    } else {
        (path(index, middle, to, get)?, subtree(from, middle, get)?)
    };
    hashes.push(beside);
    Some(hashes)
}

fn between(from: u64, to: u64, get: Get<'_>) -> Option<Vec<Hash>> {
    match from {
        _ if from > to => None,
        0 => Some(Vec::new()),
        _ if from == to => Some(Vec::new()),
        _ => within(from, (0, to), true, get),
    }
}

/// SUBPROOF of RFC 6962, 2.1.2: `is_known` where the verifier has the root of these leaves.
fn within(from: u64, (first, to): (u64, u64), is_known: bool, get: Get<'_>) -> Option<Vec<Hash>> {
    if from == to {
        return if is_known { Some(Vec::new()) } else { subtree(first, to, get).map(|hash| vec![hash]) };
    }
    let middle = first + left_of(to - first);
    let (mut hashes, beside) = if from <= middle {
        (within(from, (first, middle), is_known, get)?, subtree(middle, to, get)?)
    } else {
        (within(from, (middle, to), false, get)?, subtree(first, middle, get)?)
    };
    hashes.push(beside);
    Some(hashes)
}

/// The largest power of two below a number of leaves that is at least 2.
fn left_of(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}

/// The root over hashes whose number is a power of two.
pub(crate) fn balanced(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => EMPTY_ROOT,
        [one] => *one,
        _ => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            node_hash(&balanced(left), &balanced(right))
        }
    }
}
