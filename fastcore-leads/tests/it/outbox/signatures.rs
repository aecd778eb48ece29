use fastcore_leads::{
    chrono::{DateTime, TimeDelta, Utc},
    http::{HeaderMap, HeaderValue},
    outbox::{
        SigningKey, VerifyingKey,
        signature::{InvalidKey, VerificationError, WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP, verify_at},
    },
};
use proptest::prelude::*;

use super::key;

/// A vector of the standard's own libraries.
#[test]
fn a_known_signature_comes_out() {
    let signature = key().sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
    assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

fn headers(timestamp: i64, signatures: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(WEBHOOK_ID, HeaderValue::from_static("evt_1"));
    headers.insert(WEBHOOK_TIMESTAMP, timestamp.into());
    headers.insert(WEBHOOK_SIGNATURE, signatures.parse().unwrap());
    headers
}

fn now() -> DateTime<Utc> {
    "2026-11-27T18:00:00Z".parse().unwrap()
}

#[test]
fn what_was_signed_is_verified_by_either_key_during_a_rotation() {
    let keys = [SigningKey::generate_secret().unwrap(), SigningKey::generate_private_key().unwrap()];
    let timestamp = now().timestamp();
    let signatures: Vec<_> = keys.iter().map(|key| key.sign("evt_1", timestamp, b"{}")).collect();
    let headers_of = |timestamp| headers(timestamp, &signatures.join(" "));
    for key in &keys {
        let known = [key.verifying_key()];
        assert_eq!(verify_at(&known, &headers_of(timestamp), b"{}", now()), Ok(()));
        assert_eq!(verify_at(&known, &headers_of(timestamp), b"{ }", now()), Err(VerificationError::Signature));
        assert_eq!(verify_at(&known, &headers_of(timestamp + 1), b"{}", now()), Err(VerificationError::Signature));
        for (away, is_fine) in [(300, true), (-300, true), (301, false), (-301, false)] {
            let at = now() + TimeDelta::seconds(away);
            assert_eq!(verify_at(&known, &headers_of(timestamp), b"{}", at).is_ok(), is_fine, "{away} s away");
        }
        let text: VerifyingKey = key.verifying_key().reveal().parse().unwrap();
        assert_eq!(verify_at(&[text], &headers_of(timestamp), b"{}", now()), Ok(()));
        let again: SigningKey = key.reveal().parse().unwrap();
        assert_eq!(again.sign("evt_1", timestamp, b"{}"), key.sign("evt_1", timestamp, b"{}"));
    }
    let stranger = SigningKey::generate_secret().unwrap().verifying_key();
    let refused = verify_at(&[stranger], &headers_of(timestamp), b"{}", now());
    assert_eq!(refused, Err(VerificationError::Signature));
    assert_eq!(verify_at(&[], &HeaderMap::new(), b"{}", now()), Err(VerificationError::Missing));
}

#[test]
fn a_key_that_is_none_is_refused_and_never_shown() {
    for (text, error) in [
        ("", InvalidKey::Prefix),
        ("secret_AAAA", InvalidKey::Prefix),
        ("whsec_!!!", InvalidKey::Encoding),
        ("whsec_Zk9", InvalidKey::Encoding),
        ("whsec_Zk9tYWRlLXVw", InvalidKey::Length),
        ("whsk_Zk9tYWRlLXVw", InvalidKey::Length),
    ] {
        assert_eq!(text.parse::<SigningKey>().unwrap_err(), error, "{text}");
    }
    assert_eq!("whpk_Zk9tYWRlLXVw".parse::<VerifyingKey>().unwrap_err(), InvalidKey::Length);
    let pair = SigningKey::generate_private_key().unwrap().reveal();
    let other = SigningKey::generate_private_key().unwrap().reveal();
    // The first half of one, the second of the other.
    let mixed = format!("{}{}", &pair[..45], &other[45..]);
    assert!(mixed.parse::<SigningKey>().is_err());
    let shown = format!("{:?} {:?}", key(), key().verifying_key());
    assert_eq!(shown, "SigningKey(..) VerifyingKey(..)");
}

proptest! {
    /// Whatever comes in as headers and body, it is refused, and nothing panics.
    #[test]
    fn noise_is_never_verified(id in "\\PC{0,20}", timestamp in any::<i64>(), noise in "[ -~]{0,80}", body: Vec<u8>) {
        let mut sent = headers(timestamp, &noise);
        if let Ok(id) = HeaderValue::from_str(&id) {
            sent.insert(WEBHOOK_ID, id);
        }
        prop_assert!(verify_at(&[key().verifying_key()], &sent, &body, now()).is_err());
    }
}
