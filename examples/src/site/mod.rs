//! The site in front: the contact page, and `POST /api/forms/contact`, as one function that a framework mounts.
//!
//! What a visitor sends is held to the core's own rules and handed to a [`Client`]. Visitors' addresses and user agents
//! are known here only as keyed hashes: [`Pepper`].

mod answer;
mod clean;
mod contact;
mod messages;
mod pages;
mod request;
mod texts;
mod ticket;

use std::{
    net::IpAddr,
    ops::RangeInclusive,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::{Buf, Bytes};
use chrono::{SecondsFormat, Utc};
use fastcore_leads::{
    ConsentPolicy, Lead, ParseError,
    client::Client,
    pseudonym::{Pepper, Proxies},
};
use http::{Method, Request, Response, header::USER_AGENT, request::Parts};
use http_body::Body;
use metrics::counter;

pub use self::texts::Wordings;
use self::{
    answer::{Asset, Kind, Problem},
    contact::{Meta, Post, Proof},
    pages::{Form, Setting},
    ticket::Ticket,
};
use crate::{
    metrics::{SITE_POSTS, begin_site},
    web::{Language, Limiter, is_same_site},
};

/// Where the contact page is.
pub const CONTACT_PATH: &str = "/";
/// Where the contact form is sent to.
pub const FORM_PATH: &str = "/api/forms/contact";
/// Where a visitor is led to once the lead is taken in.
pub const THANKS_PATH: &str = "/merci";

/// How a site behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The site's name: `meta.source` of its leads.
    pub source: String,
    /// What becomes of a visitor who does not agree.
    pub consent: ConsentPolicy,
    /// Posts of one visitor in a minute; one more is told to wait.
    pub posts_per_minute: u32,
    /// How long it takes to fill a form. Who is faster is taken for a machine, and a form that is older may be one that a machine
    /// keeps: the lead is quarantined.
    pub fill: RangeInclusive<Duration>,
    /// Origins that forms may be sent from, besides the site's own.
    pub origins: Vec<String>,
    /// Whose word on a visitor's address is taken.
    pub proxies: Proxies,
    /// What visitors are promised, and told of their data.
    pub wordings: Wordings,
}

/// The site. Clones share everything.
#[derive(Clone)]
pub struct Site {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    pepper: Pepper,
    limiter: Limiter,
    client: Client,
    /// Whether it was told that a proxy is not named.
    has_warned: AtomicBool,
}

impl Site {
    /// A site that hands its leads to `client`.
    pub fn new(settings: Settings, pepper: Pepper, client: Client) -> Self {
        begin_site();
        let limiter = Limiter::new(settings.posts_per_minute);
        Self { shared: Arc::new(Shared { settings, pepper, limiter, client, has_warned: AtomicBool::new(false) }) }
    }

    /// Answers a request of one of the site's paths; `None` for other paths, which are somebody else's.
    ///
    /// `peer` is where the connection comes from.
    pub async fn handle<B>(&self, request: Request<B>, peer: IpAddr) -> Option<Response<Bytes>>
    where
        B: Body,
        B::Data: Buf,
    {
        let (head, body) = request.into_parts();
        let is_read = matches!(head.method, Method::GET | Method::HEAD);
        Some(match head.uri.path() {
            CONTACT_PATH if is_read => self.contact_page(asked_language(&head)),
            THANKS_PATH if is_read => {
                let reference = in_query(&head, "ref").and_then(|reference| reference.parse().ok());
                let setting = self.setting(asked_language(&head));
                answer::page(&pages::thanks(THANKS_PATH, reference, &setting))
            }
            FORM_PATH if head.method == Method::POST => self.take(&head, body, peer).await,
            // A visitor who asks for the address of a form that was not taken in.
            FORM_PATH if is_read => answer::back_to_the_form(),
            CONTACT_PATH | THANKS_PATH => answer::not_allowed("GET, HEAD"),
            FORM_PATH => answer::not_allowed("GET, HEAD, POST"),
            path => {
                let asset = Asset::find(path)?;
                if is_read { asset.response() } else { answer::not_allowed("GET, HEAD") }
            }
        })
    }

    /// Whether a lead that comes now has where to go.
    pub async fn takes_leads(&self) -> bool {
        self.shared.client.takes_leads().await
    }

    /// Returns when every lead that arrived is committed in FASTCore or safe on the disk.
    pub async fn finish(&self) {
        self.shared.client.finish().await;
    }

    /// A fresh form. Each that is shown has a request id of its own, which its reloads and repetitions share.
    fn contact_page(&self, language: Language) -> Response<Bytes> {
        let ticket = Ticket::issue(&self.shared.pepper);
        answer::page(&Form::empty(&ticket, &self.setting(language)).to_string())
    }

