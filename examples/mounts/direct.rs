//! Calls the library directly, with no HTTP anywhere: a lead from the command line into a SQLite file.
//!
//! `cargo run --bin direct -- "Jean Dupont" jean@example.com "Mon compresseur ne démarre plus depuis hier"`

use std::process::ExitCode;

use fastcore_leads::{Actor, ConsentPolicy, Ingest, LeadDraft, LeadMigrations};
use fastcore_leads_store_sqlx::SqliteLeadStore;
use uuid::Uuid;

#[tokio::main]
#[allow(clippy::print_stdout, clippy::print_stderr, reason = "the program's output")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, email, message] = arguments.as_slice() else {
        eprintln!("usage: direct NAME EMAIL MESSAGE");
        return ExitCode::from(2);
    };
    match take_in(name, email, message).await {
        Ok(id) => {
            println!("{id}");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

async fn take_in(name: &str, email: &str, message: &str) -> Result<String, String> {
    let (request_id, now) = (Uuid::now_v7().to_string(), chrono::Utc::now().to_rfc3339());
    let draft = LeadDraft {
        name,
        email,
        message,
        consent: true,
        source: "command-line",
        request_id: &request_id,
        ip_hash: "none",
        timestamp_utc: &now,
        ..LeadDraft::default()
    };
    let lead = draft.parse(ConsentPolicy::Required).map_err(|error| error.to_string())?;
    let store = SqliteLeadStore::connect("sqlite:fastcore-leads.db").await.map_err(|error| error.to_string())?;
    store.migrate().await.map_err(|error| error.to_string())?;
    let ingest = Ingest::builder(store).start();
    let actor = Actor::new("command_line").map_err(|error| error.to_string())?;
    let ingested = ingest.ingest(lead, actor).await.map_err(|error| error.to_string())?;
    ingest.shutdown().await;
    Ok(ingested.receipt.lead_id.to_string())
}
