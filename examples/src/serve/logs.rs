use tracing_subscriber::{EnvFilter, fmt};

use crate::options::LogFormat;

/// Logs to standard error, so that standard output is the banner's alone.
pub(crate) fn init(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // sqlx passes on what the server says, in the server's words.
    let quiet = ["sqlx=off", "sqlx_core=off", "sqlx_postgres=off", "tokio_postgres=off"];
    let filter = quiet.iter().filter_map(|directive| directive.parse().ok()).fold(filter, EnvFilter::add_directive);
    let lines = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Human => lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
}
