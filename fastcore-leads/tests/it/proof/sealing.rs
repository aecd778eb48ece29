//! What is sealed, signed and published, and what is refused.

use std::{sync::Arc, time::Duration};

use fastcore_leads::{
    LeadLog, MemoryLeadStore,
    proof::{
        Audit, Checkpoint, Finding, Folder, FolderError, NoteKey, SealError, Sealer, TileId, WitnessError, cosign,
        tiles_of_consistency, tiles_of_root,
    },
    testing::{TempDir, log},
};

struct World {
    store: MemoryLeadStore,
    key: NoteKey,
    folder: Folder,
    _dir: TempDir,
}

fn world() -> World {
    let dir = TempDir::new();
    let folder = Folder::at(dir.path());
    World { store: MemoryLeadStore::new(), key: log::key(), folder, _dir: dir }
}

impl World {
    async fn seal(&self) -> Result<u64, SealError> {
        Sealer::builder(self.store.clone(), self.key.clone()).publish(self.folder.clone()).seal_all().await
    }

    async fn receive_and_seal(&self, leads: usize) -> u64 {
        log::receive(&self.store, leads).await;
        self.seal().await.expect("sealed")
    }

    async fn until_published(&self, size: u64) {
        while self.folder.last().expect("read").is_none_or(|note| !note.text().contains(&format!("\n{size}\n"))) {
            tokio::task::yield_now().await;
        }
    }

    fn head(&self) -> Checkpoint {
        let note = self.folder.last().expect("read").expect("published");
        Checkpoint::open(&note, &[self.key.verifier()]).expect("signed")
    }
}

#[tokio::test]
async fn what_is_published_makes_the_roots_that_were_signed() {
    let world = world();
    for leads in [5, 251, 1, 700] {
        world.receive_and_seal(leads).await;
    }
    let heads = world.folder.all().expect("read");
    let heads: Vec<_> =
        heads.iter().map(|note| Checkpoint::open(note, &[world.key.verifier()]).expect("signed")).collect();
    assert_eq!(heads.iter().map(|head| head.size).collect::<Vec<_>>(), [5, 256, 257, 957]);
    assert_eq!(world.head(), *heads.last().expect("a head"));
    let last = world.head();
    let witness = NoteKey::generate("witness.example").expect("a key");
    let note = world.folder.last().expect("read").expect("published");
    for seen in &heads {
        let ids = tiles_of_consistency(seen.size, last.size).into_iter().chain(tiles_of_root(last.size));
        let tiles = ids.filter_map(|id| Some((id, world.folder.tile(id, last.size).expect("read")?))).collect();
        let cosigned = cosign(&note, &[world.key.verifier()], Some(seen), &tiles, &witness, 1).expect("it extends");
        assert_eq!(cosigned.note.verify(&[witness.cosigner()]).expect("cosigned").len(), 1);
        let forked = Checkpoint { root: fastcore_leads::proof::EMPTY_ROOT, ..seen.clone() };
        let refused = cosign(&note, &[world.key.verifier()], Some(&forked), &tiles, &witness, 1).expect_err("a fork");
        assert!(matches!(refused, WitnessError::Forked { .. }), "{refused}");
        let longer = Checkpoint { size: last.size + 1, ..seen.clone() };
        let refused = cosign(&note, &[world.key.verifier()], Some(&longer), &tiles, &witness, 1).expect_err("shorter");
        assert!(matches!(refused, WitnessError::Shorter { .. }), "{refused}");
    }
}

/// As after a restore of a back-up: leads are taken in, and nothing is signed.
#[tokio::test]
async fn a_log_that_was_put_back_is_not_signed() {
    let world = world();
    world.receive_and_seal(300).await;
    let restored = World { store: MemoryLeadStore::new(), ..world };
    log::receive(&restored.store, 299).await;
    let refused = restored.seal().await.expect_err("it is shorter than what was published");
    assert!(matches!(refused, SealError::Fork(WitnessError::Shorter { .. })), "{refused}");
    // Nor once it has as many rows again, which are others.
    let elsewhere = Sealer::builder(restored.store.clone(), restored.key.clone());
    log::receive(&restored.store, 50).await;
    assert_eq!(elsewhere.seal_all().await.expect("signed, as nobody knew better"), 349);
    let refused = restored.seal().await.expect_err("a fork");
    assert!(matches!(refused, SealError::Fork(WitnessError::Forked { .. })), "{refused}");
    assert_eq!(restored.head().size, 300, "what was published stays");
    let audit = Audit::new().known([restored.key.verifier()]).published(restored.folder.clone());
    let report = audit.run(&restored.store, |_, _| {}).await.expect("read");
    assert!(report.findings.contains(&Finding::Root { signed: 300 }), "{:?}", report.findings);
    assert!(matches!(report.findings.first(), Some(Finding::Resealed { index: 0, .. })), "{:?}", report.findings);
}

#[tokio::test]
async fn a_published_tile_is_never_another() {
    let world = world();
    world.receive_and_seal(256).await;
    let id = TileId::of_leaves(0);
    let mut tile = world.folder.tile(id, 256).expect("read").expect("published");
    tile.hashes.swap(0, 1);
    assert!(matches!(world.folder.put_tile(&tile), Err(FolderError::Differs { .. })));
    tile.hashes.swap(0, 1);
    world.folder.put_tile(&tile).expect("the same once more");
    assert!(!world.folder.path().join("tile/0/000.p").exists(), "parts of a full tile are of no use");
}

