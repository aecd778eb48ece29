//! Who may do what: the tokens that are accepted.

mod file;

use std::{
    collections::HashMap,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use fastcore_leads::{
    Actor, Scope, Token, TokenSet,
    token::{TOKEN_VARIABLE, TokenError, generate},
};
use fastcore_leads_examples::environment;
use sha2::{Digest, Sha256};
use tokio::signal::unix::{SignalKind, signal};

use self::file::Named;

/// Where tokens of the file stand, for a message.
const FILE: &str = "FASTCORE_TOKENS";

/// The environment variable that holds the tokens of those who may ask for events.
pub(crate) const EVENTS_TOKEN_VARIABLE: &str = "FASTCORE_EVENTS_TOKEN";

/// The environment variable that holds the tokens of those who work with leads, each as `name:scope+scope=token`.
pub(crate) const OPERATOR_TOKENS_VARIABLE: &str = "FASTCORE_OPERATOR_TOKENS";

/// What an operator's token may be for. Where it does not say, it is for all but the last, which cannot be undone.
const OPERATOR_SCOPES: [Scope; 4] = [Scope::Read, Scope::Reveal, Scope::Work, Scope::Erase];

/// The tokens that are accepted, and the one that was made for this run, if any.
pub(crate) struct Tokens {
    /// Of all scopes: whoever has a token for the one is told that it is not for the other.
    pub(crate) set: TokenSet,
    /// Whether there are tokens of those who may ask for events.
    pub(crate) has_events: bool,
    /// Whether there are tokens of those who work with leads.
    pub(crate) has_operators: bool,
    pub(crate) made: Option<String>,
    /// What the site of this process sends its leads with: to another service the first, so that it is the new one in a rotation.
    pub(crate) own: String,
}

impl Tokens {
    /// Reads the tokens of the environment and of a file, which SIGHUP has read again. Makes one for leads where neither says any, and
    /// only this machine can reach the service. `site` is the source of a site that posts its leads to this same process. A variable
    /// that is set and holds no good token is an error: somebody meant to protect this service.
    ///
    /// # Errors
    /// A sentence for the operator that holds no token.
    pub(crate) fn read(listen: &str, file: Option<&Path>, site: Option<&str>) -> Result<Self, String> {
        let named = file.map(file::read).transpose()?.unwrap_or_default();
        let of_scope = |scope: Scope| named.iter().find(|token| token.scopes.contains(&scope));
        let of_site = named.iter().find(|token| token.scopes.contains(&Scope::Ingest) && !token.has_expired());
        let (leads, made) = match (entries(TOKEN_VARIABLE)?, of_scope(Scope::Ingest)) {
            (Some(leads), _) if leads.is_empty() => return Err(TokenError::Missing.to_string()),
            (Some(leads), _) => (leads, None),
            (None, Some(_)) => (Vec::new(), None),
            (None, None) => {
                let token = make(listen)?;
                (vec![token.clone()], Some(token))
            }
        };
        let own = leads.first().or_else(|| of_site.map(|token| &token.secret)).cloned();
        let (events, operators) = (entries(EVENTS_TOKEN_VARIABLE)?, entries(OPERATOR_TOKENS_VARIABLE)?);
        let mut fixed = Read::default();
        fixed.add_entries(&leads, events.as_deref(), operators.as_deref())?;
        // The site of this process has a token that nobody else knows, whatever becomes of the others.
        let own = match site {
            None => own.ok_or_else(|| format!("{FILE}: every token for leads has expired"))?,
            Some(source) => {
                let own = generate().map_err(|error| error.to_string())?;
                fixed.add("the site's own", &own, |token| token.for_sources([source]))?;
                own
            }
        };
        let set = TokenSet::new(fixed.with(&named)?).map_err(|error| error.to_string())?;
        let has_events = events.is_some() || of_scope(Scope::Events).is_some();
        let has_operators = operators.is_some() || OPERATOR_SCOPES.into_iter().any(|scope| of_scope(scope).is_some());
        if let Some(file) = file {
            announce(&named);
            let follow = Follow { fixed, set: set.clone(), has_leads: !leads.is_empty(), has_events, has_operators };
            tokio::spawn(follow.run(file.to_owned()));
        }
        Ok(Self { set, has_events, has_operators, made, own })
    }
}

/// Reads the file again on SIGHUP. One that cannot be used leaves the tokens as they are.
struct Follow {
    /// The tokens that are not the file's.
    fixed: Read,
    set: TokenSet,
    /// Whether some of them are for leads, besides the site's own.
    has_leads: bool,
    has_events: bool,
    has_operators: bool,
}

impl Follow {
    async fn run(self, path: PathBuf) {
        let Ok(mut reload) = signal(SignalKind::hangup()) else { return };
        while reload.recv().await.is_some() {
            match file::read(&path).and_then(|named| self.replace(&named).map(|()| named)) {
                Ok(named) => self.replaced(&named),
                Err(problem) => tracing::error!("the tokens stay as they were: {problem}"),
            }
        }
    }

    fn replace(&self, named: &[Named]) -> Result<(), String> {
        // Such as one that is being written: it would lock everybody out.
        if named.is_empty() {
            return Err(format!("{FILE}: there is no token in the file"));
        }
        self.set.replace(self.fixed.with(named)?).map_err(|error| error.to_string())
    }

    fn replaced(&self, named: &[Named]) {
        announce(named);
        if !self.has_leads && !named.iter().any(|token| token.scopes.contains(&Scope::Ingest) && !token.has_expired()) {
            tracing::warn!("no token is for leads any more: senders are refused");
        }
        let is_new = |had: bool, scopes: &[Scope]| {
            !had && named.iter().any(|token| token.scopes.iter().any(|scope| scopes.contains(scope)))
        };
        if is_new(self.has_events, &[Scope::Events]) || is_new(self.has_operators, &OPERATOR_SCOPES) {
            tracing::warn!("the first token for events or for the inbox is there: restart this service to have them");
        }
    }
}

/// By their names alone.
fn announce(named: &[Named]) {
    for token in named {
        let Named { name, scopes, sources, expires, .. } = token;
        if token.has_expired() {
            tracing::warn!(name, "a token has expired: nobody is let in by it");
            continue;
        }
        let scopes = scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join("+");
        let sources = sources.as_ref().map(|sources| sources.join(", "));
        let expires = expires.map(|end| end.to_rfc3339());
        tracing::info!(name, scopes, sources, expires, "a token is accepted");
    }
}

/// What was read so far.
#[derive(Default)]
struct Read {
    tokens: Vec<Token>,
    /// By digest, and where each stands.
    places: HashMap<[u8; 32], &'static str>,
}

impl Read {
    fn add_entries(
        &mut self,
        leads: &[String],
        events: Option<&[String]>,
        operators: Option<&[String]>,
    ) -> Result<(), String> {
        for secret in leads {
            self.add(TOKEN_VARIABLE, secret, |token| token)?;
        }
        let actor = Actor::new("events").map_err(|error| error.to_string())?;
        for secret in some(EVENTS_TOKEN_VARIABLE, events)? {
            let with = |token: Token| token.with_scopes([Scope::Events]).acting_as(actor.clone());
            self.add(EVENTS_TOKEN_VARIABLE, secret, with)?;
        }
        for (place, entry) in some(OPERATOR_TOKENS_VARIABLE, operators)?.iter().enumerate() {
            // Nothing of the entry is quoted: it may be a token without its name.
            let at = |problem: &str| format!("{OPERATOR_TOKENS_VARIABLE}, entry {}: {problem}", place + 1);
            let (actor, scopes, secret) = operator(entry).map_err(|problem| at(&problem))?;
            self.add(OPERATOR_TOKENS_VARIABLE, secret, |token| token.with_scopes(scopes).acting_as(actor))?;
        }
        Ok(())
    }

    fn add(&mut self, place: &'static str, secret: &str, with: impl FnOnce(Token) -> Token) -> Result<(), String> {
        let token = Token::new(secret).map_err(|error| format!("{place}: {error}"))?;
        if let Some(other) = self.places.insert(Sha256::digest(secret).into(), place)
            && (other != place || matches!(place, OPERATOR_TOKENS_VARIABLE | FILE))
        {
            return Err(format!(
                "{place} holds a token of {other}: each is for one purpose, and names one person; make another"
            ));
        }
        self.tokens.push(with(token));
        Ok(())
    }

    /// These, and those of the file.
    fn with(&self, named: &[Named]) -> Result<Vec<Token>, String> {
        let mut read = Self { tokens: self.tokens.clone(), places: self.places.clone() };
        for token in named {
            let made = token.token()?;
            read.add(FILE, &token.secret, |_| made)?;
        }
        Ok(read.tokens)
    }
}

/// `name=token` or `name:scope+scope=token`.
fn operator(entry: &str) -> Result<(Actor, Vec<Scope>, &str), String> {
    let (who, secret) = entry.split_once('=').ok_or("write it as name=token or name:read+work=token")?;
    let (name, scopes) = who.split_once(':').map_or((who, None), |(name, scopes)| (name, Some(scopes)));
    let actor = Actor::new(name.trim()).map_err(|error| error.to_string())?;
    let Some(scopes) = scopes else { return Ok((actor, OPERATOR_SCOPES[..3].to_vec(), secret.trim())) };
    let scopes = scopes.split('+').map(|scope| {
        let scope = scope.trim();
        OPERATOR_SCOPES
            .into_iter()
            .find(|known| known.as_str() == scope)
            .ok_or("its scopes are read, reveal, work and erase")
    });
    let scopes = scopes.collect::<Result<_, _>>()?;
    Ok((actor, scopes, secret.trim()))
}

/// A variable that is set, and empty, is a mistake.
fn some<'e>(variable: &str, entries: Option<&'e [String]>) -> Result<&'e [String], String> {
    match entries {
        Some([]) => Err(format!("{variable} is empty: unset it, or set it to a token")),
        entries => Ok(entries.unwrap_or_default()),
    }
}

/// One, or several separated by commas. None where the variable is not set.
fn entries(variable: &str) -> Result<Option<Vec<String>>, String> {
    let list = environment::secret(variable)
        .map_err(|problem| format!("{problem}; `openssl rand -base64 32` makes a token"))?;
    Ok(list.map(|list| list.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(str::to_owned).collect()))
}

fn make(listen: &str) -> Result<String, String> {
    let is_local = listen.parse().map_or(listen.starts_with("localhost:"), |at: SocketAddr| at.ip().is_loopback());
    if !is_local {
        return Err(format!(
            "{TOKEN_VARIABLE} is not set, and others can reach {listen}: make a token with `openssl rand -base64 32`"
        ));
    }
    generate().map_err(|error| format!("{error}: set {TOKEN_VARIABLE}"))
}
