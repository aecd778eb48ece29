use fastcore_leads_examples::logs;
use tracing_subscriber::fmt;

use crate::options::LogFormat;

/// Logs to standard error, so that standard output is the banner's alone.
pub(crate) fn init(format: LogFormat) {
    let filter = logs::filter("info");
    let lines = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Human => lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
}
