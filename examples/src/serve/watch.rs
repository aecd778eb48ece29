//! What a connection is doing, so that one that does nothing is cut: hyper has one limit for a head that is slow and for a pause between two
//! requests, and none for an answer that nobody reads.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, sleep},
};

/// How often is looked.
const LOOK: Duration = Duration::from_secs(1);
/// What a connection of HTTP/2 begins with (RFC 9113, section 3.4), as far as no request of HTTP/1 does.
const PREFACE: &[u8] = b"PRI";

/// How long a client may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// For the head of a request, once it has begun; the first has begun with the connection.
    pub(crate) head: Duration,
    /// Between two requests; and to take a piece of an answer, of which nothing may be left to write.
    pub(crate) idle: Duration,
    /// To read a piece of an answer.
    pub(crate) write: Duration,
}

/// What a connection is doing. Instants are milliseconds since it was accepted, and one more; 0 is none.
#[derive(Debug)]
pub(crate) struct Watch {
    accepted: Instant,
    head_since: AtomicU64,
    blocked_since: AtomicU64,
    active_at: AtomicU64,
    under_way: AtomicUsize,
    /// Pieces of answers that were handed over and not taken; of HTTP/2, a client may leave no room for them without blocking the connection.
    untaken: AtomicUsize,
    taken_at: AtomicU64,
    /// How much of the preface came so far: all of it, and it is HTTP/2.
    preface: AtomicUsize,
    is_http1: AtomicBool,
}

impl Watch {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            accepted: Instant::now(),
            head_since: AtomicU64::new(1),
            blocked_since: AtomicU64::new(0),
            active_at: AtomicU64::new(1),
            under_way: AtomicUsize::new(0),
            untaken: AtomicUsize::new(0),
            taken_at: AtomicU64::new(1),
            preface: AtomicUsize::new(0),
            is_http1: AtomicBool::new(false),
        })
    }

    /// Begins a request: its head is there. It ends once what is returned is gone.
    pub(crate) fn request(self: &Arc<Self>) -> UnderWay {
        self.head_since.store(0, Ordering::Relaxed);
        self.active_at.store(self.now(), Ordering::Relaxed);
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay { watch: Arc::clone(self), is_untaken: false }
    }

    /// Waits until a limit is passed. Returns what the client did not do.
    pub(crate) async fn passed(&self, limits: Limits) -> &'static str {
        loop {
            sleep(LOOK).await;
            let now = self.now();
            let is_over =
                |since: u64, limit: Duration| since != 0 && u128::from(now.saturating_sub(since)) >= limit.as_millis();
            if is_over(self.head_since.load(Ordering::Relaxed), limits.head) {
                return "sent no whole head of a request";
            }
            let is_untaken = self.untaken.load(Ordering::Relaxed) > 0;
            if is_over(self.blocked_since.load(Ordering::Relaxed), limits.write)
                || is_untaken && is_over(self.taken_at.load(Ordering::Relaxed), limits.idle)
            {
                return "did not read its answer";
            }
            let is_idle = self.under_way.load(Ordering::Relaxed) == 0;
            if is_idle && is_over(self.active_at.load(Ordering::Relaxed), limits.idle) {
                return "asked nothing more";
            }
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.accepted.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
    }

    fn read(&self, bytes: &[u8]) {
        let now = self.now();
        for byte in bytes {
            let known = self.preface.load(Ordering::Relaxed);
            if known == PREFACE.len() || self.is_http1.load(Ordering::Relaxed) {
                break;
            }
            if PREFACE[known] == *byte {
                self.preface.store(known + 1, Ordering::Relaxed);
            } else {
                self.is_http1.store(true, Ordering::Relaxed);
            }
        }
        // Of HTTP/2, what comes between requests is no head: pings, which tell who is gone, and say nothing of what is wanted.
        if self.is_http1.load(Ordering::Relaxed) {
            self.active_at.store(now, Ordering::Relaxed);
            if self.under_way.load(Ordering::Relaxed) == 0 {
                let _ = self.head_since.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
            }
        } else if self.preface.load(Ordering::Relaxed) == PREFACE.len() {
            self.head_since.store(0, Ordering::Relaxed);
        }
    }

    fn wrote(&self, is_blocked: bool) {
        if is_blocked {
            let _ = self.blocked_since.compare_exchange(0, self.now(), Ordering::Relaxed, Ordering::Relaxed);
        } else {
            self.blocked_since.store(0, Ordering::Relaxed);
            if self.is_http1.load(Ordering::Relaxed) {
                self.active_at.store(self.now(), Ordering::Relaxed);
                self.taken_at.store(self.now(), Ordering::Relaxed);
            }
        }
    }
}

