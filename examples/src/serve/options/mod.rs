mod site;
mod staff;

use std::{path::PathBuf, sync::Arc, time::Duration};

use chrono_tz::Tz;
use clap::{Parser, ValueEnum, value_parser};
use fastcore_leads::{Commits, ConsentPolicy, Ingest, IngestBuilder, LeadStore, outbox::Payload};
use fastcore_leads_examples::database::{Connect, Driver};

use self::site::SiteOptions;
pub(crate) use self::staff::StaffPath;

/// Takes in website leads: POST /inbound/leads. Can play the site too: a contact page that posts them.
///
/// Tokens come from `FASTCORE_SITE_INGEST_TOKEN` (one, or several separated by commas) and not from an option, which other
/// users of the machine could see. Without it a token is made for this run and shown once. A secret may come from a file, too:
/// `DATABASE_URL_FILE` names the file of `DATABASE_URL`, and so on; or from systemd's credentials.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Options {
    /// Where to listen.
    #[arg(long, env = "FASTCORE_LISTEN", default_value = "127.0.0.1:8000")]
    pub(crate) listen: String,

    /// Where leads are kept: <postgres://user:password@host/database>, or sqlite:path/to/file.db.
    #[arg(long, env = "DATABASE_URL", default_value = "sqlite:fastcore-leads.db", hide_env_values = true)]
    pub(crate) database_url: String,

    #[command(flatten)]
    pub(crate) site: SiteOptions,

    /// The library that talks to the database.
    #[arg(long, env = "FASTCORE_DRIVER", value_enum, default_value_t = Driver::Sqlx)]
    pub(crate) driver: Driver,

    /// The web framework that the endpoint is mounted in.
    #[arg(long, env = "FASTCORE_FRAMEWORK", value_enum, default_value_t = Framework::Axum)]
    pub(crate) framework: Framework,

    /// How log lines look; they go to standard error. `RUST_LOG` chooses which (default: info).
    #[arg(long, env = "FASTCORE_LOG_FORMAT", value_enum, default_value_t = LogFormat::Human)]
    pub(crate) log_format: LogFormat,

    /// The file that says who is told of leads, TOML; SIGHUP has it read again. Nobody is told without it.
    #[arg(long, env = "FASTCORE_DESTINATIONS")]
    pub(crate) destinations: Option<PathBuf>,

    /// How much of a lead GET /inbound/events tells: thin (ids, service, source, status) or full. The feed is on where
    /// `FASTCORE_EVENTS_TOKEN` holds a token for it, or several separated by commas.
    #[arg(long, env = "FASTCORE_EVENTS_PAYLOAD", default_value = "thin")]
    pub(crate) events_payload: Payload,

    /// The file of the keys that the audit log is sealed with, one a line, the log's own first: `leadctl audit key` makes one. GET
    /// /audit/checkpoint and /inbound/leads/ID/receipt are on then. Nothing is sealed without it.
    #[arg(long, env = "FASTCORE_AUDIT_KEYS")]
    pub(crate) audit_keys: Option<PathBuf>,

    /// The folder that checkpoints of the audit log and its hashes are published to: one that the database's owner cannot change.
    #[arg(long, env = "FASTCORE_AUDIT_PUBLISH", requires = "audit_keys")]
    pub(crate) publish: Option<PathBuf>,

    /// The path of the staff's pages, and that the inbox is mounted under: `{path}/inbound/leads` and below. Both are on where
    /// `FASTCORE_OPERATOR_TOKENS` holds a token for it, or several separated by commas, each as name:read+reveal+work=token; the
    /// scopes are read, reveal, work and erase, and without any all but erase.
    #[arg(long, env = "FASTCORE_STAFF_PATH", default_value = "/staff")]
    pub(crate) staff_path: StaffPath,

    /// The time zone of the staff's pages.
    #[arg(long, env = "FASTCORE_STAFF_TIME_ZONE", default_value = "Europe/Paris")]
    pub(crate) staff_time_zone: Tz,

    /// PostgreSQL connections that are kept open.
    #[arg(long, env = "FASTCORE_MIN_DB_CONNECTIONS", default_value_t = 2, value_parser = value_parser!(u32).range(..=10_000))]
    min_db_connections: u32,

    /// PostgreSQL connections at most.
    #[arg(long, env = "FASTCORE_MAX_DB_CONNECTIONS", default_value_t = 30, value_parser = value_parser!(u32).range(1..=10_000))]
    max_db_connections: u32,

    /// HTTP connections at most; more wait to be accepted.
    #[arg(long, env = "FASTCORE_MAX_CONNECTIONS", default_value_t = 1024, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub(crate) max_connections: u32,

    /// How long a request waits for its COMMIT at most, in milliseconds; then it is told to come back.
    #[arg(long, env = "FASTCORE_DEADLINE_MS", default_value_t = 2000, value_parser = value_parser!(u64).range(1..=3_600_000))]
    deadline_ms: u64,

    /// Leads that may wait to be written; one more is told to come back at once.
    #[arg(long, env = "FASTCORE_QUEUE_CAPACITY", default_value_t = 4096, value_parser = value_parser!(u32).range(1..=1_000_000))]
    queue_capacity: u32,

    /// Leads that share a transaction at most; 1 is a transaction per lead.
    #[arg(long, env = "FASTCORE_MAX_BATCH", default_value_t = 256, value_parser = value_parser!(u32).range(1..=10_000))]
    max_batch: u32,

    /// Transactions under way at once at most.
    #[arg(long, env = "FASTCORE_WRITERS", default_value_t = 2, value_parser = value_parser!(u32).range(1..=64))]
    writers: u32,

    /// Refuse leads whose consent is false.
    #[arg(long, env = "FASTCORE_REQUIRE_CONSENT")]
    require_consent: bool,

    /// Answer leads that are not valid with 400 instead of 422.
    #[arg(long, env = "FASTCORE_VALIDATION_AS_BAD_REQUEST")]
    pub(crate) validation_as_bad_request: bool,

    /// A file of tokens with names, scopes, sources and ends, TOML; SIGHUP has it read again. Besides those of the variables.
    #[arg(long, env = "FASTCORE_TOKENS")]
    pub(crate) tokens: Option<PathBuf>,

    /// Where to listen for whoever runs this: /healthz, /readyz and /metrics, with connections of their own. Without it they are where
    /// all else is; with it, /metrics is there alone.
    #[arg(long, env = "FASTCORE_ADMIN_LISTEN")]
    pub(crate) admin_listen: Option<String>,

    /// How long a client may keep a connection open between two requests, in seconds: longer than a proxy in front does.
    #[arg(long, env = "FASTCORE_IDLE_SECONDS", default_value_t = 75, value_parser = value_parser!(u64).range(1..=3600))]
    idle_seconds: u64,

    /// How long /readyz says no after SIGTERM or SIGINT before anything else is done, in seconds: until balancers have seen it.
    #[arg(long, env = "FASTCORE_DRAIN_GRACE_SECONDS", default_value_t = 0, value_parser = value_parser!(u64).range(..=600))]
    drain_grace: u64,

    /// Asks the service that runs with these settings whether it is ready, and ends with 0 if it is: for HEALTHCHECK.
    #[arg(long)]
    pub(crate) probe: bool,

    /// How long requests under way may take to finish after SIGTERM or SIGINT, in seconds.
    #[arg(long, env = "FASTCORE_DRAIN_SECONDS", default_value_t = 10, value_parser = value_parser!(u64).range(..=3600))]
    drain_seconds: u64,
}

