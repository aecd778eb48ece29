//! `leadctl` as an operator runs it.

mod audit;
mod everyday;
mod import;
mod spool;
mod spreadsheets;
mod workbooks;

use std::{
    collections::HashSet,
    path::Path,
    process::{Command, Stdio},
};

use fastcore_leads::testing::{TempDir, body, postgres::Cluster};
use serde_json::{Value, json};

/// A database and a directory of a test's own.
struct Place {
    dir: TempDir,
    url: String,
    driver: &'static str,
}

/// What a run of `leadctl` came to.
struct Run {
    code: i32,
    out: String,
    err: String,
}

impl Place {
    /// Migrated, one for each driver and database.
    fn all() -> Vec<Self> {
        let mut places = Vec::new();
        for driver in ["sqlx", "diesel"] {
            for is_postgres in [true, false] {
                let dir = TempDir::new();
                let url = if is_postgres { Cluster::shared().database() } else { dir.sqlite_url() };
                let place = Self { dir, url, driver };
                place.done(&["migrate"]);
                places.push(place);
            }
        }
        places
    }

    fn sqlite() -> Self {
        let dir = TempDir::new();
        let url = dir.sqlite_url();
        let place = Self { dir, url, driver: "sqlx" };
        place.done(&["migrate"]);
        place
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_leadctl"));
        command
            .args(["--database-url", &self.url, "--driver", self.driver, "--actor", "marie"])
            .args(arguments)
            .current_dir(self.dir.path())
            .env_remove("RUST_LOG")
            .env_remove("FASTCORE_SITE_STATE")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Run { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// A run that must go well: what it printed.
    fn done(&self, arguments: &[&str]) -> String {
        let run = self.run(arguments);
        assert_eq!(run.code, 0, "{arguments:?}: {}", run.err);
        run.out
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.done(&[arguments, &["--json"]].concat())).unwrap()
    }

    fn write(&self, name: &str, content: &str) -> String {
        let path = self.dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(name)).unwrap()
    }

    /// Imports bodies as JSON Lines, as if they came now, one after the other; answers the ids of the leads, oldest first.
    fn with(&self, bodies: &[Value]) -> Vec<String> {
        let began = chrono::Utc::now() - chrono::TimeDelta::seconds(60);
        let mut lines = String::new();
        for (body, after) in bodies.iter().zip(0..) {
            let mut body = body.clone();
            body["meta"]["timestamp_utc"] = (began + chrono::TimeDelta::milliseconds(after)).to_rfc3339().into();
            lines += &format!("{body}\n");
        }
        let file = self.write("leads.jsonl", &lines);
        self.done(&["import", &file]);
        let statuses = ["received", "quarantined"].map(|status| format!("--status={status}"));
        let page = self.json(&["list", "--limit", "1000", &statuses[0], &statuses[1]]);
        let ids = page["leads"].as_array().unwrap().iter().rev();
        ids.map(|lead| lead["id"].as_str().unwrap().to_owned()).collect()
    }
}

fn is_private(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;

    std::fs::metadata(path).unwrap().permissions().mode().trailing_zeros() >= 6
}

