//! How work in the background keeps out of the ingest's way.

use std::time::Duration;

use tokio::time::Instant;

/// So many times as long as a step took it rests.
const FACTOR: u32 = 4;

/// How long to rest after a step that began at an instant: at least so long, and longer where the database is busy.
pub(crate) fn rest_after(begun: Instant, least: Duration) -> Duration {
    (begun.elapsed() * FACTOR).max(least)
}
