//! The site's service: `POST /inbound/leads`, probes, metrics, the contract; and the site itself.
//!
//! Started with nothing set it keeps leads in a SQLite file, makes a token, serves the contact page, and prints a curl
//! line to try.

mod app;
mod banner;
mod database;
mod logs;
mod observe;
mod options;
mod rest;
mod server;
mod telling;
mod token;

use std::{convert::Infallible, net::Ipv4Addr, process::ExitCode, sync::Arc, time::Duration};

use clap::{CommandFactory, FromArgMatches, parser::ValueSource};
use fastcore_leads::{Commits, Endpoint, EventsEndpoint, InboxEndpoint, token::TOKEN_VARIABLE};
use fastcore_leads_examples::{
    destinations, metrics,
    site::Site,
    staff::{self, Staff},
    telemetry::Telemetry,
};
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use tokio::{
    net::TcpListener,
    sync::oneshot,
    time::{Instant, timeout_at},
};
use tower_service::Service;

use self::{
    app::Parts,
    banner::Banner,
    database::Database,
    options::Options,
    rest::Rest,
    server::{Settings, StopSignals, Stopped},
    telling::Telling,
    token::Tokens,
};

#[tokio::main]
async fn main() -> ExitCode {
    let matches = Options::command().get_matches();
    let is_trial = matches.value_source("database_url") == Some(ValueSource::DefaultValue);
    let options = Options::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let (telemetry, refused) = match Telemetry::from_env() {
        Ok(telemetry) => (telemetry, None),
        Err(refused) => (None, Some(refused)),
    };
    logs::init(options.log_format, telemetry.as_ref());
    let done = match refused {
        None => run(&options, is_trial, telemetry.is_some()).await,
        Some(refused) => Err(refused),
    };
    // Sending the last spans may take its time; the runtime goes on meanwhile.
    let _ = tokio::task::spawn_blocking(move || drop(telemetry)).await;
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            tracing::error!("{problem}");
            ExitCode::FAILURE
        }
    }
}

/// How long leads of visitors may take at least to be handed over or kept on disk, after the connections are closed.
const LAST_LEADS: Duration = Duration::from_secs(4);
/// How long queued leads may take at least, after the connections are closed.
const LAST_BATCHES: Duration = Duration::from_secs(2);

/// What is said where events are to be told of leads that are not kept here.
const TELLS_NOBODY: &str =
    "FASTCORE_DESTINATIONS is set, but FASTCORE_BASE_URL is another service, which keeps the leads: set it there";
const HAS_NO_EVENTS: &str =
    "FASTCORE_EVENTS_TOKEN is set, but FASTCORE_BASE_URL is another service, which keeps the leads: set it there";
const HAS_NO_INBOX: &str =
    "FASTCORE_OPERATOR_TOKENS is set, but FASTCORE_BASE_URL is another service, which keeps the leads: set it there";

