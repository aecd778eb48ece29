//! How leads fare.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate, Utc};
use fastcore_leads::{
    LeadDatabase, LeadStatus,
    inbox::{InboxExt, MAX_PAGE},
};
use serde_json::{Map, Value, json};

use crate::{
    options::{Options, StatsArguments},
    outcome::Outcome,
    shown::{self, bars, duration},
};

pub(crate) async fn run(options: &Options, database: &dyn LeadDatabase, stats: &StatsArguments) -> Outcome {
    let mut filter = stats.filter.filter(options.zone());
    let today = Utc::now().date_naive();
    if stats.filter.from.is_none() {
        let first = today.checked_sub_days(Days::new(u64::from(stats.days) - 1)).unwrap_or(today);
        filter.received_from = Some(first.and_time(chrono::NaiveTime::MIN).and_utc());
    }
    // Waits are of leads that somebody could have answered; the counts show the quarantine, too.
    let waits = database.contact_times(&filter).await?;
    if filter.statuses.is_empty() {
        filter.statuses = LeadStatus::ALL.to_vec();
    }
    let mut counted = Counted::default();
    for tally in database.tally(&filter).await? {
        counted.add(tally.day, &tally.status, &tally.source, tally.service.as_deref().unwrap_or("-"), tally.leads);
    }
    let from = filter.received_from.map_or(today, |from| from.date_naive());
    let until = filter.received_before.map_or(today, |before| before.date_naive().min(today));
    counted.fill(from, until);
    if options.json {
        let by_service: Map<_, _> =
            waits.by_service.iter().map(|(service, waits)| (service.clone(), waits.to_json())).collect();
        shown::say(json!({
            "leads": counted.leads,
            "by_day": object(&counted.by_day),
            "by_status": object(&counted.by_status),
            "by_source": object(&counted.by_source),
            "by_service": object(&counted.by_service),
            "time_to_first_contact": {"all": waits.all.to_json(), "by_service": by_service},
        }));
        return Ok(());
    }
    shown::say(format!("{} leads since {from} (days are UTC's)\n", counted.leads));
    for (label, counts) in [
        ("by day", rows(&counted.by_day)),
        ("by status", rows(&counted.by_status)),
        ("by source", rows(&counted.by_source)),
        ("by service", rows(&counted.by_service)),
    ] {
        shown::say(bars(label, &counts));
    }
    let waited: Vec<_> = std::iter::once(("all", &waits.all))
        .chain(waits.by_service.iter().map(|(service, waits)| (if service.is_empty() { "-" } else { service }, waits)))
        .map(|(service, waits)| {
            let wait = |percent| waits.percentile(percent).map(duration);
            json!({"service": service, "leads": waits.leads, "contacted": waits.contacted(), "half within": wait(50),
                   "nine of ten within": wait(90)})
        })
        .collect();
    let newest = if waits.all.leads >= u64::from(MAX_PAGE) { ", of the newest leads" } else { "" };
    shown::say(format!("time to first contact{newest}"));
    let columns = ["service", "leads", "contacted", "half within", "nine of ten within"];
    shown::print(options, &columns, &waited, || Value::Null);
    Ok(())
}

#[derive(Default)]
struct Counted {
    leads: u64,
    by_day: BTreeMap<NaiveDate, u64>,
    by_status: BTreeMap<String, u64>,
    by_source: BTreeMap<String, u64>,
    by_service: BTreeMap<String, u64>,
}

impl Counted {
    fn add(&mut self, day: NaiveDate, status: &str, source: &str, service: &str, leads: u64) {
        self.leads += leads;
        *self.by_day.entry(day).or_default() += leads;
        for (counts, name) in
            [(&mut self.by_status, status), (&mut self.by_source, source), (&mut self.by_service, service)]
        {
            *counts.entry(name.to_owned()).or_default() += leads;
        }
    }

    /// A day without leads is one that is looked at, too.
    fn fill(&mut self, from: NaiveDate, until: NaiveDate) {
        const MOST: usize = 366;
        for day in from.iter_days().take_while(|day| *day <= until).take(MOST) {
            self.by_day.entry(day).or_default();
        }
    }
}

fn rows<K: ToString>(counts: &BTreeMap<K, u64>) -> Vec<(String, u64)> {
    counts.iter().map(|(name, leads)| (shown::cell(&name.to_string().into()), *leads)).collect()
}

fn object<K: ToString>(counts: &BTreeMap<K, u64>) -> Value {
    Value::Object(counts.iter().map(|(name, leads)| (name.to_string(), (*leads).into())).collect())
}
