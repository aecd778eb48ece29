use std::{env, net::SocketAddr};

use fastcore_leads::{
    Actor, Scope, Token, TokenSet,
    token::{TOKEN_VARIABLE, TokenError, generate},
};

/// The environment variable that holds the tokens of those who may ask for events.
pub(crate) const EVENTS_TOKEN_VARIABLE: &str = "FASTCORE_EVENTS_TOKEN";

/// The tokens that are accepted, and the one that was made for this run, if any.
pub(crate) struct Tokens {
    pub(crate) set: TokenSet,
    pub(crate) made: Option<String>,
    /// What the site of this process sends its leads with: the first, so that it is the new one in a rotation.
    pub(crate) own: String,
}

/// Reads the tokens; makes one where the variable is not set at all and only this machine can reach the service. A variable
/// that is set and holds no good token is an error: somebody meant to protect this service.
pub(crate) fn from_environment(listen: &str) -> Result<Tokens, String> {
    let refused = |error: TokenError| error.to_string();
    if let Some(tokens) = env::var_os(TOKEN_VARIABLE) {
        let set = TokenSet::from_env().map_err(refused)?;
        let tokens = tokens.to_string_lossy();
        let own = tokens.split(',').map(str::trim).find(|token| !token.is_empty()).unwrap_or_default().to_owned();
        return Ok(Tokens { set, made: None, own });
    }
    let is_local = listen.parse().map_or(listen.starts_with("localhost:"), |at: SocketAddr| at.ip().is_loopback());
    if !is_local {
        return Err(format!(
            "{TOKEN_VARIABLE} is not set, and others can reach {listen}: make a token with `openssl rand -base64 32`"
        ));
    }
    let token = generate().map_err(|error| format!("{error}: set {TOKEN_VARIABLE}"))?;
    Ok(Tokens { set: TokenSet::parse(&token).map_err(refused)?, own: token.clone(), made: Some(token) })
}

/// Reads the tokens of those who may ask for events. None where the variable is not set: then nobody may.
pub(crate) fn of_events() -> Result<Option<TokenSet>, String> {
    let Some(list) = env::var_os(EVENTS_TOKEN_VARIABLE) else { return Ok(None) };
    let refused = |error: TokenError| match error {
        TokenError::Missing => format!("{EVENTS_TOKEN_VARIABLE} is empty: unset it, or set it to a token"),
        other => format!("{EVENTS_TOKEN_VARIABLE}: {other}"),
    };
    let actor = Actor::new("events").map_err(|error| error.to_string())?;
    let list = list.to_string_lossy();
    let secrets = list.split(',').map(str::trim).filter(|secret| !secret.is_empty());
    let token = |secret| Token::new(secret).map(|token| token.with_scopes([Scope::Events]).acting_as(actor.clone()));
    let tokens = secrets.map(token).collect::<Result<Vec<_>, _>>().map_err(refused)?;
    TokenSet::new(tokens).map(Some).map_err(refused)
}
