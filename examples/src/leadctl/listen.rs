//! A receiver on this machine that verifies what comes and prints it: to try destinations out.

use std::{collections::HashSet, path::Path, sync::Arc};

use axum::{Router, extract::State, routing::post};
use bytes::Bytes;
use fastcore_leads::outbox::{
    SigningKey, VerifyingKey,
    signature::{WEBHOOK_ID, verify},
};
use fastcore_leads_examples::keys::read_keys;
use http::{HeaderMap, StatusCode};
use tokio::{net::TcpListener, sync::Mutex};

use crate::{
    outcome::{Failure, Outcome},
    shown,
};

struct Receiver {
    keys: Vec<VerifyingKey>,
    seen: Mutex<HashSet<String>>,
}

/// Listens until it is interrupted. Without a file of keys it makes one and says it.
pub(crate) async fn run(listen: &str, keys: Option<&Path>) -> Outcome {
    let keys = if let Some(file) = keys {
        read_keys(file).map_err(Failure::BadInput)?
    } else {
        let key = SigningKey::generate_secret().map_err(|error| Failure::Failed(error.to_string()))?;
        shown::note(format!("sign with this key, which is made for this run: {}", key.reveal()));
        vec![key.verifying_key()]
    };
    let listener = TcpListener::bind(listen).await.map_err(|error| Failure::Failed(format!("{listen}: {error}")))?;
    let address = listener.local_addr().map_err(|error| Failure::Failed(error.to_string()))?;
    shown::note(format!("listening on http://{address}/"));
    let receiver = Arc::new(Receiver { keys, seen: Mutex::default() });
    let router = Router::new().fallback(post(receive)).with_state(receiver);
    axum::serve(listener, router).await.map_err(|error| Failure::Failed(error.to_string()))
}

async fn receive(State(receiver): State<Arc<Receiver>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    if let Err(error) = verify(&receiver.keys, &headers, &body) {
        shown::note(format!("refused: {error}"));
        return StatusCode::UNAUTHORIZED;
    }
    let id = headers.get(WEBHOOK_ID).and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    // The same event may come twice.
    if receiver.seen.lock().await.insert(id) {
        shown::say(String::from_utf8_lossy(&body));
    }
    StatusCode::NO_CONTENT
}
