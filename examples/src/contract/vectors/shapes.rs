//! Bodies as a whole: what is one JSON object, what is not, and several faults at once.

use fastcore_leads::lead::{ViolationCode, limits};
use serde_json::{Value, json};

use super::{Body, Suite, Verdict};

pub(super) fn add(suite: &mut Suite) {
    let sample = suite.sample();
    suite.add("the sample", sample, Verdict::Accepted, false);
    well_formed(suite);
    malformed(suite);
    several_faults(suite);
}

/// Lists inside lists inside the object, as many as the parser takes.
const DEEPEST: usize = 126;

/// The lead with an unknown member that is so many lists deep.
fn nested(lead: &Value, depth: usize) -> String {
    let deep = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    lead.to_string().replacen('{', &format!(r#"{{"later":{deep},"#), 1)
}

/// The sample in so many bytes.
fn padded(suite: &Suite, bytes: usize) -> Vec<u8> {
    let mut body = suite.sample().to_string().into_bytes();
    body.resize(bytes, b' ');
    body
}

fn well_formed(suite: &mut Suite) {
    suite.accepts("unknown, ignored", "/later", json!({"a": [1, 2, {"b": null}]}));
    suite.accepts("unknown, ignored", "/meta/later", json!("x"));
    let spaced = format!(" \r\n\t{}\n", suite.sample());
    suite.push("white space around the object", Body::Bytes(spaced.into()), Verdict::Accepted, false);
    let escaped = suite.sample().to_string().replace("Jean Dupont", "Jean \\u0044upont \\ud83d\\ude97");
    suite.push("escapes, a surrogate pair too", Body::Bytes(escaped.into()), Verdict::Accepted, false);
    let marked = format!("\u{feff}{}", suite.sample());
    suite.push("a byte order mark", Body::Bytes(marked.into()), Verdict::Accepted, false);
    let twice = suite.sample().to_string().replacen('{', r#"{"later":1,"later":2,"#, 1);
    suite.push("an unknown member twice", Body::Bytes(twice.into()), Verdict::Accepted, false);
    let deep = nested(&suite.sample(), DEEPEST);
    suite.push("nested as deep as may be", Body::Bytes(deep.into()), Verdict::Accepted, false);
    let large = padded(suite, limits::MAX_BODY_BYTES);
    suite.push("of the greatest size", Body::Bytes(large), Verdict::Accepted, false);
    let larger = padded(suite, limits::MAX_BODY_BYTES + 1);
    suite.push("one byte too large", Body::Bytes(larger), Verdict::TooLarge, false);
    let minimal = json!({
        "name": "Li", "email": "li@example.org", "message": "1".repeat(limits::MESSAGE.min), "consent": false,
        "meta": {"source": "s", "request_id": "3f8a9c1e-5b7d-4e2f-8a6b-9c0d1e2f3a4b", "ip_hash": "x",
                 "timestamp_utc": "2026-11-22T10:30:45"},
    });
    suite.add("only what is required", minimal, Verdict::Accepted, false);
}

fn malformed(suite: &mut Suite) {
    let sample = suite.sample().to_string();
    for (name, body) in [
        ("nothing", ""),
        ("blanks", "  \n"),
        ("null", "null"),
        ("true", "true"),
        ("a number", "42"),
        ("a text", r#""lead""#),
        ("an empty list", "[]"),
        ("members by their place", r#"["Jean Dupont","jean@example.com"]"#),
        ("form data", "name=Jean&email=jean%40example.com"),
        ("single quotes", "{'name': 'Jean'}"),
        ("NaN", r#"{"name": NaN}"#),
    ] {
        suite.malformed(name, body);
    }
    suite.malformed("cut short", &sample.as_bytes()[..sample.len() - 1]);
    suite.malformed("a comma too many", format!("{},}}", &sample[..sample.len() - 1]));
    suite.malformed("a comment", format!("/* lead */{sample}"));
    suite.malformed("two objects", sample.repeat(2));
    suite.malformed("bytes behind the object", format!("{sample}x"));
    suite.malformed("two byte order marks", format!("\u{feff}\u{feff}{sample}"));
    suite.malformed("a list around the object", format!("[{sample}]"));
    suite.malformed("a known member twice", sample.replacen('{', r#"{"name":"Jean Dupont","#, 1));
    suite.malformed("meta twice", sample.replacen('{', r#"{"meta":null,"#, 1));
    suite.malformed("a known member of meta twice", sample.replacen(r#""meta":{"#, r#""meta":{"source":"x","#, 1));
    suite.malformed("a line break inside a text", sample.replace("Jean Dupont", "Jean\nDupont"));
    suite.malformed("a lone surrogate", sample.replace("Jean Dupont", "Jean \\ud83d"));
    suite.malformed("a lone surrogate in an unknown member", sample.replacen('{', r#"{"later":"\udc00","#, 1));
    suite.malformed("an unknown escape", sample.replace("Jean Dupont", "Jean \\x"));
    suite.malformed("nested one too deep", nested(&suite.sample(), DEEPEST + 1));
    suite.malformed("a number beyond every float, in an unknown member", sample.replacen('{', r#"{"later":1e400,"#, 1));
    let mut latin1 = sample.replace("Jean Dupont", "Jean \u{1}").into_bytes();
    latin1.iter_mut().filter(|byte| **byte == 1).for_each(|byte| *byte = 0xe9);
    suite.malformed("Latin-1", latin1);
    let utf16: Vec<u8> = sample.encode_utf16().flat_map(u16::to_le_bytes).collect();
    suite.malformed("UTF-16", utf16);
}

fn several_faults(suite: &mut Suite) {
    suite.refuses_all(
        "an empty object",
        json!({}),
        &["/name", "/email", "/message", "/consent", "/meta"].map(|pointer| (pointer, ViolationCode::Required)),
    );
    let mut body = suite.sample_with("/meta", json!({"request_id": "x", "suspicion": [1]}));
    for (member, value) in [
        ("name", json!("a")),
        ("email", json!("jean")),
        ("phone", json!("0".repeat(limits::PHONE.max + 1))),
        ("company", json!(5)),
        ("service", json!("pneus")),
        ("message", json!("short")),
        ("consent", json!("on")),
    ] {
        body[member] = value;
    }
    suite.refuses_all(
        "a fault in every member, in the order of the contract",
        body,
        &[
            ("/name", ViolationCode::TooShort),
            ("/email", ViolationCode::EmailInvalid),
            ("/phone", ViolationCode::TooLong),
            ("/company", ViolationCode::NotAString),
            ("/service", ViolationCode::ServiceUnknown),
            ("/message", ViolationCode::TooShort),
            ("/consent", ViolationCode::NotABoolean),
            ("/meta/source", ViolationCode::Required),
            ("/meta/request_id", ViolationCode::UuidInvalid),
            ("/meta/ip_hash", ViolationCode::Required),
            ("/meta/timestamp_utc", ViolationCode::Required),
            ("/meta/suspicion/0", ViolationCode::NotAString),
        ],
    );
    let both = suite.sample_with("/name", json!("\u{1}"));
    suite.refuses_all(
        "two faults in one member",
        both,
        &[("/name", ViolationCode::ControlCharacter), ("/name", ViolationCode::TooShort)],
    );
    let hash = suite.sample_with("/meta/ip_hash", json!(format!("{} ", "é".repeat(limits::HASH.max))));
    suite.refuses_all(
        "two faults in a hash",
        hash,
        &[("/meta/ip_hash", ViolationCode::HashInvalid), ("/meta/ip_hash", ViolationCode::TooLong)],
    );
}
