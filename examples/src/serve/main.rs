//! The site's service: `POST /inbound/leads`, `GET /healthz`, `GET /readyz`.
//!
//! Started with nothing set it keeps leads in a SQLite file, makes a token, and prints a curl line to try.

mod app;
mod banner;
mod logs;
mod options;
mod server;
mod token;

use std::{process::ExitCode, sync::Arc, time::Duration};

use clap::Parser;
use fastcore_leads::{ConsentPolicy, Endpoint, LeadDatabase, StoreError};
use fastcore_leads_examples::database::Url;
use tokio::{net::TcpListener, time::Instant};

use self::{banner::Banner, options::Options, token::Tokens};

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    logs::init(options.log_format);
    match run(&options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            tracing::error!("{problem}");
            ExitCode::FAILURE
        }
    }
}

/// How long queued leads may take at least, after the connections are closed.
const LAST_BATCHES: Duration = Duration::from_secs(2);

/// Opens the database, brings its tables up to date, and warns of what could lose leads.
async fn open(options: &Options) -> Result<Arc<dyn LeadDatabase>, String> {
    let url = Url::parse(&options.database_url)?;
    let shown = url.shown();
    let failed = |error: StoreError| format!("{shown}: {error}");
    let database = options.connect().open(&url).await.map_err(failed)?;
    database.migrate().await.map_err(failed)?;
    for warning in database.durability_warnings().await.map_err(failed)? {
        tracing::warn!("{warning}");
    }
    for guard in database.missing_guards().await.map_err(failed)? {
        tracing::warn!(guard, "the audit log is not protected: a trigger is missing or off; restore it");
    }
    Ok(database)
}

/// Starts, serves until a signal, drains. Errors are sentences for the operator.
async fn run(options: &Options) -> Result<(), String> {
    let Tokens { set, made } = token::from_environment()?;
    let database = open(options).await?;
    let ingest = options.ingest(database);
    let mut endpoint = Endpoint::new(ingest.clone(), set);
    if options.require_consent {
        endpoint = endpoint.consent_policy(ConsentPolicy::Required);
    }
    if options.validation_as_bad_request {
        endpoint = endpoint.validation_as_bad_request();
    }
    let listener = TcpListener::bind(&options.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}; choose another --listen", options.listen))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    Banner { address, options, token: made.as_deref() }.print();

    let settings = server::Settings { max_connections: options.max_connections as usize, drain: options.drain() };
    let started = match options.framework {
        options::Framework::Axum => server::run(listener, app::axum(endpoint), settings).await,
        options::Framework::Warp => server::run(listener, app::warp(endpoint), settings).await,
    };
    // What is queued was sent in time: it is written, also where a stalled connection took all the time there was.
    let left = started.drain_until().max(Instant::now() + LAST_BATCHES);
    if tokio::time::timeout_at(left, ingest.shutdown()).await.is_err() {
        tracing::warn!("not all leads could be written in time; none of those was acknowledged");
    }
    tracing::info!("stopped");
    Ok(())
}
