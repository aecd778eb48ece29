//! The tree against another implementation (`ct-merkle`) and against the definitions of RFC 6962.

use std::collections::BTreeMap;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use fastcore_leads::proof::{
    EMPTY_ROOT, Hash, Salt, TILE_WIDTH, Tile, TileId, consistency_proof, grow, inclusion_proof, leaf_hash, root,
    tiles_of_consistency, tiles_of_inclusion, tiles_of_root, verify_consistency, verify_inclusion,
};
use proptest::prelude::*;
use sha2::Sha256;

type Tiles = BTreeMap<TileId, Tile>;

fn entry(index: u64) -> Vec<u8> {
    format!("entry {index}").into_bytes()
}

/// A tree of so many leaves, which grew by steps of so many.
fn tree(size: u64, step: u64) -> (Tiles, Hash) {
    let (mut tiles, mut at, mut last) = (Tiles::new(), 0, EMPTY_ROOT);
    while at < size {
        let to = size.min(at + step);
        let leaves: Vec<_> = (at..to).map(|index| (leaf_hash(&entry(index)), Salt::REMOVED)).collect();
        let edge = some(&tiles, tiles_of_root(at));
        let growth = grow(at, &edge, &leaves).expect("the edge is whole");
        assert_eq!((growth.seal.from, growth.seal.to), (at, to));
        for added in growth.seal.added {
            let tile = tiles.entry(added.id).or_insert(Tile { id: added.id, hashes: Vec::new(), salts: Vec::new() });
            tile.hashes.extend(added.hashes);
            tile.salts.extend(added.salts);
        }
        (at, last) = (to, growth.root);
    }
    (tiles, last)
}

fn some(tiles: &Tiles, ids: impl IntoIterator<Item = TileId>) -> Tiles {
    ids.into_iter().filter_map(|id| Some((id, tiles.get(&id)?.clone()))).collect()
}

fn oracle(size: u64) -> MemoryBackedTree<Sha256, Vec<u8>> {
    let mut tree = MemoryBackedTree::new();
    (0..size).for_each(|index| tree.push(entry(index)));
    tree
}

fn bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(Hash::as_bytes).copied().collect()
}

