//! The audit log is sealed by services that are killed, and verified by programs that share no code with them.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::OnceLock,
};

use fastcore_leads::{
    LeadId, LeadMigrations,
    proof::{Folder, NoteKey, Receipt, Sealer},
    testing::{Random, TOKEN, TempDir, http::exchange, log, postgres::Cluster},
    uuid::Uuid,
};
use fastcore_leads_store_sqlx::SqliteLeadStore;

use crate::{
    crash::Writers,
    outage::until,
    service::{Service, get, start_in_vain},
};

/// How often services are killed.
const KILLS: usize = 12;
/// At most so many acknowledgements lie between two kills.
const INTERVAL: usize = 60;

/// The keys of a log, and where two services publish it to.
pub(crate) struct Seals {
    dir: TempDir,
}

impl Seals {
    pub(crate) fn new() -> Self {
        let seals = Self { dir: TempDir::new() };
        for nth in [0, 1] {
            std::fs::create_dir(seals.folder(nth)).unwrap();
        }
        let key = NoteKey::generate(log::ORIGIN).unwrap();
        std::fs::write(seals.path("keys"), key.reveal()).unwrap();
        std::fs::write(seals.path("known"), format!("{}\n{}\n", key.verifier(), key.cosigner())).unwrap();
        seals
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    /// What has a service seal, the first or the second.
    pub(crate) fn options(&self, nth: usize) -> [String; 4] {
        ["--audit-keys".to_owned(), self.path("keys"), "--publish".to_owned(), self.folder(nth)]
    }

    pub(crate) fn folder(&self, nth: usize) -> String {
        self.path(["one", "other"][nth])
    }

    /// Seals what is left, and goes through all of it: by `leadctl`, and by the one in Go.
    pub(crate) fn verify(&self, url: &str) {
        let keys = self.path("keys");
        for nth in [0, 1] {
            let folder = self.folder(nth);
            let sealed = leadctl(url, &["audit", "seal", "--keys", &keys, "--publish", &folder]);
            assert!(sealed.status.success(), "{}", String::from_utf8_lossy(&sealed.stderr));
            let verified = leadctl(url, &["audit", "verify", "--known", &self.path("known"), "--published", &folder]);
            assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
            let verified = verifier(&[&folder, &self.path("known")]);
            assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
        }
    }
}

fn leadctl(url: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leadctl"));
    command.args(["--database-url", url, "--actor", "marie"]).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// Runs the verifier that is written in Go.
fn verifier(arguments: &[&str]) -> Output {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let program = BUILT.get_or_init(|| {
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("verifier");
        let mut go = Command::new("go");
        go.args(["build", "-o", program.to_str().unwrap(), "main.go"]);
        go.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("verifier"));
        // Debian's packages stand there; without modules nothing is fetched.
        go.env("GO111MODULE", "off").env("GOPATH", "/usr/share/gocode").env("GOFLAGS", "");
        go.env("GOCACHE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("go"));
        let built = go.output().expect("Go is not there: install golang-go and golang-golang-x-mod-dev, or run ./test");
        assert!(built.status.success(), "install golang-golang-x-mod-dev: {}", String::from_utf8_lossy(&built.stderr));
        program
    });
    Command::new(program).args(arguments).output().unwrap()
}

/// Two services on a PostgreSQL database, one after the other on a file, with a writer for each driver.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_sealed_by_services_that_are_killed() {
    let dir = TempDir::new();
    for (url, services) in [(Cluster::shared().database(), 2), (dir.sqlite_url(), 1)] {
        let seals = Seals::new();
        let start = |nth: usize, round: usize| {
            let driver = ["sqlx", "diesel"][round % 2];
            let options = seals.options(nth);
            let options: Vec<&str> = options.iter().map(String::as_str).collect();
            Service::start(&[&["--database-url", &url, "--driver", driver], &options[..]].concat())
        };
        let mut running: Vec<_> = (0..services).map(|nth| start(nth, nth)).collect();
        let addresses = |running: &[Service]| running.iter().map(|service| service.address).collect::<Vec<_>>();
        let writers = Writers::new(&addresses(&running));
        let tasks = writers.start();
        let mut random = Random::from_env();
        for round in 1..=KILLS {
            writers.wait_for(1 + random.below(INTERVAL)).await;
            let nth = round % services;
            running[nth].signal("-KILL");
            running[nth].wait();
            running[nth] = start(nth, round);
            writers.go_to(&addresses(&running));
        }
        writers.wait_for(100).await;
        let acknowledged = writers.finish(tasks).await;
        until("all of it is sealed", async || metric(&running[0], "fastcore_leads_audit_unsealed_rows").await == 0.0)
            .await;
        // What a sender asks for some seconds later.
        for id in acknowledged.iter().take(5) {
            let ask =
                format!("GET /inbound/leads/{id}/receipt HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n\r\n");
            let asked = async || exchange(running[0].address, ask.as_bytes()).await;
            until("it is sealed", async || asked().await.status == 200).await;
            let text = String::from_utf8(asked().await.body).unwrap();
            let known: Vec<_> = std::fs::read_to_string(seals.path("known"))
                .unwrap()
                .lines()
                .map(|line| line.parse().unwrap())
                .collect();
            text.parse::<Receipt>().unwrap().verify(&known).unwrap();
            std::fs::write(seals.path("receipt"), &text).unwrap();
            let verified = verifier(&[&seals.folder(0), &seals.path("known"), &seals.path("receipt")]);
            assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
        }
        for service in &mut running {
            service.signal("-TERM");
            assert!(service.wait().success(), "{}", service.logs());
            assert!(!service.logs().contains("is not sealed"), "{}", service.logs());
        }
        seals.verify(&url);
    }
}

async fn metric(service: &Service, name: &str) -> f64 {
    let metrics = exchange(service.address, &get("/metrics")).await;
    let text = String::from_utf8_lossy(&metrics.body).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned));
    line.and_then(|value| value.trim().parse().ok()).unwrap_or(f64::NAN)
}

