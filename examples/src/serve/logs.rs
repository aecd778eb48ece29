use fastcore_leads_examples::{logs, telemetry::Telemetry};
use tracing_subscriber::{Layer, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::options::LogFormat;

/// Logs to standard error, so that standard output is the banner's alone; hands spans over where traces are sent.
pub(crate) fn init(format: LogFormat, telemetry: Option<&Telemetry>) {
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match format {
        LogFormat::Human => lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let spans = telemetry.map(Telemetry::layer);
    tracing_subscriber::registry().with(lines.with_filter(logs::filter("info"))).with(spans).init();
}
