//! `meta`: the request id, the hashes, the instants, the proof of consent, what was suspicious.

use fastcore_leads::lead::{
    ViolationCode::{
        self, ControlCharacter, HashInvalid, IpAddress, LocaleInvalid, NotAList, NotAString, NotAnObject, Required,
        SuspicionInvalid, TimestampInvalid, TooLong, TooMany, TooShort, UuidInvalid,
    },
    limits,
};
use serde_json::{Value, json};

use super::{Suite, Verdict};

pub(super) fn add(suite: &mut Suite) {
    suite.refuses("missing", "/meta", None, Required);
    suite.refuses("null", "/meta", Value::Null, Required);
    for (what, value) in
        [("a text", json!("meta")), ("a number", json!(1)), ("a list", json!([])), ("true", json!(true))]
    {
        suite.refuses(what, "/meta", value, NotAnObject);
    }
    request_id(suite);
    hash(suite, "/meta/ip_hash");
    address_in_clear(suite);
    hash(suite, "/meta/user_agent_hash");
    suite.accepts("an address, which is no secret of this member", "/meta/user_agent_hash", json!("203.0.113.7"));
    instant(suite);
    consent_proof(suite);
    suspicion(suite);
}

fn request_id(suite: &mut Suite) {
    const AT: &str = "/meta/request_id";
    for (what, id) in [
        ("in version 1", "7d444840-9dc0-11d1-b245-5ffdce74fad2"),
        ("in version 4", "9b2f2b50-0c1e-4ad5-8d2c-3f6b2a2f4e11"),
        ("in version 7", "01935b9a-7d0c-7c33-a1b2-0123456789ab"),
        ("in upper case", "9B2F2B50-0C1E-4AD5-8D2C-3F6B2A2F4E12"),
        ("without hyphens", "9b2f2b500c1e4ad58d2c3f6b2a2f4e13"),
        ("in braces", "{9b2f2b50-0c1e-4ad5-8d2c-3f6b2a2f4e14}"),
        ("as a URN", "urn:uuid:9b2f2b50-0c1e-4ad5-8d2c-3f6b2a2f4e15"),
    ] {
        suite.accepts(what, AT, json!(id));
    }
    suite.refuses("missing", AT, None, Required);
    suite.refuses("null", AT, Value::Null, Required);
    suite.refuses("a number", AT, json!(4), NotAString);
    for (what, id) in [
        ("nil", "00000000-0000-0000-0000-000000000000"),
        ("nil, without hyphens", "00000000000000000000000000000000"),
        ("max", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
        ("max, in upper case", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"),
        ("max, in braces", "{ffffffff-ffff-ffff-ffff-ffffffffffff}"),
        ("empty", ""),
        ("with blanks around", " 9b2f2b50-0c1e-4ad5-8d2c-3f6b2a2f4e16 "),
        ("one digit short", "9b2f2b50-0c1e-4ad5-8d2c-3f6b2a2f4e1"),
        ("one digit long", "9b2f2b50-0c1e-4ad5-8d2c-3f6b2a2f4e177"),
        ("with another letter", "9b2f2b50-0c1e-4ad5-8d2c-3f6b2a2f4e1g"),
        ("with hyphens elsewhere", "9b2f2b5-00c1e-4ad5-8d2c-3f6b2a2f4e18"),
    ] {
        suite.refuses(what, AT, json!(id), UuidInvalid);
    }
}

fn hash(suite: &mut Suite, at: &str) {
    let max = limits::HASH.max;
    suite.accepts("of the least length", at, json!("a"));
    suite.accepts("of the greatest length", at, json!("f".repeat(max)));
    suite.accepts("of every printable character", at, json!(('!'..='~').collect::<String>()));
    suite.refuses("one too long", at, json!("f".repeat(max + 1)), TooLong);
    suite.refuses("with a blank inside", at, json!("abc def"), HashInvalid);
    suite.refuses("beyond ASCII", at, json!("é"), HashInvalid);
    suite.refuses("with U+007F", at, json!("abc\u{7f}"), ControlCharacter);
    suite.refuses("with a line break", at, json!("abc\n"), ControlCharacter);
    suite.refuses("a number", at, json!(7), NotAString);
    if at == "/meta/ip_hash" {
        suite.refuses("missing", at, None, Required);
        suite.refuses("null", at, Value::Null, Required);
        suite.refuses("empty", at, json!(""), TooShort);
    } else {
        suite.accepts("missing", at, None);
        suite.accepts("null", at, Value::Null);
        suite.accepts("empty", at, json!(""));
        suite.accepts("of blanks only", at, json!(" "));
    }
}

fn address_in_clear(suite: &mut Suite) {
    for address in [
        "203.0.113.7",
        "203.0.113.7:443",
        "203.0.113.0/24",
        "2001:db8::1",
        "[2001:db8::1]",
        "[2001:db8::1]:443",
        "2001:db8::/64",
        "fe80::1%eth0",
        "::ffff:203.0.113.7",
    ] {
        suite.refuses_beyond_schema(&format!("the address {address}"), "/meta/ip_hash", address, IpAddress);
    }
}

fn instant(suite: &mut Suite) {
    const AT: &str = "/meta/timestamp_utc";
    suite.refuses("missing", AT, None, Required);
    suite.refuses("null", AT, Value::Null, Required);
    suite.refuses("a number", AT, json!(1_763_807_445), NotAString);
    for (what, text) in good_instants() {
        suite.accepts(what, AT, json!(text));
    }
    for (what, text) in bad_instants() {
        suite.refuses(what, AT, json!(text), TimestampInvalid);
    }
    for (what, text) in NO_SUCH_INSTANTS {
        suite.refuses_beyond_schema(what, AT, text, TimestampInvalid);
    }
}

fn good_instants() -> Vec<(&'static str, String)> {
    [
        ("in UTC", "2026-11-22T10:30:45Z"),
        ("with microseconds", "2026-11-22T10:30:45.123456Z"),
        ("with nanoseconds", "2026-11-22T10:30:45.123456789Z"),
        ("with an offset", "2026-11-22T10:30:45+02:00"),
        ("with the greatest offset", "2026-11-22T10:30:45+23:59"),
        ("with an offset without a colon", "2026-11-22T10:30:45+0200"),
        ("with a fraction and an offset without a colon", "2026-11-22T10:30:45.25-0530"),
        ("without seconds", "2026-11-22T10:30Z"),
        ("without seconds and offset", "2026-11-22T10:30"),
        ("without seconds, with an offset without a colon", "2026-11-22T10:30+0200"),
        ("without an offset", "2026-11-22T10:30:45.5"),
        ("in lower case", "2026-11-22t10:30:45z"),
        ("with a blank for the T", "2026-11-22 10:30:45Z"),
        ("on a leap day", "2024-02-29T00:00:00Z"),
        ("in a leap second", "2016-12-31T23:59:60Z"),
        ("in the first year", "0001-01-01T00:00:00Z"),
        ("in the last year", "9999-12-31T23:59:59.999999Z"),
    ]
    .map(|(what, text)| (what, text.to_owned()))
    .into_iter()
    .chain([("of the greatest length", instant_of(limits::MAX_INSTANT_BYTES))])
    .collect()
}

fn bad_instants() -> Vec<(&'static str, String)> {
    [
        ("empty", ""),
        ("a date alone", "2026-11-22"),
        ("with a minus sign beyond ASCII", "2026-11-22T10:30:45\u{2212}02:00"),
        ("with a fraction of a minute", "2026-11-22T10:30.5Z"),
        ("with an offset of hours alone", "2026-11-22T10:30:45+02"),
        ("with an offset of three digits", "2026-11-22T10:30:45+020"),
        ("with a month 0", "2026-00-13T10:30:45Z"),
        ("with a month 13", "2026-13-22T10:30:45Z"),
        ("with a day 0", "2026-11-00T10:30:45Z"),
        ("with a day 32", "2026-12-32T10:30:45Z"),
        ("with an hour 24", "2026-11-22T24:00:00Z"),
        ("with a minute 60", "2026-11-22T10:60:00Z"),
        ("with a second 61", "2026-11-22T10:30:61Z"),
        ("with an offset of 24 hours", "2026-11-22T10:30:45+24:00"),
        ("seconds since 1970", "1763807445"),
        ("with words", "22 novembre 2026"),
        ("with blanks around", " 2026-11-22T10:30:45Z "),
    ]
    .map(|(what, text)| (what, text.to_owned()))
    .into_iter()
    .chain([("one too long", instant_of(limits::MAX_INSTANT_BYTES + 1))])
    .collect()
}

const NO_SUCH_INSTANTS: [(&str, &str); 5] = [
    ("on 30 February", "2026-02-30T10:30:45Z"),
    ("on a leap day of no leap year", "2026-02-29T10:30:45Z"),
    ("in the year 0", "0000-06-01T00:00:00Z"),
    ("before the first year by its offset", "0001-01-01T00:00:00+01:00"),
    ("beyond the last year by its offset", "9999-12-31T23:59:59-01:00"),
];

/// An instant in so many bytes.
fn instant_of(bytes: usize) -> String {
    let (head, tail) = ("2026-11-22T10:30:45.", "Z");
    format!("{head}{}{tail}", "1".repeat(bytes - head.len() - tail.len()))
}

fn consent_proof(suite: &mut Suite) {
    const AT: &str = "/meta/consent";
    suite.accepts("missing", AT, None);
    suite.accepts("null", AT, Value::Null);
    for (what, value) in
        [("a text", json!("yes")), ("true", json!(true)), ("a list", json!([])), ("a number", json!(1))]
    {
        suite.refuses(what, AT, value, NotAnObject);
    }
    suite.accepts("with a member that nobody knows", AT, proof_with("later", json!(1)));
    let members = ["version", "locale", "given_at"];
    for member in members {
        for (what, value, code) in [
            ("missing", None, Required),
            ("null", Some(Value::Null), Required),
            ("a number", Some(json!(1)), NotAString),
            ("a list", Some(json!(["fr"])), NotAString),
        ] {
            let mut proof = proof();
            match value {
                Some(value) => proof[member] = value,
                None => drop(proof.as_object_mut().and_then(|proof| proof.remove(member))),
            }
            violating(suite, &format!("{member} {what}"), proof, member, code, false);
        }
    }
    let pointers = members.map(|member| format!("{AT}/{member}"));
    let body = suite.sample_with(AT, json!({}));
    suite.refuses_all("/meta/consent empty", body, &pointers.each_ref().map(|member| (member.as_str(), Required)));

    let (version, locale) = (limits::CONSENT_VERSION.max, limits::CONSENT_LOCALE.max);
    suite.accepts("version of the greatest length", AT, proof_with("version", json!("v".repeat(version))));
    suite.accepts("version with blanks around", AT, proof_with("version", json!(" 2026-11 ")));
    for (what, value, code) in [
        ("one too long", json!("v".repeat(version + 1)), TooLong),
        ("empty", json!(""), TooShort),
        ("of blanks only", json!("  "), TooShort),
        ("with U+0000 inside", json!("a\0b"), ControlCharacter),
    ] {
        violating(suite, &format!("version {what}"), proof_with("version", value), "version", code, false);
    }
    let longest = "x-aaaaaaaa-bbbbbbbb-cccccccc-dddddd";
    for (what, tag) in [
        ("in French", "fr-FR"),
        ("in a script", "zh-Hant-TW"),
        ("with blanks around", " fr "),
        ("of the greatest length", longest),
    ] {
        suite.accepts(&format!("locale {what}"), AT, proof_with("locale", json!(tag)));
    }
    violating(suite, "locale empty", proof_with("locale", json!("")), "locale", TooShort, false);
    let long = proof_with("locale", json!("a".repeat(locale + 1)));
    violating(suite, "locale one too long", long, "locale", TooLong, false);
    for (what, tag) in [("with an underscore", "fr_FR"), ("of a word", "français"), ("with an empty subtag", "fr--FR")]
    {
        violating(suite, &format!("locale {what}"), proof_with("locale", json!(tag)), "locale", LocaleInvalid, true);
    }
    for (what, text) in good_instants() {
        suite.accepts(&format!("given_at {what}"), AT, proof_with("given_at", json!(text)));
    }
    for (what, text) in bad_instants() {
        let proof = proof_with("given_at", json!(text));
        violating(suite, &format!("given_at {what}"), proof, "given_at", TimestampInvalid, false);
    }
    for (what, text) in NO_SUCH_INSTANTS {
        let proof = proof_with("given_at", json!(text));
        violating(suite, &format!("given_at {what}"), proof, "given_at", TimestampInvalid, true);
    }
}

fn proof() -> Value {
    json!({"version": "2026-11", "locale": "fr-FR", "given_at": "2026-11-22T10:30:45Z"})
}

fn proof_with(member: &str, value: Value) -> Value {
    let mut proof = proof();
    proof[member] = value;
    proof
}

/// Refuses a proof for one of its members.
fn violating(suite: &mut Suite, name: &str, proof: Value, member: &str, code: ViolationCode, is_beyond_schema: bool) {
    let body = suite.sample_with("/meta/consent", proof);
    let verdict = Verdict::Invalid(vec![(format!("/meta/consent/{member}"), code)]);
    suite.add(&format!("/meta/consent {name}"), body, verdict, is_beyond_schema);
}

fn suspicion(suite: &mut Suite) {
    const AT: &str = "/meta/suspicion";
    let (codes, length) = (limits::MAX_SUSPICION_CODES, limits::SUSPICION_CODE.max);
    suite.accepts("missing", AT, None);
    suite.accepts("null", AT, Value::Null);
    suite.accepts("empty", AT, json!([]));
    suite.accepts("with two codes", AT, json!(["honeypot", "too_fast"]));
    suite.accepts("with as many codes as may be", AT, json!(vec!["a"; codes]));
    suite.accepts("with the longest code", AT, json!(["z".repeat(length)]));
    suite.refuses("with one code too many", AT, json!(vec!["a"; codes + 1]), TooMany);
    suite.refuses("with one code too many, which are not looked at then", AT, json!(vec!["A"; codes + 1]), TooMany);
    suite.refuses("a text", AT, json!("honeypot"), NotAList);
    suite.refuses("an object", AT, json!({}), NotAList);
    for (what, item, code) in [
        ("with a code one too long", json!("z".repeat(length + 1)), TooLong),
        ("with an empty code", json!(""), TooShort),
        ("with upper case", json!("Honeypot"), SuspicionInvalid),
        ("with a hyphen", json!("too-fast"), SuspicionInvalid),
        ("with a number", json!(1), NotAString),
        ("with null", Value::Null, NotAString),
    ] {
        let body = suite.sample_with(AT, json!(["ok", item]));
        suite.refuses_all(&format!("{AT} {what}"), body, &[("/meta/suspicion/1", code)]);
    }
}
