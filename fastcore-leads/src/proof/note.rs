//! Signed notes ([signed-note](https://c2sp.org/signed-note)), with Ed25519 signatures (RFC 8032) and cosignatures
//! ([tlog-cosignature](https://c2sp.org/tlog-cosignature)).

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

/// What a private key begins with, as Go's `sumdb/note` writes it.
const PRIVATE: &str = "PRIVATE+KEY+";
/// What a signature line begins with.
const LINE: &str = "\u{2014} ";
/// Signature types.
const ED25519: u8 = 0x01;
const COSIGNATURE: u8 = 0x04;
/// A note is no longer than that, however many have signed it.
const MAX_BYTES: usize = 64 * 1024;
/// Characters of a name: it stands in a database, a folder and each signature.
const MAX_NAME: usize = 200;

/// What notes are signed with: a name and an Ed25519 key. As a text, `PRIVATE+KEY+name+id+...`, as Go's `sumdb/note` has it: a secret.
#[derive(Clone)]
pub struct NoteKey {
    name: String,
    key: Box<SigningKey>,
}

impl NoteKey {
    /// Makes a key of this name. For a log, the name is its origin: a URL without its scheme, such as `example.com/audit`.
    ///
    /// # Errors
    /// [`InvalidKey::Name`], and [`InvalidKey::NoRandomness`] if the system has no random numbers.
    pub fn generate(name: &str) -> Result<Self, InvalidKey> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|_| InvalidKey::NoRandomness)?;
        Ok(Self { name: checked_name(name)?.to_owned(), key: Box::new(SigningKey::from_bytes(&seed)) })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key as its text: a secret.
    pub fn reveal(&self) -> String {
        let key = STANDARD.encode([&[ED25519][..], self.key.as_bytes()].concat());
        format!("{PRIVATE}{}+{:08x}+{key}", self.name, self.verifier().id())
    }

    /// What its signatures are verified with.
    pub fn verifier(&self) -> NoteVerifier {
        self.verifier_of(ED25519)
    }

    /// What its cosignatures are verified with.
    pub fn cosigner(&self) -> NoteVerifier {
        self.verifier_of(COSIGNATURE)
    }

    fn verifier_of(&self, kind: u8) -> NoteVerifier {
        NoteVerifier { name: self.name.clone(), kind, key: Box::new(self.key.verifying_key()) }
    }

    /// Signs a note.
    pub fn sign(&self, note: &mut SignedNote) {
        let signature = self.key.sign(note.text.as_bytes()).to_bytes().to_vec();
        note.put(&self.verifier(), signature);
    }

    /// Cosigns a note that is a checkpoint, at an instant in seconds since 1970.
    pub fn cosign(&self, note: &mut SignedNote, seconds: u64) {
        let signature = self.key.sign(cosigned(&note.text, seconds).as_bytes()).to_bytes();
        note.put(&self.cosigner(), [&seconds.to_be_bytes()[..], &signature].concat());
    }
}

impl FromStr for NoteKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let (name, id, kind, seed) = parts(text.strip_prefix(PRIVATE).ok_or(InvalidKey::Form)?)?;
        if kind != ED25519 {
            return Err(InvalidKey::Type);
        }
        let key = Self { name, key: Box::new(SigningKey::from_bytes(&seed)) };
        if key.verifier().id() == id { Ok(key) } else { Err(InvalidKey::Mismatch) }
    }
}

impl fmt::Debug for NoteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NoteKey").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What signatures of a note are verified with. As a text, `name+id+...`, a *vkey*.
#[derive(Clone, PartialEq, Eq)]
pub struct NoteVerifier {
    name: String,
    kind: u8,
    key: Box<VerifyingKey>,
}

impl NoteVerifier {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is a witness's: then what it verifies are cosignatures.
    pub fn is_cosigner(&self) -> bool {
        self.kind == COSIGNATURE
    }

    fn id(&self) -> u32 {
        let mut hasher = Sha256::new_with_prefix(self.name.as_bytes());
        hasher.update([b'\n', self.kind]);
        hasher.update(self.key.as_bytes());
        let hash: [u8; 32] = hasher.finalize().into();
        u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])
    }

    fn has_signed(&self, text: &str, signature: &[u8]) -> bool {
        let (message, signature) = if self.is_cosigner() {
            let Some((seconds, signature)) = signature.split_first_chunk() else { return false };
            (cosigned(text, u64::from_be_bytes(*seconds)), signature)
        } else {
            (text.to_owned(), signature)
        };
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.key.verify_strict(message.as_bytes(), &signature).is_ok())
    }
}

impl FromStr for NoteVerifier {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let (name, id, kind, key) = parts(text)?;
        if ![ED25519, COSIGNATURE].contains(&kind) {
            return Err(InvalidKey::Type);
        }
        let key = VerifyingKey::from_bytes(&key).map_err(|_| InvalidKey::Mismatch)?;
        let verifier = Self { name, kind, key: Box::new(key) };
        if verifier.id() == id { Ok(verifier) } else { Err(InvalidKey::Mismatch) }
    }
}

impl fmt::Display for NoteVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = STANDARD.encode([&[self.kind][..], self.key.as_bytes()].concat());
        write!(f, "{}+{:08x}+{key}", self.name, self.id())
    }
}

impl fmt::Debug for NoteVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NoteVerifier({self})")
    }
}

/// A text with the signatures of those who stand for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<Line>,
}

/// A signature, of whatever type.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    name: String,
    id: u32,
    signature: Vec<u8>,
}

