//! The log of the service. A thread of its own writes it, so that a full disk or a reader that has stopped never holds up a lead.

use std::{
    io::{self, BufWriter, IsTerminal, Write, stderr},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use fastcore_leads_examples::{logs, telemetry::Telemetry};
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{Layer, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::options::LogFormat;

/// How many lines wait at most; those that come then are lost, and counted. Some 4 MiB.
const WAITING_LINES: usize = 16_384;
/// How many bytes are written at once, where so many wait.
const BUFFER: usize = 64 * 1024;
/// How long the thread rests after it has written all: under load it is not woken for each line.
const REST: Duration = Duration::from_millis(2);
/// How long the end of the process waits for the last lines.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Lines for which there was no room.
static LOST: OnceLock<ErrorCounter> = OnceLock::new();
/// Lines that could not be written: the disk is full, or nobody is there to read.
static UNWRITTEN: AtomicU64 = AtomicU64::new(0);

/// Logs to standard error, so that standard output is the banner's alone; hands spans over where traces are sent. What is answered
/// is to be kept until the end.
pub(crate) fn init(format: LogFormat, telemetry: Option<&Telemetry>) -> Log {
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(WAITING_LINES)
        .thread_name("log")
        .finish(Rested(BufWriter::with_capacity(BUFFER, stderr())));
    let _ = LOST.set(writer.error_counter());
    let lines = fmt::layer().with_writer(writer);
    let lines = match format {
        LogFormat::Human => lines.with_ansi(stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let spans = telemetry.map(Telemetry::layer);
    tracing_subscriber::registry().with(lines.with_filter(logs::filter("info"))).with(spans).init();
    Log(Some(guard))
}

/// Dropped, it writes what waits, and gives up after a second.
#[must_use = "what waits is written when it is dropped"]
pub(crate) struct Log(Option<WorkerGuard>);

impl Drop for Log {
    fn drop(&mut self) {
        let guard = self.0.take();
        let (done, is_done) = mpsc::channel::<()>();
        // By itself, it would tell standard output that it gave up, which may be what nobody reads.
        let _ = thread::Builder::new().spawn(move || {
            drop(guard);
            drop(done);
        });
        let _ = is_done.recv_timeout(LAST_LINES);
    }
}

struct Rested<W>(W);

impl<W: Write> Write for Rested<W> {
    /// Called with a line each time.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.0.write_all(line).is_err() {
            UNWRITTEN.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.0.flush();
        thread::sleep(REST);
        flushed
    }
}

/// How many lines were lost so far.
pub(crate) fn lost() -> u64 {
    let dropped = LOST.get().map_or(0, |lost| u64::try_from(lost.dropped_lines()).unwrap_or(u64::MAX));
    dropped.saturating_add(UNWRITTEN.load(Ordering::Relaxed))
}
