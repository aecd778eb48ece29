use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, Uri, header};
use tokio::time::timeout;

use super::{
    Attempt, CheckpointDelivery, Message, Payload, SigningKey,
    signature::{WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP},
};
use crate::{
    time,
    transport::{Transport, is_loopback},
};

/// How long a receiver has for its answer (Standard Webhooks: 15 to 30 s).
const TIMEOUT: Duration = Duration::from_secs(15);
/// Whoever asks to come back later than this is asked again all the same.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// A receiver of signed requests, by [Standard Webhooks](https://www.standardwebhooks.com/).
#[derive(Clone)]
pub struct Webhook {
    url: Uri,
    keys: Vec<SigningKey>,
    payload: Payload,
    timeout: Duration,
    transport: Arc<dyn Transport>,
}

impl Webhook {
    /// A receiver at a URL, and what sends to it. Requests are signed with each of the keys: two during a rotation.
    ///
    /// The transport is what keeps a URL from leading into one's own network: `ReqwestTransport::guarded` (feature `reqwest`)
    /// does.
    ///
    /// # Errors
    /// [`InvalidWebhook`] if the URL is not https, and not http to this machine, or if there is no key.
    pub fn new(url: &str, keys: Vec<SigningKey>, transport: impl Transport) -> Result<Self, InvalidWebhook> {
        let url: Uri = url.parse().map_err(|_| InvalidWebhook::Url)?;
        let host = url.host().ok_or(InvalidWebhook::Url)?;
        if url.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(InvalidWebhook::Password);
        }
        match url.scheme_str() {
            Some("https") => {}
            Some("http") if is_loopback(host) => {}
            Some("http") => return Err(InvalidWebhook::InClear),
            _ => return Err(InvalidWebhook::Url),
        }
        if keys.is_empty() {
            return Err(InvalidWebhook::NoKey);
        }
        Ok(Self { url, keys, payload: Payload::Thin, timeout: TIMEOUT, transport: Arc::new(transport) })
    }

    /// How much it is told. Default: [`Payload::Thin`].
    pub fn payload(self, payload: Payload) -> Self {
        Self { payload, ..self }
    }

    /// How long it has for its answer. Default: 15 s.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    pub(super) fn answers_within(&self) -> Duration {
        self.timeout
    }

    pub(super) async fn send(&self, message: &Message) -> Attempt {
        self.post(&message.id(), message.to_json(self.payload)).await
    }

    pub(super) async fn send_checkpoint(&self, delivery: &CheckpointDelivery) -> Attempt {
        self.post(&delivery.id(), delivery.to_json()).await
    }

    async fn post(&self, id: &str, body: Bytes) -> Attempt {
        let Ok(request) = self.request(id, body) else { return Attempt::failed(None) };
        match timeout(self.timeout, self.transport.send(request)).await {
            Ok(Ok(response)) => read(response.status(), response.headers()),
            Ok(Err(_)) | Err(_) => Attempt::failed(None),
        }
    }

    fn request(&self, id: &str, body: Bytes) -> http::Result<Request<Bytes>> {
        let timestamp = time::now().timestamp();
        let signatures: Vec<_> = self.keys.iter().map(|key| key.sign(id, timestamp, &body)).collect();
        Request::post(self.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("fastcore-leads/", env!("CARGO_PKG_VERSION")))
            .header(WEBHOOK_ID, id)
            .header(WEBHOOK_TIMESTAMP, timestamp)
            .header(WEBHOOK_SIGNATURE, signatures.join(" "))
            .body(body)
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A path or a query may hold a token.
        f.debug_struct("Webhook")
            .field("host", &self.url.host())
            .field("payload", &self.payload)
            .finish_non_exhaustive()
    }
}

/// Why a [`Webhook`] cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWebhook {
    /// The URL cannot be read.
    #[error("the URL of a webhook is absolute, such as https://crm.example/hooks/leads")]
    Url,
    /// It leads to another machine in clear.
    #[error("the URL of a webhook begins with https://, but for one on this machine")]
    InClear,
    /// It names a user.
    #[error("the URL of a webhook names no user and no password: requests are signed")]
    Password,
    /// There is nothing to sign with.
    #[error("a webhook needs a key to sign with: whsec_... or whsk_...")]
    NoKey,
}

/// What an answer says. A redirect is a failure: requests are signed for one receiver.
fn read(status: StatusCode, headers: &HeaderMap) -> Attempt {
    let code = Some(status.as_u16());
    match status {
        _ if status.is_success() => Attempt::delivered(code),
        StatusCode::GONE => Attempt::gone(code),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            Attempt { not_before: retry_after(headers), ..Attempt::failed(code) }
        }
        _ => Attempt::failed(code),
    }
}

/// Seconds, or an instant (RFC 9110, 10.2.3).
fn retry_after(headers: &HeaderMap) -> Duration {
    let value = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()).unwrap_or_default().trim();
    let wait = match value.parse().map(Duration::from_secs) {
        Ok(wait) => wait,
        Err(_) => httpdate::parse_http_date(value)
            .ok()
            .and_then(|at| at.duration_since(std::time::SystemTime::now()).ok())
            .unwrap_or_default(),
    };
    wait.min(LONGEST_WAIT)
}
