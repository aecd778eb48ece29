//! Who is signed in. A session is known by a cookie that is signed, ends after a while, at sign-out, and when its token does (OWASP,
//! Session Management Cheat Sheet).

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use fastcore_leads::{
    TokenSet,
    pseudonym::Pepper,
    token::{Grant, generate},
};
use http::{HeaderMap, header::COOKIE};
use uuid::Uuid;

use crate::{from_hexadecimal, hexadecimal, web::Language};

const COOKIE_NAME: &str = "fastcore_staff";
const COOKIE_PURPOSE: &str = "session of the staff";
const FORM_PURPOSE: &str = "form of the staff";
/// How long something stays unmasked.
const REVEALED_FOR: Duration = Duration::from_secs(15 * 60);
/// How many sessions are kept; the one that was used least lately makes room for one more.
const MAX_SESSIONS: usize = 1000;

/// How long a session lasts.
#[derive(Clone, Copy, Debug)]
pub struct Lifetime {
    /// Without a request.
    pub idle: Duration,
    /// In all.
    pub longest: Duration,
}

impl Default for Lifetime {
    fn default() -> Self {
        Self { idle: Duration::from_secs(3600), longest: Duration::from_secs(12 * 3600) }
    }
}

/// All that are signed in. They live in memory: after a restart, everybody signs in again.
pub(super) struct Sessions {
    pepper: Pepper,
    lifetime: Lifetime,
    kept: Mutex<HashMap<String, Session>>,
}

struct Session {
    grant: Grant,
    began: Instant,
    used: Instant,
    language: Option<Language>,
    shows_all_until: Option<Instant>,
    shows_until: HashMap<Uuid, Instant>,
}

/// A session, as one request finds it.
pub(super) struct Visit {
    id: String,
    pub(super) grant: Grant,
    /// What a form of this session carries, so that no other page can send one.
    pub(super) csrf: String,
    pub(super) language: Option<Language>,
    /// Whether the list is unmasked.
    pub(super) shows_all: bool,
    shown: Vec<Uuid>,
}

impl Visit {
    /// Whether a lead is unmasked.
    pub(super) fn shows(&self, lead: Uuid) -> bool {
        self.shows_all || self.shown.contains(&lead)
    }
}

/// What a session is asked to remember.
pub(super) enum Wish {
    Speak(Language),
    ShowAll,
    Show(Uuid),
    /// Nothing any more.
    Mask,
}

impl Sessions {
    pub(super) fn new(lifetime: Lifetime) -> Result<Self, String> {
        let secret = generate().map_err(|error| error.to_string())?;
        let pepper = Pepper::parse(&secret).map_err(|error| error.to_string())?;
        Ok(Self { pepper, lifetime, kept: Mutex::default() })
    }

    /// Begins a session; returns the value of its cookie.
    pub(super) fn begin(&self, grant: Grant, language: Language) -> Option<String> {
        let id = generate().ok()?;
        let now = Instant::now();
        let mut kept = self.kept();
        kept.retain(|_, session| self.lasts(session, now));
        if kept.len() >= MAX_SESSIONS {
            let oldest = kept.iter().min_by_key(|(_, session)| session.used).map(|(id, _)| id.clone());
            oldest.and_then(|oldest| kept.remove(&oldest));
        }
        let session = Session {
            grant,
            began: now,
            used: now,
            language: Some(language),
            shows_all_until: None,
            shows_until: HashMap::new(),
        };
        kept.insert(id.clone(), session);
        drop(kept);
        Some(format!("{id}.{}", self.signature(COOKIE_PURPOSE, &id)))
    }

    /// The session that a request's cookie names, if it is a good one. One whose token is no longer good ends here. Who only waits for
    /// news does not use it.
    pub(super) fn find(&self, headers: &HeaderMap, tokens: &TokenSet, is_use: bool) -> Option<Visit> {
        let id = cookies(headers).find_map(|cookie| {
            let (id, signature) = cookie.split_once('.')?;
            self.has_signed(COOKIE_PURPOSE, id, signature).then(|| id.to_owned())
        })?;
        let now = Instant::now();
        let mut kept = self.kept();
        let session = kept.get_mut(&id)?;
        let grant = tokens.renew(&session.grant).filter(|_| self.lasts(session, now));
        let Some(grant) = grant else {
            kept.remove(&id);
            return None;
        };
        if is_use {
            session.used = now;
        }
        session.grant = grant.clone();
        session.shows_until.retain(|_, until| now < *until);
        Some(Visit {
            csrf: self.signature(FORM_PURPOSE, &id),
            grant,
            language: session.language,
            shows_all: session.shows_all_until.is_some_and(|until| now < until),
            shown: session.shows_until.keys().copied().collect(),
            id,
        })
    }

    /// Whether a form is one that this session was shown.
    pub(super) fn gave(&self, visit: &Visit, csrf: &str) -> bool {
        self.has_signed(FORM_PURPOSE, &visit.id, csrf)
    }

    pub(super) fn remember(&self, visit: &Visit, wish: &Wish) {
        let until = Instant::now() + REVEALED_FOR;
        let mut kept = self.kept();
        let Some(session) = kept.get_mut(&visit.id) else { return };
        match wish {
            Wish::Speak(language) => session.language = Some(*language),
            Wish::ShowAll => session.shows_all_until = Some(until),
            Wish::Show(lead) => {
                session.shows_until.insert(*lead, until);
            }
            Wish::Mask => {
                session.shows_all_until = None;
                session.shows_until.clear();
            }
        }
    }

    pub(super) fn end(&self, visit: &Visit) {
        self.kept().remove(&visit.id);
    }

    /// The `Set-Cookie` of a session, for this path and everything below it.
    pub(super) fn cookie(&self, value: &str, path: &str, is_secure: bool) -> String {
        let secure = if is_secure { "; Secure" } else { "" };
        let age = if value.is_empty() { 0 } else { self.lifetime.longest.as_secs() };
        format!("{COOKIE_NAME}={value}; Path={path}; Max-Age={age}; HttpOnly; SameSite=Strict{secure}")
    }

    fn lasts(&self, session: &Session, now: Instant) -> bool {
        now - session.used < self.lifetime.idle && now - session.began < self.lifetime.longest
    }

    fn signature(&self, purpose: &str, id: &str) -> String {
        hexadecimal(&self.pepper.sign(purpose, id.as_bytes()))
    }

    fn has_signed(&self, purpose: &str, id: &str, signature: &str) -> bool {
        from_hexadecimal(signature).is_some_and(|bytes| self.pepper.has_signed(purpose, id.as_bytes(), &bytes))
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The values of this cookie: a browser may hold one for another path.
fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let fields = headers.get_all(COOKIE).iter().filter_map(|field| field.to_str().ok());
    fields
        .flat_map(|field| field.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, _)| *name == COOKIE_NAME)
        .map(|(_, value)| value)
}
