//! Others are told of leads: the service, the operator's tool and a receiver, each a process of its own.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};

use fastcore_leads::testing::{
    TempDir, body,
    http::{exchange, lead_request},
    postgres::Cluster,
};
use fastcore_leads_examples::destinations;
use serde_json::{Value, json};

use crate::{
    outage::until,
    sealed::Seals,
    service::{Service, start_in_vain},
};

const LEADCTL: &str = env!("CARGO_BIN_EXE_leadctl");

/// A `leadctl listen`, and what it has verified and printed.
struct Listener {
    child: Child,
    address: SocketAddr,
    told: Arc<Mutex<Vec<Value>>>,
}

impl Listener {
    fn start(keys: &Path) -> Self {
        let mut child = Command::new(LEADCTL)
            .args(["listen", "--listen", "127.0.0.1:0", "--keys"])
            .arg(keys)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = said
            .find_map(|line| {
                line.unwrap().strip_prefix("listening on http://").map(|rest| rest.trim_matches('/').to_owned())
            })
            .unwrap();
        std::thread::spawn(move || said.for_each(drop));
        let told = Arc::new(Mutex::new(Vec::new()));
        let (printed, seen) = (BufReader::new(child.stdout.take().unwrap()).lines(), Arc::clone(&told));
        std::thread::spawn(move || {
            for line in printed.map_while(Result::ok) {
                seen.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        });
        Self { child, address: address.parse().unwrap(), told }
    }

    fn told(&self) -> Vec<Value> {
        self.told.lock().unwrap().clone()
    }

    fn types(&self) -> Vec<String> {
        self.told().iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn leadctl(url: &str, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(LEADCTL)
        .args(["--database-url", url])
        .args(arguments)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn done(url: &str, arguments: &[&str]) -> String {
    let (code, out, err) = leadctl(url, arguments);
    assert_eq!(code, 0, "{arguments:?}: {err}");
    out
}

/// A shared secret for the sender, in a file; receivers verify with it.
fn key(dir: &TempDir) -> std::path::PathBuf {
    let file = dir.path().join("crm.keys");
    fs::write(&file, format!("# of the CRM\n{}", done("sqlite:none.db", &["webhook-key"]))).unwrap();
    file
}

fn write_destinations(dir: &TempDir, entries: &str) -> std::path::PathBuf {
    let file = dir.path().join("destinations.toml");
    fs::write(&file, entries).unwrap();
    file
}

fn entry(name: &str, address: SocketAddr, more: &str) -> String {
    format!(
        "[[destination]]\nname = \"{name}\"\nwebhook = \"http://{address}/hooks\"\nkeys_file = \"crm.keys\"\n{more}\n"
    )
}

async fn post(service: &Service, vary: impl FnOnce(&mut Value)) -> String {
    let mut sent = body();
    vary(&mut sent);
    let answer = exchange(service.address, &lead_request(&sent)).await;
    assert_eq!(answer.status, 201);
    answer.json()["leadId"].as_str().unwrap().to_owned()
}

/// From the form to the receiver, over either driver and either database; and what an operator sees of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_hears_of_each_lead_that_it_wants() {
    for (driver, is_postgres) in [("sqlx", true), ("diesel", false)] {
        let dir = TempDir::new();
        let url = if is_postgres { Cluster::shared().database() } else { dir.sqlite_url() };
        let listener = Listener::start(&key(&dir));
        let file = write_destinations(&dir, &entry("crm", listener.address, "services = [\"ponts\", \"cabines\"]"));
        let destinations = file.to_str().unwrap();
        let service = Service::start(&["--database-url", &url, "--driver", driver, "--destinations", destinations]);
        until("the destination is known", async || done(&url, &["destinations"]).contains("crm")).await;

        let id = post(&service, |sent| sent["service"] = "ponts".into()).await;
        post(&service, |sent| sent["service"] = "autre".into()).await;
        until("it is told", async || !listener.told().is_empty()).await;
        done(&url, &["move", &id, "processing"]);
        until("the move is told, which another process made", async || listener.told().len() == 2).await;
        done(&url, &["erase", &id, "--yes"]);
        until("the erasure is told", async || listener.told().len() == 3).await;
        assert_eq!(listener.types(), ["lead.received", "lead.status_changed", "lead.erased"]);
        assert!(listener.told().iter().all(|event| event["data"]["lead_id"] == id.as_str()));

        let settled = async || {
            let listed: Value = serde_json::from_str(&done(&url, &["deliveries", "--json"])).unwrap();
            listed["deliveries"].as_array().unwrap().iter().all(|delivery| delivery["state"] == "delivered")
        };
        until("all is settled", settled).await;
        let listed: Value = serde_json::from_str(&done(&url, &["deliveries", "--json"])).unwrap();
        assert_eq!(listed["deliveries"].as_array().unwrap().len(), 3);
        assert!(done(&url, &["deliveries", "--dead"]).contains("sequence"));
        assert_eq!(done(&url, &["replay", "--lead", &id, "--dry-run"]).trim(), "3 deliveries would be sent again");
        assert_ne!(leadctl(&url, &["forget", "crm"]).0, 0, "it asks, and nobody is there to answer");
        let events = done(&url, &["events", "--after", "1"]);
        let sequences: Vec<Value> =
            events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["sequence"].clone()).collect();
        assert_eq!(sequences, [json!(2), json!(3), json!(4)]);
        done(&url, &["forget", "crm", "--yes"]);
        assert!(!done(&url, &["deliveries", "--json"]).contains("delivered"));
        assert_ne!(leadctl(&url, &["forget", "crm", "--yes"]).0, 0, "it is not known any more");
        assert!(!service.logs().contains("jean@") && !service.logs().contains("whsec_"), "{}", service.logs());
    }
}

/// Kept while nobody hears it, and told by whoever dispatches then.
#[tokio::test(flavor = "multi_thread")]
async fn what_happened_meanwhile_is_told_by_another_process() {
    let dir = TempDir::new();
    let url = dir.sqlite_url();
    let listener = Listener::start(&key(&dir));
    let file = write_destinations(&dir, &entry("crm", listener.address, ""));
    let destinations = file.to_str().unwrap();
    done(&url, &["migrate"]);
    let start = || {
        let mut command = Command::new(LEADCTL);
        command.args(["--database-url", &url, "dispatch", "--destinations", destinations]).stderr(Stdio::null());
        command.spawn().unwrap()
    };
    let stop = |mut child: Child| {
        Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
        assert!(child.wait().unwrap().success());
    };
    let dispatcher = start();
    until("the destination is known", async || done(&url, &["destinations"]).contains("crm")).await;
    stop(dispatcher);

    let service = Service::start(&["--database-url", &url]);
    let id = post(&service, |_| ()).await;
    done(&url, &["pause", "crm"]);
    assert_eq!(leadctl(&url, &["pause", "crm"]).0, 4, "it is paused already");
    assert_eq!(leadctl(&url, &["pause", "nobody"]).0, 3);
    let dispatcher = start();
    let is_entered = async || done(&url, &["deliveries"]).contains("lead.received");
    until("it is entered", is_entered).await;
    assert_eq!(listener.told(), [Value::Null; 0]);
    done(&url, &["resume", "crm"]);
    until("it is told", async || listener.told().len() == 1).await;
    assert_eq!(listener.told()[0]["data"]["lead_id"], id.as_str());
    stop(dispatcher);
}

/// With SIGHUP, while the service runs; a file that cannot be used changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn destinations_are_read_again_on_demand() {
    let dir = TempDir::new();
    let url = dir.sqlite_url();
    let keys = key(&dir);
    let (first, second) = (Listener::start(&keys), Listener::start(&keys));
    let file = write_destinations(&dir, &entry("first", first.address, ""));
    let service = Service::start(&["--database-url", &url, "--destinations", file.to_str().unwrap()]);
    until("the first is known", async || done(&url, &["destinations"]).contains("first")).await;
    write_destinations(&dir, "[[destination]]\nname = 7");
    service.signal("-HUP");
    until("the file is refused", async || service.logs().contains("the destinations stay as they were")).await;
    post(&service, |_| ()).await;
    until("the first is told", async || first.told().len() == 1).await;
    write_destinations(&dir, &entry("other", second.address, "payload = \"full\""));
    service.signal("-HUP");
    until("the second is known", async || done(&url, &["destinations"]).contains("other")).await;
    post(&service, |sent| sent["name"] = "Anne Martin".into()).await;
    until("the second is told", async || second.told().len() == 1).await;
    assert_eq!(second.told()[0]["data"]["lead"]["name"], "Anne Martin");
    assert_eq!(first.told().len(), 1);
}

const SERVER: &str = "[mail]\nserver = \"smtps://mail.example\"\nfrom = \"leads@example.com\"\n";

fn staff(server: &str, lines: &str) -> String {
    format!("{server}[[destination]]\nname = \"staff\"\n{lines}\n")
}

#[test]
fn a_file_that_cannot_be_used_is_refused_at_the_start() {
    let dir = TempDir::new();
    key(&dir);
    fs::write(dir.path().join("bad.keys"), "\nwhsec_Zk9made-up\n").unwrap();
    let here: SocketAddr = "127.0.0.1:9".parse().unwrap();
    let with = |line: &str| entry("crm", here, line);
    let at = |url: &str| with("").replace(&format!("http://{here}/hooks"), url);
    for (text, words) in [
        ("[[destination]]\nname = \"crm\"\n".to_owned(), "either webhook or mail_to"),
        ("[[destination]]\nwebhook = \"https://crm.example\"\n".to_owned(), "missing field"),
        (with("colour = \"red\""), "unknown field"),
        (with("services = [\"Zk9\"]"), "services"),
        (with("every_seconds = 5"), "every_seconds is for"),
        (with("events = [\"audit.checkpoint\"]\nevery_seconds = 0"), "from 1 to 86400"),
        (with("events = [\"audit.checkpoint\", \"lead.received\"]"), "a webhook of its own"),
        (with("events = [\"audit.checkpoint\"]\npayload = \"full\""), "a webhook of its own"),
        (staff(SERVER, "mail_to = [\"a@example.com\"]\nevents = [\"audit.checkpoint\"]"), "a webhook of its own"),
        (with("events = [\"lead.lost\"]"), "lead.received"),
        (with("payload = \"all\""), "thin or full"),
        (with("timeout_seconds = 0"), "from 1 to 300"),
        (with("in_flight = 0"), "from 1 to 1000"),
        (with("allow_networks = [\"10.0.0.0/99\"]"), "allow_networks"),
        (with("").replace("\"crm\"", "\"C R M\""), "a name has"),
        (with("") + &with(""), "share one queue"),
        (with("").replace("crm.keys", "none.keys"), "none.keys"),
        (with("").replace("crm.keys", "bad.keys"), "line 2"),
        (with("").replace("crm.keys", "whsec_Zk9made"), "not the key"),
        (staff(&format!("{SERVER}user = \"a\"\npassword_file = \"Zk9made\"\n"), ""), "password_file"),
        (at("http://crm.example/hooks"), "https://"),
        (at("https://10.0.0.1/hooks"), "allow_networks"),
        (at("https://169.254.169.254/latest"), "allow_networks"),
        (at("https://user:Zk9@crm.example/"), "no password"),
        (with("").replace("keys_file = \"crm.keys\"", ""), "keys_file"),
        (with("language = \"fr\""), "are for mail_to"),
        (with("mail_to = [\"a@example.com\"]"), "either webhook or mail_to"),
        (staff("", "mail_to = [\"a@example.com\"]"), "[mail] section"),
        (staff(SERVER, "mail_to = []"), "at least one address"),
        (staff(SERVER, "mail_to = [\"nobody\"]"), "mail_to"),
        (staff(SERVER, "mail_to = [\"a@example.com\"]\nlanguage = \"de\""), "fr or en"),
        (staff(SERVER, "mail_to = [\"a@example.com\"]\ninbox = \"/leads\""), "{id}"),
        (staff(SERVER, "mail_to = [\"a@example.com\"]\npayload = \"full\""), "are for webhook"),
        (staff(&SERVER.replace("smtps", "https"), ""), "smtps://"),
        (staff(&SERVER.replace("leads@example.com", "leads"), ""), "from"),
        (staff(&format!("{SERVER}user = \"a\"\n"), ""), "go together"),
    ] {
        let file = write_destinations(&dir, &text);
        let (status, said) = start_in_vain(&["--destinations", file.to_str().unwrap()], &[]);
        assert!(!status.success(), "{text}");
        assert!(said.contains(words), "{text}\n{said}");
        assert!(!said.contains("Zk9made"), "{said}");
    }
}

/// Whoever keeps one can hold the log against it.
#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_is_told_to_whoever_keeps_it() {
    let (dir, seals) = (TempDir::new(), Seals::new());
    let url = dir.sqlite_url();
    let listener = Listener::start(&key(&dir));
    let archive = "events = [\"audit.checkpoint\"]\nevery_seconds = 1";
    let file = write_destinations(&dir, &entry("archive", listener.address, archive));
    let [keys, seals_with, publish, folder] = seals.options(0);
    let options =
        ["--database-url", &url, "--destinations", file.to_str().unwrap(), &keys, &seals_with, &publish, &folder];
    let service = Service::start(&options);
    post(&service, |_| ()).await;
    until("a checkpoint is told", async || !listener.told().is_empty()).await;
    let kept = listener.told().remove(0);
    assert_eq!((&kept["type"], &kept["data"]["size"]), (&json!("audit.checkpoint"), &json!(1)));
    let checkpoint = dir.path().join("checkpoint");
    fs::write(&checkpoint, kept["data"]["checkpoint"].as_str().unwrap()).unwrap();
    post(&service, |_| ()).await;
    until("the next one is told", async || listener.told().last().unwrap()["data"]["size"] == 2).await;
    drop(service);
    let verify = ["audit", "verify", "--known", &seals.path("known"), "--against", checkpoint.to_str().unwrap()];
    assert!(done(&url, &verify).contains("checked against 2 checkpoints"));
}

