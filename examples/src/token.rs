//! Tokens.

use fastcore_leads::token::TOKEN_VARIABLE;

use crate::hexadecimal;

/// Makes a token: 256 random bits in hexadecimal.
///
/// # Errors
/// A sentence for the operator, where the system gives no random numbers.
pub fn make() -> Result<String, String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| format!("the system gives no random numbers: set {TOKEN_VARIABLE}"))?;
    Ok(hexadecimal(&bytes))
}
