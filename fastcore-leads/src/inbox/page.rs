use std::{fmt, str::FromStr};

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use uuid::Uuid;

use super::is_same_address;
use crate::{
    lead::{LeadStatus, Service},
    store::StoredLead,
    text::as_text,
    time,
};

/// The most leads of a page.
pub const MAX_PAGE: u32 = 1000;
/// How many different statuses, or sites, may be asked for at once over HTTP.
pub const MAX_REPEATED: usize = 20;

/// How many leads a page holds, whatever was asked for: at least one, at most [`MAX_PAGE`].
pub(crate) fn page_size(limit: u32) -> u32 {
    limit.clamp(1, MAX_PAGE)
}

/// Which leads a page shows. The default: all but those in quarantine. Erased leads are on no page.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct LeadFilter {
    /// Only these; none: all but [`LeadStatus::Quarantined`], those included that this version does not know.
    pub statuses: Vec<LeadStatus>,
    /// Only enquiries about this.
    pub service: Option<Service>,
    /// Only from these sites (`meta.source`), exactly; none: from all.
    pub sources: Vec<String>,
    /// Only taken in at this instant or later.
    pub received_from: Option<DateTime<Utc>>,
    /// Only taken in before this instant.
    pub received_before: Option<DateTime<Utc>>,
    /// Only from this address, whole, in any case and spelling of its domain.
    pub email: Option<String>,
}

impl LeadFilter {
    /// The statuses that it shows.
    pub fn shown(&self) -> Vec<LeadStatus> {
        if self.statuses.is_empty() {
            return LeadStatus::ALL.iter().copied().filter(|status| *status != LeadStatus::Quarantined).collect();
        }
        let mut statuses = self.statuses.clone();
        statuses.sort_unstable();
        statuses.dedup();
        statuses
    }

    /// Whether it shows leads in a status that this version does not know.
    pub fn shows_unknown(&self) -> bool {
        self.statuses.is_empty()
    }

    /// Whether a lead is on its pages.
    pub(crate) fn shows(&self, lead: &StoredLead) -> bool {
        lead.erased_at_utc.is_none()
            && lead.status.parse().map_or(self.shows_unknown(), |status| self.shown().contains(&status))
            && self.service.is_none_or(|service| lead.service.as_deref() == Some(service.as_str()))
            && (self.sources.is_empty() || self.sources.contains(&lead.source))
            && self.received_from.is_none_or(|from| lead.created_at_utc >= from)
            && self.received_before.is_none_or(|before| lead.created_at_utc < before)
            && self.email.as_ref().is_none_or(|email| is_same_address(email, &lead.email))
    }
}

impl fmt::Debug for LeadFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeadFilter")
            .field("statuses", &self.statuses)
            .field("service", &self.service)
            .field("sources", &self.sources)
            .field("received_from", &self.received_from)
            .field("received_before", &self.received_before)
            .field("has_email", &self.email.is_some())
            .finish()
    }
}

/// Reads an instant (RFC 3339; UTC where it has no offset), or a day, which begins at midnight in UTC: a bound of a [`LeadFilter`].
///
/// ```
/// use fastcore_leads::inbox::instant_or_day;
///
/// assert_eq!(instant_or_day("2026-01-31"), instant_or_day("2026-01-31T01:00:00+01:00"));
/// assert_eq!(instant_or_day("yesterday"), None);
/// ```
pub fn instant_or_day(text: &str) -> Option<DateTime<Utc>> {
    let is_day = text.len() == "2026-01-31".len() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if !is_day {
        return time::parse(text);
    }
    let midnight = text.parse::<NaiveDate>().ok()?.and_hms_opt(0, 0, 0)?.and_utc();
    is_storable(midnight).then_some(midnight)
}

/// Whether every database can hold it.
fn is_storable(instant: DateTime<Utc>) -> bool {
    (1..=9999).contains(&instant.year())
}

/// A page, newest lead first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LeadPage {
    /// The leads.
    pub leads: Vec<StoredLead>,
    /// Where the next page begins; none on the last.
    pub next: Option<Cursor>,
    /// Where the page in front of this one ends; none on the first.
    pub previous: Option<Cursor>,
}

impl LeadPage {
    /// Makes the page behind a place of what a store read: up to one lead more than the page holds, newest first.
    pub fn after(place: Option<Cursor>, mut leads: Vec<StoredLead>, limit: u32) -> Self {
        let limit = page_size(limit) as usize;
        let has_more = leads.len() > limit;
        leads.truncate(limit);
        let next = leads.last().filter(|_| has_more).map(Cursor::at);
        let previous = leads.first().filter(|_| place.is_some()).map(Cursor::at);
        Self { leads, next, previous }
    }

    /// Makes the page in front of a place of what a store read: up to one lead more than the page holds, oldest first.
    pub fn before(mut leads: Vec<StoredLead>, limit: u32) -> Self {
        let limit = page_size(limit) as usize;
        let has_more = leads.len() > limit;
        leads.truncate(limit);
        leads.reverse();
        let next = leads.last().map(Cursor::at);
        let previous = leads.first().filter(|_| has_more).map(Cursor::at);
        Self { leads, next, previous }
    }
}

/// A place in the order of leads, by instant and id. A page that begins behind it is the same however many leads arrive
/// meanwhile. Its text may go into a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// When the lead there was taken in.
    pub created_at: DateTime<Utc>,
    /// Its id.
    pub id: Uuid,
}

impl Cursor {
    /// The place of a lead.
    pub fn at(lead: &StoredLead) -> Self {
        Self { created_at: lead.created_at_utc, id: lead.id.as_uuid() }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.created_at.timestamp_micros(), self.id.simple())
    }
}

as_text!(Cursor);

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let (micros, id) = text.split_once('_').ok_or(InvalidCursor)?;
        let created_at = micros.parse().ok().and_then(DateTime::from_timestamp_micros).ok_or(InvalidCursor)?;
        if !is_storable(created_at) {
            return Err(InvalidCursor);
        }
        Ok(Self { created_at, id: Uuid::try_parse(id).map_err(|_| InvalidCursor)? })
    }
}

/// The text is no [`Cursor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a place in the list: begin at its start")]
pub struct InvalidCursor;
