//! Instants: RFC 3339, UTC, microseconds, since that is what PostgreSQL keeps.

use chrono::{DateTime, Datelike, SecondsFormat, Utc};

use crate::lead::limits::MAX_INSTANT_BYTES;

/// Now, in microseconds: the same instant in the answer, the lead row and the audit row.
pub(crate) fn now() -> DateTime<Utc> {
    to_micros(Utc::now())
}

/// Drops what is finer than a microsecond; a leap second becomes the second after it.
pub(crate) fn to_micros(instant: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(instant.timestamp_micros()).unwrap_or(instant)
}

/// Writes an instant as an answer has it: `2026-11-22T10:30:45.123456Z`.
pub(crate) fn format(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// Reads RFC 3339; without an offset it is UTC. Years 1 to 9999, as in Python's `datetime`.
pub(crate) fn parse(text: &str) -> Option<DateTime<Utc>> {
    if text.len() > MAX_INSTANT_BYTES {
        return None;
    }
    let instant = DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_rfc3339(&format!("{text}Z")))
        .ok()?
        .to_utc();
    let instant = to_micros(instant);
    (1..=9999).contains(&instant.year()).then_some(instant)
}