#[test]
fn a_lead_is_read_and_worked() {
    for place in Place::all() {
        let ids = place.with(&[body(), body(), body()]);
        let id = ids[1].as_str();
        let (first, rest) = (place.json(&["list", "--limit", "2"]), &ids[0]);
        assert_eq!(first["leads"].as_array().map(Vec::len), Some(2));
        let next = place.json(&["list", "--after", first["next"].as_str().unwrap()]);
        assert_eq!((&next["leads"][0]["id"], &next["next"]), (&json!(rest), &Value::Null));

        let found = place.json(&["search", "DUP jean", "--limit", "2"]);
        assert_eq!((found["leads"].as_array().map(Vec::len), &found["is_complete"]), (Some(2), &json!(true)));
        let rest = place.json(&["search", "DUP jean", "--after", found["next"].as_str().unwrap()]);
        assert_eq!(rest["leads"][0]["id"], ids[0].as_str());
        assert_eq!(place.json(&["search", "dupont", "--status", "archived"])["leads"], json!([]));

        place.done(&["move", id, "processing", "--reason", "appelé"]);
        let shown = place.json(&["show", id]);
        assert_eq!(
            (&shown["lead"]["status"], shown["audit"].as_array().map(Vec::len)),
            (&json!("processing"), Some(2))
        );
        assert_eq!(
            (&shown["audit"][1]["actor"], &shown["audit"][1]["event"]),
            (&json!("marie"), &json!("LEAD_PROCESSED"))
        );
        assert_eq!(shown["audit"][1]["details"], json!({"from": "received", "to": "processing", "reason": "appelé"}));
        let request = shown["lead"]["request_id"].as_str().unwrap();
        assert_eq!(place.json(&["show", request])["lead"]["id"], id);
        let counts = json!({"received": 2, "processing": 1, "resolved": 0, "archived": 0, "quarantined": 0});
        assert_eq!(place.json(&["counts"]), counts);

        for (arguments, code, said) in [
            (&["move", id, "received", "--seen", "resolved"][..], 4, "look at it again"),
            (&["move", id, "quarantined"], 4, "cannot go from processing to quarantined"),
            (&["release", id], 4, "not quarantined"),
            (&["move", "0199aaaa-0000-7000-8000-000000000000", "archived"], 3, "no lead"),
            (&["show", "0199aaaa-0000-7000-8000-000000000000"], 3, "no lead"),
            (&["move", id, "resolved", "--reason", "Jean a rappelé"], 4, "names the person"),
            (&["move", id, "resolved", "--reason", "jean@example.com"], 2, "keeps it for ever"),
            (&["move", id, "done"], 2, "possible values"),
            (&["move", "17", "archived"], 2, "UUID"),
            (&["list", "--from", "yesterday"], 2, "2026-01-31"),
            (&["list", "--after", "x"], 2, "begin at its start"),
            (&["search", " "], 2, "at least one letter or digit"),
            (&["search", "a b c d e f g h i"], 2, "at most 8 words"),
            (&["search", "jean", "--after", "0"], 2, "begin with the newest"),
        ] {
            let run = place.run(arguments);
            assert_eq!(run.code, code, "{arguments:?}: {}", run.err);
            assert!(run.err.contains(said), "{arguments:?}: {}", run.err);
        }
        assert_eq!(place.json(&["show", id]), shown, "nothing of that changed anything");
        place.done(&["move", id, "resolved", "--seen", "processing"]);
        place.done(&["withdraw-consent", id]);
        assert_eq!(place.json(&["show", id])["lead"]["consent"], false);
        assert_eq!(place.run(&["withdraw-consent", id]).code, 4);
    }
}

#[test]
fn personal_data_is_masked_unless_revealed() {
    let place = Place::sqlite();
    let id = &place.with(&[body()])[0];
    let personal = ["Jean Dupont", "jean@", "+33612345678", "ACME SAS", "compresseur ne", "abc123def456", "xyz789"];
    for arguments in [
        &["list"][..],
        &["list", "--json"],
        &["search", "jean"],
        &["show", id],
        &["show", id, "--json"],
        &["dump"],
        &["dump", "--format", "csv"],
        &["move", id, "processing"],
    ] {
        let run = place.run(arguments);
        for value in personal {
            assert!(!format!("{}{}", run.out, run.err).contains(value), "{arguments:?} shows {value}: {}", run.out);
        }
    }
    let shown = place.done(&["show", id, "--reveal"]);
    assert!(personal.iter().all(|value| shown.contains(value)), "{shown}");
}