/// So many rows, the first of which is of a lead.
const AUDIT_ROWS: &str = "
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)
    INSERT INTO audit_log (id, created_at_utc, event, lead_id, request_id)
    SELECT lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-8'
                 || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))),
           '2026-11-22T10:30:45.123456Z', 'LEAD_RECEIVED', iif(i = 1, ?1, NULL), '01890000-0000-7000-8000-000000000000' FROM n";

/// Trees of one and of three levels, with tiles that are full and in part; and what was planted in each is refused.
#[tokio::test(flavor = "multi_thread")]
async fn another_language_verifies_what_is_published_and_finds_what_was_planted() {
    let (seals, dir) = (Seals::new(), TempDir::new());
    let store = SqliteLeadStore::connect(&dir.sqlite_url()).await.unwrap();
    store.migrate().await.unwrap();
    let key: NoteKey = std::fs::read_to_string(seals.path("keys")).unwrap().parse().unwrap();
    let (folder, known) = (seals.folder(0), seals.path("known"));
    let mut receipts = Vec::new();
    for leads in [1_i64, 1, 253, 1, 1, 500, 65_000] {
        let lead = LeadId::from_uuid(Uuid::now_v7());
        sqlx::query(AUDIT_ROWS).bind(lead.to_string()).bind(leads).execute(store.pool()).await.unwrap();
        let published = Folder::at(&folder);
        Sealer::builder(store.clone(), key.clone()).publish(published).seal_all().await.unwrap();
        let receipt = Receipt::of(&store, lead).await.unwrap().sealed().unwrap();
        let path = seals.path(&format!("{leads}-{}.tlog-proof", receipts.len()));
        std::fs::write(&path, receipt.to_string()).unwrap();
        receipts.push(path);
        let arguments =
            [&[folder.as_str(), &known], &receipts.iter().map(String::as_str).collect::<Vec<_>>()[..]].concat();
        let verified = verifier(&arguments);
        assert!(verified.status.success(), "{leads}: {}", String::from_utf8_lossy(&verified.stderr));
    }
    let text = String::from_utf8(verifier(&[&folder, &known]).stdout).unwrap();
    assert!(text.contains("65757 entries, 7 checkpoints"), "{text}");

    let of_receipt = receipts.last().unwrap().clone();
    for (file, at) in [
        (format!("{folder}/tile/0/000"), 100),
        (format!("{folder}/tile/0/256.p/221"), 0),
        (format!("{folder}/tile/1/000"), 8000),
        (format!("{folder}/tile/2/000.p/1"), 31),
        (format!("{folder}/checkpoint"), 20),
        (format!("{folder}/checkpoints"), 20),
        (of_receipt.clone(), 60),
    ] {
        let whole = std::fs::read(&file).unwrap();
        let mut changed = whole.clone();
        changed[at] ^= 1;
        std::fs::write(&file, changed).unwrap();
        let refused = verifier(&[&folder, &known, &of_receipt]);
        assert!(!refused.status.success(), "{file}");
        std::fs::write(&file, whole).unwrap();
    }
    assert!(verifier(&[&folder, &known, &of_receipt]).status.success());
}

#[test]
fn keys_that_cannot_be_used_are_refused_at_the_start() {
    let (dir, seals) = (TempDir::new(), Seals::new());
    let key = std::fs::read_to_string(seals.path("keys")).unwrap();
    // PRIVATE+KEY+name+hash+secret, where the secret is base64, which has `+` in it too.
    let (fourth, _) = key.match_indices('+').nth(3).unwrap();
    let (beginning, secret) = (&key[..fourth], key[fourth + 1..].trim());
    let public = NoteKey::generate(log::ORIGIN).unwrap().verifier().to_string();
    for (text, words) in [
        (String::new(), "there is no key in it"),
        ("Zk9made-up".to_owned(), "line 1"),
        (format!("\n{beginning}+{}", &secret[1..]), "line 2"),
        (public, "PRIVATE+KEY+"),
    ] {
        let file = dir.path().join("log.keys");
        std::fs::write(&file, &text).unwrap();
        let (status, said) = start_in_vain(&["--audit-keys", file.to_str().unwrap()], &[]);
        assert!(!status.success() && said.contains(words), "{text}: {said}");
        assert!(!said.contains("Zk9made") && !said.contains(&secret[1..]), "{said}");
    }
    for (options, words) in [(["--audit-keys", "none.keys"], "none.keys"), (["--publish", "log"], "--audit-keys")] {
        let (status, said) = start_in_vain(&options, &[]);
        assert!(!status.success() && said.contains(words), "{said}");
    }
}
