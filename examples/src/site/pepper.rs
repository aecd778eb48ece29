use std::{
    env, fmt, fs,
    io::{self, Write},
    net::IpAddr,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{hexadecimal, token};

/// The variable that holds the pepper: one, or several separated by commas. The first is used; tickets signed with one of
/// the others still hold, so that it can be changed without turning visitors away.
pub(super) const PEPPER_VARIABLE: &str = "FASTCORE_IP_PEPPER";

/// A shorter one could be guessed.
const MIN_LENGTH: usize = 16;
const FILE: &str = "pepper";

/// The secret that makes visitors' addresses into hashes that nobody can undo or compute without it.
///
/// A hash reads `<id of the pepper>-<year and month>.<HMAC-SHA-256>`: the key changes with the pepper and with each month,
/// so that hashes of the same visitor cannot be linked for longer. Signs the tickets of forms too. `Debug` shows nothing of
/// the secret.
#[derive(Clone)]
pub struct Pepper {
    current: Secret,
    former: Vec<Secret>,
}

#[derive(Clone)]
struct Secret {
    id: String,
    bytes: Vec<u8>,
}

impl Pepper {
    /// Takes the pepper of the environment variable, or else the one that is kept in a file of this folder, which is made
    /// at the first start. The file is its owner's alone.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn load(folder: &Path) -> Result<Self, String> {
        match env::var(PEPPER_VARIABLE) {
            Ok(text) => Self::parse(&text),
            Err(env::VarError::NotUnicode(_)) => Err(too_short()),
            Err(env::VarError::NotPresent) => {
                let path = folder.join(FILE);
                let text = keep(folder, &path).map_err(|error| {
                    format!("{}: {error}; make the folder writable, or set {PEPPER_VARIABLE}", path.display())
                })?;
                Self::parse(text.trim())
            }
        }
    }

    /// Reads one pepper, or several separated by commas.
    ///
    /// # Errors
    /// A sentence for the operator, where one is shorter than 16 characters.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut secrets = Vec::new();
        for text in text.split(',').map(str::trim) {
            if text.len() < MIN_LENGTH {
                return Err(too_short());
            }
            let id = hexadecimal(&Sha256::digest(format!("fastcore pepper id\n{text}"))[..4]);
            secrets.push(Secret { id, bytes: text.as_bytes().to_vec() });
        }
        let current = secrets.remove(0);
        Ok(Self { current, former: secrets })
    }

    /// Hashes a visitor's address; of IPv6 the /64, which is what one household has.
    pub fn hash_address(&self, address: IpAddr, now: DateTime<Utc>) -> String {
        match address.to_canonical() {
            IpAddr::V4(address) => self.hash("address", &address.octets(), now),
            IpAddr::V6(address) => self.hash("address", &address.octets()[..8], now),
        }
    }

    /// Hashes a visitor's user agent.
    pub fn hash_user_agent(&self, agent: &[u8], now: DateTime<Utc>) -> String {
        self.hash("user agent", agent, now)
    }

    fn hash(&self, what: &str, value: &[u8], now: DateTime<Utc>) -> String {
        let month = now.format("%Y%m").to_string();
        let key = self.current.mac(&["key", what, &month], &[]).finalize().into_bytes();
        let mut mac = keyed(&key);
        mac.update(value);
        format!("{}-{month}.{}", self.current.id, hexadecimal(&mac.finalize().into_bytes()))
    }

    /// Signs a text for a purpose.
    pub(super) fn sign(&self, purpose: &str, text: &[u8]) -> [u8; 32] {
        self.current.mac(&["signature", purpose], text).finalize().into_bytes().into()
    }

    /// Whether a text was signed for this purpose, with this pepper or a former one. Takes the same time for each.
    pub(super) fn has_signed(&self, purpose: &str, text: &[u8], signature: &[u8]) -> bool {
        std::iter::once(&self.current).chain(&self.former).fold(false, |found, secret| {
            secret.mac(&["signature", purpose], text).verify_slice(signature).is_ok() | found
        })
    }
}

impl Secret {
    fn mac(&self, labels: &[&str], value: &[u8]) -> Hmac<Sha256> {
        let mut mac = keyed(&self.bytes);
        for label in labels {
            mac.update(label.as_bytes());
            mac.update(b"\n");
        }
        mac.update(value);
        mac
    }
}

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pepper").field("id", &self.current.id).finish_non_exhaustive()
    }
}

#[allow(clippy::expect_used, reason = "HMAC takes keys of any length (RFC 2104)")]
fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("any length is allowed")
}

fn too_short() -> String {
    format!("{PEPPER_VARIABLE} is shorter than {MIN_LENGTH} characters: make one with `openssl rand -base64 32`")
}

/// Reads the file, or makes it: whole or not at all, also where two processes start at once.
fn keep(folder: &Path, path: &Path) -> io::Result<String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        read => return read,
    }
    let draft = folder.join(format!("{FILE}.{}", Uuid::now_v7()));
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(token::make().map_err(io::Error::other)?.as_bytes())?;
    file.sync_all()?;
    // A link is made only where nobody was faster.
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => fs::File::open(folder)?.sync_all()?,
    }
    fs::read_to_string(path)
}
