//! The small programs: they run, they serve, and mounting is as little as they say.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
};

use fastcore_leads::testing::{
    TOKEN, TempDir, body,
    http::{exchange, lead_request},
    postgres::Cluster,
};

struct Mount {
    child: Child,
    address: SocketAddr,
    _dir: TempDir,
}

impl Mount {
    fn start(program: &str) -> Self {
        let dir = TempDir::new();
        let mut child = Command::new(program)
            .env("LISTEN", "127.0.0.1:0")
            .env("DATABASE_URL", Cluster::shared().database())
            .env("FASTCORE_SITE_INGEST_TOKEN", TOKEN)
            .current_dir(dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let line = BufReader::new(child.stdout.take().unwrap()).lines().next();
        let address = line.and_then(Result::ok).and_then(|line| line.rsplit('/').next()?.parse().ok());
        let Some(address) = address else {
            let _ = child.kill();
            panic!("{program} did not start");
        };
        Self { child, address, _dir: dir }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn each_mount_takes_leads_beside_its_own_routes() {
    let hosts = [
        (env!("CARGO_BIN_EXE_mount-axum"), "/customers/count", "1"),
        (env!("CARGO_BIN_EXE_mount-warp"), "/customers/count", "1"),
        (env!("CARGO_BIN_EXE_mount-hyper"), "/nothing", ""),
    ];
    for (program, path, said) in hosts {
        let mount = Mount::start(program);
        let sent = lead_request(&body());
        let first = exchange(mount.address, &sent).await;
        assert_eq!(first.status, 201, "{program}");
        let retry = exchange(mount.address, &sent).await;
        assert_eq!((retry.header("idempotency-replayed"), &retry.body), (Some("true"), &first.body), "{program}");
        let own = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        assert_eq!(String::from_utf8_lossy(&exchange(mount.address, own.as_bytes()).await.body), said, "{program}");
        let unknown = exchange(mount.address, b"GET /unknown HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert_eq!(unknown.status, 404, "{program}");
        let wrong = String::from_utf8_lossy(&sent).replace(TOKEN, "wrong-token-0123456789");
        assert_eq!(exchange(mount.address, wrong.as_bytes()).await.status, 401, "{program}");
    }
}

#[test]
fn a_tool_calls_the_library_directly() {
    let dir = TempDir::new();
    let run = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_direct")).args(arguments).current_dir(dir.path()).output().unwrap()
    };
    let done = run(&["Jean Dupont", "jean@example.com", "Mon compresseur ne démarre plus depuis hier"]);
    assert!(done.status.success());
    assert!(uuid::Uuid::try_parse(String::from_utf8_lossy(&done.stdout).trim()).is_ok());
    let refused = run(&["J", "nobody", "court"]);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(said.lines().count(), 3, "{said}");
    assert_eq!(run(&[]).status.code(), Some(2));
}

#[test]
fn mounting_adds_ten_lines_at_most() {
    for file in ["axum_service.rs", "warp_service.rs"] {
        let source = read(file);
        let mut added = 0;
        let mut is_added = false;
        for line in source.lines().map(str::trim) {
            match line {
                "// Added:" => is_added = true,
                "// ." => is_added = false,
                _ => added += usize::from(is_added),
            }
        }
        assert!((5..=10).contains(&added), "{file} adds {added} lines");
    }
    let bare = read("hyper_bare.rs");
    let lines = bare.lines().filter(|line| !line.trim_start().starts_with("//") && !line.trim().is_empty()).count();
    assert!(lines < 60, "hyper alone takes {lines} lines");
}

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("mounts").join(file)).unwrap()
}
