use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::{lead::LeadId, store::StoredLead};

/// How long people waited until somebody worked on their lead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// How many leads are looked at.
    pub leads: u64,
    /// How long those waited that somebody has worked on, the shortest wait first.
    ended: Vec<TimeDelta>,
}

impl Waits {
    /// How many leads somebody has worked on.
    pub fn contacted(&self) -> usize {
        self.ended.len()
    }

    /// Returns the wait that so many of a hundred were not longer than, by the nearest rank: one that there was.
    pub fn percentile(&self, percent: usize) -> Option<TimeDelta> {
        let rank = (self.ended.len() * percent).div_ceil(100);
        self.ended.get(rank.saturating_sub(1)).copied()
    }

    /// Returns them as JSON, in seconds; leads that nobody has worked on yet are counted alone.
    pub fn to_json(&self) -> Value {
        let seconds = |percent| self.percentile(percent).map(|wait| wait.num_seconds());
        json!({
            "leads": self.leads,
            "contacted": self.contacted(),
            "median_seconds": seconds(50),
            "p90_seconds": seconds(90),
        })
    }

    fn add(&mut self, wait: Option<TimeDelta>) {
        self.leads += 1;
        if let Some(wait) = wait {
            let place = self.ended.partition_point(|other| *other <= wait);
            self.ended.insert(place, wait);
        }
    }
}

/// How long people waited, altogether and by what they asked about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContactTimes {
    /// All of them.
    pub all: Waits,
    /// By service; empty where none was named.
    pub by_service: BTreeMap<String, Waits>,
}

impl ContactTimes {
    /// Counts leads, given when somebody first worked on each.
    pub(crate) fn of(leads: &[StoredLead], contacts: &HashMap<LeadId, DateTime<Utc>>) -> Self {
        let mut times = Self::default();
        for lead in leads {
            let wait = contacts.get(&lead.id).map(|at| (*at - lead.created_at_utc).max(TimeDelta::zero()));
            times.all.add(wait);
            times.by_service.entry(lead.service.clone().unwrap_or_default()).or_default().add(wait);
        }
        times
    }
}