/// Wherever a write was cut off: what is whole is read, and the next one goes on behind it.
#[tokio::test]
async fn what_an_interrupted_write_left_is_cut_off() {
    let world = world();
    world.receive_and_seal(10).await;
    let path = world.folder.path().join("checkpoints");
    let whole = std::fs::read(&path).expect("read");
    let heads = world.folder.all().expect("read");
    let note = world.folder.last().expect("read").expect("published");
    for cut in 1..whole.len() {
        std::fs::write(&path, [&whole[..], &whole[..cut]].concat()).expect("written");
        assert_eq!(world.folder.all().expect("read"), heads, "cut off at {cut}");
        world.folder.put_checkpoint(&note, 10).expect("published");
        assert_eq!(std::fs::read(&path).expect("read"), [&whole[..], &whole[..]].concat(), "cut off at {cut}");
    }
    std::fs::write(&path, &whole).expect("written");
    let partial = world.folder.path().join("tile/0/000.p/20");
    std::fs::write(&partial, [0; 100]).expect("written");
    assert_eq!(world.receive_and_seal(10).await, 20);
    assert_eq!(std::fs::metadata(&partial).expect("there").len(), 20 * 32);
    assert_eq!(world.folder.all().expect("read").len(), 2);
    std::fs::remove_dir_all(world.folder.path()).expect("removed");
    log::receive(&world.store, 1).await;
    let refused = world.seal().await.expect_err("a folder that is not there is not an empty one");
    assert!(matches!(refused, SealError::Folder(FolderError::Missing { .. })), "{refused}");
}

/// However quiet it is: then the old key may be taken away.
#[tokio::test]
async fn a_rotation_signs_once_more() {
    let world = world();
    world.receive_and_seal(10).await;
    let next = log::key();
    let both = || {
        let sealer = Sealer::builder(world.store.clone(), next.clone()).also_signed_by(world.key.clone());
        sealer.publish(world.folder.clone()).seal_all()
    };
    for _ in 0..3 {
        assert_eq!(both().await.expect("signed"), 10);
    }
    assert_eq!(world.folder.all().expect("read").len(), 2);
    for key in [&world.key, &next] {
        let note = world.folder.last().expect("read").expect("published");
        assert_eq!(Checkpoint::open(&note, &[key.verifier()]).expect("signed").size, 10);
        let kept = world.store.sealed().await.expect("state").checkpoint.expect("kept").parse().expect("a note");
        assert_eq!(Checkpoint::open(&kept, &[key.verifier()]).expect("signed").size, 10);
    }
    let alone = Sealer::builder(world.store.clone(), next.clone()).publish(world.folder.clone());
    log::receive(&world.store, 1).await;
    assert_eq!(alone.seal_all().await.expect("sealed"), 11);
}

/// What is published is kept for years: in between the database has the last checkpoint, and the folder has it in the end.
#[tokio::test(flavor = "multi_thread")]
async fn it_is_published_now_and_then() {
    let world = world();
    let builder = Sealer::builder(world.store.clone(), world.key.clone()).publish(world.folder.clone());
    let sealer = builder.poll(Duration::from_millis(5)).publish_every(Duration::from_secs(3600)).start();
    log::receive(&world.store, 3).await;
    world.until_published(3).await;
    for size in [6, 9] {
        log::receive(&world.store, 3).await;
        let signed = async || world.store.sealed().await.expect("state").checkpoint.expect("a checkpoint");
        while !signed().await.contains(&format!("\n{size}\n")) {
            tokio::task::yield_now().await;
        }
        assert_eq!(world.head().size, 3);
    }
    sealer.shutdown().await;
    assert_eq!(world.head().size, 9);
    assert_eq!(world.folder.all().expect("read").len(), 2);
}

/// A note has an end: whatever has none is not read into memory.
#[tokio::test]
async fn what_is_no_note_is_refused_however_long_it_is() {
    let world = world();
    world.receive_and_seal(1).await;
    let path = world.folder.path().join("checkpoints");
    let whole = std::fs::read(&path).expect("read");
    for garbage in ["x".repeat(300_000), "x\n".repeat(150_000)] {
        std::fs::write(&path, [&whole[..], garbage.as_bytes()].concat()).expect("written");
        let mut seen = 0;
        let refused = world.folder.each(|_| seen += 1).expect_err("no note");
        assert!(matches!(refused, FolderError::Checkpoint(_)) && seen == 1, "{refused}");
    }
}

/// It seals by itself, and ends when it is told to.
#[tokio::test(flavor = "multi_thread")]
async fn a_sealer_follows_the_log() {
    let world = world();
    let builder = Sealer::builder(world.store.clone(), world.key.clone()).publish(world.folder.clone());
    // However quiet it is by then.
    let sealer = builder.poll(Duration::from_millis(5)).publish_every(Duration::from_millis(50)).start();
    for size in [3, 6] {
        log::receive(&world.store, 3).await;
        world.until_published(size).await;
    }
    sealer.shutdown().await;
    let store: Arc<dyn LeadLog> = Arc::new(world.store.clone());
    let report = log::audit(&*store, &world.key, Some(&world.folder)).await;
    assert!(report.is_sound(), "{:?}", report.findings);
    assert_eq!(report.rows, 6);
}
