//! The operator's tool: it calls the library directly, with no HTTP anywhere.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool for the command line")]

mod audit;
mod check;
mod dump;
mod find;
mod import;
mod inbox;
mod listen;
mod options;
mod outbox;
mod outcome;
mod shown;
mod spool;
mod stats;
mod subjects;
mod zone;

use std::{process::ExitCode, sync::Arc, time::Duration};

use clap::{CommandFactory, FromArgMatches};
use fastcore_leads::{LeadDatabase, sql, token};
use fastcore_leads_examples::{
    database::{Connect, Url},
    environment, logs,
};

use self::{
    options::{AuditCommand, Command, NotifyCommand, Options},
    outcome::{Failure, Outcome},
};

/// How long the database may take for a call: an operator waits longer than a visitor.
const TIMEOUT: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> ExitCode {
    let options = match read_options() {
        Ok(options) => options,
        Err(problem) => {
            shown::note(format!("leadctl: {problem}"));
            return Failure::BadInput(problem).exit_code();
        }
    };
    tracing_subscriber::fmt().with_env_filter(logs::filter("off")).with_writer(std::io::stderr).init();
    match run(&options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            shown::note(format!("leadctl: {failure}"));
            failure.exit_code()
        }
    }
}

fn read_options() -> Result<Options, String> {
    environment::check()?;
    let matches = environment::without_blanks(Options::command()).get_matches();
    let mut options = Options::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    environment::database_url(&matches, &mut options.database_url)?;
    Ok(options)
}

async fn run(options: &Options) -> Outcome {
    match &options.command {
        Command::Token => {
            shown::say(token::generate().map_err(|error| Failure::Failed(error.to_string()))?);
            Ok(())
        }
        Command::Grants { owner, writer, pooler } => {
            let settings = if *pooler { sql::postgres::pooled_role(writer, TIMEOUT) } else { String::new() };
            shown::say((sql::postgres::grants(owner, writer) + &settings).trim_end());
            Ok(())
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Options::command(), "leadctl", &mut script);
            shown::say(String::from_utf8_lossy(&script).trim_end());
            Ok(())
        }
        Command::Spool(command) => spool::run(options, command),
        Command::Notify(NotifyCommand::Test { destination, destinations }) => {
            outbox::try_out(destinations, destination).await
        }
        Command::Listen { listen, keys } => listen::run(listen, keys.as_deref()).await,
        Command::WebhookKey { private } => outbox::key(*private),
        Command::Audit(AuditCommand::Key { name, of }) => audit::key(name.as_deref(), of.as_deref()),
        Command::Audit(AuditCommand::Check { receipt, known }) => audit::check(options, receipt, known),
        Command::Audit(AuditCommand::Witness { log, known, key, seen, first }) => {
            audit::witness(log, known, key, seen, *first).await
        }
        Command::Migrate => {
            let database = open(options).await?;
            database.migrate().await?;
            shown::note("the tables are up to date");
            Ok(())
        }
        Command::Check => check::run(options, &*open(options).await?).await,
        command => {
            let database = open(options).await?;
            // Before anything is read or changed: a sentence about the schema beats a driver's about a column.
            database.ready().await?;
            match command {
                Command::List(filter) => inbox::list(options, &*database, filter).await,
                Command::Search(search) => inbox::search(options, &*database, search).await,
                Command::Counts => inbox::counts(options, &*database).await,
                Command::Watch => inbox::watch(options, &*database).await,
                Command::Stats(stats) => stats::run(options, &*database, stats).await,
                Command::Show { id } => inbox::show(options, &*database, *id).await,
                Command::Note { id, text } => inbox::note(options, &*database, *id, text).await,
                Command::Assign { id, to, nobody, reason } => {
                    let to = to.clone().or_else(|| Some(options.actor.clone())).filter(|_| !nobody);
                    inbox::assign(options, &*database, *id, to, reason.clone()).await
                }
                Command::Move { id, status, seen, reason } => {
                    inbox::transition(options, &*database, *id, *status, *seen, reason.clone()).await
                }
                Command::Release { id, reason } => inbox::release(options, &*database, *id, reason.clone()).await,
                Command::WithdrawConsent { id, reason } => {
                    inbox::withdraw_consent(options, &*database, *id, reason.clone()).await
                }
                Command::Export { email, output } => {
                    subjects::export(options, &*database, email, output.as_deref()).await
                }
                Command::Erasures { since } => subjects::erasures(options, &*database, *since).await,
                Command::Erase { from_list: Some(list), reason, yes, .. } => {
                    subjects::erase_again(options, &*database, list, reason.clone(), *yes).await
                }
                Command::Erase { subject, reason, yes, .. } => {
                    subjects::erase(options, &*database, subject.as_deref().unwrap_or_default(), reason.clone(), *yes)
                        .await
                }
                Command::Purge(purge) => subjects::purge(options, &*database, purge).await,
                Command::Import(import) => import::run(options, database, import).await,
                Command::Dump(dump) => dump::run(options, &*database, dump).await,
                Command::Dispatch { destinations } => outbox::dispatch(database, destinations).await,
                Command::Destinations => outbox::destinations(options, &*database).await,
                Command::Deliveries { deliveries, limit } => {
                    outbox::deliveries(options, &*database, deliveries, *limit).await
                }
                Command::Replay { deliveries, dry_run } => {
                    outbox::replay(options, &*database, deliveries, *dry_run).await
                }
                Command::Pause { destination } => outbox::pause(&*database, destination, true).await,
                Command::Resume { destination } => outbox::pause(&*database, destination, false).await,
                Command::Forget { destination, yes } => outbox::forget(&*database, destination, *yes).await,
                Command::Audit(command) => audit_log(options, database, command).await,
                Command::Events { after, follow } => outbox::events(&*database, *after, *follow).await,
                Command::Notify(_)
                | Command::Listen { .. }
                | Command::WebhookKey { .. }
                | Command::Token
                | Command::Grants { .. }
                | Command::Completions { .. }
                | Command::Spool(_)
                | Command::Migrate
                | Command::Check => Ok(()),
            }
        }
    }
}

async fn audit_log(options: &Options, database: Arc<dyn LeadDatabase>, command: &AuditCommand) -> Outcome {
    match command {
        AuditCommand::Status => audit::status(options, &*database).await,
        AuditCommand::Seal { keys, publish } => audit::seal(database, keys, publish.as_deref()).await,
        AuditCommand::Verify(asked) => audit::verify(options, &*database, asked).await,
        AuditCommand::Prove { id, output } => audit::prove(&*database, *id, output.as_deref()).await,
        AuditCommand::Redact { row, reason, yes } => audit::redact(options, &*database, *row, reason, *yes).await,
        AuditCommand::Restart { former, reason, yes } => {
            audit::restart(options, &*database, former.as_deref(), reason, *yes).await
        }
        AuditCommand::Key { .. } | AuditCommand::Check { .. } | AuditCommand::Witness { .. } => Ok(()),
    }
}

async fn open(options: &Options) -> Result<Arc<dyn LeadDatabase>, Failure> {
    let url = Url::parse(&options.database_url).map_err(Failure::Failed)?;
    // Looking at a file must not make one.
    if !url.is_there() && !matches!(options.command, Command::Migrate) {
        return Err(Failure::Failed(format!("{} is not there; `leadctl migrate` makes it", url.shown())));
    }
    let connect = Connect { driver: options.driver, min_connections: 1, max_connections: 4, timeout: TIMEOUT };
    connect.open(&url).await.map_err(|error| Failure::Failed(format!("{}: {error}", url.shown())))
}