/// A request, until its answer has been written.
pub(crate) struct UnderWay {
    watch: Arc<Watch>,
    is_untaken: bool,
}

impl UnderWay {
    /// A piece of the answer is handed over.
    fn handed(&mut self) {
        if !std::mem::replace(&mut self.is_untaken, true) {
            self.watch.taken_at.store(self.watch.now(), Ordering::Relaxed);
            self.watch.untaken.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// It is on its way: somebody asks for the next, or drops the answer.
    fn taken(&mut self) {
        if std::mem::replace(&mut self.is_untaken, false) {
            self.watch.taken_at.store(self.watch.now(), Ordering::Relaxed);
            self.watch.untaken.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.taken();
        self.watch.active_at.store(self.watch.now(), Ordering::Relaxed);
        self.watch.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

pin_project! {
    /// The body of an answer: the request is under way until it has been written.
    pub(crate) struct Watching<B> {
        #[pin]
        pub(crate) body: B,
        pub(crate) under_way: UnderWay,
    }
}

impl<B: Body> Body for Watching<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        this.under_way.taken();
        let frame = this.body.poll_frame(cx);
        if matches!(frame, Poll::Ready(Some(Ok(_)))) {
            this.under_way.handed();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection that is watched.
pub(crate) struct Watched<S> {
    pub(crate) stream: S,
    pub(crate) watch: Arc<Watch>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let bytes = &buffer.filled()[before..];
        if !bytes.is_empty() {
            self.watch.read(bytes);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch.wrote(written.is_pending());
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.watch.wrote(written.is_pending());
        written
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Limits, Watch};

    const LIMITS: Limits =
        Limits { head: Duration::from_secs(10), idle: Duration::from_secs(75), write: Duration::from_secs(30) };

    /// What the client did not do, and how long it was waited for.
    async fn passed(watch: &Watch) -> (&'static str, u64) {
        let began = Instant::now();
        let undone = watch.passed(LIMITS).await;
        (undone, began.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn each_limit_is_its_own() {
        let watch = Watch::new();
        assert_eq!(passed(&watch).await, ("sent no whole head of a request", 10), "the first head begins at once");

        // A request, and the next after half a minute: longer than a head may take.
        let watch = Watch::new();
        watch.read(b"POST / HTTP/1.1\r\n\r\n");
        drop(watch.request());
        tokio::time::advance(Duration::from_secs(30)).await;
        watch.read(b"POST / HT");
        assert_eq!(passed(&watch).await, ("sent no whole head of a request", 10));

        let watch = Watch::new();
        watch.read(b"POST / HTTP/1.1\r\n\r\n");
        drop(watch.request());
        assert_eq!(passed(&watch).await, ("asked nothing more", 75));

        // Its body, and its answer, may take their time; a client that does not read it may not.
        let watch = Watch::new();
        watch.read(b"POST / HTTP/1.1\r\n");
        let _under_way = watch.request();
        tokio::time::advance(Duration::from_secs(300)).await;
        watch.read(b"half a body");
        watch.wrote(true);
        assert_eq!(passed(&watch).await, ("did not read its answer", 30));

        // Of HTTP/2, it may leave no room for a piece, and ask for pings meanwhile.
        let watch = Watch::new();
        watch.read(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        let mut under_way = watch.request();
        under_way.handed();
        under_way.taken();
        tokio::time::advance(Duration::from_secs(300)).await;
        under_way.handed();
        watch.read(b"ping");
        watch.wrote(false);
        assert_eq!(passed(&watch).await, ("did not read its answer", 75));

        // Of HTTP/2, pings are no head, and no request.
        let watch = Watch::new();
        watch.read(b"P");
        watch.read(b"RI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        drop(watch.request());
        tokio::time::advance(Duration::from_secs(50)).await;
        watch.wrote(false);
        watch.read(b"ping");
        assert_eq!(passed(&watch).await, ("asked nothing more", 25));
    }
}
