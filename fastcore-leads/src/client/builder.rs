use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64},
    },
    time::Duration,
};

use http::{HeaderValue, Uri, uri};
use tokio::sync::{Notify, watch};

use super::{
    Client, Drainer, Shared, Spool,
    breaker::Breaker,
    drainer::{self, Settings},
    metrics::Metrics,
    sender::Sender,
};
use crate::{endpoint::INBOUND_LEADS_PATH, transport::Transport};

/// The longest [`timeout`](ClientBuilder::timeout): the drainer's lock counts as abandoned some seconds later.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(10);

const TIMEOUT: Duration = Duration::from_secs(3);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
const ASIDE_AFTER: Duration = Duration::from_secs(3600);

/// Settings of a [`Client`].
pub struct ClientBuilder {
    sender: Sender,
    spool: Option<Spool>,
    settings: Settings,
}

impl ClientBuilder {
    pub(super) fn new(base_url: &str, token: &str, transport: impl Transport) -> Result<Self, ClientError> {
        let mut authorization = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| ClientError::Token)?;
        authorization.set_sensitive(true);
        let uri = endpoint_at(base_url).ok_or(ClientError::BaseUrl)?;
        let sender = Sender { transport: Arc::new(transport), uri, authorization, timeout: TIMEOUT };
        Ok(Self { sender, spool: None, settings: Settings { aside_after: ASIDE_AFTER, longest_pause: LONGEST_PAUSE } })
    }

    /// Keeps what FASTCore does not take in a spool, and empties it. Without one, such as where there is no disk, a lead that
    /// FASTCore does not take is [`Undeliverable`](super::Undeliverable).
    pub fn spool(mut self, spool: Spool) -> Self {
        self.spool = Some(spool);
        self
    }

    /// How long one attempt may take. Default: 3 s, since FASTCore itself gives up after 2 s; at most [`MAX_TIMEOUT`].
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.sender.timeout = timeout.min(MAX_TIMEOUT);
        self
    }

    /// How long a lead is tried that FASTCore always answers with 500 while others get through; then it is put aside for a person
    /// to look at, so that it does not stand in the way; and how long a lead waits that is encrypted under a key that is not here. Default: one
    /// hour.
    pub fn aside_after(mut self, aside_after: Duration) -> Self {
        self.settings.aside_after = aside_after;
        self
    }

    /// How long the spool rests at most between two tries while FASTCore is away; the pauses grow up to that. Default: 15 s. A
    /// FASTCore that asks to come back later is given that time, up to a minute.
    pub fn longest_pause(mut self, longest_pause: Duration) -> Self {
        self.settings.longest_pause = longest_pause;
        self
    }

    /// Begins to deliver what an earlier process left in the spool, and returns the client. Must be called in a tokio runtime if
    /// there is a spool.
    pub fn start(self) -> Client {
        let shared = Arc::new(Shared {
            sender: self.sender,
            spool: self.spool,
            under_way: watch::Sender::new(0),
            breaker: Breaker::default(),
            is_taking: AtomicBool::new(true),
            got_through: AtomicU64::new(0),
            wake: Notify::new(),
            metrics: Metrics::begin(),
        });
        let drainer = shared
            .spool
            .is_some()
            .then(|| Drainer(tokio::spawn(drainer::run(Arc::clone(&shared), self.settings)).abort_handle()));
        Client { shared, _drainer: Arc::new(drainer) }
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder").finish_non_exhaustive()
    }
}

/// Why there is no client. Says nothing of the URL, which may hold a password, nor of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The base URL is not of a web service, or holds a user's name.
    #[error("FASTCore's base URL is not that of a web service: give http://host:port or https://host, without a user")]
    BaseUrl,
    /// The token cannot stand in a header.
    #[error("the token holds characters that no header can carry")]
    Token,
}

fn endpoint_at(base_url: &str) -> Option<Uri> {
    let base: Uri = base_url.trim().parse().ok()?;
    let is_web = matches!(base.scheme_str(), Some("http" | "https"));
    let authority = base.authority().filter(|authority| is_web && !authority.as_str().contains('@'))?;
    uri::Builder::new()
        .scheme(base.scheme()?.clone())
        .authority(authority.clone())
        .path_and_query(format!("{}{INBOUND_LEADS_PATH}", base.path().trim_end_matches('/')))
        .build()
        .ok()
}
