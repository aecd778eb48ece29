use std::{collections::HashMap, env, net::SocketAddr};

use fastcore_leads::{
    Actor, Scope, Token, TokenSet,
    token::{TOKEN_VARIABLE, TokenError, generate},
};

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
    /// What the site of this process sends its leads with: the first, so that it is the new one in a rotation.
    pub(crate) own: String,
}

/// Reads the tokens; makes one for leads where its variable is not set at all and only this machine can reach the service. A
/// variable that is set and holds no good token is an error: somebody meant to protect this service.
pub(crate) fn from_environment(listen: &str) -> Result<Tokens, String> {
    let (leads, made) = if let Some(leads) = entries(TOKEN_VARIABLE) {
        (leads, None)
    } else {
        let token = make(listen)?;
        (vec![token.clone()], Some(token))
    };
    let own = leads.first().cloned().ok_or_else(|| TokenError::Missing.to_string())?;
    let mut read = Read::default();
    for secret in &leads {
        read.add(TOKEN_VARIABLE, secret, |token| token)?;
    }
    let events = entries(EVENTS_TOKEN_VARIABLE);
    let actor = Actor::new("events").map_err(|error| error.to_string())?;
    for secret in some(EVENTS_TOKEN_VARIABLE, events.as_deref())? {
        read.add(EVENTS_TOKEN_VARIABLE, secret, |token| token.with_scopes([Scope::Events]).acting_as(actor.clone()))?;
    }
    let operators = entries(OPERATOR_TOKENS_VARIABLE);
    for (place, entry) in some(OPERATOR_TOKENS_VARIABLE, operators.as_deref())?.iter().enumerate() {
        // Nothing of the entry is quoted: it may be a token without its name.
        let at = |problem: &str| format!("{OPERATOR_TOKENS_VARIABLE}, entry {}: {problem}", place + 1);
        let (actor, scopes, secret) = operator(entry).map_err(|problem| at(&problem))?;
        read.add(OPERATOR_TOKENS_VARIABLE, secret, |token| token.with_scopes(scopes).acting_as(actor))?;
    }
    let set = TokenSet::new(read.tokens).map_err(|error| error.to_string())?;
    Ok(Tokens { set, has_events: events.is_some(), has_operators: operators.is_some(), made, own })
}

/// What was read so far.
#[derive(Default)]
struct Read {
    tokens: Vec<Token>,
    secrets: HashMap<String, &'static str>,
}

impl Read {
    fn add(&mut self, variable: &'static str, secret: &str, with: impl FnOnce(Token) -> Token) -> Result<(), String> {
        let token = Token::new(secret).map_err(|error| format!("{variable}: {error}"))?;
        if let Some(other) = self.secrets.insert(secret.to_owned(), variable)
            && (other != variable || variable == OPERATOR_TOKENS_VARIABLE)
        {
            return Err(format!(
                "{variable} holds a token of {other}: each is for one purpose, and names one person; make another"
            ));
        }
        self.tokens.push(with(token));
        Ok(())
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
fn entries(variable: &str) -> Option<Vec<String>> {
    let list = env::var_os(variable)?;
    let list = list.to_string_lossy();
    Some(list.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(str::to_owned).collect())
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
