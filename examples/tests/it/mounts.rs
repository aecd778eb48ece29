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

const STAFF_TOKEN: &str = "a-token-of-the-staff-0123456789";

struct Mount {
    child: Child,
    address: SocketAddr,
    /// Where the staff asks, if it may.
    inside: Option<SocketAddr>,
    _dir: TempDir,
}

impl Mount {
    /// A program that says where it listens, in so many lines: the last is for everybody.
    fn start(program: &str, lines: usize) -> Self {
        let dir = TempDir::new();
        let mut child = Command::new(program)
            .env("LISTEN", "127.0.0.1:0")
            .env("DATABASE_URL", Cluster::shared().database())
            .env("FASTCORE_SITE_INGEST_TOKEN", TOKEN)
            .env("STAFF_LISTEN", "127.0.0.1:0")
            .env("STAFF_TOKEN", STAFF_TOKEN)
            .current_dir(dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok).take(lines);
        let addresses: Vec<SocketAddr> = said.filter_map(|line| line.rsplit('/').next()?.parse().ok()).collect();
        let (Some(&address), true) = (addresses.last(), addresses.len() == lines) else {
            let _ = child.kill();
            panic!("{program} did not start");
        };
        let inside = addresses.first().copied().filter(|_| lines > 1);
        Self { child, address, inside, _dir: dir }
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
        (env!("CARGO_BIN_EXE_mount-axum"), 2, "/customers/count", "1"),
        (env!("CARGO_BIN_EXE_mount-warp"), 2, "/customers/count", "1"),
        (env!("CARGO_BIN_EXE_mount-hyper"), 1, "/nothing", ""),
    ];
    for (program, listeners, path, said) in hosts {
        let mount = Mount::start(program, listeners);
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
        if let Some(inside) = mount.inside {
            let list = format!("GET /inbound/leads HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {STAFF_TOKEN}\r\n\r\n");
            let page = exchange(inside, list.as_bytes()).await;
            assert_eq!((page.status, &page.json()["leads"][0]["id"]), (200, &first.json()["leadId"]), "{program}");
            assert_eq!(
                exchange(mount.address, list.as_bytes()).await.status,
                405,
                "{program}: not where everybody asks"
            );
        }
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
fn mounting_adds_ten_lines_and_fifteen_with_the_inbox() {
    for file in ["axum_service.rs", "warp_service.rs"] {
        let source = read(file);
        let [mut added, mut for_staff] = [0, 0];
        let mut of = None;
        for line in source.lines().map(str::trim) {
            match (line, of) {
                ("// Added:" | "// Added for the staff:", _) => of = Some(line),
                ("// .", _) => of = None,
                (_, Some("// Added:")) => added += 1,
                (_, Some(_)) => for_staff += 1,
                (_, None) => {}
            }
        }
        assert!((5..=10).contains(&added), "{file} adds {added} lines");
        assert!((5..=15 - added).contains(&for_staff), "{file} adds {for_staff} lines for the staff");
    }
    let bare = read("hyper_bare.rs");
    let lines = bare.lines().filter(|line| !line.trim_start().starts_with("//") && !line.trim().is_empty()).count();
    assert!(lines < 60, "hyper alone takes {lines} lines");
}

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("mounts").join(file)).unwrap()
}
