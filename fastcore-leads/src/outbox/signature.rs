//! Signatures by [Standard Webhooks](https://www.standardwebhooks.com/).

use std::{fmt, str::FromStr, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use ed25519_dalek::{Signature, Signer, SigningKey as Ed25519Key, VerifyingKey as Ed25519PublicKey};
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use sha2::Sha256;

use crate::time;

/// The header with the event's id, the same over all attempts.
pub const WEBHOOK_ID: &str = "webhook-id";
/// The header with the instant of the attempt, in seconds since 1970.
pub const WEBHOOK_TIMESTAMP: &str = "webhook-timestamp";
/// The header with the signatures, separated by spaces.
pub const WEBHOOK_SIGNATURE: &str = "webhook-signature";

/// How far a receiver's clock may be from the sender's: an older request may be one that somebody recorded.
pub const TOLERANCE: Duration = Duration::from_secs(300);

const SECRET: &str = "whsec_";
const PRIVATE_KEY: &str = "whsk_";
const PUBLIC_KEY: &str = "whpk_";
/// Bytes of a shared secret (Standard Webhooks, "Signature scheme").
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// What a request is signed with: a shared secret (`whsec_...`, signature `v1`, HMAC-SHA256), or a private key (`whsk_...`,
/// signature `v1a`, ed25519).
#[derive(Clone)]
pub struct SigningKey(Kind);

#[derive(Clone)]
enum Kind {
    Secret(Vec<u8>),
    Private(Box<Ed25519Key>),
}

impl SigningKey {
    /// Makes a shared secret of 32 random bytes.
    ///
    /// # Errors
    /// [`InvalidKey`] if the system has no random numbers.
    pub fn generate_secret() -> Result<Self, InvalidKey> {
        Ok(Self(Kind::Secret(random()?.to_vec())))
    }

    /// Makes a private key.
    ///
    /// # Errors
    /// As [`generate_secret`](Self::generate_secret).
    pub fn generate_private_key() -> Result<Self, InvalidKey> {
        Ok(Self(Kind::Private(Box::new(Ed25519Key::from_bytes(&random()?)))))
    }

    /// The key as its text, `whsec_...` or `whsk_...`: a secret.
    pub fn reveal(&self) -> String {
        match &self.0 {
            Kind::Secret(secret) => format!("{SECRET}{}", STANDARD.encode(secret)),
            Kind::Private(key) => format!("{PRIVATE_KEY}{}", STANDARD.encode(key.to_keypair_bytes())),
        }
    }

    /// What a receiver verifies with: the shared secret itself, or the public key.
    pub fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey(match &self.0 {
            Kind::Secret(secret) => PublicKind::Secret(secret.clone()),
            Kind::Private(key) => PublicKind::Public(Box::new(key.verifying_key())),
        })
    }

    /// The signature of a request, such as `v1,...`.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        match &self.0 {
            Kind::Secret(secret) => {
                let code =
                    hmac(secret).map(|mac| mac.chain_update(signed(id, timestamp, body)).finalize().into_bytes());
                format!("v1,{}", code.map(|code| STANDARD.encode(code)).unwrap_or_default())
            }
            Kind::Private(key) => format!("v1a,{}", STANDARD.encode(key.sign(&signed(id, timestamp, body)).to_bytes())),
        }
    }
}

impl FromStr for SigningKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        if let Some(secret) = text.strip_prefix(SECRET) {
            return Ok(Self(Kind::Secret(secret_bytes(secret)?)));
        }
        let key = STANDARD.decode(text.strip_prefix(PRIVATE_KEY).ok_or(InvalidKey::Prefix)?);
        let key = key.map_err(|_| InvalidKey::Encoding)?;
        // The seed alone, or followed by the public key.
        let key = match (<[u8; 32]>::try_from(key.as_slice()), <[u8; 64]>::try_from(key.as_slice())) {
            (Ok(seed), _) => Ed25519Key::from_bytes(&seed),
            (_, Ok(pair)) => Ed25519Key::from_keypair_bytes(&pair).map_err(|_| InvalidKey::Mismatch)?,
            _ => return Err(InvalidKey::Length),
        };
        Ok(Self(Kind::Private(Box::new(key))))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

/// What a receiver verifies requests with: a shared secret (`whsec_...`) or a public key (`whpk_...`).
#[derive(Clone)]
pub struct VerifyingKey(PublicKind);

#[derive(Clone)]
enum PublicKind {
    Secret(Vec<u8>),
    Public(Box<Ed25519PublicKey>),
}

impl VerifyingKey {
    /// The key as its text. A secret, where it begins with `whsec_`.
    pub fn reveal(&self) -> String {
        match &self.0 {
            PublicKind::Secret(secret) => format!("{SECRET}{}", STANDARD.encode(secret)),
            PublicKind::Public(key) => format!("{PUBLIC_KEY}{}", STANDARD.encode(key.as_bytes())),
        }
    }

