//! Running the service: its secrets, its tokens, the door for whoever runs it, and how it ends.

use std::{
    net::{SocketAddr, TcpListener},
    os::unix::{fs::PermissionsExt, net::UnixDatagram},
    path::Path,
    process::{Command, Stdio},
};

use fastcore_leads::testing::{
    TOKEN, TempDir, body,
    http::{exchange, lead_request},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    outage::until,
    proxied::free_address,
    service::{PATIENCE, Service, get, start_in_vain},
};

const OTHER: &str = "another-token-0123456789";

fn posted_with(token: &str) -> Vec<u8> {
    let request = String::from_utf8(lead_request(&body())).unwrap();
    request.replace(TOKEN, token).into_bytes()
}

async fn status(address: SocketAddr, request: &[u8]) -> u16 {
    exchange(address, request).await.status
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path.display().to_string()
}

#[tokio::test]
async fn secrets_come_from_files_and_credentials() {
    let dir = TempDir::new();
    let token = write(dir.path(), "token", &format!("{TOKEN}\n"));
    let url = write(dir.path(), "url", "sqlite:elsewhere.db\n");
    let by_file = Service::start_with(&[], &[("FASTCORE_SITE_INGEST_TOKEN_FILE", &token), ("DATABASE_URL_FILE", &url)]);
    assert_eq!(status(by_file.address, &lead_request(&body())).await, 201);
    // Nobody else reads the leads, also not what SQLite puts beside.
    for entry in std::fs::read_dir(by_file.dir.path()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert!(!name.starts_with("elsewhere.db") || mode.trailing_zeros() >= 6, "{name}: {mode:o}");
    }
    assert!(by_file.dir.path().join("elsewhere.db").exists());

    write(dir.path(), "FASTCORE_SITE_INGEST_TOKEN", TOKEN);
    let folder = dir.path().display().to_string();
    let by_credential = Service::start_with(&[], &[("CREDENTIALS_DIRECTORY", &folder), ("FASTCORE_MAX_BATCH", " ")]);
    assert_eq!(status(by_credential.address, &lead_request(&body())).await, 201);

    let quoted = format!("\"{TOKEN}\"");
    let blank = write(dir.path(), "blank", "\n");
    for (variables, said) in [
        (&[("FASTCORE_SITE_INGEST_TOKEN", TOKEN), ("FASTCORE_SITE_INGEST_TOKEN_FILE", &*token)][..], "are both there"),
        (&[("FASTCORE_SITE_INGEST_TOKEN", &*quoted)], "FASTCORE_SITE_INGEST_TOKEN is in quotes"),
        (&[("FASTCORE_SITE_SOURCE", "'site'")], "FASTCORE_SITE_SOURCE is in quotes"),
        (&[("FASTCORE_SITE_INGEST_TOKEN_FILE", &*blank)], "FASTCORE_SITE_INGEST_TOKEN_FILE is blank"),
        (&[("FASTCORE_SITE_INGEST_TOKEN_FILE", "/no/such/file")], "cannot be read"),
        (&[("DATABASE_URL", "")], "DATABASE_URL is blank"),
    ] {
        let (status, log) = start_in_vain(&[], variables);
        assert_eq!(status.code(), Some(2), "{log}");
        assert!(log.contains(said) && !log.contains(TOKEN), "{log}");
    }
}

#[tokio::test]
async fn tokens_have_names_sources_and_ends_and_are_read_again() {
    let dir = TempDir::new();
    let source = body()["meta"]["source"].as_str().unwrap().to_owned();
    let write = |text: &str| write(dir.path(), "tokens.toml", text);
    let site = format!("[[token]]\nname = \"site\"\nsecret = \"{TOKEN}\"\nsources = [\"{source}\"]\n");
    let elsewhere = "[[token]]\nname = \"salon\"\nsecret_file = \"salon\"\nsources = [\"salon\"]\n";
    std::fs::write(dir.path().join("salon"), OTHER).unwrap();
    let ended =
        "[[token]]\nname = \"former\"\nsecret = \"a-former-token-0123456789\"\nexpires = 2020-01-01T00:00:00Z\n";
    let file = write(&format!("{site}{elsewhere}{ended}"));
    let service = Service::start_with(&["--tokens", &file], &[]);
    let at = service.address;
    assert_eq!(status(at, &posted_with(TOKEN)).await, 201);
    assert_eq!(status(at, &posted_with(OTHER)).await, 403, "its leads are of another source");
    assert_eq!(status(at, &posted_with("a-former-token-0123456789")).await, 401);
    let logs = service.logs();
    assert!(logs.contains("name=\"salon\"") && logs.contains("a token has expired"), "{logs}");
    assert!(logs.contains("actor=site"), "who posts is named in the log: {logs}");

    // The site's is gone, and the other's is for all.
    write(&elsewhere.replace("sources = [\"salon\"]\n", ""));
    service.signal("-HUP");
    until("the tokens are read again", async || status(at, &posted_with(TOKEN)).await == 401).await;
    assert_eq!(status(at, &posted_with(OTHER)).await, 201);
    // As while somebody writes it; a start would say so of it, too.
    write("# soon\n");
    service.signal("-HUP");
    until("it is refused", async || service.logs().contains("there is no token in the file")).await;
    assert_eq!(status(at, &posted_with(OTHER)).await, 201, "the former stay");
    for (wrong, said) in [
        ("[[token]]\nname = \"x\"\n", "give it a secret"),
        ("[[token]]\nname = \"x\"\nsecret = \"short\"\n", "shorter than"),
        ("[[token]]\nname = \"x\"\nsecrets = \"a-secret-that-nobody-sees\"\n", "line 3"),
        // The library quotes a text that stands where a list should.
        ("[[token]]\nname = \"x\"\n\nscopes = \"a-secret-that-nobody-sees\"\n", "line 4: invalid type"),
        (
            "[[token]]\nname = \"x\"\nsecret = \"a-secret-that-nobody-sees\"\nscopes = [\"all\"]\n",
            "\"all\" is no scope",
        ),
    ] {
        write(wrong);
        service.signal("-HUP");
        until(said, async || service.logs().contains(said)).await;
        assert_eq!(status(at, &posted_with(OTHER)).await, 201, "the former stay");
        let (status, log) = start_in_vain(&["--tokens", &file], &[]);
        assert!(status.code() == Some(2), "{log}");
    }
    let logs = service.logs();
    assert!(logs.contains("the tokens stay as they were"), "{logs}");
    for secret in [TOKEN, OTHER, "a-secret-that-nobody-sees"] {
        assert!(!logs.contains(secret), "{logs}");
    }
}

