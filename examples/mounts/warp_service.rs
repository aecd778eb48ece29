//! A warp service that was there before, with its own routes, fallback and diesel pool, and the lines that mount the lead
//! endpoint in it; and the inbox, for the staff, on a port of its own.
//!
//! `DATABASE_URL=postgres://... FASTCORE_SITE_INGEST_TOKEN=... STAFF_TOKEN=... cargo run --bin mount-warp`

use std::time::Duration;

use diesel_async::{
    AsyncPgConnection,
    pooled_connection::{AsyncDieselConnectionManager, deadpool::Pool},
};
use tokio::net::TcpListener;
use warp::Filter;
// Added:
use fastcore_leads::{Endpoint, Ingest, LeadMigrations, TokenSet};
use fastcore_leads_store_diesel::PgLeadStore;
// Added for the staff:
use fastcore_leads::{InboxEndpoint, Scope, Token};
// .

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let manager = AsyncDieselConnectionManager::<AsyncPgConnection>::new(std::env::var("DATABASE_URL")?);
    let pool = Pool::builder(manager)
        .runtime(deadpool::Runtime::Tokio1)
        .wait_timeout(Some(Duration::from_secs(2)))
        .create_timeout(Some(Duration::from_secs(2)))
        .build()?;
    // Added:
    let store = PgLeadStore::from_pool(pool.clone());
    store.migrate().await?;
    let ingest = Ingest::builder(store.clone()).start();
    let leads = fastcore_leads_warp::filter(Endpoint::new(ingest.clone(), TokenSet::from_env()?));
    // Added for the staff:
    let staff = Token::new(&std::env::var("STAFF_TOKEN")?)?.with_scopes([Scope::Read, Scope::Work]);
    let inbox = fastcore_leads_warp::inbox_filter(InboxEndpoint::new(store, TokenSet::new([staff])?));
    let inside = TcpListener::bind(std::env::var("STAFF_LISTEN").as_deref().unwrap_or("127.0.0.1:8001")).await?;
    announce(&inside)?;
    tokio::spawn(warp::serve(inbox).incoming(inside).run());
    // .
    let customers = warp::path!("customers" / "count").then(move || count(pool.clone()));
    let app = customers
        // Added:
        .or(leads)
        // .
        .or(warp::any().map(|| warp::reply::with_status("the host's own 404", warp::http::StatusCode::NOT_FOUND)));
    let listener = TcpListener::bind(listen_address()).await?;
    announce(&listener)?;
    warp::serve(app).incoming(listener).graceful(interrupted()).run().await;
    // Added:
    ingest.shutdown().await;
    // .
    Ok(())
}

async fn count(pool: Pool<AsyncPgConnection>) -> String {
    match pool.get().await {
        Ok(_) => "1".to_owned(),
        Err(_) => "unavailable".to_owned(),
    }
}

fn listen_address() -> String {
    std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:8000".to_owned())
}

#[allow(clippy::print_stdout, reason = "the program's output")]
fn announce(listener: &TcpListener) -> std::io::Result<()> {
    println!("Listening on http://{}", listener.local_addr()?);
    Ok(())
}

async fn interrupted() {
    let _ = tokio::signal::ctrl_c().await;
}
