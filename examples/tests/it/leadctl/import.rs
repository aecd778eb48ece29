//! Import and dump.

use std::{
    collections::HashSet,
    fmt::Write as _,
    process::Stdio,
    time::{Duration, Instant},
};

use fastcore_leads::testing::body;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Place, is_private};

const HEADER: &str = "name,email,phone,company,service,message,consent,source,request_id,ip_hash,timestamp_utc";

fn row(i: usize, id: &Uuid) -> String {
    format!(
        "Jean Dupont,jean{i}@example.com,+33612345678,\"ACME, \"\"SAS\"\"\",ponts,\"Bonjour,\nje voudrais un devis pour {i}\",\
         true,site,{id},abc123,2024-01-03T10:30:45Z"
    )
}

/// A lead with the members of `meta` beside the others.
fn flat() -> Value {
    let mut flat = body();
    let meta = flat["meta"].take();
    flat.as_object_mut().unwrap().remove("meta");
    for (name, value) in meta.as_object().unwrap() {
        flat[name.as_str()] = value.clone();
    }
    flat
}

#[test]
fn lines_go_through_the_parser_and_refused_ones_say_why() {
    for place in Place::all() {
        let ids: Vec<_> = (0..4).map(|_| Uuid::now_v7()).collect();
        let mut csv = format!("\u{feff}{HEADER},note\n");
        let _ = writeln!(csv, "{},kept out", row(0, &ids[0]));
        let _ = writeln!(csv, "J,nobody,,,ponts,short,perhaps,site,{},127.0.0.1,2024-01-03T10:30:45Z,x", ids[1]);
        csv.push_str("too,few\n");
        let _ = writeln!(csv, "{},again", row(0, &ids[0]));
        let _ = writeln!(csv, "{},other content", row(9, &ids[0]));
        let _ = writeln!(csv, "{},last", row(3, &ids[3]));
        let file = place.write("leads.csv", &csv);
        let run = place.run(&["import", &file, "--json"]);
        assert_eq!(run.code, 6, "{}", run.err);
        let summary: Value = serde_json::from_str(&run.out).unwrap();
        assert_eq!(
            (&summary["received"], &summary["replayed"], &summary["refused"]),
            (&json!(2), &json!(1), &json!(3))
        );
        let refused = place.read("leads.csv.refused.jsonl");
        assert!(is_private(&place.dir.path().join("leads.csv.refused.jsonl")));
        let mut refused: Vec<Value> = refused.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        refused.sort_by_key(|line| line["line"].as_u64());
        let codes = |line: &Value| -> Vec<String> {
            let errors = line["errors"].as_array().unwrap().iter();
            errors
                .map(|error| format!("{}{}", error["pointer"].as_str().unwrap_or(""), error["code"].as_str().unwrap()))
                .collect()
        };
        let all = [
            "/nametoo_short",
            "/emailemail_invalid",
            "/messagetoo_short",
            "/consentnot_a_boolean",
            "/meta/ip_haship_address",
        ];
        assert_eq!(codes(&refused[0]), all);
        assert_eq!((&refused[0]["lead"]["email"], &refused[0]["lead"]["note"]), (&json!("nobody"), &json!("x")));
        assert_eq!(
            (codes(&refused[1]), &refused[1]["lead"]),
            (vec!["malformed_body".to_owned()], &json!(["too", "few"]))
        );
        assert_eq!(codes(&refused[2]), ["request_id_conflict"]);
        let shown = place.json(&["show", &ids[0].to_string(), "--reveal"]);
        assert_eq!(
            (&shown["lead"]["company"], &shown["audit"][0]["actor"]),
            (&json!("ACME, \"SAS\""), &json!("marie"))
        );
        assert_eq!(shown["lead"]["message"], "Bonjour,\nje voudrais un devis pour 0");
        assert!(!format!("{}{}", run.out, run.err).contains("jean"), "the terminal shows nobody");
    }
}