impl SignedNote {
    /// A note that nobody has signed.
    ///
    /// # Errors
    /// [`InvalidNote::Form`] if the text does not end in a newline, or holds another control character.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidNote> {
        let text = text.into();
        let is_plain = text.ends_with('\n') && !text.chars().any(|c| c < ' ' && c != '\n');
        if is_plain && text.len() <= MAX_BYTES {
            Ok(Self { text, signatures: Vec::new() })
        } else {
            Err(InvalidNote::Form)
        }
    }

    /// The text, with its last newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Adds the signatures of another note of the same text. Returns whether the texts are the same.
    pub fn merge(&mut self, other: &Self) -> bool {
        if self.text != other.text {
            return false;
        }
        for line in &other.signatures {
            if !self.signatures.iter().any(|known| known.name == line.name && known.id == line.id) {
                self.signatures.push(line.clone());
            }
        }
        true
    }

    /// Whether it has a signature line of each of these keys, whatever it is worth.
    pub(super) fn names_all(&self, keys: &[NoteVerifier]) -> bool {
        let is_named =
            |key: &NoteVerifier| self.signatures.iter().any(|line| line.name == key.name && line.id == key.id());
        keys.iter().all(is_named)
    }

    /// Which of those who are known have signed it. Signatures of others are passed over.
    ///
    /// # Errors
    /// [`InvalidNote::Signature`] if a signature of one who is known is not its own; [`InvalidNote::Unsigned`] if none of them has
    /// signed it.
    pub fn verify<'a>(&self, known: &'a [NoteVerifier]) -> Result<Vec<&'a NoteVerifier>, InvalidNote> {
        let mut signed = Vec::new();
        for line in &self.signatures {
            let of = |verifier: &&NoteVerifier| verifier.name == line.name && verifier.id() == line.id;
            let Some(verifier) = known.iter().find(of) else { continue };
            if !verifier.has_signed(&self.text, &line.signature) {
                return Err(InvalidNote::Signature);
            }
            signed.push(verifier);
        }
        if signed.is_empty() { Err(InvalidNote::Unsigned) } else { Ok(signed) }
    }

    /// Puts a signature in the place of the one that its key had.
    fn put(&mut self, key: &NoteVerifier, signature: Vec<u8>) {
        self.signatures.retain(|line| line.name != key.name || line.id != key.id());
        self.signatures.push(Line { name: key.name.clone(), id: key.id(), signature });
    }
}

impl FromStr for SignedNote {
    type Err = InvalidNote;

    fn from_str(note: &str) -> Result<Self, InvalidNote> {
        // The last empty line parts the text from the signatures.
        let end = note.rfind("\n\n").filter(|_| note.len() <= MAX_BYTES).ok_or(InvalidNote::Form)?;
        let (text, lines) = (&note[..=end], &note[end + 2..]);
        let mut parsed = Self::new(text)?;
        for line in lines.strip_suffix('\n').ok_or(InvalidNote::Form)?.split('\n') {
            let (name, code) =
                line.strip_prefix(LINE).and_then(|line| line.split_once(' ')).ok_or(InvalidNote::Form)?;
            checked_name(name).map_err(|_| InvalidNote::Form)?;
            let code = STANDARD.decode(code).map_err(|_| InvalidNote::Form)?;
            let (id, signature) = code.split_first_chunk().ok_or(InvalidNote::Form)?;
            parsed.signatures.push(Line {
                name: name.to_owned(),
                id: u32::from_be_bytes(*id),
                signature: signature.to_vec(),
            });
        }
        Ok(parsed)
    }
}

impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for line in &self.signatures {
            let code = STANDARD.encode([&line.id.to_be_bytes()[..], &line.signature].concat());
            writeln!(f, "{LINE}{} {code}", line.name)?;
        }
        Ok(())
    }
}

/// The text is no key of a note. It does not show the text, which may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidKey {
    /// It has other parts.
    #[error("a key of a note is `name+id+key`, and begins with `PRIVATE+KEY+` if it is private")]
    Form,
    /// Its name cannot stand in a note.
    #[error("the name of a key has 1 to {MAX_NAME} characters: no space, no `+`, no control character")]
    Name,
    /// It is of an algorithm that is not known here.
    #[error("the key is neither an Ed25519 key nor a witness's")]
    Type,
    /// Its id is not what follows from its name and its key.
    #[error("the key's id does not belong to it: was it copied in part?")]
    Mismatch,
    /// No key can be made.
    #[error("the system has no random numbers")]
    NoRandomness,
}

/// The note is none, or nobody stands for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidNote {
    /// It has no text, or no signatures, or other characters.
    #[error("this is no signed note: a text, an empty line, and signatures")]
    Form,
    /// A signature is not of the key that it names.
    #[error("a signature of the note is not of the key that it names: the note was changed, or is forged")]
    Signature,
    /// None of those who are known has signed it.
    #[error("the note has no signature of a key that is known here")]
    Unsigned,
}

fn checked_name(name: &str) -> Result<&str, InvalidKey> {
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
    let is_name = (1..=MAX_NAME).contains(&name.chars().count()) && name.chars().all(is_plain);
    if is_name { Ok(name) } else { Err(InvalidKey::Name) }
}

/// Name, id, type and the key's 32 bytes.
fn parts(text: &str) -> Result<(String, u32, u8, [u8; 32]), InvalidKey> {
    let mut parts = text.trim_end().splitn(3, '+');
    let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(InvalidKey::Form);
    };
    let id = u32::from_str_radix(id, 16).map_err(|_| InvalidKey::Form)?;
    let key = STANDARD.decode(key).map_err(|_| InvalidKey::Form)?;
    let (kind, key) = key.split_first().ok_or(InvalidKey::Form)?;
    Ok((checked_name(name)?.to_owned(), id, *kind, key.try_into().map_err(|_| InvalidKey::Form)?))
}

/// What a witness signs.
fn cosigned(text: &str, seconds: u64) -> String {
    format!("cosignature/v1\ntime {seconds}\n{text}")
}
