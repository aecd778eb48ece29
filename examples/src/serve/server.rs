//! The accept loop for both frameworks, since neither's own sets these bounds: a header timeout, a connection cap,
//! `TCP_NODELAY`, a drain that ends. The body's deadline is the endpoint's.

use std::{convert::Infallible, future::Future, net::IpAddr, pin::pin, sync::Arc, time::Duration};

use http::{HeaderValue, Request, Response, header::HOST};
use http_body::Body;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{Instant, sleep, timeout_at},
};
use tower_service::Service;

use crate::{
    observe,
    watch::{Limits, Watch, Watched, Watching},
};

/// How long a client may take for a request's head.
const HEAD: Duration = Duration::from_secs(10);
/// How long it may take to read a piece of its answer.
const WRITE: Duration = Duration::from_secs(30);
/// A request's head with all its headers, in bytes.
const MAX_HEAD: usize = 16 * 1024;
/// How long to wait after an error of the listener, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

#[derive(Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) max_connections: usize,
    pub(crate) drain: Duration,
    /// How long a client may keep a connection open between two requests.
    pub(crate) idle: Duration,
    /// Whether spans are sent anywhere.
    pub(crate) is_traced: bool,
    /// Whether somebody asks where requests come from.
    pub(crate) wants_peer: bool,
}

/// Where a request's connection comes from.
#[derive(Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// A server that was told to stop.
pub(crate) struct Stopped {
    drain_until: Instant,
}

impl Stopped {
    /// What is not done by then is not waited for.
    pub(crate) fn drain_until(&self) -> Instant {
        self.drain_until
    }
}

/// Serves until told to stop, then lets requests under way finish.
pub(crate) async fn run<S, B>(
    listener: TcpListener,
    service: S,
    settings: Settings,
    stop: impl Future<Output = ()>,
) -> Stopped
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send + 'static>
        + Clone
        + Send
        + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(settings.max_connections));
    let graceful = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let next = async {
            // Never closed: waits for a place, then for a client.
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = &mut stop => break,
            next = next => next,
        };
        match accepted {
            Ok((stream, peer)) => {
                let peer = settings.wants_peer.then(|| Peer(peer.ip()));
                let connection = connection(stream, peer, service.clone(), settings, &graceful);
                tokio::spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let drain_until = Instant::now() + settings.drain;
    tracing::info!("stopping: letting requests under way finish");
    if timeout_at(drain_until, graceful.shutdown()).await.is_err() {
        tracing::warn!("connections that did not finish in time are cut");
    }
    Stopped { drain_until }
}

fn connection<S, B>(
    stream: TcpStream,
    peer: Option<Peer>,
    service: S,
    settings: Settings,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + Send + 'static
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send + 'static>
        + Clone
        + Send
        + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let watch = Watch::new();
    let service = service_fn({
        let watch = Arc::clone(&watch);
        move |mut request: Request<Incoming>| {
            let under_way = watch.request();
            if let Some(peer) = peer {
                request.extensions_mut().insert(peer);
            }
            // HTTP/2 has the host in its target (RFC 9113, section 8.3.1); from here on it is in one place.
            let authority = request.uri().authority().and_then(|host| HeaderValue::try_from(host.as_str()).ok());
            if let Some(authority) = authority {
                request.headers_mut().entry(HOST).or_insert(authority);
            }
            let answer = observe::call(service.clone(), request, settings.is_traced);
            async move {
                let response: Response<B> = answer.await?;
                Ok::<_, Infallible>(response.map(|body| Watching { body, under_way }))
            }
        }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // Its limit of a head is one of the pause between two requests, too: both are watched here.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(MAX_HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(HEAD)
        .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX));
    let stream = TokioIo::new(Watched { stream, watch: Arc::clone(&watch) });
    let serving = graceful.watch(builder.serve_connection(stream, service).into_owned());
    let limits = Limits { head: HEAD, idle: settings.idle, write: WRITE };
    async move {
        tokio::select! {
            result = serving => if result.is_err() {
                tracing::debug!("a connection ended with an error");
            },
            undone = watch.passed(limits) => tracing::debug!("a connection is cut whose client {undone}"),
        }
    }
}