#[test]
fn json_lines_may_nest_meta_or_not() {
    let place = Place::sqlite();
    let flat = flat();
    let long = format!("{{\"name\": \"{}\"}}", "x".repeat(100_000));
    let file = place.write("leads.ndjson", &format!("{}\r\n\n  \n{flat}\n{long}\n{}\nnonsense\n[1]", body(), body()));
    let run = place.run(&["import", &file, "--json", "--refused", "elsewhere.jsonl"]);
    assert_eq!(run.code, 6, "{}", run.err);
    let summary: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!((&summary["received"], &summary["refused"]), (&json!(3), &json!(3)));
    let refused = place.read("elsewhere.jsonl");
    let lines: Vec<_> =
        refused.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [5, 7, 8]);
    assert!(refused.len() < 80_000, "of a line without end only the beginning is kept");
}

#[test]
fn a_file_that_cannot_be_used_changes_nothing() {
    let place = Place::sqlite();
    let lacking = place.write("lacking.csv", "name,email,message\nx,y,z\n");
    let twice = place.write("twice.csv", &format!("{HEADER},meta.source\n"));
    let ending = place.write("leads.xls", "x");
    let missing = place.dir.path().join("missing.csv").display().to_string();
    let directory = place.dir.path().display().to_string();
    for (arguments, said) in [
        (
            &["import", &lacking][..],
            "lacks columns: consent, source (or say --source NAME); it has: name, email, message",
        ),
        (&["import", &twice], "the column source twice"),
        (&["import", &ending], "--format csv or --format jsonl"),
        (&["import", &missing], "cannot be read"),
        (&["import", &directory, "--format", "csv"], "cannot be read"),
        (&["import", "/dev/null", "--format", "jsonl"], "it is no file"),
    ] {
        let run = place.run(arguments);
        assert_eq!(run.code, 5, "{arguments:?}: {}", run.err);
        assert!(run.err.contains(said), "{arguments:?}: {}", run.err);
    }
    assert_eq!(place.json(&["counts"])["received"], 0);
}

#[test]
fn refused_lines_can_be_mended_and_imported_and_nothing_is_written_over() {
    let place = Place::sqlite();
    let mut flat = flat();
    flat["name"] = "J".into();
    flat["note"] = "ours".into();
    let twice = body().to_string().replacen('{', "{\"name\":\"Another\",", 1);
    let flat_twice = flat.to_string().replacen('{', "{\"email\":\"other@example.com\",", 1);
    let file = place.write("leads.jsonl", &format!("{flat}\n{twice}\n{flat_twice}\n"));
    assert_eq!(place.run(&["import", &file]).code, 6);
    let refused = place.read("leads.jsonl.refused.jsonl");
    let lines: Vec<Value> = refused.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["lead"], flat, "the line as the operator wrote it");
    let codes: Vec<_> = lines.iter().map(|line| line["errors"][0]["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["too_short", "malformed_body", "malformed_body"]);
    let mended = place.write("mended.jsonl", &refused.lines().next().unwrap().replace("\"J\"", "\"Jean Dupont\""));
    place.done(&["import", &mended]);
    assert_eq!(place.json(&["counts"])["received"], 1);

    let before = place.read("leads.jsonl");
    for taken in ["leads.jsonl", "mended.jsonl"] {
        let run = place.run(&["import", &file, "--refused", taken]);
        assert_eq!(run.code, 5, "{}", run.err);
        assert!(run.err.contains("there already"), "{}", run.err);
    }
    assert_eq!(place.read("leads.jsonl"), before);
    let nowhere = place.run(&["import", &file, "--refused", "missing/refused.jsonl", "--json"]);
    assert_eq!(nowhere.code, 1);
    assert!(nowhere.err.contains("cannot be written") && nowhere.out.contains("\"refused\":1"), "{}", nowhere.err);
    // Another run refuses into a file of its own.
    assert_eq!(place.run(&["import", &file]).code, 6);
    assert_eq!(place.read("leads.jsonl.refused.jsonl"), refused);
    assert_eq!(place.read("leads.jsonl.refused-2.jsonl").lines().count(), 3);
}

#[test]
fn a_quote_that_does_not_end_stops_the_import() {
    let place = Place::sqlite();
    let mut csv = format!("{HEADER}\n{}\n\"Jean", row(0, &Uuid::now_v7()));
    for i in 0..5000 {
        let _ = writeln!(csv, "{}", row(i, &Uuid::now_v7()).replace('"', ""));
    }
    let file = place.write("leads.csv", &csv);
    let run = place.run(&["import", &file]);
    assert_eq!(run.code, 5, "{}", run.err);
    assert!(
        run.err.contains("line 4: a quote opens a cell and takes the 9999 lines behind it, up to line 10003"),
        "{}",
        run.err
    );
    assert_eq!(place.json(&["counts"])["received"], 0);
}

#[test]
fn what_is_dumped_can_be_imported_and_runs_no_formula() {
    let source = Place::sqlite();
    let mut sent = body();
    sent["name"] = "=HYPERLINK(\"http://x\")".into();
    sent["company"] = "@SUM(A1)".into();
    sent["phone"] = "+33612345678".into();
    sent["message"] = "-1+1 and a line\nbreak, with \"quotes\"".into();
    sent["meta"]["suspicion"] = json!(["honeypot", "too_fast"]);
    sent["meta"]["consent"] = json!({"version": "=1", "locale": "fr-FR", "given_at": "2026-01-02T03:04:05Z"});
    let quoted = {
        let mut other = body();
        other["name"] = "'=Apostrophe".into();
        other
    };
    let ids = source.with(&[sent, quoted]);
    let all = ["--status=received", "--status=quarantined", "--reveal"];
    for (format, name) in [("csv", "dump.csv"), ("jsonl", "dump.jsonl")] {
        source.done(&[&["dump", "--format", format, "--output", name][..], &all].concat());
        assert!(is_private(&source.dir.path().join(name)));
        let text = source.read(name);
        if format == "csv" {
            for cell in csv_cells(&text) {
                assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell} is a formula");
            }
        }
        let target = Place::sqlite();
        let file = target.write(name, &text);
        target.done(&["import", &file]);
        for id in &ids {
            let (before, after) = (source.json(&["show", id, "--reveal"]), {
                let request = source.json(&["show", id])["lead"]["request_id"].as_str().unwrap().to_owned();
                target.json(&["show", &request, "--reveal"])
            });
            for member in
                ["name", "email", "phone", "company", "service", "message", "consent", "source", "ip_hash", "status"]
            {
                assert_eq!(before["lead"][member], after["lead"][member], "{member}");
            }
            assert_eq!(before["lead"]["meta_json"], after["lead"]["meta_json"]);
        }
    }
}