impl Options {
    pub(crate) fn connect(&self) -> Connect {
        let (min_connections, max_connections) = (self.min_db_connections, self.max_db_connections);
        // A caller that waits longer wants the database to have longer.
        let timeout = Duration::from_millis(self.deadline_ms.max(2000));
        Connect { driver: self.driver, min_connections, max_connections, timeout }
    }

    /// The ingest workflow over a store.
    pub(crate) fn ingest(&self, store: impl LeadStore + 'static, commits: [Arc<Commits>; 3]) -> Ingest {
        commits
            .into_iter()
            .fold(Ingest::builder(store), IngestBuilder::followed_by)
            .deadline(Duration::from_millis(self.deadline_ms))
            .queue_capacity(self.queue_capacity as usize)
            .max_batch(self.max_batch as usize)
            .writers(self.writers as usize)
            .start()
    }

    /// What becomes of a lead without consent, here and on the site.
    pub(crate) fn consent_policy(&self) -> ConsentPolicy {
        if self.require_consent { ConsentPolicy::Required } else { ConsentPolicy::Recorded }
    }

    pub(crate) fn idle(&self) -> Duration {
        Duration::from_secs(self.idle_seconds)
    }

    pub(crate) fn drain_grace(&self) -> Duration {
        Duration::from_secs(self.drain_grace)
    }

    pub(crate) fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Framework {
    Axum,
    Warp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Human,
    Json,
}
