//! Which leads are meant.

use clap::Args;
use fastcore_leads::{
    LeadFilter, LeadStatus, Service,
    inbox::{Cursor, MAX_PAGE, Search, SearchCursor},
};

use super::parse::{Bound, bound, service, status};
use crate::zone::Zone;

#[derive(Debug, Args)]
pub(crate) struct FilterArguments {
    /// Only leads in this status; may be given several times.
    #[arg(long, value_parser = status())]
    status: Vec<LeadStatus>,
    /// Only enquiries about this.
    #[arg(long, value_parser = service())]
    service: Option<Service>,
    /// Only from this site.
    #[arg(long)]
    source: Option<String>,
    /// Only taken in at this instant (RFC 3339) or on this day (YYYY-MM-DD, of the time zone that times are told in) or later.
    #[arg(long, value_parser = bound)]
    pub(crate) from: Option<Bound>,
    /// Only taken in before this instant, or on this day or earlier.
    #[arg(long, value_parser = bound)]
    to: Option<Bound>,
    /// Only taken in before this instant or day.
    #[arg(long, value_parser = bound, conflicts_with = "to")]
    before: Option<Bound>,
    /// Only from this address.
    #[arg(long)]
    email: Option<String>,
}

impl FilterArguments {
    pub(crate) fn filter(&self, zone: Zone) -> LeadFilter {
        let before = self.before.map(|before| before.start(zone));
        LeadFilter {
            statuses: self.status.clone(),
            service: self.service,
            sources: self.source.iter().cloned().collect(),
            received_from: self.from.map(|from| from.start(zone)),
            received_before: before.or_else(|| self.to.map(|to| to.end(zone))),
            email: self.email.clone(),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    pub(crate) filter: FilterArguments,
    /// How many at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_PAGE)))]
    pub(crate) limit: u32,
    /// Where the page before ended.
    #[arg(long)]
    pub(crate) after: Option<Cursor>,
    /// Where the page behind begins: shows the one in front of it.
    #[arg(long, conflicts_with = "after")]
    pub(crate) back: Option<Cursor>,
}

#[derive(Debug, Args)]
pub(crate) struct SearchArguments {
    /// What is searched for: up to 8 words, each of which has to be there. The shell's history keeps it.
    #[arg(value_parser = clap::value_parser!(Search))]
    pub(crate) text: Search,
    #[command(flatten)]
    pub(crate) filter: FilterArguments,
    /// How many at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_PAGE)))]
    pub(crate) limit: u32,
    /// Where the search before ended.
    #[arg(long)]
    pub(crate) after: Option<SearchCursor>,
}

#[derive(Debug, Args)]
pub(crate) struct PurgeArguments {
    /// Leads without contact for so many days. The CNIL's usual figure for prospects is three years.
    #[arg(long, default_value_t = 1095, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub(crate) days: u32,
    /// Leads in quarantine for so many days.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub(crate) quarantine_days: u32,
    /// Erases them, instead of saying how many there are.
    #[arg(long)]
    pub(crate) execute: bool,
    /// Does not ask.
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct StatsArguments {
    #[command(flatten)]
    pub(crate) filter: FilterArguments,
    /// How many days are looked at, today included, where --from does not say.
    #[arg(long, default_value_t = 31, value_parser = clap::value_parser!(u32).range(1..=366))]
    pub(crate) days: u32,
}
