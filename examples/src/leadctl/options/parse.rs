//! How the values of options are read.

use std::sync::LazyLock;

use chrono::{DateTime, Days, NaiveDate, Utc};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use fastcore_leads::{
    Actor, LeadStatus, Service,
    inbox::{Note, Reason, SheetFormat, instant_or_day},
};

use crate::zone::Zone;

/// Where a range of time begins or ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    Instant(DateTime<Utc>),
    /// Of the operator's zone.
    Day(NaiveDate),
}

impl Bound {
    /// Its first instant.
    pub(crate) fn start(self, zone: Zone) -> DateTime<Utc> {
        match self {
            Self::Instant(instant) => instant,
            Self::Day(day) => zone.start_of(day),
        }
    }

    /// The first instant behind it: of a day, the next day's.
    pub(crate) fn end(self, zone: Zone) -> DateTime<Utc> {
        match self {
            Self::Instant(instant) => instant,
            Self::Day(day) => zone.start_of(day.checked_add_days(Days::new(1)).unwrap_or(day)),
        }
    }
}

pub(super) fn bound(text: &str) -> Result<Bound, String> {
    let day = || text.parse().ok().filter(|_| text.len() == "2026-01-31".len()).map(Bound::Day);
    day()
        .or_else(|| instant_or_day(text).map(Bound::Instant))
        .ok_or_else(|| "neither an instant such as 2026-01-31T10:00:00Z nor a day such as 2026-01-31".to_owned())
}

pub(super) fn status() -> impl TypedValueParser<Value = LeadStatus> {
    PossibleValuesParser::new(LeadStatus::ALL.iter().map(|status| status.as_str())).try_map(|word| word.parse())
}

pub(super) fn format() -> impl TypedValueParser<Value = SheetFormat> {
    PossibleValuesParser::new(SheetFormat::ALL.iter().map(|format| format.as_str())).try_map(|word| word.parse())
}

pub(super) fn service() -> impl TypedValueParser<Value = Service> {
    PossibleValuesParser::new(Service::ALL.iter().map(|service| service.as_str())).try_map(|word| word.parse())
}

pub(super) fn actor(text: &str) -> Result<Actor, String> {
    Actor::new(text).map_err(|error| error.to_string())
}

pub(super) fn reason(text: &str) -> Result<Reason, String> {
    Reason::new(text).map_err(|error| error.to_string())
}

pub(super) fn note(text: &str) -> Result<Note, String> {
    Note::new(text).map_err(|error| error.to_string())
}

/// Who runs this: behind sudo, whoever called it.
pub(super) static OPERATOR: LazyLock<String> = LazyLock::new(|| {
    let names = [std::env::var("SUDO_USER").ok(), whoami::username().ok()];
    let usable = names.into_iter().flatten().find(|name| Actor::new(name).is_ok());
    usable.unwrap_or_else(|| "leadctl".to_owned())
});
