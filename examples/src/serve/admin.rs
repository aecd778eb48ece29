//! What whoever runs this service asks it, by a door of its own: visitors who hold every connection do not shut it.

use std::{convert::Infallible, future::Future, pin::Pin, task};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};
use tower_service::Service;

use crate::{
    rest::Rest,
    server::{self, Settings},
};

/// Probes, and somebody who looks.
const MAX_CONNECTIONS: usize = 64;

/// The door, until it is closed: the last of all.
pub(crate) struct Admin {
    close: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Admin {
    /// Serves at an address.
    ///
    /// # Errors
    /// A sentence for the operator, if nobody can listen there.
    pub(crate) async fn start(listen: &str, rest: Rest, settings: Settings) -> Result<Self, String> {
        let listener = TcpListener::bind(listen)
            .await
            .map_err(|error| format!("cannot listen on {listen}: {error}; choose another --admin-listen"))?;
        if let Ok(address) = listener.local_addr() {
            tracing::info!(%address, "probes and metrics");
        }
        let (close, closed) = oneshot::channel();
        let settings = Settings { max_connections: MAX_CONNECTIONS, ..settings };
        let task = tokio::spawn(async move {
            let stop = async {
                let _ = closed.await;
            };
            server::run(listener, Administered(rest), settings, stop).await;
        });
        Ok(Self { close, task })
    }

    pub(crate) async fn finish(self) {
        drop(self.close);
        let _ = self.task.await;
    }
}

#[derive(Clone)]
struct Administered(Rest);

impl Service<Request<Incoming>> for Administered {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> task::Poll<Result<(), Infallible>> {
        task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let rest = self.0.clone();
        Box::pin(async move { Ok(rest.administer(request).await.map(Full::new)) })
    }
}
