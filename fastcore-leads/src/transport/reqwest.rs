use std::{net::IpAddr, time::Duration};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::{Request, Response, Uri};
use ipnet::IpNet;

use super::{
    MAX_ANSWER_BYTES, Transport, Unreachable,
    guard::{Guard, Refused},
};

/// Sends requests with [reqwest](::reqwest). Clones share connections.
#[derive(Clone, Debug)]
pub struct ReqwestTransport {
    client: ::reqwest::Client,
    /// None: whatever is asked for is connected to.
    guard: Option<Guard>,
}

impl ReqwestTransport {
    /// Makes a client that follows no redirect, uses no proxy (not even one of `HTTP_PROXY`: a lead and its token go to nobody
    /// else), and takes up to `connect_timeout` to connect. TLS is rustls with the provider that the process has installed, or
    /// else ring, and trusts the system's authorities.
    ///
    /// # Errors
    /// [`Unreachable`] if TLS cannot be set up, such as where the system has no certificate authorities.
    pub fn new(connect_timeout: Duration) -> Result<Self, Unreachable> {
        let client = client(connect_timeout).build().map_err(Unreachable::new)?;
        Ok(Self { client, guard: None })
    }

    /// As [`new`](Self::new), and connects to public addresses alone, and to those of the networks that are allowed: for URLs
    /// that others chose. Each address is vetted after the look-up, and it is the vetted one that is connected to
    /// (OWASP, "Server Side Request Forgery Prevention Cheat Sheet"); see [`is_public`](super::is_public).
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn guarded(connect_timeout: Duration, allowed: Vec<IpNet>) -> Result<Self, Unreachable> {
        let guard = Guard::allowing(allowed);
        let client = client(connect_timeout).dns_resolver(guard.clone()).build().map_err(Unreachable::new)?;
        Ok(Self { client, guard: Some(guard) })
    }

    /// Takes a client that the host set up. It should follow no redirect: an answer that was not FASTCore's could be taken for it.
    pub fn from_client(client: ::reqwest::Client) -> Self {
        Self { client, guard: None }
    }
}

#[async_trait]
impl Transport for ReqwestTransport {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Unreachable> {
        // An address is looked up nowhere.
        if let (Some(guard), Some(address)) = (&self.guard, literal(request.uri()))
            && !guard.lets_through(address)
        {
            return Err(Unreachable::new(Refused));
        }
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

fn client(connect_timeout: Duration) -> ::reqwest::ClientBuilder {
    // Without a provider reqwest panics. An earlier choice of the process holds.
    let _ = rustls::crypto::ring::default_provider().install_default();
    ::reqwest::Client::builder()
        .redirect(::reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(connect_timeout)
        .tcp_nodelay(true)
}

/// The address that a URI names instead of a host, in any spelling that the client below takes for one.
fn literal(uri: &Uri) -> Option<IpAddr> {
    let url: ::reqwest::Url = uri.to_string().parse().ok()?;
    let host = url.host_str()?;
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}
