//! Bearer tokens: who may post leads, who may ask for events, and who may read and work leads.
//!
//! Tokens live in memory as SHA-256 digests only. A candidate is hashed and compared with every digest in constant
//! time, without an early exit, so that an answer's timing tells nothing about a token.

mod header;
mod scope;

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

pub use self::{
    header::Unauthorized,
    scope::{Scope, UnknownScope},
};
use crate::audit::Actor;

/// The environment variable that holds the site's tokens.
pub const TOKEN_VARIABLE: &str = "FASTCORE_SITE_INGEST_TOKEN";

/// The shortest token that is accepted, in characters.
pub const MIN_TOKEN_LENGTH: usize = 16;

/// Returns a new secret, for a token or a pepper: 256 random bits in hexadecimal.
///
/// # Errors
/// An [`io::Error`](std::io::Error) if the system gives no random numbers.
#[cfg(feature = "client")]
#[cfg_attr(docsrs, doc(cfg(feature = "client")))]
pub fn generate() -> std::io::Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| std::io::Error::other("the system gives no random numbers"))?;
    Ok(crate::text::hexadecimal(&bytes))
}

/// The tokens that a service accepts. Clones share one set, so that [`replace`](Self::replace) reaches them all.
#[derive(Clone)]
pub struct TokenSet {
    tokens: Arc<RwLock<Arc<[Token]>>>,
}

impl TokenSet {
    /// Makes a set.
    ///
    /// # Errors
    /// [`TokenError::Missing`] where there is no token at all.
    pub fn new(tokens: impl IntoIterator<Item = Token>) -> Result<Self, TokenError> {
        Ok(Self { tokens: Arc::new(RwLock::new(collect(tokens)?)) })
    }

    /// Reads one token, or several separated by commas, as [`TOKEN_VARIABLE`] holds them; their actor is
    /// [`Actor::SITE_INGEST`]. White space around a token and empty places are passed over.
    ///
    /// # Errors
    /// [`TokenError::Missing`] where the text holds no token, else what [`Token::new`] says of the first bad one.
    pub fn parse(list: &str) -> Result<Self, TokenError> {
        let secrets = list.split(',').map(str::trim).filter(|secret| !secret.is_empty());
        Self::new(secrets.map(Token::new).collect::<Result<Vec<_>, _>>()?)
    }

    /// Reads the tokens from the environment variable [`TOKEN_VARIABLE`].
    ///
    /// # Errors
    /// As [`TokenSet::parse`]; [`TokenError::Missing`] also where the variable is not set, or not in UTF-8.
    pub fn from_env() -> Result<Self, TokenError> {
        Self::parse(&std::env::var(TOKEN_VARIABLE).unwrap_or_default())
    }

    /// Replaces the whole set while the service runs: a rotation, a revocation. Requests under way keep what they had.
    ///
    /// # Errors
    /// [`TokenError::Missing`] where there is no token; the old set then stays.
    pub fn replace(&self, tokens: impl IntoIterator<Item = Token>) -> Result<(), TokenError> {
        let tokens = collect(tokens)?;
        *self.tokens.write().unwrap_or_else(PoisonError::into_inner) = tokens;
        Ok(())
    }

    /// Finds out who presents a token.
    pub fn verify(&self, candidate: &[u8]) -> Option<Grant> {
        self.verify_at(candidate, Utc::now())
    }

    fn verify_at(&self, candidate: &[u8], now: DateTime<Utc>) -> Option<Grant> {
        let tokens = Arc::clone(&self.tokens.read().unwrap_or_else(PoisonError::into_inner));
        let digest: [u8; 32] = Sha256::digest(candidate).into();
        let mut found = None;
        for token in tokens.iter() {
            let is_same: Choice = token.digest.ct_eq(&digest);
            if bool::from(is_same) && token.is_good(now) && found.is_none() {
                found = Some(token.grant());
            }
        }
        found
    }

    /// Looks whether the token that a grant came from is still good: returns what it grants now, or `None` if it has expired or is no
    /// longer in the set. For sessions, which outlive the request that brought the token.
    pub fn renew(&self, grant: &Grant) -> Option<Grant> {
        let now = Utc::now();
        let tokens = Arc::clone(&self.tokens.read().unwrap_or_else(PoisonError::into_inner));
        tokens.iter().find(|token| token.digest == grant.digest && token.is_good(now)).map(Token::grant)
    }
}

impl fmt::Debug for TokenSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_list().entries(tokens.iter()).finish()
    }
}

