use std::{fmt, fs, io, path::Path};

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use sha2::{Digest, Sha256};

/// How an encrypted file begins; then the key's id, the nonce, and what was encrypted.
const MAGIC: &[u8; 8] = b"fcspool1";
const KEY_ID_BYTES: usize = 8;
const NONCE_BYTES: usize = 24;
const KEY_BYTES: usize = 32;

/// The keys of an encrypted spool: XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha), with a file's name as associated data, so that no
/// file can stand for another. The first key encrypts, each decrypts: a new key is put in front of the old one. `Debug` shows the
/// keys' ids, which are hashes.
#[derive(Clone)]
pub struct SpoolKeys {
    keys: Vec<Key>,
}

#[derive(Clone)]
struct Key {
    id: [u8; KEY_ID_BYTES],
    cipher: XChaCha20Poly1305,
}

impl SpoolKeys {
    /// Reads the keys of a file: one a line, 64 hexadecimal digits (`openssl rand -hex 32`). Empty lines and lines that begin with
    /// `#` are passed over.
    ///
    /// # Errors
    /// [`KeyError`] if the file cannot be read, holds no key, or something that is none.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, KeyError> {
        Self::parse(&fs::read_to_string(path).map_err(KeyError::File)?)
    }

    /// Reads keys as [`from_file`](Self::from_file) does.
    ///
    /// # Errors
    /// [`KeyError`] if there is no key, or something that is none.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let lines = text.lines().map(str::trim).zip(1..);
        let lines = lines.filter(|(line, _)| !line.is_empty() && !line.starts_with('#'));
        let keys = lines.map(|(line, number)| Key::parse(line).ok_or(KeyError::NotAKey { line: number }));
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() { Err(KeyError::Missing) } else { Ok(Self { keys }) }
    }

    pub(super) fn seal(&self, text: &[u8], file_name: &str) -> io::Result<Vec<u8>> {
        let failed = |what: &str| io::Error::other(what.to_owned());
        let key = self.keys.first().ok_or_else(|| failed("no key"))?;
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|_| failed("the system gives no random numbers"))?;
        let payload = Payload { msg: text, aad: file_name.as_bytes() };
        let sealed = key.cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| failed("not encrypted"))?;
        Ok([&MAGIC[..], &key.id, &nonce, &sealed].concat())
    }

    /// The id of the key that a file is sealed with.
    pub(super) fn key_of(bytes: &[u8]) -> Option<&[u8]> {
        bytes.strip_prefix(MAGIC)?.get(..KEY_ID_BYTES)
    }

    /// Whether the key with this id is here.
    pub(super) fn have(&self, id: &[u8]) -> bool {
        self.keys.iter().any(|key| key.id == id)
    }

    /// What was sealed under this name; nothing where the key is not here, or the file is not as it was written.
    pub(super) fn open(&self, bytes: &[u8], file_name: &str) -> Option<Vec<u8>> {
        let id = Self::key_of(bytes)?;
        let rest = &bytes[MAGIC.len() + KEY_ID_BYTES..];
        let (nonce, sealed) = rest.split_at_checked(NONCE_BYTES)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().ok()?;
        let key = self.keys.iter().find(|key| key.id == id)?;
        key.cipher.decrypt(&XNonce::from(nonce), Payload { msg: sealed, aad: file_name.as_bytes() }).ok()
    }
}

impl Key {
    fn parse(text: &str) -> Option<Self> {
        if text.len() != 2 * KEY_BYTES || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let mut bytes = [0; KEY_BYTES];
        for (byte, place) in bytes.iter_mut().zip((0..text.len()).step_by(2)) {
            *byte = u8::from_str_radix(&text[place..place + 2], 16).ok()?;
        }
        let digest = Sha256::new().chain_update("fastcore spool key id\n").chain_update(bytes).finalize();
        let mut id = [0; KEY_ID_BYTES];
        id.copy_from_slice(&digest[..KEY_ID_BYTES]);
        Some(Self { id, cipher: XChaCha20Poly1305::new(&bytes.into()) })
    }
}

impl fmt::Debug for SpoolKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = self.keys.iter().map(|key| crate::text::hexadecimal(&key.id));
        f.debug_list().entries(ids).finish()
    }
}

/// Why there are no keys. Shows nothing of one.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("the file of the spool's keys cannot be read: {0}")]
    File(#[source] io::Error),
    /// A line holds no key.
    #[error("line {line} of the spool's keys is no key: make one with `openssl rand -hex 32`")]
    NotAKey {
        /// The line, counted from 1.
        line: usize,
    },
    /// There is no key at all.
    #[error("there is no key for the spool: make one with `openssl rand -hex 32`")]
    Missing,
}