#[test]
fn a_person_gets_an_export_and_is_erased() {
    for place in Place::all() {
        let mut other = body();
        other["email"] = "other@example.com".into();
        let mut suspicious = body();
        suspicious["meta"]["suspicion"] = json!(["honeypot"]);
        let ids = place.with(&[body(), suspicious, other]);

        let refused = place.run(&["export", "jean@example.com"]);
        assert_eq!(refused.code, 4);
        assert!(refused.err.contains("2; add --reveal") && refused.out.is_empty(), "{}", refused.err);
        place.done(&["export", "JEAN@example.com", "--reveal", "--output", "export.json"]);
        let export: Value = serde_json::from_str(&place.read("export.json")).unwrap();
        assert_eq!(export["leads"].as_array().map(Vec::len), Some(2));
        assert!(is_private(&place.dir.path().join("export.json")));
        let again = place.run(&["export", "jean@example.com", "--reveal", "--output", "export.json"]);
        assert_eq!(again.code, 5, "a file that is there is not written over: {}", again.err);

        let unasked = place.run(&["erase", "jean@example.com"]);
        assert_eq!(unasked.code, 7);
        assert!(unasked.err.contains("--yes"), "{}", unasked.err);
        assert_eq!(place.json(&["show", &ids[0]])["lead"]["erased_at_utc"], Value::Null);
        let erased = place.json(&["erase", "jean@example.com", "--yes", "--reason", "demande écrite"]);
        let erased: HashSet<_> = erased["erased"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert_eq!(erased, HashSet::from([ids[0].as_str(), ids[1].as_str()]));
        assert_eq!(place.run(&["erase", "jean@example.com", "--yes"]).code, 3);
        assert_eq!(place.run(&["erase", &ids[0], "--yes"]).code, 4);
        assert_eq!(place.run(&["move", &ids[0], "archived"]).code, 4);
        assert_eq!(place.run(&["erase", "nobody", "--yes"]).code, 5);
        let shown = place.done(&["show", &ids[0], "--reveal"]);
        assert!(!shown.contains("Dupont") && shown.contains("LEAD_ERASED"), "{shown}");
        assert_eq!(place.json(&["counts"])["received"], 1);
    }
}

#[test]
fn a_purge_says_what_it_would_do_first() {
    let place = Place::sqlite();
    let mut suspicious = body();
    suspicious["meta"]["suspicion"] = json!(["honeypot"]);
    let ids = place.with(&[body(), suspicious]);
    let none = json!({"due": {"without_contact": 0, "quarantined": 0}});
    assert_eq!(place.json(&["purge", "--days", "1", "--quarantine-days", "1"]), none);
    place.age(10);
    let one = json!({"due": {"without_contact": 1, "quarantined": 1}});
    assert_eq!(place.json(&["purge", "--days", "9", "--quarantine-days", "9"]), one);
    assert_eq!(place.run(&["purge", "--days", "9", "--quarantine-days", "9", "--execute"]).code, 7);
    assert_eq!(place.json(&["show", &ids[0]])["lead"]["erased_at_utc"], Value::Null);
    assert_eq!(place.run(&["purge", "--days", "0"]).code, 2);
    let purged = place.json(&["purge", "--days", "11", "--quarantine-days", "9", "--execute", "--yes"]);
    assert_eq!(purged, json!({"erased": {"without_contact": 0, "quarantined": 1}}));
    let trail = place.json(&["show", &ids[1]])["audit"].clone();
    assert_eq!((&trail[1]["event"], &trail[1]["actor"]), (&json!("LEAD_PURGED"), &json!("marie")));
}

impl Place {
    /// Makes all leads of a SQLite file so many days older.
    fn age(&self, days: u32) {
        let url = self.url.clone();
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let store = fastcore_leads_store_sqlx::SqliteLeadStore::connect(&url).await.unwrap();
            // Without its triggers, the audit log is a table like any other.
            let sql = format!(
                "DROP TRIGGER audit_log_no_update;
                 UPDATE lead_inbox SET created_at_utc = strftime('%Y-%m-%dT%H:%M:%f000Z', created_at_utc, '-{days} days');
                 UPDATE audit_log SET created_at_utc = strftime('%Y-%m-%dT%H:%M:%f000Z', created_at_utc, '-{days} days')"
            );
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(store.pool()).await.unwrap();
        });
    }
}

