//! How many instructions a lead costs, counted by callgrind: the same on every run of the same build, whatever else the machine does.
//!
//! `cargo bench -p fastcore-leads --bench counts` compares with `benches/counts.txt`, and fails where a count has
//! grown by more than 3 %. `-- --update` writes that file anew: after a change that is worth its cost, or another compiler.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs, reason = "a benchmark")]
#![allow(clippy::cast_possible_truncation, reason = "small numbers")]

use std::{collections::BTreeMap, fs, hint::black_box, process::Command};

use fastcore_leads::{
    Actor, ConsentPolicy, Lead, NewLead, SAMPLE_LEAD, TokenSet,
    sql::{postgres::Columns, sqlite},
};
use http::{HeaderMap, header::AUTHORIZATION};

const TOKEN: &str = "0171bf3bb3b8e0b1ca5e04e7384a022ba2c6f5330304cbb89f250fb0851118f5";
const KNOWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/counts.txt");
/// What a count may grow by, in percent.
const TOLERANCE: u64 = 3;
/// Leads in a batch.
const BATCH: usize = 64;
/// What happens once, such as making tables, falls out of the difference between these.
const FEW: u32 = 10;
const MANY: u32 = 60;

type Case = (&'static str, fn(u32));

const CASES: [Case; 4] = [
    ("parse and validate a lead", |times| {
        for _ in 0..times {
            black_box(lead());
        }
    }),
    ("check a token", |times| {
        let set = TokenSet::parse(TOKEN).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, format!("Bearer {TOKEN}").parse().unwrap());
        for _ in 0..times {
            black_box(set.authenticate(black_box(&headers)).unwrap());
        }
    }),
    ("put 64 leads into PostgreSQL's columns", |times| {
        let batch = batch();
        for _ in 0..times {
            black_box(Columns::of(black_box(&batch)));
        }
    }),
    ("put 64 leads into SQLite's JSON", |times| {
        let batch = batch();
        for _ in 0..times {
            black_box(sqlite::batch_json(black_box(&batch)));
        }
    }),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [case, times] = &arguments[..] {
        let (_, run) = CASES[case.parse::<usize>().unwrap()];
        return run(times.parse().unwrap());
    }
    let counts = CASES.iter().enumerate().map(|(i, (name, _))| {
        let each = (count(i, MANY) - count(i, FEW)) / u64::from(MANY - FEW);
        println!("{name}: {each} instructions");
        (*name, each)
    });
    let counts: BTreeMap<&str, u64> = counts.collect();
    if arguments == ["--update"] {
        let lines: String = counts.iter().map(|(name, count)| format!("{count} {name}\n")).collect();
        return fs::write(KNOWN, lines).expect("the file can be written");
    }
    let known = fs::read_to_string(KNOWN).expect("`-- --update` writes it");
    let mut grown = Vec::new();
    for line in known.lines() {
        let (known, name) = line.split_once(' ').expect("a count and a name");
        let known: u64 = known.parse().expect("a number");
        let Some(&now) = counts.get(name) else { panic!("{KNOWN} knows a case that is not counted: {name}") };
        if now * 100 > known * (100 + TOLERANCE) {
            grown.push(format!("{name}: {now} instructions, where it was {known}"));
        }
    }
    assert_eq!(known.lines().count(), counts.len(), "{KNOWN} does not know every case");
    assert!(grown.is_empty(), "{}", grown.join("; "));
}

/// Instructions of this program when it runs a case so often.
fn count(case: usize, times: u32) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().expect("this program"))
        .args([case.to_string(), times.to_string()])
        .output()
        .expect("valgrind is missing: `apt-get install valgrind`");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let collected = said.lines().find_map(|line| line.split_once("Collected : ")).unwrap_or_else(|| panic!("{said}"));
    collected.1.trim().parse().expect("a number")
}

fn lead() -> Lead {
    Lead::parse(black_box(SAMPLE_LEAD.as_bytes()), ConsentPolicy::Recorded).unwrap()
}

/// Their request ids are in no order.
fn batch() -> Vec<NewLead> {
    let sample: serde_json::Value = serde_json::from_str(SAMPLE_LEAD).unwrap();
    let numbered = |i: usize| {
        let mut sent = sample.clone();
        let id = format!("{:08x}-0000-4000-8000-{i:012x}", (i as u32).wrapping_mul(0x9e37_79b9));
        sent["meta"]["request_id"] = id.into();
        let lead = Lead::parse(sent.to_string().as_bytes(), ConsentPolicy::Recorded).unwrap();
        NewLead::new(lead, Actor::SITE_INGEST)
    };
    (0..BATCH).map(numbered).collect()
}
