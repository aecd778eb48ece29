mod courier;
mod herald;
mod sequencer;
mod watch;

use std::{fmt, sync::Arc, time::Duration};

use tokio::{
    sync::watch as channel,
    task::{JoinHandle, JoinSet},
};

use super::{Destination, metrics::Metrics};
use crate::{burst::Burst, inbox::ServiceLevel, ingest::Commits, store::LeadOutbox};

/// How often the database is asked for what other processes wrote, and for what is due again.
const POLL: Duration = Duration::from_secs(1);
/// How long a delivery that arrived is kept, for operators to look at.
const KEEP: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How long it rests after a task panicked.
const AFTER_PANIC: Duration = Duration::from_secs(5);

/// Tells destinations of what was committed: numbers audit rows, enters deliveries, sends them, and notes what became of them.
///
/// At least once: a receiver drops what it has by `webhook-id`. Many processes may dispatch from one database; each delivery
/// is sent by one of them. It works on tasks of its own, and stops when it is dropped: what is under way is waited for by
/// [`shutdown`](Self::shutdown) alone.
pub struct Dispatcher {
    told: channel::Sender<Told>,
    stop: channel::Sender<bool>,
    supervisor: JoinHandle<()>,
}

impl Dispatcher {
    /// Configures a dispatcher over a store.
    pub fn builder(store: impl LeadOutbox + 'static) -> DispatcherBuilder {
        DispatcherBuilder {
            store: Arc::new(store),
            told: Told::default(),
            commits: Commits::new(),
            poll: POLL,
            keep: KEEP,
        }
    }

    /// Tells these destinations from now on, and watches that leads are answered as the service level says. What is under way
    /// to the others is waited for first.
    pub fn replace(&self, destinations: Vec<Destination>, service_level: Option<ServiceLevel>) {
        self.told.send_replace(Told { destinations, service_level });
    }

    /// Claims nothing more, and returns once what is under way has been answered and noted, or has taken too long.
    pub async fn shutdown(self) {
        self.stop.send_replace(true);
        // It ends by itself; a task that panicked has nothing to be waited for.
        let _ = self.supervisor.await;
    }
}

impl fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatcher").finish_non_exhaustive()
    }
}

/// Settings of a [`Dispatcher`].
pub struct DispatcherBuilder {
    store: Arc<dyn LeadOutbox>,
    told: Told,
    commits: Arc<Commits>,
    poll: Duration,
    keep: Duration,
}

impl DispatcherBuilder {
    /// Adds a destination. Two of one name share one queue: do not.
    pub fn destination(mut self, destination: Destination) -> Self {
        self.told.destinations.push(destination);
        self
    }

    /// Watches that leads are answered in time: of one that has waited for longer it is audited, once, by
    /// [`Actor::SERVICE_LEVEL`](crate::Actor::SERVICE_LEVEL), and [`lead.unanswered`](super::EventType::Unanswered) is told, within ten
    /// minutes or so. Leads that came more than 30 days before those that are due now are left alone. Default: nobody watches.
    pub fn service_level(mut self, service_level: ServiceLevel) -> Self {
        self.told.service_level = Some(service_level);
        self
    }

    /// Follows an ingest in the same process, by [`IngestBuilder::followed_by`](crate::IngestBuilder::followed_by): nobody waits for the
    /// next poll. In a burst, of more than 500 leads a second for up to a minute, the ingest goes first, and others are told a little
    /// each second.
    pub fn follow(self, commits: Arc<Commits>) -> Self {
        Self { commits, ..self }
    }

    /// How often the database is asked, half as often or half as often again by chance. Default: 1 s.
    pub fn poll(self, poll: Duration) -> Self {
        Self { poll, ..self }
    }

    /// How long deliveries that arrived are kept. Default: 30 days.
    pub fn keep_delivered(self, keep: Duration) -> Self {
        Self { keep, ..self }
    }

    /// Starts it.
    ///
    /// # Panics
    /// If called outside of a tokio runtime.
    pub fn start(self) -> Dispatcher {
        let (told, changed) = channel::channel(self.told);
        let (stop, stopped) = channel::channel(false);
        let shared = Arc::new(Shared {
            store: self.store,
            metrics: Metrics::begin(),
            burst: Burst::of(self.commits),
            poll: self.poll,
            keep: self.keep,
        });
        let supervisor = tokio::spawn(supervise(shared, changed, stopped));
        Dispatcher { told, stop, supervisor }
    }
}

impl fmt::Debug for DispatcherBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DispatcherBuilder").field("poll", &self.poll).finish_non_exhaustive()
    }
}

/// Who is told, and of what besides.
#[derive(Clone, Default)]
struct Told {
    destinations: Vec<Destination>,
    service_level: Option<ServiceLevel>,
}

/// What the tasks have in common.
struct Shared {
    store: Arc<dyn LeadOutbox>,
    metrics: Metrics,
    burst: Burst,
    poll: Duration,
    keep: Duration,
}

/// Runs the sequencer and a courier for each destination, until there are others or it is to end.
async fn supervise(shared: Arc<Shared>, mut changed: channel::Receiver<Told>, mut stopped: channel::Receiver<bool>) {
    loop {
        let Told { destinations, service_level } = changed.borrow_and_update().clone();
        let (end, ended) = channel::channel(false);
        let (wake, woken) = channel::channel(());
        let mut tasks = JoinSet::new();
        tasks.spawn(sequencer::run(Arc::clone(&shared), destinations.clone(), wake, ended.clone()));
        tasks.spawn(watch::run(Arc::clone(&shared), service_level, ended.clone()));
        for destination in destinations {
            if destination.is_of_checkpoints() {
                tasks.spawn(herald::run(Arc::clone(&shared), destination, ended.clone()));
            } else {
                tasks.spawn(courier::run(Arc::clone(&shared), destination, woken.clone(), ended.clone()));
            }
        }
        // Dropped without a word, it ends as well.
        let next = tokio::select! {
            result = changed.changed() => if result.is_ok() { Next::Again } else { Next::End },
            _ = stopped.wait_for(|is_stopped| *is_stopped) => Next::End,
            _ = tasks.join_next() => Next::AfterPanic,
        };
        end.send_replace(true);
        while tasks.join_next().await.is_some() {}
        match next {
            Next::Again => {}
            Next::End => return,
            Next::AfterPanic => {
                tracing::error!(
                    "a task of the dispatcher panicked: all are started again, and what was claimed is due again"
                );
                tokio::select! {
                    () = tokio::time::sleep(AFTER_PANIC) => {}
                    _ = stopped.changed() => {}
                }
            }
        }
    }
}

fn say_gone(destination: &str) {
    tracing::error!(
        destination,
        "the destination answered 410: it is paused, and what comes is kept. Ask its owner, and resume it or remove it"
    );
}

/// What follows once the tasks have ended.
enum Next {
    Again,
    End,
    /// None ends before it is told to.
    AfterPanic,
}