fn collect(tokens: impl IntoIterator<Item = Token>) -> Result<Arc<[Token]>, TokenError> {
    let tokens: Arc<[Token]> = tokens.into_iter().collect();
    if tokens.is_empty() { Err(TokenError::Missing) } else { Ok(tokens) }
}

/// One token, with what it allows. Holds its digest, not the token.
#[derive(Clone)]
pub struct Token {
    digest: [u8; 32],
    expires_at: Option<DateTime<Utc>>,
    grant: Arc<GrantParts>,
}

impl Token {
    /// Takes a token that never expires, may post leads of any source and nothing else, and acts as [`Actor::SITE_INGEST`].
    ///
    /// # Errors
    /// [`TokenError::TooShort`] below [`MIN_TOKEN_LENGTH`] characters, [`TokenError::BadCharacter`] where it holds
    /// anything else than visible ASCII without commas.
    pub fn new(secret: &str) -> Result<Self, TokenError> {
        if secret.chars().count() < MIN_TOKEN_LENGTH {
            return Err(TokenError::TooShort);
        }
        if !secret.bytes().all(header::is_credential) {
            return Err(TokenError::BadCharacter);
        }
        Ok(Self {
            digest: Sha256::digest(secret.as_bytes()).into(),
            expires_at: None,
            grant: Arc::new(GrantParts {
                actor: Actor::SITE_INGEST,
                sources: None,
                scopes: BTreeSet::from([Scope::Ingest]),
            }),
        })
    }

    fn is_good(&self, now: DateTime<Utc>) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }

    fn grant(&self) -> Grant {
        Grant { parts: Arc::clone(&self.grant), digest: self.digest }
    }

    /// Names who acts by this token: the audit row's `actor`.
    pub fn acting_as(mut self, actor: Actor) -> Self {
        Arc::make_mut(&mut self.grant).actor = actor;
        self
    }

    /// Says what the token is for, in place of [`Scope::Ingest`]: a request for anything else is answered 403.
    pub fn with_scopes(mut self, scopes: impl IntoIterator<Item = Scope>) -> Self {
        Arc::make_mut(&mut self.grant).scopes = scopes.into_iter().collect();
        self
    }

    /// Binds the token to these sources: a lead of another `meta.source` is answered 403, and events of its leads are left out.
    pub fn for_sources<S: Into<String>>(mut self, sources: impl IntoIterator<Item = S>) -> Self {
        Arc::make_mut(&mut self.grant).sources = Some(sources.into_iter().map(Into::into).collect());
        self
    }

    /// Lets the token end at an instant; from then on it is as good as unknown.
    pub fn expiring_at(mut self, end: DateTime<Utc>) -> Self {
        self.expires_at = Some(end);
        self
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("actor", &self.grant.actor)
            .field("sources", &self.grant.sources)
            .field("scopes", &self.grant.scopes)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// What a valid token allows its bearer.
#[derive(Clone)]
pub struct Grant {
    parts: Arc<GrantParts>,
    /// Of the token that it came from.
    digest: [u8; 32],
}

#[derive(Clone, Debug)]
struct GrantParts {
    actor: Actor,
    sources: Option<BTreeSet<String>>,
    scopes: BTreeSet<Scope>,
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.parts, f)
    }
}

impl Grant {
    /// Who acts.
    pub fn actor(&self) -> &Actor {
        &self.parts.actor
    }

    /// Whether the bearer may do this at all.
    pub fn allows(&self, scope: Scope) -> bool {
        self.parts.scopes.contains(&scope)
    }

    /// Whether the token is bound to sources.
    pub fn is_for_some_sources(&self) -> bool {
        self.sources().is_some()
    }

    pub(crate) fn sources(&self) -> Option<&BTreeSet<String>> {
        self.parts.sources.as_ref()
    }

    /// Whether the bearer may post leads of this `meta.source`, or hear of them.
    pub fn allows_source(&self, source: &str) -> bool {
        self.parts.sources.as_ref().is_none_or(|sources| sources.contains(source))
    }
}

/// Why a token, or a set of them, is refused at start-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// No token at all.
    #[error("no token: set {TOKEN_VARIABLE}, for example to the output of `openssl rand -base64 32`")]
    Missing,
    /// Easy to guess.
    #[error("a token is shorter than {MIN_TOKEN_LENGTH} characters: make one with `openssl rand -base64 32`")]
    TooShort,
    /// Could not be sent in a header, or would be read as two.
    #[error("a token may hold visible ASCII without commas only: make one with `openssl rand -base64 32`")]
    BadCharacter,
}
