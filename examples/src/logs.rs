//! Which log lines are written.

use tracing_subscriber::EnvFilter;

/// What `RUST_LOG` says, or a default; never what a driver says.
pub fn filter(default: &str) -> EnvFilter {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    // Drivers pass on what the server says, in the server's words, and what it was asked with; HTTP's libraries, which
    // headers and addresses they saw.
    let quiet = [
        "sqlx=off",
        "sqlx_core=off",
        "sqlx_postgres=off",
        "tokio_postgres=off",
        "h2=off",
        "hyper=off",
        "hyper_util=off",
        "reqwest=off",
        "warp=off",
    ];
    quiet.iter().filter_map(|directive| directive.parse().ok()).fold(filter, EnvFilter::add_directive)
}
