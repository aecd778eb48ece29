//! A receiver of FASTCore's webhooks in axum: verifies, drops what it has, prints the rest.
//!
//! `WEBHOOK_KEY=whsec_... cargo run --bin receive-webhooks`, or `whpk_...` for a public key

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use fastcore_leads::outbox::{
    VerifyingKey,
    signature::{WEBHOOK_ID, verify},
};
use tokio::net::TcpListener;

struct Receiver {
    keys: Vec<VerifyingKey>,
    /// A real receiver keeps these in its database, in the transaction that does what the event asks for.
    seen: Mutex<HashSet<String>>,
}

#[allow(clippy::print_stderr, reason = "it says where it listens")]
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let key: VerifyingKey = std::env::var("WEBHOOK_KEY")?.parse()?;
    let receiver = Arc::new(Receiver { keys: vec![key], seen: Mutex::default() });
    let app = Router::new().fallback(post(receive)).with_state(receiver);
    let listener = TcpListener::bind(std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:8001".to_owned())).await?;
    eprintln!("listening on http://{}/", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

#[allow(clippy::print_stdout, reason = "the program's output")]
async fn receive(State(receiver): State<Arc<Receiver>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    if verify(&receiver.keys, &headers, &body).is_err() {
        return StatusCode::UNAUTHORIZED;
    }
    let id = headers.get(WEBHOOK_ID).and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    let Ok(mut event) = serde_json::from_slice::<serde_json::Value>(&body) else { return StatusCode::BAD_REQUEST };
    event["id"] = id.clone().into();
    if receiver.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(id) {
        println!("{event}");
    }
    StatusCode::NO_CONTENT
}
