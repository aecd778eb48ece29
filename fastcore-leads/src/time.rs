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

/// Reads RFC 3339, and what the FastAPI service takes beside it: no offset (it is UTC), an offset without its colon, no
/// seconds. Years 1 to 9999, as in Python's `datetime`. ASCII only: chrono takes U+2212 for a minus.
pub(crate) fn parse(text: &str) -> Option<DateTime<Utc>> {
    if text.len() > MAX_INSTANT_BYTES || !text.is_ascii() {
        return None;
    }
    let instant =
        DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_rfc3339(&completed(text))).ok()?.to_utc();
    let instant = to_micros(instant);
    (1..=9999).contains(&instant.year()).then_some(instant)
}

/// The length of a date and time down to the minute: `2026-11-22T10:30`.
const TO_THE_MINUTE: usize = 16;

/// Puts in what RFC 3339 asks for and the sender left out: seconds, the offset, its colon. The text is ASCII.
fn completed(text: &str) -> String {
    let (minutes, rest) = text.split_at_checked(TO_THE_MINUTE).unwrap_or((text, ""));
    let (seconds, offset) = rest.split_at(rest.find(['+', '-', 'Z', 'z']).unwrap_or(rest.len()));
    let seconds = if seconds.is_empty() { ":00" } else { seconds };
    let offset = match offset.len() {
        0 => "Z".to_owned(),
        5 => format!("{}:{}", &offset[..3], &offset[3..]),
        _ => offset.to_owned(),
    };
    format!("{minutes}{seconds}{offset}")
}