#[test]
fn check_finds_what_is_not_well() {
    for place in Place::all() {
        let report = place.run(&["check", "--json"]);
        // The tests' server runs without fsync, and says so.
        let is_postgres = place.url.starts_with("postgres");
        assert_eq!(report.code, i32::from(is_postgres), "{}", report.out);
        let rows: Value = serde_json::from_str(&report.out).unwrap();
        let state = |rows: &Value, what: &str| {
            let row = rows.as_array().unwrap().iter().find(|row| row["what"] == what).cloned().unwrap();
            row["state"].as_str().unwrap().to_owned()
        };
        for what in ["connection", "tables", "triggers"] {
            assert_eq!(state(&rows, what), "ok");
        }
        assert_eq!(state(&rows, "settings"), if is_postgres { "bad" } else { "ok" });
    }
    let place = Place::sqlite();
    place.with(&[body()]);
    place.age(1);
    let report = place.run(&["check"]);
    assert_eq!(report.code, 1);
    assert!(report.out.contains("audit_log_no_update is missing"), "{}", report.out);
}

#[test]
fn a_database_that_cannot_be_used_is_named() {
    let place = Place::sqlite();
    place.newer();
    for arguments in [&["list"][..], &["import", "x.csv"], &["migrate"], &["purge", "--execute", "--yes"]] {
        let run = place.run(arguments);
        assert_eq!(run.code, 1, "{}", run.err);
        assert!(run.err.contains("newer version"), "{arguments:?}: {}", run.err);
    }
    let port = Cluster::shared().port();
    let url = format!("postgres://postgres:SECRET@127.0.0.1:{port}/none");
    let gone = Place { dir: TempDir::new(), url, driver: "sqlx" };
    let run = gone.run(&["list"]);
    assert_eq!(run.code, 1);
    assert!(run.err.contains("not available") && !run.err.contains("SECRET"), "{}", run.err);
    let missing = Place { dir: TempDir::new(), url: "sqlite:missing.db".to_owned(), driver: "sqlx" };
    for arguments in [&["list"][..], &["check"], &["purge"]] {
        let run = missing.run(arguments);
        assert_eq!(run.code, 1);
        assert!(run.err.contains("leadctl migrate"), "{}", run.err);
    }
    assert!(!missing.dir.path().join("missing.db").exists(), "looking makes no file");
    let odd = Place { dir: TempDir::new(), url: "mysql://x".to_owned(), driver: "sqlx" };
    assert!(odd.run(&["list"]).err.contains("postgres://"));
}

impl Place {
    /// As a newer version would leave a SQLite file.
    fn newer(&self) {
        let url = self.url.clone();
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let store = fastcore_leads_store_sqlx::SqliteLeadStore::connect(&url).await.unwrap();
            let sql = "INSERT INTO fastcore_leads_migrations (version, name, checksum) VALUES (1000, 'future', 'x')";
            sqlx::raw_sql(sql).execute(store.pool()).await.unwrap();
        });
    }
}

#[test]
fn nobody_has_to_read_to_the_end() {
    let place = Place::sqlite();
    let id = &place.with(&[body()])[0];
    for arguments in [&["list"][..], &["list", "--json"], &["completions", "bash"], &["move", id, "processing"]] {
        let mut child = place.command(arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        drop(child.stdout.take());
        assert!(child.wait().unwrap().success(), "{arguments:?}");
    }
    assert_eq!(place.json(&["counts"])["processing"], 1);
}

#[test]
fn small_commands_print_what_they_say() {
    let place = Place::sqlite();
    let (one, other) = (place.done(&["token"]), place.done(&["token"]));
    assert!(one.trim().len() == 64 && one != other);
    let grants = place.done(&["grants", "--owner", "o", "--writer", "w\"x"]);
    assert!(grants.contains("GRANT SELECT, INSERT ON audit_log TO \"w\"\"x\""), "{grants}");
    assert!(!grants.contains("ALTER ROLE"), "{grants}");
    let pooled = place.done(&["grants", "--writer", "w", "--pooler"]);
    assert!(pooled.contains("ALTER ROLE \"w\" SET lock_timeout = '100ms';"), "{pooled}");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(place.done(&["completions", shell]).contains("leadctl"));
    }
    assert!(place.done(&["--help"]).contains("Exit codes"));
}
