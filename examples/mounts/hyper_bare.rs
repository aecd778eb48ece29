//! A third framework: hyper alone, over `Endpoint::handle`. Leads are kept in a SQLite file.
//!
//! `FASTCORE_SITE_INGEST_TOKEN=... cargo run --bin mount-hyper`

use std::convert::Infallible;

use bytes::Bytes;
use fastcore_leads::{Endpoint, INBOUND_LEADS_PATH, Ingest, LeadMigrations, TokenSet};
use fastcore_leads_store_sqlx::SqliteLeadStore;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

#[tokio::main]
#[allow(clippy::print_stdout, reason = "the program's output")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = SqliteLeadStore::connect("sqlite:fastcore-leads.db").await?;
    store.migrate().await?;
    let endpoint = Endpoint::new(Ingest::builder(store).start(), TokenSet::from_env()?);
    let listener = TcpListener::bind(std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:8000".to_owned())).await?;
    println!("Listening on http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        let endpoint = endpoint.clone();
        let service = service_fn(move |request| route(endpoint.clone(), request));
        let mut server = http1::Builder::new();
        server.timer(TokioTimer::new());
        tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
    }
}

async fn route(endpoint: Endpoint, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let response = if request.uri().path() == INBOUND_LEADS_PATH {
        endpoint.handle(request).await
    } else {
        let mut not_found = Response::new(Bytes::new());
        *not_found.status_mut() = StatusCode::NOT_FOUND;
        not_found
    };
    Ok(response.map(Full::new))
}
