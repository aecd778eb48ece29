//! `meta`: the request id, the hashes, the instants, the proof of consent, what was suspicious.

use fastcore_leads::lead::{
    Code::{
        ControlCharacter, HashInvalid, IpAddress, LocaleInvalid, NotAList, NotAString, NotAnObject, Required,
        SuspicionInvalid, TimestampInvalid, TooLong, TooMany, TooShort, UuidInvalid,
    },
    limits,
};
use serde_json::{Value, json};

use super::Suite;

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
    instant(suite, "/meta/timestamp_utc");
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

fn instant(suite: &mut Suite, at: &str) {
    for (what, text) in [
        ("in UTC", "2026-11-22T10:30:45Z"),
        ("with microseconds", "2026-11-22T10:30:45.123456Z"),
        ("with nanoseconds", "2026-11-22T10:30:45.123456789Z"),
        ("with an offset", "2026-11-22T10:30:45+02:00"),
        ("without an offset", "2026-11-22T10:30:45.5"),
        ("on a leap day", "2024-02-29T00:00:00Z"),
        ("in a leap second", "2016-12-31T23:59:60Z"),
        ("in the first year", "0001-01-01T00:00:00Z"),
        ("in the last year", "9999-12-31T23:59:59.999999Z"),
    ] {
        suite.accepts(what, at, json!(text));
    }
    suite.refuses("missing", at, None, Required);
    suite.refuses("null", at, Value::Null, Required);
    suite.refuses("a number", at, json!(1_763_807_445), NotAString);
    for (what, text) in [
        ("empty", ""),
        ("a date alone", "2026-11-22"),
        ("without seconds", "2026-11-22T10:30Z"),
        ("with a month 13", "2026-13-22T10:30:45Z"),
        ("with an hour 24", "2026-11-22T24:00:00Z"),
        ("seconds since 1970", "1763807445"),
        ("with words", "22 novembre 2026"),
        ("with blanks around", " 2026-11-22T10:30:45Z "),
    ] {
        suite.refuses(what, at, json!(text), TimestampInvalid);
    }
    for (what, text) in [
        ("on 30 February", "2026-02-30T10:30:45Z"),
        ("on a leap day of no leap year", "2026-02-29T10:30:45Z"),
        ("in the year 0", "0000-06-01T00:00:00Z"),
        ("beyond the last year by its offset", "9999-12-31T23:59:59-01:00"),
    ] {
        suite.refuses_beyond_schema(what, at, text, TimestampInvalid);
    }
}

fn consent_proof(suite: &mut Suite) {
    const AT: &str = "/meta/consent";
    let proof = |version: &str, locale: &str, given_at: &str| json!({"version": version, "locale": locale, "given_at": given_at});
    let now = "2026-11-22T10:30:45Z";
    suite.accepts("missing", AT, None);
    suite.accepts("null", AT, Value::Null);
    suite.refuses("a text", AT, json!("yes"), NotAnObject);
    suite.refuses("true", AT, json!(true), NotAnObject);
    suite.accepts("in French", AT, proof("2026-11", "fr-FR", now));
    suite.accepts("in a script", AT, proof("2026-11", "zh-Hant-TW", now));
    let max = limits::CONSENT_VERSION.max;
    suite.accepts("with the longest version", AT, proof(&"v".repeat(max), "fr", now));
    let mut violating = |name: &str, value: Value, member: &str, code, is_beyond_schema: bool| {
        let body = suite.sample_with(AT, value);
        let verdict = super::Verdict::Invalid(vec![(format!("{AT}/{member}"), code)]);
        suite.add(&format!("{AT} {name}"), body, verdict, is_beyond_schema);
    };
    violating("with a version one too long", proof(&"v".repeat(max + 1), "fr", now), "version", TooLong, false);
    violating("with an empty version", proof("", "fr", now), "version", TooShort, false);
    violating("without a version", json!({"locale": "fr", "given_at": now}), "version", Required, false);
    violating("with an empty locale", proof("1", "", now), "locale", TooShort, false);
    violating("with a locale too long", proof("1", &"a".repeat(36), now), "locale", TooLong, false);
    violating("with no language tag", proof("1", "fr_FR", now), "locale", LocaleInvalid, true);
    violating("without an instant", json!({"version": "1", "locale": "fr"}), "given_at", Required, false);
    violating("with an instant of words", proof("1", "fr", "hier"), "given_at", TimestampInvalid, false);
    let body = suite.sample_with(AT, json!({}));
    let members = ["version", "locale", "given_at"].map(|member| format!("{AT}/{member}"));
    suite.refuses_all("/meta/consent empty", body, &members.each_ref().map(|member| (member.as_str(), Required)));
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
