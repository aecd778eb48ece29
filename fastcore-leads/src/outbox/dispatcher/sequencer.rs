//! From the log to deliveries.

use std::{collections::HashMap, sync::Arc, time::Duration};

use chrono::TimeDelta;
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use super::Shared;
use crate::{burst, jitter, outbox::Destination, pace, store::StoreError, time};

/// Rows of one transaction: few enough that nobody waits long for it.
const AT_ONCE: u32 = 500;
/// How long it rests between two passes at least, so that a busy ingest is not asked after each commit; and so many times as long
/// as the last pass took, since a long transaction elsewhere has each look at many rows.
const REST: Duration = Duration::from_millis(100);
/// How often it is counted what waits, and what arrived long ago is removed.
const COUNTING: Duration = Duration::from_secs(15);
const TIDYING: Duration = Duration::from_secs(60 * 60);

pub(super) async fn run(
    shared: Arc<Shared>,
    destinations: Vec<Destination>,
    wake: watch::Sender<()>,
    mut ended: watch::Receiver<bool>,
) {
    let mut sequencer = Sequencer { shared, destinations, looked_at: HashMap::new(), is_failing: false };
    let (mut counted, mut tidied) = (None::<Instant>, Instant::now());
    while !*ended.borrow() {
        let started = Instant::now();
        let (has_new, has_more) = sequencer.pass().await;
        if has_new {
            wake.send_replace(());
        }
        if counted.is_none_or(|at| at.elapsed() > COUNTING) {
            counted = Some(Instant::now());
            sequencer.count().await;
        }
        if tidied.elapsed() > TIDYING {
            tidied = Instant::now();
            sequencer.tidy().await;
        }
        let is_burst = sequencer.shared.burst.is_on();
        if has_more && !is_burst {
            continue;
        }
        let rest = if is_burst { burst::REST } else { pace::rest_after(started, REST) };
        let until_next = async {
            sleep(rest).await;
            let _ = timeout(jitter::around(sequencer.shared.poll), sequencer.shared.burst.next_commit()).await;
        };
        tokio::select! {
            () = until_next => {}
            _ = ended.wait_for(|is_ended| *is_ended) => return,
        }
    }
}

struct Sequencer {
    shared: Arc<Shared>,
    destinations: Vec<Destination>,
    /// The last number up to which a destination was looked at.
    looked_at: HashMap<String, u64>,
    is_failing: bool,
}

impl Sequencer {
    /// Numbers what is new, and enters deliveries. Returns whether there may be something to be sent, and whether there is more.
    async fn pass(&mut self) -> (bool, bool) {
        let result = self.try_pass().await;
        match &result {
            Ok(_) if self.is_failing => tracing::info!("events are told again"),
            Err(error) if !self.is_failing => {
                tracing::warn!(%error, "events wait: the database cannot be asked for them");
            }
            _ => {}
        }
        self.is_failing = result.is_err();
        result.unwrap_or_default()
    }

    async fn try_pass(&mut self) -> Result<(bool, bool), StoreError> {
        let store = &self.shared.store;
        let names = of_leads(&self.destinations).map(Destination::name);
        let unknown: Vec<String> =
            names.filter(|name| !self.looked_at.contains_key(*name)).map(str::to_owned).collect();
        if !unknown.is_empty() {
            // Who comes anew is not told what was before.
            while store.sequence(AT_ONCE).await? >= AT_ONCE {}
        }
        for name in unknown {
            store.subscribe(&name).await?;
            self.looked_at.insert(name, 0);
        }
        let at_once = if self.shared.burst.is_on() { burst::AT_ONCE } else { AT_ONCE };
        let numbered = store.sequence(at_once).await?;
        let last = store.last_sequence().await?;
        let mut has_new = false;
        for destination in of_leads(&self.destinations) {
            let looked_at = self.looked_at.entry(destination.name().to_owned()).or_default();
            // A database that was put back to an earlier state has fewer.
            while *looked_at != last {
                has_new = true;
                if store.fan_out(destination.subscription(), AT_ONCE).await? < AT_ONCE {
                    *looked_at = last;
                }
            }
        }
        Ok((has_new, numbered >= at_once))
    }

    async fn count(&self) {
        if let Ok(destinations) = self.shared.store.destinations().await {
            let ours = |name: &str| self.destinations.iter().any(|destination| destination.name() == name);
            for status in destinations.iter().filter(|status| ours(&status.destination)) {
                self.shared.metrics.stands(status);
            }
        }
    }

    async fn tidy(&self) {
        let keep = TimeDelta::from_std(self.shared.keep).unwrap_or(TimeDelta::MAX);
        let Some(before) = time::now().checked_sub_signed(keep) else { return };
        if let Err(error) = self.shared.store.forget_delivered(before).await {
            tracing::warn!(%error, "deliveries that arrived long ago could not be removed: tried again in an hour");
        }
    }
}

/// Those who have a queue: checkpoints have none.
fn of_leads(destinations: &[Destination]) -> impl Iterator<Item = &Destination> {
    destinations.iter().filter(|destination| !destination.is_of_checkpoints())
}
