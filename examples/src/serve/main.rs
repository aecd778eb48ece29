//! The site's service: `POST /inbound/leads`, probes, metrics, the contract; and the site itself.
//!
//! Started with nothing set it keeps leads in a SQLite file, makes a token, serves the contact page, and prints a curl
//! line to try.

#![allow(clippy::print_stderr, reason = "what cannot be logged yet is for whoever started this program")]

mod admin;
mod app;
mod banner;
mod database;
mod logs;
mod observe;
mod options;
mod plan;
mod probe;
mod rest;
mod sealing;
mod server;
mod started;
mod stop;
mod telling;
mod tokens;
mod watch;

use std::{convert::Infallible, fmt, process::ExitCode, time::Duration};

use clap::{CommandFactory, FromArgMatches};
use fastcore_leads_examples::{environment, site::Site, telemetry::Telemetry};
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::oneshot,
    time::{Instant, timeout_at},
};
use tower_service::Service;

use self::{
    banner::Banner,
    options::Options,
    plan::Plan,
    server::{Settings, Stopped},
    started::Started,
    stop::{StopSignals, Stopping, in_time},
};

#[tokio::main]
async fn main() -> ExitCode {
    // Before all else: a signal that comes meanwhile is heard.
    let signals = StopSignals::listen();
    // Where nothing is to be read again, SIGHUP is no end either.
    let _reload = signal(SignalKind::hangup());
    let (options, is_trial) = match read_options() {
        Ok(read) => read,
        Err(problem) => {
            eprintln!("serve: {problem}");
            return Failure::Settings(problem).exit_code();
        }
    };
    if options.probe {
        let done = probe::run(options.admin_listen.as_ref().unwrap_or(&options.listen));
        return done
            .inspect_err(|problem| eprintln!("serve: {problem}"))
            .map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    let (telemetry, refused) = match Telemetry::from_env() {
        Ok(telemetry) => (telemetry, None),
        Err(refused) => (None, Some(refused)),
    };
    let _log = logs::init(options.log_format, telemetry.as_ref());
    let done = match refused {
        None => run(&options, is_trial, telemetry.is_some(), signals).await,
        Some(refused) => Err(Failure::Settings(refused)),
    };
    // Sending the last spans may take its time; the runtime goes on meanwhile.
    let _ = tokio::task::spawn_blocking(move || drop(telemetry)).await;
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tracing::error!("{failure}");
            failure.exit_code()
        }
    }
}

/// The options, and whether no database was chosen.
fn read_options() -> Result<(Options, bool), String> {
    environment::check()?;
    let matches = environment::without_blanks(Options::command()).get_matches();
    let mut options = Options::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let is_chosen = environment::database_url(&matches, &mut options.database_url)?;
    Ok((options, !is_chosen))
}

/// Why this process ends without being told to: a sentence for the operator.
enum Failure {
    /// 2: a setting cannot be used, and starting again does not help.
    Settings(String),
    /// 1: something that it needs is not there.
    Failed(String),
}

impl Failure {
    fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Failed(_) => 1,
            Self::Settings(_) => 2,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Settings(problem) | Self::Failed(problem)) = self;
        f.write_str(problem)
    }
}

/// How long leads of visitors may take at least to be handed over or kept on disk, after the connections are closed.
const LAST_LEADS: Duration = Duration::from_secs(4);
/// How long queued leads may take at least, after the connections are closed.
const LAST_BATCHES: Duration = Duration::from_secs(2);

/// Starts, serves until a signal, drains.
async fn run(options: &Options, is_trial: bool, is_traced: bool, mut signals: StopSignals) -> Result<(), Failure> {
    let plan = Plan::read(options, is_trial).map_err(Failure::Settings)?;
    let settings = Settings {
        max_connections: options.max_connections as usize,
        drain: options.drain(),
        idle: options.idle(),
        is_traced,
        wants_peer: plan.has_site || plan.tokens.has_operators,
    };
    let made = plan.tokens.made.clone();
    let Started { address, listener, inner, ingest, telling, sealing, site, admin, parts } = tokio::select! {
        started = Started::all(options, plan, settings) => started?,
        () = signals.received() => {
            tracing::info!("stopped before it served");
            return Ok(());
        }
    };
    let (has_site, has_endpoint, has_inbox) = (site.is_some(), parts.endpoint.is_some(), parts.inbox.is_some());
    Banner { address, options, token: made.as_deref(), has_site, has_endpoint, has_inbox }.print();
    // Whoever supervises this process need not be there.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);

    let stopping = Stopping {
        signals,
        grace: options.drain_grace(),
        rest: parts.rest.clone(),
        feed: parts.feed.clone(),
        staff: parts.staff.clone(),
    };
    let stopped = match options.framework {
        options::Framework::Axum => serve(listener, inner, site, stopping, app::axum(parts), settings).await,
        options::Framework::Warp => serve(listener, inner, site, stopping, app::warp(parts), settings).await,
    };
    // What is queued was sent in time: it is written, also where a stalled connection took all the time there was.
    let left = stopped.drain_until().max(Instant::now() + LAST_BATCHES);
    if let Some(ingest) = ingest {
        let unwritten = "not all leads could be written in time; none of those was acknowledged";
        in_time(left, ingest.shutdown(), unwritten).await;
    }
    if let Some(telling) = telling {
        let untold = "not all that is told to others was answered in time: it is told again";
        in_time(left, telling.finish(), untold).await;
    }
    if let Some(sealing) = sealing {
        let unsealed = "the audit log could not be sealed in time: that goes on with the next start";
        in_time(left, sealing.finish(), unsealed).await;
    }
    if let Some(admin) = admin {
        admin.finish().await;
    }
    tracing::info!("stopped");
    Ok(())
}

/// Connections of this process to itself: as many as visitors make it need.
const MAX_INNER_CONNECTIONS: usize = 100_000;

/// Serves everybody; and, where the site posts to this same process, the site by a door of its own, which stays open until
/// every lead that arrived is safe.
async fn serve<S, B>(
    listener: TcpListener,
    inner: Option<TcpListener>,
    site: Option<Site>,
    stopping: Stopping,
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
    let stopped = server::run(listener, service, settings, stopping.begun()).await;
    // Also those whose visitors went away meanwhile; each is on the disk after an attempt of some seconds.
    if let Some(site) = site {
        let left = stopped.drain_until().max(Instant::now() + LAST_LEADS);
        let unkept = "not all leads of visitors could be kept in time; none of those was confirmed";
        in_time(left, site.finish(), unkept).await;
    }
    drop(served);
    if let Some(door) = door {
        let _ = timeout_at(stopped.drain_until(), door).await;
    }
    stopped
}