/// Sizes at which tiles, levels and powers of two begin and end, and any.
fn sizes() -> impl Strategy<Value = u64> {
    prop_oneof![
        1..40_u64,
        (0..3_u64, 1..5_u64).prop_map(|(off, tiles)| (tiles * TILE_WIDTH + off).saturating_sub(1).max(1)),
        1..1500_u64
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn roots_and_proofs_are_those_of_another_implementation(size in sizes(), step in 1..600_u64, at in any::<prop::sample::Index>()) {
        let (tiles, last) = tree(size, step);
        let oracle = oracle(size);
        prop_assert_eq!(last.as_bytes().to_vec(), oracle.root().as_bytes().to_vec());
        prop_assert_eq!(root(size, &some(&tiles, tiles_of_root(size))), Some(last));

        let index = at.index(usize::try_from(size).expect("small"));
        let needed = some(&tiles, tiles_of_inclusion(index as u64, size));
        let proof = inclusion_proof(index as u64, size, &needed).expect("the tiles are there");
        let theirs = oracle.prove_inclusion(index);
        prop_assert_eq!(bytes(&proof), theirs.as_bytes().to_vec());
        let leaf = leaf_hash(&entry(index as u64));
        prop_assert!(verify_inclusion(&leaf, index as u64, size, &proof, &last));

        let from = index as u64 + 1;
        let (_, old) = tree(from, step);
        let needed = some(&tiles, tiles_of_consistency(from, size));
        let proof = consistency_proof(from, size, &needed).expect("the tiles are there");
        prop_assert!(verify_consistency(from, &old, size, &last, &proof));
        if from < size {
            let theirs = oracle.prove_consistency(usize::try_from(size - from).expect("small"));
            prop_assert_eq!(bytes(&proof), theirs.as_bytes().to_vec());
        }
    }

    #[test]
    fn a_proof_shows_nothing_else(size in 2..600_u64, index in any::<prop::sample::Index>(), other in any::<prop::sample::Index>(), flip in 0..256_usize) {
        let (tiles, last) = tree(size, 600);
        let (index, other) = (index.index(usize::try_from(size).expect("small")) as u64, other.index(usize::try_from(size).expect("small")) as u64);
        let proof = inclusion_proof(index, size, &tiles).expect("tiles");
        let leaf = leaf_hash(&entry(index));
        if other != index {
            prop_assert!(!verify_inclusion(&leaf_hash(&entry(other)), index, size, &proof, &last), "another leaf");
            prop_assert!(!verify_inclusion(&leaf, other, size, &proof, &last), "another place");
        }
        for at in 0..proof.len() {
            let mut changed = proof.clone();
            changed[at] = flipped(changed[at], flip);
            prop_assert!(!verify_inclusion(&leaf, index, size, &changed, &last), "another hash");
            changed.remove(at);
            prop_assert!(!verify_inclusion(&leaf, index, size, &changed, &last), "a hash fewer");
        }
        prop_assert!(!verify_inclusion(&leaf, index, size, &proof, &flipped(last, flip)), "another root");
        let longer: Vec<_> = proof.iter().copied().chain([last]).collect();
        prop_assert!(!verify_inclusion(&leaf, index, size, &longer, &last), "a hash more");

        let from = index + 1;
        let (_, old) = tree(from, 600);
        let proof = consistency_proof(from, size, &tiles).expect("tiles");
        prop_assert!(!verify_consistency(from, &flipped(old, flip), size, &last, &proof), "another beginning");
        prop_assert!(!verify_consistency(from, &old, size, &flipped(last, flip), &proof), "another end");
        for at in 0..proof.len() {
            let mut changed = proof.clone();
            changed[at] = flipped(changed[at], flip);
            prop_assert!(!verify_consistency(from, &old, size, &last, &changed), "another hash");
        }
    }

    /// Whatever a size and a proof are: an answer, and no panic.
    #[test]
    fn whatever_is_verified_is_answered(index: u64, from: u64, to: u64, proof in prop::collection::vec(any::<[u8; 32]>(), 0..70)) {
        let proof: Vec<_> = proof.into_iter().map(Hash::new).collect();
        prop_assert!(!verify_inclusion(&EMPTY_ROOT, index, to, &proof, &EMPTY_ROOT) || (to == 1 && proof.is_empty()));
        verify_consistency(from, &EMPTY_ROOT, to, &EMPTY_ROOT, &proof);
        prop_assert_eq!(inclusion_proof(index, to, &Tiles::new()).is_some(), index == 0 && to == 1);
        tiles_of_root(to);
    }
}

fn flipped(hash: Hash, bit: usize) -> Hash {
    let mut bytes = *hash.as_bytes();
    bytes[bit / 8] ^= 1 << (bit % 8);
    Hash::new(bytes)
}

/// Another process was quicker: what this one computes is of the tree that it knew.
#[test]
fn an_edge_that_has_grown_is_as_it_was() {
    let leaf = [(leaf_hash(&entry(300)), Salt::REMOVED)];
    let (before, after) = (tree(300, 300).0, tree(600, 300).0);
    let growth = grow(300, &before, &leaf).expect("whole");
    let late = grow(300, &some(&after, tiles_of_root(300)), &leaf).expect("whole");
    assert_eq!((growth.root, growth.seal.added), (late.root, late.seal.added));
}

#[test]
fn a_torn_edge_is_noticed() {
    let (mut tiles, _) = tree(300, 300);
    tiles.get_mut(&TileId::of_leaves(1)).expect("a tile").hashes.pop();
    assert!(grow(300, &tiles, &[(EMPTY_ROOT, Salt::REMOVED)]).is_none());
    assert!(root(300, &tiles).is_none());
}

#[test]
fn tiles_have_the_paths_and_widths_of_the_standard() {
    assert_eq!(TileId { level: 0, number: 1_234_067 }.to_string(), "tile/0/x001/x234/067");
    assert_eq!(TileId { level: 1, number: 0 }.to_string(), "tile/1/000");
    // tlog-tiles, "Partial Tiles".
    let width = |level, number| TileId { level, number }.width(70_000);
    assert_eq!((width(0, 272), width(0, 273), width(0, 274)), (256, 112, 0));
    assert_eq!((width(1, 0), width(1, 1), width(2, 0), width(3, 0)), (256, 17, 1, 0));
    let (tiles, _) = tree(256, 256);
    assert_eq!(tiles[&TileId { level: 1, number: 0 }].hashes.len(), 1);
}

/// Two levels of full tiles.
#[test]
fn a_tree_of_three_levels_holds() {
    let size = TILE_WIDTH * TILE_WIDTH + 3 * TILE_WIDTH + 5;
    let (tiles, last) = tree(size, 40_000);
    assert_eq!(&last.as_bytes()[..], oracle(size).root().as_bytes().as_slice());
    assert_eq!(tiles[&TileId { level: 2, number: 0 }].hashes.len(), 1);
    let index = TILE_WIDTH * TILE_WIDTH + 1;
    let proof = inclusion_proof(index, size, &some(&tiles, tiles_of_inclusion(index, size))).expect("tiles");
    assert!(verify_inclusion(&leaf_hash(&entry(index)), index, size, &proof, &last));
}