fn csv_cells(text: &str) -> Vec<String> {
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    rows.records().flat_map(|record| record.unwrap().iter().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// Killed half-way, and started again.
#[test]
fn an_import_that_was_killed_is_started_again() {
    const LEADS: usize = 30_000;
    for place in Place::all().into_iter().filter(|place| place.driver == "sqlx") {
        let ids: Vec<_> = (0..LEADS).map(|_| Uuid::now_v7()).collect();
        let mut csv = format!("{HEADER}\n");
        for (i, id) in ids.iter().enumerate() {
            let _ = writeln!(csv, "{}", row(i, id));
        }
        let file = place.write("leads.csv", &csv);
        let mut import = place.command(&["import", &file]).stderr(Stdio::null()).spawn().unwrap();
        let end = Instant::now() + Duration::from_secs(120);
        loop {
            let taken = place.json(&["counts"])["received"].as_u64().unwrap();
            if taken > 1000 {
                assert!(taken < LEADS as u64, "the import was over before it could be killed");
                break;
            }
            assert!(Instant::now() < end, "the import does not get on");
        }
        import.kill().unwrap();
        assert!(!import.wait().unwrap().success());
        let summary = place.json(&["import", &file]);
        assert!(summary["replayed"].as_u64().unwrap() > 1000, "{summary}");
        assert_eq!(summary["received"].as_u64().unwrap() + summary["replayed"].as_u64().unwrap(), LEADS as u64);
        assert_eq!(place.json(&["counts"])["received"], LEADS);
        place.done(&["dump", "--output", "dump.jsonl"]);
        let dumped: HashSet<Uuid> = place
            .read("dump.jsonl")
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["request_id"].as_str().unwrap().parse().unwrap())
            .collect();
        assert_eq!(dumped, ids.into_iter().collect());
    }
}