    /// Whether a signature such as `v1,...` is of this key. Takes the same time whatever is wrong with it.
    fn has_signed(&self, signature: &str, signed: &[u8]) -> bool {
        let Some((version, code)) = signature.split_once(',') else { return false };
        let Ok(code) = STANDARD.decode(code) else { return false };
        match (version, &self.0) {
            ("v1", PublicKind::Secret(secret)) => {
                hmac(secret).is_some_and(|mac| mac.chain_update(signed).verify_slice(&code).is_ok())
            }
            ("v1a", PublicKind::Public(key)) => {
                Signature::from_slice(&code).is_ok_and(|code| key.verify_strict(signed, &code).is_ok())
            }
            _ => false,
        }
    }
}

impl FromStr for VerifyingKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        if let Some(secret) = text.strip_prefix(SECRET) {
            return Ok(Self(PublicKind::Secret(secret_bytes(secret)?)));
        }
        let key = STANDARD.decode(text.strip_prefix(PUBLIC_KEY).ok_or(InvalidKey::Prefix)?);
        let key = <[u8; 32]>::try_from(key.map_err(|_| InvalidKey::Encoding)?).map_err(|_| InvalidKey::Length)?;
        let key = Ed25519PublicKey::from_bytes(&key).map_err(|_| InvalidKey::Mismatch)?;
        Ok(Self(PublicKind::Public(Box::new(key))))
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerifyingKey(..)")
    }
}

/// Verifies a request that a receiver got: by its headers and its body, byte by byte as it came. One of the keys must have
/// signed it.
///
/// # Errors
/// [`VerificationError`], with which the request is to be refused (401).
pub fn verify(keys: &[VerifyingKey], headers: &HeaderMap, body: &[u8]) -> Result<(), VerificationError> {
    verify_at(keys, headers, body, time::now())
}

/// As [`verify`], at an instant.
///
/// # Errors
/// As [`verify`].
pub fn verify_at(
    keys: &[VerifyingKey],
    headers: &HeaderMap,
    body: &[u8],
    now: DateTime<Utc>,
) -> Result<(), VerificationError> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).ok_or(VerificationError::Missing);
    let (id, timestamp, signatures) = (header(WEBHOOK_ID)?, header(WEBHOOK_TIMESTAMP)?, header(WEBHOOK_SIGNATURE)?);
    let timestamp: i64 = timestamp.parse().map_err(|_| VerificationError::Missing)?;
    if now.timestamp().abs_diff(timestamp) > TOLERANCE.as_secs() {
        return Err(VerificationError::Time);
    }
    let signed = signed(id, timestamp, body);
    let is_signed = signatures.split(' ').any(|signature| keys.iter().any(|key| key.has_signed(signature, &signed)));
    if is_signed { Ok(()) } else { Err(VerificationError::Signature) }
}

/// Why a request is not to be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerificationError {
    /// A header is missing, or cannot be read.
    #[error("webhook-id, webhook-timestamp or webhook-signature is missing or cannot be read")]
    Missing,
    /// It was sent too long ago, or the clocks differ.
    #[error("webhook-timestamp is more than five minutes away: the request was recorded, or a clock is wrong")]
    Time,
    /// None of the keys has signed it.
    #[error("no signature is by one of the keys")]
    Signature,
}

/// The text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// It does not begin as a key does.
    #[error("a key begins with whsec_, whsk_ or whpk_, as its use is")]
    Prefix,
    /// What follows is not base64.
    #[error("a key is base64 behind its prefix")]
    Encoding,
    /// It has another length.
    #[error("a shared secret has 24 to 64 bytes, a private key 32 or 64, a public key 32")]
    Length,
    /// It is not a key of ed25519, or its two halves do not belong together.
    #[error("not a key of ed25519")]
    Mismatch,
    /// The system has no random numbers.
    #[error("the system has no random numbers")]
    NoRandomness,
}

fn signed(id: &str, timestamp: i64, body: &[u8]) -> Vec<u8> {
    [format!("{id}.{timestamp}.").as_bytes(), body].concat()
}

/// A key of any length will do: there is always one.
fn hmac(secret: &[u8]) -> Option<Hmac<Sha256>> {
    Hmac::new_from_slice(secret).ok()
}

fn secret_bytes(text: &str) -> Result<Vec<u8>, InvalidKey> {
    let secret = STANDARD.decode(text).map_err(|_| InvalidKey::Encoding)?;
    if SECRET_BYTES.contains(&secret.len()) { Ok(secret) } else { Err(InvalidKey::Length) }
}

fn random() -> Result<[u8; 32], InvalidKey> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| InvalidKey::NoRandomness)?;
    Ok(bytes)
}
