//! How this process ends: what is asked first, and what may take its time.

use std::{future::Future, time::Duration};

use fastcore_leads::EventsEndpoint;
use fastcore_leads_examples::staff::Staff;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, sleep, timeout_at},
};

use crate::rest::Rest;

/// SIGTERM and SIGINT, from when they are listened to: one that came before would end the process at once.
pub(crate) struct StopSignals(Option<(Signal, Signal)>);

impl StopSignals {
    pub(crate) fn listen() -> Self {
        Self(signal(SignalKind::terminate()).ok().zip(signal(SignalKind::interrupt()).ok()))
    }

    /// Waits for one of them.
    pub(crate) async fn received(&mut self) {
        let Some((terminate, interrupt)) = &mut self.0 else {
            tracing::warn!("signals cannot be received: stop this process by force");
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

/// Who hears first that this process is to end.
pub(crate) struct Stopping {
    pub(crate) signals: StopSignals,
    pub(crate) grace: Duration,
    pub(crate) rest: Rest,
    pub(crate) feed: Option<EventsEndpoint>,
    pub(crate) staff: Option<Staff>,
}

impl Stopping {
    /// Waits for a signal; then balancers are told, and get their time; then nobody waits for news any longer, who would hold up all that
    /// is to end. A second signal ends the grace.
    pub(crate) async fn begun(mut self) {
        self.signals.received().await;
        // Whoever supervises this process need not be there.
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        self.rest.stop();
        if !self.grace.is_zero() {
            tracing::info!("stopping: /readyz says so, and requests are answered meanwhile");
            tokio::select! {
                () = sleep(self.grace) => {}
                () = self.signals.received() => {}
            }
        }
        if let Some(feed) = self.feed {
            feed.close();
        }
        if let Some(staff) = self.staff {
            staff.close();
        }
    }
}

/// Waits for a part to end, until it is too late.
pub(crate) async fn in_time(until: Instant, part: impl Future<Output = ()>, otherwise: &str) {
    if timeout_at(until, part).await.is_err() {
        tracing::warn!("{otherwise}");
    }
}
