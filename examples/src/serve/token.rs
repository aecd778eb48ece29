use std::{env, fmt::Write};

use fastcore_leads::{
    TokenSet,
    token::{TOKEN_VARIABLE, TokenError},
};

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

/// 256 random bits in hexadecimal.
fn make() -> Result<String, String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| format!("the system gives no random numbers: set {TOKEN_VARIABLE}"))?;
    Ok(bytes.iter().fold(String::new(), |mut token, byte| {
        let _ = write!(token, "{byte:02x}");
        token
    }))
}
