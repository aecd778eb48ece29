//! A TCP proxy between a service and its database, which does what networks do.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::{AbortHandle, JoinSet},
    time::sleep,
};

/// An Execute message of PostgreSQL's extended query protocol, for the unnamed portal, as far as drivers agree.
const EXECUTE: &[u8] = b"E\0\0\0\x09\0\0\0\0";
/// The server's `ReadyForQuery` outside of a transaction: what came before is committed.
const COMMITTED: &[u8] = b"Z\0\0\0\x05I";

/// What happens on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: bytes pass.
    None,
    /// The server's bytes come so much later.
    SlowReplies(Duration),
    /// The next connection whose statement was committed is cut before the client hears of it; then bytes pass again.
    CutAfterCommit,
    /// Bytes vanish, in both directions; connections are accepted and stay open. What vanished never comes: a connection
    /// that lost bytes stays silent for good.
    Swallow,
    /// As [`Swallow`](Self::Swallow), on the connections that are open now; those that come later pass.
    SwallowOpen,
}

/// Listens on a port of its own until dropped, and passes bytes to and from a port of this machine.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    listening: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    upstream: u16,
    fault: Mutex<Fault>,
    cut: AtomicUsize,
    /// How often the open connections were forgotten.
    forgotten: AtomicUsize,
}

impl Proxy {
    /// Starts in front of a port.
    pub async fn before(upstream: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let shared = Arc::new(Shared {
            upstream,
            fault: Mutex::new(Fault::None),
            cut: AtomicUsize::new(0),
            forgotten: AtomicUsize::new(0),
        });
        let listening = tokio::spawn(listen(listener, Arc::clone(&shared))).abort_handle();
        Self { port, shared, listening }
    }

    /// The same URL by way of the proxy.
    pub fn url(&self, url: &str) -> String {
        let (direct, by_proxy) = (format!(":{}/", self.shared.upstream), format!(":{}/", self.port));
        assert!(url.contains(&direct), "the URL is of another server");
        url.replace(&direct, &by_proxy)
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on.
    pub fn set(&self, fault: Fault) {
        if fault == Fault::SwallowOpen {
            self.shared.forgotten.fetch_add(1, Ordering::Relaxed);
        }
        *self.shared.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// How many were cut after a COMMIT.
    pub fn cut(&self) -> usize {
        self.shared.cut.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Shared {
    fn fault(&self) -> Fault {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the bytes vanish of a connection that was opened after so many were forgotten.
    fn swallows(&self, born: usize) -> bool {
        self.fault() == Fault::Swallow || born < self.forgotten.load(Ordering::Relaxed)
    }

    /// Whether this connection is the one to be cut.
    fn takes_the_cut(&self) -> bool {
        let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        let is_mine = *fault == Fault::CutAfterCommit;
        if is_mine {
            *fault = Fault::None;
        }
        is_mine
    }
}

/// Its connections end with it.
async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        connections.spawn(pass(client, Arc::clone(&shared)));
    }
}

async fn pass(client: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    let born = shared.forgotten.load(Ordering::Relaxed);
    if shared.swallows(born) {
        return silence(&client).await;
    }
    let server = TcpStream::connect(("127.0.0.1", shared.upstream)).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let is_doomed = Arc::new(Mutex::new(false));
    let requests = requests(from_client, to_server, &shared, born, &is_doomed);
    let replies = replies(from_server, to_client, &shared, born, &is_doomed);
    // Either end closes both.
    tokio::select! {
        result = requests => result,
        result = replies => result,
    }
}

async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    shared: &Shared,
    born: usize,
    is_doomed: &Mutex<bool>,
) -> io::Result<()> {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut bytes).await?;
        if read == 0 {
            return Ok(());
        }
        let bytes = &bytes[..read];
        if shared.swallows(born) {
            return silence(from.as_ref()).await;
        }
        if bytes.windows(EXECUTE.len()).any(|window| window == EXECUTE) && shared.takes_the_cut() {
            *is_doomed.lock().unwrap_or_else(PoisonError::into_inner) = true;
        }
        to.write_all(bytes).await?;
    }
}

async fn replies(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    shared: &Shared,
    born: usize,
    is_doomed: &Mutex<bool>,
) -> io::Result<()> {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut bytes).await?;
        if read == 0 {
            return Ok(());
        }
        let bytes = &bytes[..read];
        if *is_doomed.lock().unwrap_or_else(PoisonError::into_inner) {
            if bytes.ends_with(COMMITTED) {
                shared.cut.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
            continue;
        }
        if shared.swallows(born) {
            return std::future::pending().await;
        }
        if let Fault::SlowReplies(delay) = shared.fault() {
            sleep(delay).await;
        }
        to.write_all(bytes).await?;
    }
}

/// Takes all and says nothing, until the client closes.
async fn silence(client: &TcpStream) -> io::Result<()> {
    let mut bytes = [0; 1024];
    loop {
        client.readable().await?;
        match client.try_read(&mut bytes) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}
