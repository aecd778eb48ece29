//! What an operator does all day.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
};

use fastcore_leads::testing::{body, postgres::program};
use serde_json::{Value, json};

use super::{Place, Run};

/// Ends when a test does, however that ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run_with(place: &Place, variables: &[(&str, &str)], arguments: &[&str]) -> Run {
    let output = place.command(arguments).envs(variables.iter().copied()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

#[test]
fn a_lead_is_found_by_its_first_digits_in_every_command() {
    for place in Place::all() {
        let mut suspicious = body();
        suspicious["meta"]["suspicion"] = json!(["honeypot"]);
        let ids = place.with(&[body(), suspicious]);
        // Ids begin with the time of their making.
        let [first, held] = [&ids[0][..34], &ids[1][..34]];
        place.done(&["move", first, "processing"]);
        place.done(&["note", first, "rappeler mardi"]);
        place.done(&["assign", first]);
        place.done(&["withdraw-consent", first]);
        place.done(&["release", held]);
        place.done(&["deliveries", "--lead", first]);
        let shown = place.json(&["show", &first.to_uppercase(), "--reveal"]);
        assert_eq!(shown["lead"]["id"], ids[0].as_str());
        // What the visitor was shown.
        let reference = shown["lead"]["request_id"].as_str().unwrap();
        assert_eq!(place.json(&["show", &reference[..34]])["lead"]["id"], ids[0].as_str());
        let erased = place.json(&["erase", held, "--yes"]);
        assert_eq!(erased["erased"], json!([ids[1]]));

        let several = place.run(&["show", &ids[0][..4]]);
        assert!(several.code == 5 && several.err.contains(&ids[0]) && several.err.contains(&ids[1]), "{}", several.err);
        assert_eq!(place.run(&["move", &ids[0][..4], "resolved"]).code, 5);
        assert_eq!(place.run(&["show", "ffff0000"]).code, 3);
        let short = place.run(&["show", "01"]);
        assert!(short.code == 2 && short.err.contains("first digits"), "{}", short.err);
    }
}

#[test]
fn notes_and_whoever_sees_to_a_lead_are_audited() {
    let place = Place::sqlite();
    let id = &place.with(&[body()])[0];
    place.done(&["note", id, "Jean préfère le matin"]);
    let mut child = place.command(&["note", id, "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all("deux\nlignes\n".as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    place.done(&["assign", id, "paul", "--reason", "son secteur"]);
    let listed = place.done(&["list"]);
    assert!(listed.contains("paul"), "{listed}");
    // Who is shown it in clear by a change is noted, too.
    assert!(place.done(&["assign", id, "--nobody", "--reveal"]).contains("Dupont"));
    assert!(place.done(&["show", id]).contains("LEAD_REVEALED"));
    let shown = place.json(&["show", id, "--reveal"]);
    let notes = &shown["lead"]["meta_json"]["notes"];
    assert_eq!((&notes[0]["text"], &notes[1]["text"]), (&json!("Jean préfère le matin"), &json!("deux\nlignes")));
    let events: Vec<_> = shown["audit"].as_array().unwrap().iter().map(|row| row["event"].as_str().unwrap()).collect();
    assert_eq!(
        events,
        ["LEAD_RECEIVED", "LEAD_NOTED", "LEAD_NOTED", "LEAD_ASSIGNED", "LEAD_ASSIGNED", "LEAD_REVEALED"]
    );
    assert_eq!(shown["audit"][3]["details"], json!({"assignee": "paul", "reason": "son secteur"}));
    assert!(!place.done(&["show", id]).contains("Jean"), "notes are masked");
    assert_eq!(place.run(&["note", id, ""]).code, 2);
}

#[test]
fn who_acts_is_whoever_is_logged_in() {
    let place = Place::sqlite();
    let id = &place.with(&[body()])[0];
    let actor_of = |variables: &[(&str, &str)], arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_leadctl"));
        command.args(["--database-url", &place.url]).args(arguments).env_remove("SUDO_USER").env_remove("RUST_LOG");
        let output = command.envs(variables.iter().copied()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let trail = place.json(&["show", id])["audit"].clone();
        trail.as_array().and_then(|rows| rows.last()).unwrap()["actor"].as_str().unwrap().to_owned()
    };
    assert_eq!(actor_of(&[("SUDO_USER", "paul")], &["show", id, "--reveal"]), "paul");
    assert_eq!(actor_of(&[("SUDO_USER", "paul"), ("FASTCORE_ACTOR", "crm")], &["move", id, "processing"]), "crm");
    let me = Command::new("id").arg("-un").output().unwrap().stdout;
    assert_eq!(actor_of(&[], &["move", id, "resolved"]), String::from_utf8(me).unwrap().trim());
}

#[test]
fn times_and_days_are_those_of_the_operator() {
    let place = Place::sqlite();
    let mut sent = body();
    sent["meta"]["timestamp_utc"] = "2026-03-10T20:30:15Z".into();
    let file = place.write("one.jsonl", &sent.to_string());
    place.done(&["import", &file]);
    let tokyo = [("TZ", "Asia/Tokyo")];
    let out = |arguments: &[&str]| {
        let run = run_with(&place, &tokyo, arguments);
        assert_eq!(run.code, 0, "{}", run.err);
        run.out
    };
    assert!(out(&["list"]).contains("2026-03-11 05:30"));
    assert!(out(&["list", "--utc"]).contains("2026-03-10 20:30Z"));
    let id = place.json(&["list"])["leads"][0]["id"].as_str().unwrap().to_owned();
    assert!(out(&["show", &id]).contains("2026-03-11T05:30:15+09:00"));
    let count = |arguments: &[&str]| {
        let page: Value = serde_json::from_str(&out(&[&["list", "--json"], arguments].concat())).unwrap();
        page["leads"].as_array().unwrap().len()
    };
    assert_eq!(count(&["--from", "2026-03-11", "--to", "2026-03-11"]), 1);
    assert_eq!(count(&["--from", "2026-03-11", "--utc"]), 0);
    assert_eq!(count(&["--to", "2026-03-10"]), 0);
    assert_eq!(count(&["--before", "2026-03-11"]), 0);
    assert_eq!(count(&["--from", "2026-03-10T20:30:15Z", "--to", "2026-03-10T20:30:16Z"]), 1);
    assert_eq!(place.run(&["list", "--from", "yesterday"]).code, 2);
}

#[test]
fn pages_are_turned_both_ways() {
    let place = Place::sqlite();
    let ids = place.with(&[body(), body(), body()]);
    let shown = |page: &Value| page["leads"][0]["id"].as_str().unwrap().to_owned();
    let first = place.json(&["list", "--limit", "1"]);
    assert_eq!((shown(&first), &first["previous"]), (ids[2].clone(), &Value::Null));
    let second = place.json(&["list", "--limit", "1", "--after", first["next"].as_str().unwrap()]);
    let back = place.json(&["list", "--limit", "1", "--back", second["previous"].as_str().unwrap()]);
    assert_eq!(back, first);
    let told = place.run(&["list", "--limit", "1", "--after", first["next"].as_str().unwrap()]);
    assert!(told.err.contains("older: --after ") && told.err.contains("newer: --back "), "{}", told.err);
}

#[test]
fn a_list_fits_the_terminal() {
    let place = Place::sqlite();
    let mut sent = body();
    sent["message"] = "une ligne\net une autre, qui est bien plus longue que ce qui tient dans un terminal".into();
    let id = &place.with(&[sent])[0];
    let leadctl = env!("CARGO_BIN_EXE_leadctl");
    let line = format!("stty rows 40 cols 110 && {leadctl} --database-url '{}' list --reveal", place.url);
    let mut script = Command::new("script");
    let output = script.args(["-qec", &line, "/dev/null"]).stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap().replace('\r', "");
    let widest = text.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(110), "{text}");
    let rows: Vec<_> = text.lines().filter(|line| line.contains(&id[..11])).collect();
    assert!(rows.len() == 1 && rows[0].contains("+33612345678") && rows[0].contains("une ligne et une"), "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with('│')).count(), 2, "{text}");
    // A program that reads has all of it.
    assert!(place.done(&["list"]).contains(id.as_str()));
}

#[test]
fn leads_are_watched_as_they_come() {
    for place in Place::all() {
        place.with(&[body()]);
        let mut child = place.command(&["watch"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut running = Running(child);
        assert!(said.next().unwrap().unwrap().contains("waiting for leads"));
        let mut other = body();
        other["meta"]["source"] = "salon".into();
        let file = place.write("other.jsonl", &other.to_string());
        place.done(&["import", &file]);
        let line = lines.next().unwrap().unwrap();
        assert!(line.contains("salon") && line.contains("J***") && !line.contains("Dupont"), "{line}");
        // Once nobody reads what it prints, it ends.
        drop(lines);
        place.with(&[body()]);
        assert!(running.0.wait().unwrap().success());
    }
}

#[test]
fn stats_say_how_leads_fare() {
    let place = Place::sqlite();
    let cabin = || {
        let mut cabin = body();
        cabin["service"] = "cabines".into();
        cabin["meta"]["source"] = "salon".into();
        cabin
    };
    let ids = place.with(&[body(), cabin(), cabin()]);
    place.done(&["move", &ids[1], "processing"]);
    let stats = place.json(&["stats"]);
    assert_eq!(stats["leads"], 3);
    assert_eq!(stats["by_status"], json!({"processing": 1, "received": 2}));
    assert_eq!(stats["by_source"]["salon"], 2);
    assert_eq!(stats["by_day"].as_object().unwrap().len(), 31);
    let waits = &stats["time_to_first_contact"];
    assert_eq!((&waits["all"]["leads"], &waits["by_service"]["cabines"]["contacted"]), (&json!(3), &json!(1)));
    assert!((50..3600).contains(&waits["all"]["median_seconds"].as_i64().unwrap()), "{waits}");
    assert_eq!(place.json(&["stats", "--source", "salon"])["leads"], 2);
    let shown = place.done(&["stats", "--days", "7"]);
    assert!(shown.contains("by service") && shown.contains('█') && shown.contains("cabines"), "{shown}");
    // A day begins when it does on the wall.
    place.write("night.csv", "name,email,message,consent,source,timestamp_utc\nZoé,z@example.com,Bonjour à tous et merci,oui,night,2024-01-31T23:30:00Z\n");
    place.done(&["import", "night.csv"]);
    for (zone, days) in [
        ("Europe/Paris", json!({"2024-01-31": 0, "2024-02-01": 1})),
        ("UTC", json!({"2024-01-31": 1, "2024-02-01": 0})),
    ] {
        let run = run_with(&place, &[("TZ", zone)], &["stats", "--from", "2024-01-31", "--to", "2024-02-01", "--json"]);
        let stats: Value = serde_json::from_str(&run.out).unwrap();
        assert_eq!((&stats["by_day"], &stats["time_zone"]), (&days, &json!(zone)));
    }
    let run = place.run(&["stats", "--from", "1990-01-01"]);
    assert_eq!(run.code, 5, "{}", run.err);
    // A bar is as long as its number is large, and no line is longer than what is taken for a terminal.
    let bar = |name: &str| shown.lines().find(|line| line.starts_with(name)).unwrap().matches('█').count();
    assert!(bar("salon") > bar("fast") && shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
}

/// As examples/ops/README.md says.
fn back_up(place: &Place, to: &Path) {
    let copied = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let store = fastcore_leads_store_sqlx::SqliteLeadStore::connect(&place.url).await.unwrap();
        let statement = sqlx::AssertSqlSafe(format!("VACUUM INTO '{}'", to.display()));
        sqlx::query(statement).execute(store.pool()).await
    });
    copied.unwrap();
}

#[test]
fn what_was_erased_is_erased_again_behind_a_restore() {
    let place = Place::sqlite();
    let mut other = body();
    other["email"] = "other@example.com".into();
    let ids = place.with(&[body(), other, body()]);
    let file = place.url.strip_prefix("sqlite:").unwrap();
    let kept = place.dir.path().join("kept.db");
    back_up(&place, &kept);
    place.done(&["erase", &ids[0], "--yes"]);
    place.done(&["erase", "other@example.com", "--yes"]);
    let list = place.json(&["erasures"]);
    let erased: Vec<_> = list["erasures"].as_array().unwrap().iter().map(|row| row["lead_id"].clone()).collect();
    assert_eq!(erased, [json!(ids[0]), json!(ids[1])]);
    let second = list["erasures"][1]["erased_at_utc"].as_str().unwrap();
    assert_eq!(place.json(&["erasures", "--since", second])["erasures"].as_array().map(Vec::len), Some(1));
    assert!(place.done(&["erasures"]).contains(ids[1].as_str()));

    for beside in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{file}{beside}"));
    }
    std::fs::copy(&kept, file).unwrap();
    assert_eq!(place.json(&["erasures"])["erasures"], json!([]));
    let written = place.write("erasures.json", &list.to_string());
    assert_eq!(place.run(&["erase", "--from-list", &written]).code, 7, "it asks");
    let again = place.json(&["erase", "--from-list", &written, "--yes", "--reason", "restored"]);
    assert_eq!(again, json!({"erased": [ids[0], ids[1]], "erased_already": 0, "not_there": 0}));
    let once_more = place.json(&["erase", "--from-list", &written, "--yes"]);
    assert_eq!(once_more, json!({"erased": [], "erased_already": 2, "not_there": 0}));
    assert_eq!(place.json(&["counts"])["received"], 1);
    let other = Place::sqlite();
    assert_eq!(other.json(&["erase", "--from-list", &written, "--yes"])["not_there"], 2);
    let wrong = place.write("wrong.json", "[]");
    assert_eq!(place.run(&["erase", "--from-list", &wrong, "--yes"]).code, 5);
}

#[test]
fn a_day_goes_as_it_is_written_down() {
    assert_runs("a-day", "the day is over");
}

#[test]
fn a_point_in_time_comes_back_as_it_is_written_down() {
    assert_runs("point-in-time", "all is as it was");
}

/// Runs a script that the documentation has, in a folder of its own, to its last words.
fn assert_runs(script: &str, last: &str) {
    let place = Place::sqlite();
    let folder = place.dir.path().join("here");
    std::fs::create_dir(&folder).unwrap();
    let tools = Path::new(env!("CARGO_BIN_EXE_leadctl")).parent().unwrap();
    let postgres = program("initdb");
    let path = [tools, postgres.parent().unwrap()].map(|folder| folder.display().to_string()).join(":");
    let path = format!("{path}:{}", std::env::var("PATH").unwrap());
    let mut command = Command::new(format!("{}/ops/{script}", env!("CARGO_MANIFEST_DIR")));
    command.current_dir(&folder).env("PATH", path).env_remove("RUST_LOG").env_remove("FASTCORE_SITE_STATE");
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success() && said.contains(last), "{said}");
}
