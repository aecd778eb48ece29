use http::{HeaderMap, header::AUTHORIZATION};

use super::{Grant, TokenSet};

impl TokenSet {
    /// Authenticates a request by its `Authorization` header (RFC 6750, section 2.1). The scheme's case does not matter.
    ///
    /// # Errors
    /// [`Unauthorized`] where the header is missing, repeated or malformed, or its token is unknown or has expired.
    pub fn authenticate(&self, headers: &HeaderMap) -> Result<Grant, Unauthorized> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(Unauthorized::NoToken);
        };
        let token = bearer_token(value.as_bytes()).ok_or(Unauthorized::NoToken)?;
        self.verify(token).ok_or(Unauthorized::InvalidToken)
    }
}

/// Why a request is not authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unauthorized {
    /// No bearer token was presented, or not in a way that can be read.
    #[error("no bearer token")]
    NoToken,
    /// The token is unknown or has expired.
    #[error("the bearer token is not valid")]
    InvalidToken,
}

/// `Bearer`, spaces, the token, and nothing else.
fn bearer_token(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(6)?;
    let token = rest.trim_ascii();
    let is_bearer = scheme.eq_ignore_ascii_case(b"bearer") && rest.first() == Some(&b' ');
    (is_bearer && !token.is_empty() && token.iter().copied().all(is_credential)).then_some(token)
}

/// Wider than RFC 6750's `b64token`, since tokens that today's service runs with may hold any visible character.
pub(super) fn is_credential(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b','
}
