//! The members of `meta` on both sides of each of their rules.

use fastcore_leads::{LeadStatus, lead::ViolationCode};
use serde_json::json;

use crate::fields::{accepts, refuses, with, with_consent};

#[test]
fn request_ids_are_uuids_in_any_spelling() {
    let spellings = [
        "f47ac10b-58cc-4372-a567-0e02b2c3d479",
        "F47AC10B-58CC-4372-A567-0E02B2C3D479",
        "f47ac10b58cc4372a5670e02b2c3d479",
        "{f47ac10b-58cc-4372-a567-0e02b2c3d479}",
        "urn:uuid:f47ac10b-58cc-4372-a567-0e02b2c3d479",
    ];
    for spelling in spellings {
        let lead = accepts(&with("/meta/request_id", spelling.into()));
        assert_eq!(lead.meta().request_id().to_string(), spellings[0]);
    }
    for text in [
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "",
        "abc",
        " f47ac10b-58cc-4372-a567-0e02b2c3d479",
        "f47ac10b-58cc-4372-a567-0e02b2c3d47",
        "g47ac10b-58cc-4372-a567-0e02b2c3d479",
    ] {
        refuses(&with("/meta/request_id", text.into()), "/meta/request_id", ViolationCode::UuidInvalid);
    }
}

#[test]
fn hashes_are_visible_ascii_and_no_address() {
    for pointer in ["/meta/ip_hash", "/meta/user_agent_hash"] {
        for text in ["!", "~", "sha256:9f86d08", &"a".repeat(128)] {
            accepts(&with(pointer, text.into()));
        }
        refuses(&with(pointer, "a".repeat(129).into()), pointer, ViolationCode::TooLong);
        for text in ["a b", "é", "a\u{a0}b", "ａ"] {
            refuses(&with(pointer, text.into()), pointer, ViolationCode::HashInvalid);
        }
    }
    refuses(&with("/meta/ip_hash", "".into()), "/meta/ip_hash", ViolationCode::TooShort);
    for address in [
        "192.0.2.1",
        "::1",
        "2001:db8::1",
        "::ffff:192.0.2.1",
        "[2001:db8::1]",
        "192.0.2.1:443",
        "[2001:db8::1]:443",
        "fe80::1%eth0",
        "192.0.2.0/24",
    ] {
        refuses(&with("/meta/ip_hash", address.into()), "/meta/ip_hash", ViolationCode::IpAddress);
    }
    for hash in ["abc123def456", "deadbeef", "1.2.3", "1234"] {
        accepts(&with("/meta/ip_hash", hash.into()));
    }
}

#[test]
fn timestamps_are_rfc_3339_in_microseconds() {
    for (text, micros) in [
        ("2024-01-03T10:30:45.123456Z", 1_704_277_845_123_456),
        ("2024-01-03T10:30:45.123456789Z", 1_704_277_845_123_456),
        ("2024-01-03T11:30:45.123456+01:00", 1_704_277_845_123_456),
        ("2024-01-03T10:30:45.123456", 1_704_277_845_123_456),
        ("2024-01-03T10:30:45", 1_704_277_845_000_000),
        ("2024-01-03t10:30:45z", 1_704_277_845_000_000),
        ("2024-01-03T10:30", 1_704_277_800_000_000),
        ("2024-01-03T10:30Z", 1_704_277_800_000_000),
        ("2024-01-03T11:30+0100", 1_704_277_800_000_000),
        ("2024-01-03T11:30:45.25+0100", 1_704_277_845_250_000),
        ("2024-01-03T10:30:45+0000", 1_704_277_845_000_000),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000_000),
    ] {
        let lead = accepts(&with("/meta/timestamp_utc", text.into()));
        assert_eq!(lead.meta().timestamp_utc().timestamp_micros(), micros, "{text}");
    }
    for text in [
        "",
        "now",
        "2024-01-03",
        "2024-01-03T10",
        "2024-01-03T10:30:",
        "2024-01-03T10:30.5Z",
        "2024-02-30T00:00:00Z",
        "2024-01-03T25:00:00Z",
        "1704277845",
        "03/01/2024 10:30",
        "2024-01-03T10:30:45+01",
        "2024-01-03T10:30:45+010",
        "2024-01-03T10:30:45\u{2212}01:00",
        "+12024-01-03T10:30:45Z",
        "9999-12-31T23:59:59-01:00",
        "0001-01-01T00:00:00+01:00",
        " 2024-01-03T10:30:45Z",
    ] {
        refuses(&with("/meta/timestamp_utc", text.into()), "/meta/timestamp_utc", ViolationCode::TimestampInvalid);
    }
    let long = format!("2024-01-03T10:30:45.{}Z", "1".repeat(1000));
    refuses(&with("/meta/timestamp_utc", long.into()), "/meta/timestamp_utc", ViolationCode::TimestampInvalid);
}

#[test]
fn a_consent_proof_is_kept_as_sent() {
    let lead = accepts(&with_consent("given_at", "2026-01-02T04:04:05+01:00".into()));
    let proof = lead.meta().consent().unwrap();
    assert_eq!((proof.version(), proof.locale(), proof.given_at()), ("2026-01", "fr-FR", "2026-01-02T04:04:05+01:00"));
    for locale in ["fr", "fr-FR", "zh-Hant-TW", "de-DE-1996", "x-private"] {
        accepts(&with_consent("locale", locale.into()));
    }
    for locale in ["f", "fr_FR", "fr-", "français", "fr FR"] {
        refuses(&with_consent("locale", locale.into()), "/meta/consent/locale", ViolationCode::LocaleInvalid);
    }
    refuses(&with_consent("given_at", "yesterday".into()), "/meta/consent/given_at", ViolationCode::TimestampInvalid);
}

#[test]
fn suspicion_quarantines() {
    let lead = accepts(&with("/meta/suspicion", json!(["honeypot", "too_fast"])));
    assert_eq!(lead.initial_status(), LeadStatus::Quarantined);
    assert_eq!(lead.meta().suspicion(), ["honeypot", "too_fast"]);
    accepts(&with("/meta/suspicion", json!(vec!["a".repeat(40); 8])));
    refuses(&with("/meta/suspicion", json!(vec!["a"; 9])), "/meta/suspicion", ViolationCode::TooMany);
    refuses(&with("/meta/suspicion", json!(["a", "a".repeat(41)])), "/meta/suspicion/1", ViolationCode::TooLong);
    refuses(&with("/meta/suspicion", json!([""])), "/meta/suspicion/0", ViolationCode::TooShort);
    for code in ["Honeypot", "too-fast", "é", "a b"] {
        refuses(&with("/meta/suspicion", json!([code])), "/meta/suspicion/0", ViolationCode::SuspicionInvalid);
    }
    refuses(&with("/meta/suspicion", json!([1])), "/meta/suspicion/0", ViolationCode::NotAString);
}
