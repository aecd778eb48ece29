//! The operator's tool: it calls the library directly, with no HTTP anywhere.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool for the command line")]

mod check;
mod dump;
mod import;
mod inbox;
mod options;
mod outcome;
mod shown;
mod subjects;

use std::{process::ExitCode, sync::Arc};

use clap::{CommandFactory, Parser};
use fastcore_leads::{LeadDatabase, sql};
use fastcore_leads_examples::{
    database::{Connect, Url},
    token,
};
use tracing_subscriber::EnvFilter;

use self::{
    options::{Command, Options},
    outcome::{Failure, Outcome},
};

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match run(&options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("leadctl: {failure}");
            failure.exit_code()
        }
    }
}

async fn run(options: &Options) -> Outcome {
    match &options.command {
        Command::Token => {
            println!("{}", token::make().map_err(Failure::Failed)?);
            Ok(())
        }
        Command::Grants { owner, writer } => {
            print!("{}", sql::postgres::grants(owner, writer));
            Ok(())
        }
        Command::Completions { shell } => {
            clap_complete::generate(*shell, &mut Options::command(), "leadctl", &mut std::io::stdout());
            Ok(())
        }
        Command::Migrate => {
            let database = open(options).await?;
            database.migrate().await?;
            eprintln!("the tables are up to date");
            Ok(())
        }
        Command::Check => check::run(options, &*open(options).await?).await,
        command => {
            let database = open(options).await?;
            // Before anything is read or changed: a sentence about the schema beats a driver's about a column.
            database.ready().await?;
            match command {
                Command::List(filter) => inbox::list(options, &*database, filter).await,
                Command::Counts => inbox::counts(options, &*database).await,
                Command::Show { id } => inbox::show(options, &*database, id).await,
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
                Command::Erase { subject, reason, yes } => {
                    subjects::erase(options, &*database, subject, reason.clone(), *yes).await
                }
                Command::Purge(purge) => subjects::purge(options, &*database, purge).await,
                Command::Import(import) => import::run(options, database, import).await,
                Command::Dump(dump) => dump::run(options, &*database, dump).await,
                Command::Token
                | Command::Grants { .. }
                | Command::Completions { .. }
                | Command::Migrate
                | Command::Check => Ok(()),
            }
        }
    }
}

async fn open(options: &Options) -> Result<Arc<dyn LeadDatabase>, Failure> {
    let url = Url::parse(&options.database_url).map_err(Failure::Failed)?;
    let connect = Connect { driver: options.driver, min_connections: 1, max_connections: 4 };
    connect.open(&url).await.map_err(|error| Failure::Failed(format!("{}: {error}", url.shown())))
}
