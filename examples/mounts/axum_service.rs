//! An axum service that was there before, with its own state, routes, middleware and sqlx pool, and the lines that mount
//! the lead endpoint in it; and the inbox, for the staff, on a port of its own.
//!
//! `DATABASE_URL=postgres://... FASTCORE_SITE_INGEST_TOKEN=... STAFF_TOKEN=... cargo run --bin mount-axum`

use axum::{Router, extract::State, http::Request, middleware, routing::get};
use sqlx::postgres::PgPool;
use tokio::net::TcpListener;
// Added:
use fastcore_leads::{Endpoint, Ingest, LeadMigrations, TokenSet};
use fastcore_leads_store_sqlx::PgLeadStore;
// Added for the staff:
use fastcore_leads::{InboxEndpoint, Scope, Token};
// .

#[derive(Clone)]
struct AppState {
    pool: PgPool,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pool = PgPool::connect(&std::env::var("DATABASE_URL")?).await?;
    // Added:
    let store = PgLeadStore::from_pool(pool.clone());
    store.migrate().await?;
    let ingest = Ingest::builder(store.clone()).start();
    let leads = fastcore_leads_axum::router(Endpoint::new(ingest.clone(), TokenSet::from_env()?));
    // Added for the staff:
    let staff = Token::new(&std::env::var("STAFF_TOKEN")?)?.with_scopes([Scope::Read, Scope::Work]);
    let inbox = fastcore_leads_axum::inbox_router(InboxEndpoint::new(store, TokenSet::new([staff])?));
    let inside = TcpListener::bind(std::env::var("STAFF_LISTEN").as_deref().unwrap_or("127.0.0.1:8001")).await?;
    announce(&inside)?;
    tokio::spawn(async move { axum::serve(inside, inbox).await });
    // .
    let app: Router = Router::new()
        .route("/customers/count", get(count))
        // Added:
        .merge(leads)
        // .
        .layer(middleware::from_fn(async |request: Request<_>, next: middleware::Next| next.run(request).await))
        .with_state(AppState { pool });
    let listener = TcpListener::bind(listen_address()).await?;
    announce(&listener)?;
    axum::serve(listener, app).with_graceful_shutdown(interrupted()).await?;
    // Added:
    ingest.shutdown().await;
    // .
    Ok(())
}

async fn count(State(state): State<AppState>) -> Result<String, String> {
    let one: i32 = sqlx::query_scalar("SELECT 1").fetch_one(&state.pool).await.map_err(|_| "unavailable".to_owned())?;
    Ok(one.to_string())
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