#[tokio::test]
async fn whoever_runs_it_has_a_door_that_visitors_do_not_shut() {
    let admin = free_address().to_string();
    let options = ["--admin-listen", &admin, "--max-connections", "1"];
    for framework in ["axum", "warp"] {
        let service = Service::start(&[&options[..], &["--framework", framework]].concat());
        let at: SocketAddr = admin.parse().unwrap();
        assert_eq!(status(service.address, &lead_request(&body())).await, 201);
        assert_eq!(status(service.address, &get("/metrics")).await, 404);
        // Holds the only place.
        let mut held = TcpStream::connect(service.address).await.unwrap();
        held.write_all(b"POST /inbound/leads HTTP/1.1\r\n").await.unwrap();
        for path in ["/healthz", "/readyz", "/readyz/ingest", "/metrics"] {
            assert_eq!(status(at, &get(path)).await, 200, "{path}");
        }
        let metrics = String::from_utf8(exchange(at, &get("/metrics")).await.body).unwrap();
        assert!(metrics.contains("fastcore_leads_ingest_total"), "{metrics}");
        for path in ["/", "/inbound/leads", "/staff", "/docs"] {
            assert_eq!(status(at, &get(path)).await, 404, "{path}");
        }
        let posted = status(at, b"POST /readyz HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        assert_eq!(posted.await, 405);
    }
}

#[tokio::test]
async fn balancers_hear_first_that_it_ends() {
    let admin = free_address().to_string();
    let dir = TempDir::new();
    let socket = dir.path().join("notify");
    let supervisor = UnixDatagram::bind(&socket).unwrap();
    supervisor.set_read_timeout(Some(PATIENCE)).unwrap();
    let told = || {
        let mut message = [0; 256];
        let length = supervisor.recv(&mut message).unwrap();
        String::from_utf8_lossy(&message[..length]).into_owned()
    };
    let socket = socket.display().to_string();
    let variables = [("FASTCORE_SITE_INGEST_TOKEN", TOKEN), ("NOTIFY_SOCKET", &*socket)];
    let mut service = Service::start_with(&["--admin-listen", &admin, "--drain-grace", "600"], &variables);
    assert!(told().contains("READY=1"));
    let at: SocketAddr = admin.parse().unwrap();
    assert_eq!(probe(&["--admin-listen", &admin]), 0);
    service.signal("-TERM");
    assert!(told().contains("STOPPING=1"));
    until("it says that it stops", async || status(at, &get("/readyz")).await == 503).await;
    assert_eq!(status(service.address, &get("/readyz")).await, 503);
    assert_eq!(status(service.address, &get("/healthz")).await, 200);
    assert_eq!(probe(&["--admin-listen", &admin]), 1);
    // Those who were sent here before are answered.
    assert_eq!(status(service.address, &lead_request(&body())).await, 201);
    service.signal("-TERM");
    assert!(service.wait().success(), "{}", service.logs());
    assert_eq!(probe(&["--admin-listen", &admin]), 1);
}

fn probe(options: &[&str]) -> i32 {
    let mut serve = Command::new(env!("CARGO_BIN_EXE_serve"));
    serve.arg("--probe").args(options).stdin(Stdio::null()).stderr(Stdio::null()).env_remove("RUST_LOG");
    serve.status().unwrap().code().unwrap()
}

#[tokio::test]
async fn a_signal_is_heard_before_it_serves() {
    // A database that takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://x@{}/x", silent.local_addr().unwrap());
    let dir = TempDir::new();
    let log = std::fs::File::create(dir.path().join("log")).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_serve"))
        .args(["--database-url", &url, "--deadline-ms", "600000", "--listen", "127.0.0.1:0"])
        .env("FASTCORE_SITE_INGEST_TOKEN", TOKEN)
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    // It has asked the database: so it is past its start.
    let _asked = silent.accept().unwrap();
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    let ended = tokio::task::spawn_blocking(move || child.wait().unwrap());
    let ended = tokio::time::timeout(PATIENCE, ended).await.expect("it ends").unwrap();
    let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
    assert!(ended.success() && log.contains("stopped before it served"), "{log}");
}

#[tokio::test]
async fn a_connection_that_asks_nothing_more_is_closed() {
    let service = Service::start(&["--idle-seconds", "1"]);
    let mut kept = TcpStream::connect(service.address).await.unwrap();
    let request = String::from_utf8(lead_request(&body())).unwrap().replace("connection: close\r\n", "");
    for _ in 0..2 {
        kept.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !String::from_utf8_lossy(&answer).contains("timestamp") {
            assert!(kept.read_buf(&mut answer).await.unwrap() > 0, "{}", String::from_utf8_lossy(&answer));
        }
    }
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(PATIENCE, kept.read_to_end(&mut rest)).await.expect("it is closed");
    assert!(closed.is_ok() || closed.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset));
}
