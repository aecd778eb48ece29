use std::{
    env, fmt, fs,
    io::{self, Write},
    net::IpAddr,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{private, text::hexadecimal, token};

/// The environment variable that holds the pepper: one, or several separated by commas. The first is used; what was signed with one
/// of the others still holds, so that it can be changed without turning visitors away.
pub const PEPPER_VARIABLE: &str = "FASTCORE_IP_PEPPER";

/// The shortest pepper that is accepted, in characters: a shorter one could be guessed.
pub const MIN_PEPPER_LENGTH: usize = 16;
const FILE: &str = "pepper";

/// The secret that makes visitors' addresses into hashes that nobody can undo or compute without it.
///
/// A hash reads `<id of the pepper>-<year and month>.<HMAC-SHA-256>`: the key changes with the pepper and with each month,
/// so that hashes of the same visitor cannot be linked for longer. Signs the tickets of forms too. `Debug` shows nothing of
/// the secret.
///
/// ```
/// use fastcore_leads::pseudonym::Pepper;
///
/// let pepper = Pepper::parse("9f2c-keep-this-one-secret")?;
/// let hash = pepper.hash_address("203.0.113.7".parse()?, fastcore_leads::chrono::Utc::now());
/// assert!(!hash.contains("203.0.113.7"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    /// [`PepperError::TooShort`] if a pepper is shorter than [`MIN_PEPPER_LENGTH`], [`PepperError::File`] if the file cannot be
    /// read or made.
    pub fn load(folder: &Path) -> Result<Self, PepperError> {
        match env::var(PEPPER_VARIABLE) {
            Ok(text) => Self::parse(&text),
            Err(env::VarError::NotUnicode(_)) => Err(PepperError::TooShort),
            Err(env::VarError::NotPresent) => {
                let path = folder.join(FILE);
                let text = keep(folder, &path).map_err(|source| PepperError::File { path, source })?;
                Self::parse(text.trim())
            }
        }
    }

    /// Reads one pepper, or several separated by commas.
    ///
    /// # Errors
    /// [`PepperError::TooShort`] if one is shorter than [`MIN_PEPPER_LENGTH`].
    pub fn parse(text: &str) -> Result<Self, PepperError> {
        let mut secrets = text.split(',').map(|text| Secret::new(text.trim()));
        let current = secrets.next().unwrap_or(Err(PepperError::TooShort))?;
        Ok(Self { current, former: secrets.collect::<Result<_, _>>()? })
    }

    /// Hashes a visitor's address; of IPv6 the /64, which is what one household has. What comes out is an `ip_hash` for a lead.
    pub fn hash_address(&self, address: IpAddr, now: DateTime<Utc>) -> String {
        match address.to_canonical() {
            IpAddr::V4(address) => self.hash("address", &address.octets(), now),
            IpAddr::V6(address) => self.hash("address", &address.octets()[..8], now),
        }
    }

    /// Hashes a visitor's user agent. What comes out is a `user_agent_hash` for a lead.
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

    /// Signs a text for a purpose: HMAC-SHA-256 (RFC 2104).
    pub fn sign(&self, purpose: &str, text: &[u8]) -> [u8; 32] {
        self.current.mac(&["signature", purpose], text).finalize().into_bytes().into()
    }

    /// Whether a text was signed for this purpose, with this pepper or a former one. Takes the same time for each.
    pub fn has_signed(&self, purpose: &str, text: &[u8], signature: &[u8]) -> bool {
        std::iter::once(&self.current).chain(&self.former).fold(false, |found, secret| {
            secret.mac(&["signature", purpose], text).verify_slice(signature).is_ok() | found
        })
    }
}

/// Why there is no pepper.
#[derive(Debug, thiserror::Error)]
pub enum PepperError {
    /// A pepper is shorter than [`MIN_PEPPER_LENGTH`], or not text.
    #[error(
        "{PEPPER_VARIABLE} is shorter than {MIN_PEPPER_LENGTH} characters: make one with `openssl rand -base64 32`"
    )]
    TooShort,
    /// The file that keeps it cannot be read or made.
    #[error("{}: {source}; make the folder writable, or set {PEPPER_VARIABLE}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
}

impl Secret {
    fn new(text: &str) -> Result<Self, PepperError> {
        if text.len() < MIN_PEPPER_LENGTH {
            return Err(PepperError::TooShort);
        }
        let id = hexadecimal(&Sha256::digest(format!("fastcore pepper id\n{text}"))[..4]);
        Ok(Self { id, bytes: text.as_bytes().to_vec() })
    }

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

/// Reads the file, or makes it: whole or not at all, also where two processes start at once.
fn keep(folder: &Path, path: &Path) -> io::Result<String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        read => return read,
    }
    let draft = folder.join(format!("{FILE}.{}", Uuid::now_v7()));
    private::make_folder(folder)?;
    let mut file = private::create(&draft)?;
    file.write_all(token::generate()?.as_bytes())?;
    file.sync_all()?;
    // A link is made only where nobody was faster.
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => private::sync_folder(folder)?,
    }
    fs::read_to_string(path)
}
