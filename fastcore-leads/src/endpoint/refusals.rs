//! Refusals can be seen: a site whose new version breaks a field would otherwise lose every lead in silence.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

#[cfg(feature = "proof")]
use super::AuditProblem;
use super::{EventsProblem, InboxProblem, Problem};
use crate::{lead::Violation, store::StoreError};

/// How long a window of the log is.
const WINDOW: Duration = Duration::from_secs(60);
/// How many refusals of one problem are logged in a window; the others are counted.
const EVENTS_PER_WINDOW: u64 = 10;

/// Logs and counts the requests that get no further than the endpoint.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    windows: Windows<{ Problem::ALL.len() }>,
}

impl Refusals {
    pub(super) fn new() -> Self {
        #[cfg(feature = "metrics")]
        crate::metrics::begin_refusals();
        Self::default()
    }

    /// Tells of one refusal: pointers and codes, and nothing that was sent.
    pub(super) fn tell(&self, problem: Problem, violations: &[Violation]) {
        #[cfg(feature = "metrics")]
        crate::metrics::refused(problem, violations);
        let Some(suppressed) = self.windows.admit(problem as usize, Instant::now()) else { return };
        let listed: Vec<_> = violations.iter().map(|v| format!("{} {}", v.pointer(), v.code())).collect();
        tracing::warn!(
            outcome = problem.as_str(),
            violations = (!listed.is_empty()).then(|| listed.join(", ")),
            suppressed,
            "request refused"
        );
    }
}

macro_rules! refusals {
    ($(#[$doc:meta])* $name:ident, $problem:ident, $message:literal) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub(super) struct $name {
            windows: Windows<{ $problem::ALL.len() }>,
        }

        impl $name {
            /// Tells of one refusal. `why` is the store's error, which holds nothing of a lead.
            pub(super) fn tell(&self, problem: $problem, why: Option<&StoreError>) {
                let Some(suppressed) = self.windows.admit(problem as usize, Instant::now()) else { return };
                let why = why.map(tracing::field::display);
                tracing::warn!(outcome = problem.as_str(), why, suppressed, $message);
            }
        }
    };
}

#[cfg(feature = "proof")]
refusals! {
    /// The same for those who ask for proofs.
    AuditRefusals, AuditProblem, "request for a proof refused"
}
refusals! {
    /// The same for those who ask for events.
    EventsRefusals, EventsProblem, "request for events refused"
}
refusals! {
    /// The same for those who work with leads.
    InboxRefusals, InboxProblem, "request to the inbox refused"
}

/// What was logged of each problem, by its place in the closed list.
#[derive(Debug)]
struct Windows<const N: usize>(Mutex<[Option<Window>; N]>);

impl<const N: usize> Default for Windows<N> {
    fn default() -> Self {
        Self(Mutex::new([None; N]))
    }
}

/// What was logged of one problem since an instant.
#[derive(Clone, Copy, Debug)]
struct Window {
    begun: Instant,
    events: u64,
    suppressed: u64,
}

impl<const N: usize> Windows<N> {
    /// Whether there is room for another event: how many were suppressed before it, in the window that it ends.
    fn admit(&self, problem: usize, now: Instant) -> Option<u64> {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows.get_mut(problem)?;
        match window {
            Some(open) if now.saturating_duration_since(open.begun) < WINDOW => {
                if open.events < EVENTS_PER_WINDOW {
                    open.events += 1;
                    return Some(0);
                }
                open.suppressed += 1;
                None
            }
            ended => {
                let suppressed = ended.map_or(0, |window| window.suppressed);
                *ended = Some(Window { begun: now, events: 1, suppressed: 0 });
                Some(suppressed)
            }
        }
    }
}
