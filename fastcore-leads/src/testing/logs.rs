use std::{
    fmt::{self, Write as _},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

/// Keeps every `tracing` event and span, of every level and crate, as text: to search for what must not be there.
///
/// It sees all threads: [`Logs::global`] installs it for the process.
#[derive(Clone, Debug, Default)]
pub struct Logs {
    lines: Arc<Mutex<Vec<String>>>,
    spans: Arc<AtomicU64>,
}

impl Logs {
    /// The log of this process: installed at the first call, the same at every other.
    pub fn global() -> &'static Self {
        static GLOBAL: OnceLock<Logs> = OnceLock::new();
        GLOBAL.get_or_init(|| {
            let logs = Self::default();
            tracing::subscriber::set_global_default(logs.clone()).expect("no other subscriber is installed");
            logs
        })
    }

    /// What was logged so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, metadata: &Metadata<'_>, record: impl FnOnce(&mut Text)) {
        let mut text = Text(format!("{} {}", metadata.level(), metadata.target()));
        record(&mut text);
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(text.0);
    }
}

impl Subscriber for Logs {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        self.keep(span.metadata(), |text| span.record(text));
        span::Id::from_u64(self.spans.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        let mut text = Text(String::from("span"));
        values.record(&mut text);
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(text.0);
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        self.keep(event.metadata(), |text| event.record(text));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}
