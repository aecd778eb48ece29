use std::{env, net::SocketAddr};

use fastcore_leads::{
    TokenSet,
    token::{TOKEN_VARIABLE, TokenError, generate},
};

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