/// Starts, serves until a signal, drains. Errors are sentences for the operator. `is_trial` says that no database was
/// chosen.
async fn run(options: &Options, is_trial: bool, is_traced: bool) -> Result<(), String> {
    let Tokens { set, has_events, has_operators, made, own } = token::from_environment(&options.listen)?;
    let has_site = options.site.is_on(is_trial && made.is_some());
    let is_site_only = has_site && !options.site.posts_here();
    if is_site_only && made.is_some() {
        return Err(format!(
            "{TOKEN_VARIABLE} is not set: FASTCORE_BASE_URL is another service, which knows its tokens"
        ));
    }
    // Before anything is made: a file that cannot be used changes nothing.
    let told = match &options.destinations {
        Some(_) if is_site_only => return Err(TELLS_NOBODY.to_owned()),
        Some(file) => Some((file.clone(), destinations::read(file)?)),
        None => None,
    };
    if is_site_only && has_events {
        return Err(HAS_NO_EVENTS.to_owned());
    }
    if is_site_only && has_operators {
        return Err(HAS_NO_INBOX.to_owned());
    }
    let metrics = metrics::install().map_err(|error| error.to_string())?;
    // Where leads go to another service, there is nothing to keep here.
    let database = if is_site_only { None } else { Some(Database::open(options, has_site).await?) };
    if is_site_only && !is_trial {
        tracing::warn!(
            "DATABASE_URL is not used: this process serves the site alone, and its leads go to FASTCORE_BASE_URL"
        );
    }
    let (committed, appended) = (Commits::new(), Commits::new());
    let wake = [Arc::clone(&committed), Arc::clone(&appended)];
    let ingest = database.clone().map(|database| options.ingest(database, wake));
    let feed = database.clone().filter(|_| has_events).map(|database| {
        EventsEndpoint::builder(database, set.clone()).payload(options.events_payload).follow(appended).build()
    });
    let inbox = database.clone().filter(|_| has_operators).map(|database| InboxEndpoint::new(database, set.clone()));
    let staff = inbox.clone().zip(database.clone()).map(|(inbox, database)| {
        let settings = staff::Settings {
            path: options.staff_path.to_string(),
            time_zone: options.staff_time_zone,
            lifetime: staff::Lifetime::default(),
            proxies: options.site.proxies(),
        };
        Staff::new(settings, inbox, Arc::new(database), set.clone())
    });
    let staff = staff.transpose()?;
    let inbox = inbox.map(|inbox| (options.staff_path.clone(), inbox));
    let telling =
        told.zip(database.clone()).map(|((file, told), database)| Telling::start(file, told, database, committed));
    let endpoint = ingest.clone().map(|ingest| {
        let endpoint = Endpoint::new(ingest, set).consent_policy(options.consent_policy());
        if options.validation_as_bad_request { endpoint.validation_as_bad_request() } else { endpoint }
    });
    let signals = StopSignals::listen();
    let listener = TcpListener::bind(&options.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}; choose another --listen", options.listen))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let (mut site, mut inner) = (None, None);
    if has_site {
        // Visitors who hold every connection must not keep the site from reaching its own endpoint.
        let door = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(|error| error.to_string())?;
        let own_url = format!("http://{}", door.local_addr().map_err(|error| error.to_string())?);
        inner = options.site.posts_here().then_some(door);
        site = Some(options.site.start(&own_url, &own, options.consent_policy())?);
    }
    let has_endpoint = endpoint.is_some();
    Banner { address, options, token: made.as_deref(), has_site, has_endpoint, has_inbox: inbox.is_some() }.print();

    let settings = Settings {
        max_connections: options.max_connections as usize,
        drain: options.drain(),
        is_traced,
        wants_peer: has_site || staff.is_some(),
    };
    let staff_path = inbox.as_ref().map(|(path, _)| path);
    let rest = Rest::new(endpoint.clone(), site.clone(), metrics, database, staff_path);
    let waiting = Waiting { signals, feed: feed.clone(), staff: staff.clone() };
    let parts = Parts { endpoint, feed, inbox, staff, rest };
    let started = match options.framework {
        options::Framework::Axum => serve(listener, inner, site, waiting, app::axum(parts), settings).await,
        options::Framework::Warp => serve(listener, inner, site, waiting, app::warp(parts), settings).await,
    };
    // What is queued was sent in time: it is written, also where a stalled connection took all the time there was.
    let left = started.drain_until().max(Instant::now() + LAST_BATCHES);
    if let Some(ingest) = ingest
        && timeout_at(left, ingest.shutdown()).await.is_err()
    {
        tracing::warn!("not all leads could be written in time; none of those was acknowledged");
    }
    if let Some(telling) = telling
        && timeout_at(left, telling.finish()).await.is_err()
    {
        tracing::warn!("not all that is told to others was answered in time: it is told again");
    }
    tracing::info!("stopped");
    Ok(())
}

/// Whose callers wait for news: they would hold up all that is to end.
struct Waiting {
    signals: StopSignals,
    feed: Option<EventsEndpoint>,
    staff: Option<Staff>,
}

impl Waiting {
    /// Waits for a signal, and lets nobody wait any longer.
    async fn stop(self) {
        self.signals.received().await;
        if let Some(feed) = self.feed {
            feed.close();
        }
        if let Some(staff) = self.staff {
            staff.close();
        }
    }
}

/// Connections of this process to itself: as many as visitors make it need.
const MAX_INNER_CONNECTIONS: usize = 100_000;

/// Serves everybody; and, where the site posts to this same process, the site by a door of its own, which stays open until
/// every lead that arrived is safe.
async fn serve<S, B>(
    listener: TcpListener,
    inner: Option<TcpListener>,
    site: Option<Site>,
    waiting: Waiting,
    service: S,
    settings: Settings,
) -> Stopped
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send + 'static>
        + Clone
        + Send
        + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    let (served, everybody_is_served) = oneshot::channel::<()>();
    let door = inner.map(|inner| {
        let stop = async {
            let _ = everybody_is_served.await;
        };
        let settings = Settings { max_connections: MAX_INNER_CONNECTIONS, ..settings };
        tokio::spawn(server::run(inner, service.clone(), settings, stop))
    });
    let stopped = server::run(listener, service, settings, waiting.stop()).await;
    // Also those whose visitors went away meanwhile; each is on the disk after an attempt of some seconds.
    if let Some(site) = site {
        let left = stopped.drain_until().max(Instant::now() + LAST_LEADS);
        if timeout_at(left, site.finish()).await.is_err() {
            tracing::warn!("not all leads of visitors could be kept in time; none of those was confirmed");
        }
    }
    drop(served);
    if let Some(door) = door {
        let _ = timeout_at(stopped.drain_until(), door).await;
    }
    stopped
}
