use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::{Request, Response};

use super::{MAX_ANSWER_BYTES, Transport, Unreachable};

/// Sends requests with [reqwest](::reqwest). Clones share connections.
#[derive(Clone, Debug)]
pub struct ReqwestTransport {
    client: ::reqwest::Client,
}

impl ReqwestTransport {
    /// Makes a client that follows no redirect, uses no proxy (not even one of `HTTP_PROXY`: a lead and its token go to nobody
    /// else), and takes up to `connect_timeout` to connect. TLS is rustls with the provider that the process has installed, or
    /// else ring, and trusts the system's authorities.
    ///
    /// # Errors
    /// [`Unreachable`] if TLS cannot be set up, such as where the system has no certificate authorities.
    pub fn new(connect_timeout: Duration) -> Result<Self, Unreachable> {
        // Without a provider reqwest panics. An earlier choice of the process holds.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = ::reqwest::Client::builder()
            .redirect(::reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(connect_timeout)
            .tcp_nodelay(true)
            .build()
            .map_err(Unreachable::new)?;
        Ok(Self { client })
    }

    /// Takes a client that the host set up. It should follow no redirect: an answer that was not FASTCore's could be taken for it.
    pub fn from_client(client: ::reqwest::Client) -> Self {
        Self { client }
    }
}

#[async_trait]
impl Transport for ReqwestTransport {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Unreachable> {
        let request = ::reqwest::Request::try_from(request).map_err(Unreachable::new)?;
        let mut answer = self.client.execute(request).await.map_err(Unreachable::new)?;
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        let mut body = BytesMut::new();
        while body.len() < MAX_ANSWER_BYTES {
            let Some(chunk) = answer.chunk().await.map_err(Unreachable::new)? else { break };
            body.extend_from_slice(&chunk[..chunk.len().min(MAX_ANSWER_BYTES - body.len())]);
        }
        *response.body_mut() = body.freeze();
        Ok(response)
    }
}
