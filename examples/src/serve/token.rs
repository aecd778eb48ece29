use std::env;

use fastcore_leads::{
    TokenSet,
    token::{TOKEN_VARIABLE, TokenError},
};
use fastcore_leads_examples::token::make;

/// The tokens that are accepted, and the one that was made for this run, if any.
pub(crate) struct Tokens {
    pub(crate) set: TokenSet,
    pub(crate) made: Option<String>,
}

/// Reads the tokens; makes one where the variable is not set at all. A variable that is set and holds no good token is an
/// error: somebody meant to protect this service.
pub(crate) fn from_environment() -> Result<Tokens, String> {
    let refused = |error: TokenError| error.to_string();
    if env::var_os(TOKEN_VARIABLE).is_some() {
        return Ok(Tokens { set: TokenSet::from_env().map_err(refused)?, made: None });
    }
    let token = make()?;
    Ok(Tokens { set: TokenSet::parse(&token).map_err(refused)?, made: Some(token) })
}
