//! Where the operator is: days begin there at midnight, and times are told as the clock on the wall does.

use std::fmt;

use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

/// A time zone, by its name of the IANA's database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Zone(Tz);

impl Zone {
    pub(crate) const UTC: Self = Self(Tz::UTC);

    /// The machine's: what `TZ` names, or what the system is set to; UTC where it is neither.
    pub(crate) fn local() -> Self {
        let named = std::env::var("TZ").ok().and_then(|name| name.trim_start_matches(':').parse().ok());
        let set = || iana_time_zone::get_timezone().ok()?.parse().ok();
        Self(named.or_else(set).unwrap_or(Tz::UTC))
    }

    /// Returns the first instant of a day. Where clocks are put forward at midnight, that is later.
    pub(crate) fn start_of(self, day: NaiveDate) -> DateTime<Utc> {
        let midnight = day.and_time(NaiveTime::MIN);
        (0..24)
            .find_map(|hours| self.0.from_local_datetime(&(midnight + TimeDelta::hours(hours))).earliest())
            .map_or_else(|| midnight.and_utc(), |start| start.to_utc())
    }

    /// Returns an instant to the minute, for people; with its zone where that is UTC.
    pub(crate) fn minute(self, instant: DateTime<Utc>) -> String {
        let form = if self == Self::UTC { "%Y-%m-%d %H:%MZ" } else { "%Y-%m-%d %H:%M" };
        instant.with_timezone(&self.0).format(form).to_string()
    }

    /// Returns an instant to the second, with the offset from UTC.
    pub(crate) fn second(self, instant: DateTime<Utc>) -> String {
        instant.with_timezone(&self.0).to_rfc3339_opts(SecondsFormat::Secs, true)
    }

    /// Returns an instant as the clock on the wall shows it.
    pub(crate) fn wall(self, instant: DateTime<Utc>) -> chrono::NaiveDateTime {
        instant.with_timezone(&self.0).naive_local()
    }
}

/// Its name.
impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}
