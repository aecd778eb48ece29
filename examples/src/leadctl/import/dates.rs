//! Instants as people and spreadsheets write them. What a date means is never guessed: what is ambiguous is asked for.

use std::cell::RefCell;

use chrono::{DateTime, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, TimeZone, Utc};
use chrono_tz::Tz;

/// Which of two numbers comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Day,
    Month,
}

/// What the dates of a file are like.
#[derive(Default)]
pub(super) struct Seen {
    /// The first that says no time zone.
    local: Option<(u64, String)>,
    /// The first that can be read either way, or the first whose day, or month, comes first for certain.
    either: Option<(u64, String)>,
    day: Option<(u64, String)>,
    month: Option<(u64, String)>,
}

impl Seen {
    /// Looks at a cell of a line.
    pub(super) fn note(&mut self, line: u64, cell: &str) {
        let Some(written) = Written::of(cell) else { return };
        let here = || (line, cell.trim().to_owned());
        self.local.get_or_insert_with(here);
        if let Written::Short([first, second, _], _) = written {
            let seen = match (first > 12, second > 12) {
                (true, _) => &mut self.day,
                (_, true) => &mut self.month,
                _ if first == second => return,
                _ => &mut self.either,
            };
            seen.get_or_insert_with(here);
        }
    }
}

/// How the dates of a file are read.
pub(super) enum Dates {
    /// They are looked at before.
    Looked(RefCell<Vec<String>>),
    Known {
        zone: Option<Tz>,
        format: Option<String>,
        order: Order,
    },
}

impl Dates {
    /// # Errors
    /// A sentence that asks the operator for what the file does not say.
    pub(super) fn of(zone: Option<Tz>, format: Option<&str>, seen: &Seen) -> Result<Self, String> {
        let needs_zone = format.is_some_and(|format| !format.contains("%z") && !format.contains("%:z"));
        let format = format.map(str::to_owned);
        if format.is_some() {
            if needs_zone && zone.is_none() {
                return Err("the format of dates says no time zone: say --timezone, such as Europe/Paris".to_owned());
            }
            return Ok(Self::Known { zone, format, order: Order::Day });
        }
        if let (Some((line, cell)), None) = (&seen.local, zone) {
            return Err(format!("line {line}: {cell} says no time zone: say --timezone, such as Europe/Paris"));
        }
        let order = match (&seen.day, &seen.month, &seen.either) {
            (Some((day, one)), Some((month, other)), _) => {
                return Err(format!(
                    "in line {day} the day comes first ({one}), in line {month} the month ({other}): say --date-format, such as \
                     \"%d/%m/%Y %H:%M\""
                ));
            }
            (None, None, Some((line, cell))) => {
                return Err(format!(
                    "line {line}: {cell} can be read in two ways, and no other date says which: say --date-format, such as \
                     \"%d/%m/%Y %H:%M\""
                ));
            }
            (_, Some(_), _) => Order::Month,
            _ => Order::Day,
        };
        Ok(Self::Known { zone, format, order })
    }

    /// The cells that were looked at since.
    pub(super) fn looked(&self) -> impl Iterator<Item = String> {
        let cells = if let Self::Looked(cells) = self { cells.take() } else { Vec::new() };
        cells.into_iter()
    }

    /// The instant of a cell, as the endpoint reads it. What is none is left as it is, for the parser to refuse.
    ///
    /// # Errors
    /// Why it is none.
    pub(super) fn read(&self, cell: &str) -> Result<String, String> {
        let cell = cell.trim();
        let (zone, format, order) = match self {
            Self::Looked(cells) => {
                cells.borrow_mut().push(cell.to_owned());
                return Ok(cell.to_owned());
            }
            Self::Known { zone, format, order } => (*zone, format, *order),
        };
        if let Some(format) = format {
            let unlike = || format!("a date is not of the form {format}");
            if let Ok(instant) = DateTime::parse_from_str(cell, format) {
                return Ok(told(instant.to_utc()));
            }
            let day = || NaiveDate::parse_from_str(cell, format).ok().map(|day| day.and_time(NaiveTime::MIN));
            let local = NaiveDateTime::parse_from_str(cell, format).ok().or_else(day).ok_or_else(unlike)?;
            return in_zone(local, zone);
        }
        let Some(written) = Written::of(cell) else { return Ok(cell.to_owned()) };
        let local = written.read(order).ok_or("a date is none of the calendar")?;
        in_zone(local, zone)
    }
}

fn in_zone(local: NaiveDateTime, zone: Option<Tz>) -> Result<String, String> {
    let zone = zone.ok_or("a date says no time zone")?;
    match zone.from_local_datetime(&local) {
        LocalResult::Single(instant) => Ok(told(instant.to_utc())),
        LocalResult::Ambiguous(..) => {
            Err(format!("{local} comes twice in {zone}, as clocks are put back: write its offset"))
        }
        LocalResult::None => Err(format!("{local} does not come in {zone}, as clocks are put forward")),
    }
}

/// A date without a time zone, by its numbers.
enum Written {
    /// Year, month, day.
    Long([u32; 3], NaiveTime),
    /// Day and month in either order, and a year.
    Short([u32; 3], NaiveTime),
}

impl Written {
    fn of(cell: &str) -> Option<Self> {
        let cell = cell.trim();
        let (date, time) = match cell.split_once([' ', 'T', '\u{a0}']) {
            Some((date, time)) => (date, time_of(time.trim())?),
            None => (cell, NaiveTime::MIN),
        };
        let date = date.trim_end_matches(',');
        let sign = date.chars().find(|letter| matches!(letter, '/' | '.' | '-'))?;
        let parts: Vec<&str> = date.split(sign).collect();
        let [first, second, third] = parts[..] else { return None };
        let number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())?;
        let numbers = [number(first)?, number(second)?, number(third)?];
        match (first.len(), second.len(), third.len()) {
            (4, 1..=2, 1..=2) => Some(Self::Long(numbers, time)),
            (1..=2, 1..=2, 4) => Some(Self::Short(numbers, time)),
            _ => None,
        }
    }

    fn read(&self, order: Order) -> Option<NaiveDateTime> {
        let ([year, month, day], time) = match (self, order) {
            (Self::Long(numbers, time), _) => (*numbers, time),
            (Self::Short([day, month, year], time), Order::Day)
            | (Self::Short([month, day, year], time), Order::Month) => ([*year, *month, *day], time),
        };
        Some(NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?.and_time(*time))
    }
}

/// Of a day of 24 hours; `10h30` too.
fn time_of(text: &str) -> Option<NaiveTime> {
    ["%H:%M:%S%.f", "%H:%M", "%Hh%M"].iter().find_map(|format| NaiveTime::parse_from_str(text, format).ok())
}

fn told(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
