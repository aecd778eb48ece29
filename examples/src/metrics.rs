//! The metrics of the service, beside those of the library: their names, and the recorder behind `GET /metrics`.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// Counter: requests by `route`, `method` and `status`. Paths that are nobody's share one route.
pub const HTTP_REQUESTS: &str = "fastcore_http_requests_total";
/// Histogram: seconds from a request's head to its answer, by `route`.
pub const HTTP_DURATION: &str = "fastcore_http_request_duration_seconds";
/// Gauge: PostgreSQL connections by `state`: `open`, `idle`, `max`. Those that writers keep are not idle.
pub const POOL_CONNECTIONS: &str = "fastcore_pool_connections";
/// Counter: posts of the contact form by `outcome`: `accepted`, or the problem that was answered.
pub const SITE_POSTS: &str = "fastcore_site_posts_total";
/// Counter: lines of the log that were lost: nobody read them, or they could not be written.
pub const LOG_LINES_LOST: &str = "fastcore_log_lines_lost_total";

/// Every `outcome` of [`SITE_POSTS`].
const POST_OUTCOMES: [&str; 9] = [
    "accepted",
    "cross_site",
    "malformed_body",
    "body_too_large",
    "request_timeout",
    "unsupported_media_type",
    "validation_error",
    "too_many_requests",
    "unavailable",
];
/// Reports the site's counters from the start: an alarm on an increase does not see a series that begins with its first
/// event.
pub(crate) fn begin_site() {
    for outcome in POST_OUTCOMES {
        counter!(SITE_POSTS, "outcome" => outcome).increment(0);
    }
}

/// How often what the recorder keeps of histograms is folded; else it grows until somebody asks. Often, so that it is quick.
const UPKEEP: Duration = Duration::from_millis(250);

const SECONDS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const LEADS: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// Installs the recorder of this process, and keeps it tidy. Call it once, before the workflow starts.
///
/// # Errors
/// Where there is a recorder already.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Full(fastcore_leads::metrics::BATCH_LEADS.to_owned()), &LEADS)?
        .install_recorder()?;
    let kept = handle.clone();
    // On a thread of its own: requests are not to wait for it. It ends with the process.
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(UPKEEP);
            kept.run_upkeep();
        }
    });
    fastcore_leads::metrics::describe();
    describe_counter!(HTTP_REQUESTS, Unit::Count, "Requests by route, method and status");
    describe_histogram!(HTTP_DURATION, Unit::Seconds, "Time from a request's head to its answer, by route");
    describe_gauge!(POOL_CONNECTIONS, Unit::Count, "PostgreSQL connections by state");
    describe_counter!(LOG_LINES_LOST, Unit::Count, "Lines of the log that were lost");
    describe_counter!(SITE_POSTS, Unit::Count, "Posts of the contact form by outcome");
    Ok(handle)
}
