use std::{env, net::SocketAddr};

use fastcore_leads::{
    Actor, Scope, Token, TokenSet,
    token::{TOKEN_VARIABLE, TokenError, generate},
};

/// The environment variable that holds the tokens of those who may ask for events.
pub(crate) const EVENTS_TOKEN_VARIABLE: &str = "FASTCORE_EVENTS_TOKEN";

/// The tokens that are accepted, and the one that was made for this run, if any.
pub(crate) struct Tokens {
    /// Of all scopes: whoever has a token for the one is told that it is not for the other.
    pub(crate) set: TokenSet,
    /// Whether there are tokens of those who may ask for events.
    pub(crate) has_events: bool,
    pub(crate) made: Option<String>,
    /// What the site of this process sends its leads with: the first, so that it is the new one in a rotation.
    pub(crate) own: String,
}

/// Reads the tokens; makes one for leads where its variable is not set at all and only this machine can reach the service. A
/// variable that is set and holds no good token is an error: somebody meant to protect this service.
pub(crate) fn from_environment(listen: &str) -> Result<Tokens, String> {
    let events = secrets(EVENTS_TOKEN_VARIABLE);
    let (leads, made) = if let Some(leads) = secrets(TOKEN_VARIABLE) {
        (leads, None)
    } else {
        let token = make(listen)?;
        (vec![token.clone()], Some(token))
    };
    let own = leads.first().cloned().ok_or_else(|| TokenError::Missing.to_string())?;
    if events.iter().flatten().any(|secret| leads.contains(secret)) {
        return Err(format!(
            "{EVENTS_TOKEN_VARIABLE} holds a token of {TOKEN_VARIABLE}: whoever posts leads need not read them, make another"
        ));
    }
    let refused = |variable: &str, error: TokenError| format!("{variable}: {error}");
    let mut tokens = Vec::new();
    for secret in &leads {
        tokens.push(Token::new(secret).map_err(|error| refused(TOKEN_VARIABLE, error))?);
    }
    if events.as_ref().is_some_and(Vec::is_empty) {
        return Err(format!("{EVENTS_TOKEN_VARIABLE} is empty: unset it, or set it to a token"));
    }
    let actor = Actor::new("events").map_err(|error| error.to_string())?;
    for secret in events.iter().flatten() {
        let token = Token::new(secret).map_err(|error| refused(EVENTS_TOKEN_VARIABLE, error))?;
        tokens.push(token.with_scopes([Scope::Events]).acting_as(actor.clone()));
    }
    let set = TokenSet::new(tokens).map_err(|error| error.to_string())?;
    Ok(Tokens { set, has_events: events.is_some(), made, own })
}

/// One, or several separated by commas. None where the variable is not set.
fn secrets(variable: &str) -> Option<Vec<String>> {
    let list = env::var_os(variable)?;
    let list = list.to_string_lossy();
    Some(list.split(',').map(str::trim).filter(|secret| !secret.is_empty()).map(str::to_owned).collect())
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