/// Before anything depends on it.
#[test]
fn a_destination_can_be_tried_out() {
    let dir = TempDir::new();
    let listener = Listener::start(&key(&dir));
    let archive = entry("archive", listener.address, "events = [\"audit.checkpoint\"]");
    let file = write_destinations(&dir, &(entry("crm", listener.address, "") + &archive));
    let file = file.to_str().unwrap();
    let test = |name: &str| leadctl("sqlite:none.db", &["notify", "test", name, "--destinations", file]);
    let (code, out, err) = test("crm");
    assert_eq!((code, out.trim()), (0, "delivered: it answered 204"), "{err}");
    assert_eq!(test("archive").0, 0);
    assert_eq!(test("nobody").0, 3);
    let address = listener.address;
    drop(listener);
    let (code, _, err) = test("crm");
    assert_eq!(code, 1, "{address}");
    assert!(err.contains("no answer came"), "{err}");

    let (code, private, public) = leadctl("sqlite:none.db", &["webhook-key", "--private"]);
    assert_eq!(code, 0);
    assert!(private.starts_with("whsk_") && public.contains("whpk_"));
}

/// In the hours that clocks show, also where they go back for winter.
#[test]
fn a_service_level_is_read_from_the_file() {
    let dir = TempDir::new();
    let overdue = |section: &str, now: &str| {
        let file = write_destinations(&dir, section);
        let level = destinations::read(&file)?.service_level.unwrap();
        Ok::<_, String>(level.overdue_before(now.parse().unwrap()).unwrap().to_rfc3339())
    };
    let paris = "[service_level]\nhours = 4\ntime_zone = \"Europe/Paris\"\n";
    // Friday the 23rd of October 15:00 in summer to Monday the 26th 11:00 in winter.
    assert_eq!(overdue(paris, "2026-10-26T10:00:00Z").unwrap(), "2026-10-23T13:00:00+00:00");
    let all_day = format!("{paris}days = [\"sat\", \"sun\"]\nfrom = \"00:00\"\nuntil = \"24:00\"\n");
    assert_eq!(overdue(&all_day, "2026-10-25T03:00:00Z").unwrap(), "2026-10-24T23:00:00+00:00");
    let holiday = format!("{paris}holidays = [\"2026-12-25\"]\n");
    assert_eq!(overdue(&holiday, "2026-12-28T08:00:00Z").unwrap(), "2026-12-24T12:00:00+00:00");
    for (wrong, said) in [
        (paris.replace("Paris", "Pariss"), "time_zone"),
        (paris.replace('4', "0"), "hours: a lead may wait for 1 minute to 1000 hours"),
        (paris.replace('4', "-1.0"), "hours"),
        (paris.replace('4', "nan"), "hours"),
        (format!("{paris}days = [\"lundi\"]\n"), "days"),
        (format!("{paris}days = []\n"), "work begins on"),
        (format!("{paris}from = \"8:00\"\n"), "from: \"8:00\" is no time of the day"),
        (format!("{paris}from = \"18:00\"\n"), "work begins on"),
        (format!("{paris}until = \"24:01\"\n"), "until"),
        (format!("{paris}holidays = [\"25.12.2026\"]\n"), "holidays"),
        (entry("crm", "127.0.0.1:1".parse().unwrap(), "events = [\"lead.unanswered\"]"), "a [service_level] section"),
    ] {
        let refused = overdue(&wrong, "2026-10-26T10:00:00Z").unwrap_err();
        assert!(refused.contains(said), "{wrong}: {refused}");
    }
}