    fn setting(&self, language: Language) -> Setting<'_> {
        let Settings { wordings, consent, .. } = &self.shared.settings;
        Setting { language, wordings, consent: *consent }
    }

    /// Takes in a post of the contact form. Counts what became of it.
    async fn take<B>(&self, head: &Parts, body: B, peer: IpAddr) -> Response<Bytes>
    where
        B: Body,
        B::Data: Buf,
    {
        let kind = Kind::of(&head.headers);
        let mut post = Post::default();
        let taken = self.try_take(head, body, peer, kind, &mut post).await;
        let language = post.language().unwrap_or_else(|| Language::of_headers(&head.headers));
        let (response, outcome) = match taken {
            Ok(reference) => (answer::accepted(kind, reference, language), "accepted"),
            Err(problem) => {
                let outcome = problem.as_str();
                let ticket = post.ticket(&self.shared.pepper).unwrap_or_else(|| Ticket::issue(&self.shared.pepper));
                let form = Form::again(&ticket, &self.setting(language), &post, &problem);
                (answer::problem(kind, &problem, &form, language), outcome)
            }
        };
        counter!(SITE_POSTS, "outcome" => outcome).increment(1);
        tracing::info!(outcome, "contact form");
        response
    }

    /// Answers a reference that a visitor can name. `post` is what was read until something was wrong.
    async fn try_take<B>(
        &self,
        head: &Parts,
        body: B,
        peer: IpAddr,
        kind: Kind,
        post: &mut Post,
    ) -> Result<uuid::Uuid, Problem>
    where
        B: Body,
        B::Data: Buf,
    {
        let Shared { settings, pepper, limiter, client, has_warned } = &*self.shared;
        // Read first, so that whatever is wrong the visitor finds the text again.
        let (body, is_whole) = request::read(kind, body).await;
        // Not who it was: that may be a visitor who made the header up.
        if settings.proxies.ignores(peer, &head.headers) && !has_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "a forwarded header came from somebody whom FASTCORE_TRUSTED_PROXIES does not name, and is ignored: where that is \
                 your proxy, all visitors seem to come from it, and share its posts a minute"
            );
        }
        let now = Utc::now();
        let visitor = pepper.hash_address(settings.proxies.client(peer, &head.headers), now);
        let read = if is_same_site(&head.headers, &settings.origins) {
            // Counted whatever was sent.
            let counted = limiter.check(&visitor).map_err(|retry_after| Problem::TooMany { retry_after });
            counted.and(is_whole).and_then(|()| Post::read(kind, &body))
        } else {
            Err(Problem::CrossSite)
        };
        match read {
            Ok(read) => *post = read,
            Err(problem) => {
                *post = Post::salvage(kind, &body);
                if matches!(problem, Problem::CrossSite) {
                    post.forget_consent();
                }
                return Err(problem);
            }
        }

        let ticket = post.ticket(pepper);
        let suspicion = post.suspicion(ticket.as_ref(), now, &settings.fill);
        let ticket = ticket.unwrap_or_else(|| Ticket::of_content(pepper, &post.content(), &visitor));
        let instant = now.to_rfc3339_opts(SecondsFormat::Micros, true);
        let language = post.language().unwrap_or_else(|| Language::of_headers(&head.headers));
        let version = settings.wordings.consent_version(language);
        let agent = head.headers.get(USER_AGENT).map(|agent| pepper.hash_user_agent(agent.as_bytes(), now));
        let body = post.to_lead(Meta {
            source: &settings.source,
            request_id: ticket.request_id(),
            ip_hash: &visitor,
            user_agent_hash: agent.as_deref(),
            timestamp_utc: &instant,
            consent: post.consents().then_some(Proof {
                version: &version,
                locale: language.texts().locale,
                given_at: &instant,
            }),
            suspicion: &suspicion,
        });
        let lead = Lead::parse(&body, settings.consent).map_err(|error| match error {
            // What the site itself adds is no visitor's fault.
            ParseError::Invalid(violations) if violations.iter().any(|v| v.pointer().starts_with("/meta")) => {
                tracing::error!(?violations, "the site's settings make leads that are not valid");
                Problem::Unavailable
            }
            ParseError::Invalid(violations) => Problem::Invalid(violations),
            ParseError::Malformed => Problem::Malformed,
        })?;
        let delivery = client.deliver(&lead).await.map_err(|_| Problem::Unavailable)?;
        Ok(delivery.request_id().as_uuid())
    }
}

/// The language that was asked for by a link, or else by the browser.
fn asked_language(head: &Parts) -> Language {
    in_query(head, "lang").and_then(|tag| Language::of_tag(&tag)).unwrap_or_else(|| Language::of_headers(&head.headers))
}

fn in_query(head: &Parts, name: &str) -> Option<String> {
    let mut fields = url::form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes());
    fields.find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
}

impl std::fmt::Debug for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Site").field("settings", &self.shared.settings).finish_non_exhaustive()
    }
}
