use std::{collections::BTreeSet, ops::RangeInclusive};

use super::body::Wanted;
use crate::{
    inbox::{Cursor, Disclosure, LeadFilter, MAX_PAGE, MAX_REPEATED, instant_or_day},
    lead::limits,
    token::{Grant, Scope},
};

/// How many leads a page may hold.
const LIMIT: RangeInclusive<u32> = 1..=MAX_PAGE;
const DEFAULT_LIMIT: u32 = 50;

/// What a request asks for by its URL.
#[derive(Debug, Default)]
pub(super) struct Query {
    pub(super) filter: LeadFilter,
    pub(super) after: Option<Cursor>,
    limit: Option<u32>,
    reveal: Option<bool>,
}

impl Query {
    /// Reads a URL's query. None where a parameter is not one of these, repeated, or not of its form. Statuses and sources may be
    /// repeated: leads of any of them are asked for.
    pub(super) fn parse(query: &str, known: &[&str]) -> Option<Self> {
        let mut read = Self::default();
        let mut seen = BTreeSet::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            // What is not UTF-8 is nobody's name for anything.
            if !known.contains(&&*name) || value.contains('\u{FFFD}') {
                return None;
            }
            let filter = &mut read.filter;
            match &*name {
                "status" => filter.statuses.push(value.parse().ok()?),
                "source" => filter.sources.push(source(&value)?),
                _ if !seen.insert(name.clone()) => return None,
                "service" => filter.service = Some(value.parse().ok()?),
                "from" => filter.received_from = Some(instant_or_day(&value)?),
                "to" => filter.received_before = Some(instant_or_day(&value)?),
                "after" => read.after = Some(value.parse().ok()?),
                "limit" => read.limit = Some(limit(&value)?),
                "reveal" => read.reveal = Some(value.parse().ok()?),
                _ => return None,
            }
        }
        read.deduplicated()
    }

    /// What the body of a search asks for. None where a member is not of its form.
    pub(super) fn of(wanted: Wanted) -> Option<Self> {
        let Wanted { status, service, source: sources, from, to, limit, reveal, .. } = wanted;
        let instant = |text: Option<String>| text.map_or(Some(None), |text| instant_or_day(&text).map(Some));
        let filter = LeadFilter {
            statuses: status,
            service,
            sources: sources.iter().map(|text| source(text)).collect::<Option<_>>()?,
            received_from: instant(from)?,
            received_before: instant(to)?,
            email: None,
        };
        let is_limit = limit.is_none_or(|limit| LIMIT.contains(&limit));
        Self { filter, after: None, limit, reveal }.deduplicated().filter(|_| is_limit)
    }

    /// None where more is asked for than may be.
    fn deduplicated(mut self) -> Option<Self> {
        let LeadFilter { statuses, sources, .. } = &mut self.filter;
        statuses.sort_unstable();
        statuses.dedup();
        sources.sort_unstable();
        sources.dedup();
        (statuses.len() <= MAX_REPEATED && sources.len() <= MAX_REPEATED).then_some(self)
    }

    pub(super) fn limit(&self) -> u32 {
        self.limit.unwrap_or(DEFAULT_LIMIT)
    }

    /// How much the bearer is shown: everything, if the token allows it and the request does not say otherwise. None where it asks
    /// for more than the token allows.
    pub(super) fn disclosure(&self, grant: &Grant) -> Option<Disclosure> {
        match (self.reveal, grant.allows(Scope::Reveal)) {
            (Some(true), false) => None,
            (Some(false), _) | (None, false) => Some(Disclosure::Masked),
            (Some(true) | None, true) => Some(Disclosure::Clear),
        }
    }

    /// Leaves of the filter what the bearer may see; false where that is nothing.
    pub(super) fn narrow(&mut self, grant: &Grant) -> bool {
        let Some(allowed) = grant.sources() else { return true };
        let sources = &mut self.filter.sources;
        if sources.is_empty() {
            sources.extend(allowed.iter().cloned());
        } else {
            sources.retain(|source| allowed.contains(source));
        }
        !sources.is_empty()
    }
}

/// What a lead's `meta.source` can be. A database that cannot hold a character must not be asked for it.
fn source(text: &str) -> Option<String> {
    let is_source = text.chars().count() <= limits::SOURCE.max && !text.chars().any(char::is_control);
    is_source.then(|| text.to_owned())
}

/// Digits alone: no sign, no spaces.
fn limit(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit()).then_some(text)?;
    digits.parse().ok().filter(|limit| LIMIT.contains(limit))
}
