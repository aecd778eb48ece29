use std::{collections::BTreeSet, fmt, sync::Arc, time::Duration};

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, TimeDelta, TimeZone, Utc, Weekday};

/// How long a lead may wait for somebody to work on it.
///
/// ```
/// use std::time::Duration;
/// use chrono::{DateTime, Utc, Weekday::*};
/// use fastcore_leads::inbox::{ServiceLevel, WorkHours};
///
/// let hours = WorkHours::new(Utc, [Mon, Tue, Wed, Thu, Fri], 8 * 60..18 * 60)?;
/// let level = ServiceLevel::new(Duration::from_secs(4 * 3600), hours)?;
/// // On a Monday at ten, what came on Friday before four in the afternoon has waited for more than four hours of work.
/// let now: DateTime<Utc> = "2026-11-30T10:00:00Z".parse()?;
/// assert_eq!(level.overdue_before(now), Some("2026-11-27T16:00:00Z".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ServiceLevel {
    limit: TimeDelta,
    hours: WorkHours,
}

/// The longest that a lead may be allowed to wait, in time of work.
const LONGEST: TimeDelta = TimeDelta::hours(1000);
/// Days that are looked back over: with one hour of work in a week, the longest limit reaches further back than any lead matters.
const DAYS: u64 = 3660;

impl ServiceLevel {
    /// A lead may wait for so long, in time of work.
    ///
    /// # Errors
    /// [`InvalidServiceLevel::Limit`] where that is not from a minute to 1,000 hours.
    pub fn new(limit: Duration, hours: WorkHours) -> Result<Self, InvalidServiceLevel> {
        let limit = TimeDelta::from_std(limit).ok().filter(|limit| (TimeDelta::minutes(1)..=LONGEST).contains(limit));
        Ok(Self { limit: limit.ok_or(InvalidServiceLevel::Limit)?, hours })
    }

    /// Returns the instant from which to `now` the limit has been worked: what came before it, and was not touched since, has
    /// waited for too long. None where there was not so much work in ten years.
    pub fn overdue_before(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut left = self.limit;
        let mut day = self.hours.zone.date(now);
        for _ in 0..DAYS {
            if let Some((opens, closes)) = self.hours.on(day) {
                let closes = closes.min(now);
                let worked = closes - opens;
                if worked >= left {
                    return Some(closes - left);
                }
                // On the morning of a day that opens later, nothing has been worked yet.
                left -= worked.max(TimeDelta::zero());
            }
            day = day.checked_sub_days(Days::new(1))?;
        }
        None
    }
}

/// When there is somebody who could answer: days of the week from a time to another, but not on holidays.
#[derive(Clone)]
pub struct WorkHours {
    zone: Arc<dyn Zone>,
    days: Vec<Weekday>,
    opens: u32,
    closes: u32,
    holidays: BTreeSet<NaiveDate>,
}

/// Minutes of a day.
const DAY: u32 = 24 * 60;

impl WorkHours {
    /// Work on these days, from a minute of the day to another, as the clocks of a time zone show them: `8 * 60..18 * 60`, or
    /// `0..24 * 60` for the whole of the day. For zones such as `Europe/Paris`, use the crate `chrono-tz`.
    ///
    /// # Errors
    /// [`InvalidServiceLevel::Hours`] where there is no day, or no minute of one.
    pub fn new<Tz>(
        zone: Tz,
        days: impl IntoIterator<Item = Weekday>,
        minutes: std::ops::Range<u32>,
    ) -> Result<Self, InvalidServiceLevel>
    where
        Tz: TimeZone + Send + Sync + 'static,
    {
        let days: Vec<_> = days.into_iter().collect();
        if days.is_empty() || minutes.is_empty() || minutes.end > DAY {
            return Err(InvalidServiceLevel::Hours);
        }
        Ok(Self { zone: Arc::new(zone), days, opens: minutes.start, closes: minutes.end, holidays: BTreeSet::new() })
    }

    /// Days on which nobody works.
    pub fn holidays(mut self, holidays: impl IntoIterator<Item = NaiveDate>) -> Self {
        self.holidays.extend(holidays);
        self
    }

    /// From when to when there is work on a day.
    fn on(&self, day: NaiveDate) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        if !self.days.contains(&day.weekday()) || self.holidays.contains(&day) {
            return None;
        }
        let at = |minute: u32| {
            let midnight = day.and_hms_opt(0, 0, 0)?;
            Some(self.zone.instant(midnight.checked_add_signed(TimeDelta::minutes(minute.into()))?))
        };
        Some((at(self.opens)?, at(self.closes)?))
    }
}

impl fmt::Debug for WorkHours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkHours")
            .field("days", &self.days)
            .field("opens", &self.opens)
            .field("closes", &self.closes)
            .field("holidays", &self.holidays)
            .finish_non_exhaustive()
    }
}

/// What the clocks of a place show.
trait Zone: Send + Sync {
    fn date(&self, instant: DateTime<Utc>) -> NaiveDate;
    fn instant(&self, shown: NaiveDateTime) -> DateTime<Utc>;
}

impl<Tz: TimeZone + Send + Sync> Zone for Tz {
    fn date(&self, instant: DateTime<Utc>) -> NaiveDate {
        instant.with_timezone(self).date_naive()
    }

    fn instant(&self, shown: NaiveDateTime) -> DateTime<Utc> {
        // Where clocks go forward, what they pass over is as if they had not.
        let later = || {
            let hour = TimeDelta::hours(1);
            self.from_local_datetime(&(shown + hour)).earliest().map(|instant| instant - hour)
        };
        let instant = self.from_local_datetime(&shown).earliest().or_else(later);
        instant.map_or_else(|| shown.and_utc(), |instant| instant.with_timezone(&Utc))
    }
}

/// Why a service level cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidServiceLevel {
    /// Too short or too long.
    #[error("a lead may wait for 1 minute to 1000 hours")]
    Limit,
    /// Nobody ever works.
    #[error(
        "work begins on at least one day of the week, at a minute of the day that lies before the one at which it ends"
    )]
    Hours,
}
