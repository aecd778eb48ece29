//! How HTTP requests are sent: core decides what to send, the host's own HTTP client sends it.

#[cfg(feature = "reqwest")]
mod guard;
#[cfg(feature = "reqwest")]
mod reqwest;

use std::net::IpAddr;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};

#[cfg(feature = "reqwest")]
#[cfg_attr(docsrs, doc(cfg(feature = "reqwest")))]
pub use self::{guard::is_public, reqwest::ReqwestTransport};

/// Of an answer's body a [`Transport`] reads so many bytes at most: no answer that core understands is longer.
pub const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Sends one HTTP request. Feature `reqwest` brings `ReqwestTransport`.
///
/// # Contract
/// The request's URI is absolute. A transport
/// - sends it once, to the host that the URI names and to nobody else: it follows no redirect (the answer is the caller's to judge),
///   and goes through a proxy only where the host's operator chose one;
/// - returns whatever was answered, of any status, with the first [`MAX_ANSWER_BYTES`] bytes of the body;
/// - may be dropped at any point: the caller sets the time limit.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Sends a request and returns the answer.
    ///
    /// # Errors
    /// [`Unreachable`] if no whole answer came. The request may have arrived all the same.
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Unreachable>;
}

/// Returns whether a URL's host is this machine: `localhost`, or an address of its loopback, in brackets or without.
///
/// What is sent there does not leave it, so it may go in clear.
pub fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// No whole answer came: the address cannot be resolved or reached, TLS failed, the connection ended.
///
/// `Display` says nothing of what the library below said, which may name an address or hold a password; the source has it.
#[derive(Debug, thiserror::Error)]
#[error("no answer came")]
pub struct Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>);

impl Unreachable {
    /// Wraps the error of the library that sends.
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}
