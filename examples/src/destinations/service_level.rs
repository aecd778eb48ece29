use std::time::Duration;

use chrono_tz::Tz;
use fastcore_leads::{
    chrono::{NaiveDate, Weekday},
    inbox::{ServiceLevel, WorkHours},
};
use serde::Deserialize;

use super::{each, sentence};

/// How long a lead may wait for somebody to work on it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Section {
    /// In hours of work.
    hours: f64,
    time_zone: String,
    #[serde(default = "monday_to_friday")]
    days: Vec<String>,
    #[serde(default = "nine")]
    from: String,
    #[serde(default = "five")]
    until: String,
    #[serde(default)]
    holidays: Vec<String>,
}

fn monday_to_friday() -> Vec<String> {
    ["mon", "tue", "wed", "thu", "fri"].map(str::to_owned).to_vec()
}

fn nine() -> String {
    "09:00".to_owned()
}

fn five() -> String {
    "17:00".to_owned()
}

impl Section {
    pub(super) fn service_level(&self) -> Result<ServiceLevel, String> {
        let zone: Tz = self.time_zone.parse().map_err(|_| {
            format!("time_zone: {:?} is no name of the IANA time zone database, such as Europe/Paris", self.time_zone)
        })?;
        let days = each::<Weekday>(&self.days, "days")?;
        let holidays = each::<NaiveDate>(&self.holidays, "holidays")?;
        let minutes = minute(&self.from, "from")?..minute(&self.until, "until")?;
        let limit = Duration::try_from_secs_f64(self.hours * 3600.0).map_err(|error| format!("hours: {error}"))?;
        let hours = WorkHours::new(zone, days, minutes).map_err(sentence)?.holidays(holidays);
        ServiceLevel::new(limit, hours).map_err(|error| format!("hours: {error}"))
    }
}

/// A time of the day, from 00:00 to 24:00.
fn minute(text: &str, member: &str) -> Result<u32, String> {
    let read = || {
        let (hour, minute) = text.split_once(':').filter(|(hour, minute)| hour.len() == 2 && minute.len() == 2)?;
        let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
        (minute < 60 && hour * 60 + minute <= 24 * 60).then_some(hour * 60 + minute)
    };
    read().ok_or_else(|| format!("{member}: {text:?} is no time of the day, such as 08:30 or 24:00"))
}
