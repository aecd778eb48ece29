//! The list: what there is, filtered, page by page.

use std::sync::Arc;

use askama::Template;
use chrono::{DateTime, Days, NaiveDate, SecondsFormat, TimeZone, Utc};
use chrono_tz::Tz;
use fastcore_leads::{LeadStatus, Service, inbox::Cursor, token::Scope};
use http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use super::{
    Form, Frame, Refused, StaffBody, Turn, answer,
    pages::{Choice, Counts, Lead, Moment},
};

/// So many days are counted at most.
const YEAR: Days = Days::new(364);
/// Leads of a page.
pub(super) const PER_PAGE: u32 = 50;

/// Which leads are looked at. What a query says that is nothing of this is left out.
#[derive(Clone, Default)]
pub(super) struct Filter {
    status: Option<LeadStatus>,
    service: Option<Service>,
    source: Option<String>,
    from: Option<NaiveDate>,
    /// This day too.
    to: Option<NaiveDate>,
    zone: Tz,
}

impl Filter {
    /// All there is, but for what is held back.
    pub(super) fn of(zone: Tz) -> Self {
        Self { zone, ..Self::default() }
    }

    pub(super) fn read(form: &Form, zone: Tz) -> Self {
        Self {
            status: form.read_as("status"),
            service: form.read_as("service"),
            source: form.some("source").map(str::to_owned),
            from: form.read_as("from"),
            to: form.read_as("to"),
            zone,
        }
    }

    /// As the inbox is asked.
    pub(super) fn to_query(&self, more: &[(&str, &str)]) -> String {
        let mut query = Serializer::new(String::new());
        query.extend_pairs(self.asked());
        query.extend_pairs(more);
        query.finish()
    }

    /// As the inbox is asked in a body.
    pub(super) fn to_members(&self) -> Vec<(&'static str, Value)> {
        let member = |(name, value)| match name {
            "status" | "source" => (name, json!([value])),
            _ => (name, Value::from(value)),
        };
        self.asked().into_iter().map(member).collect()
    }

    /// What is asked for, with instants in place of days.
    fn asked(&self) -> Vec<(&'static str, String)> {
        let from = self.from.and_then(|day| midnight(day, self.zone));
        let to = self.to.and_then(|day| midnight(day.checked_add_days(Days::new(1))?, self.zone));
        let days = [("from", from), ("to", to)].into_iter().filter_map(|(name, instant)| Some((name, instant?)));
        let instants = days.map(|(name, instant)| (name, instant.to_rfc3339_opts(SecondsFormat::Secs, true)));
        let words = self.words().into_iter().filter(|(name, _)| !matches!(*name, "from" | "to"));
        words.chain(instants).collect()
    }

    /// As a page's address says it.
    pub(super) fn to_address(&self, after: Option<&str>) -> String {
        let mut query = Serializer::new(String::new());
        query.extend_pairs(self.words());
        if let Some(after) = after {
            query.append_pair("after", after);
        }
        query.finish()
    }

    pub(super) fn words(&self) -> Vec<(&'static str, String)> {
        let words = [
            ("status", self.status.map(|status| status.to_string())),
            ("service", self.service.map(|service| service.to_string())),
            ("source", self.source.clone()),
            ("from", self.from.map(|day| day.to_string())),
            ("to", self.to.map(|day| day.to_string())),
        ];
        words.into_iter().filter_map(|(name, word)| Some((name, word?))).collect()
    }
}

/// The first instant of a day, where it is: clocks that go forward at midnight have none at 0:00.
fn midnight(day: NaiveDate, zone: Tz) -> Option<DateTime<Utc>> {
    (0..4).find_map(|hour| {
        let local = day.and_hms_opt(hour, 0, 0)?;
        zone.from_local_datetime(&local).earliest().map(|instant| instant.to_utc())
    })
}

#[derive(Deserialize)]
struct Page {
    leads: Vec<Lead>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "staff/list.html")]
struct List<'a> {
    frame: Frame<'a>,
    tabs: Vec<Tab>,
    services: Vec<Choice>,
    filter: Filter,
    /// The same, as fields of a form; and what was searched for, which is nothing yet.
    narrowed: Vec<(&'static str, String)>,
    text: &'static str,
    status: &'static str,
    quick: Vec<(&'static str, String)>,
    rows: Vec<Row>,
    /// This page's own address, for forms that come back to it.
    here: String,
    first: Option<String>,
    next: Option<String>,
    shows_all: bool,
    can_reveal: bool,
    is_quarantine: bool,
    /// The newest lead when the page was made, where it shows that.
    newest: Option<String>,
}

impl List<'_> {
    fn from(&self) -> String {
        self.filter.from.map(|day| day.to_string()).unwrap_or_default()
    }

    fn to(&self) -> String {
        self.filter.to.map(|day| day.to_string()).unwrap_or_default()
    }

    fn source(&self) -> &str {
        self.filter.source.as_deref().unwrap_or_default()
    }
}

struct Tab {
    name: &'static str,
    address: String,
    count: Option<u64>,
    is_chosen: bool,
    /// What is held back must not be overlooked.
    is_alarming: bool,
}

/// A lead in a table.
pub(super) struct Row {
    pub(super) lead: Lead,
    pub(super) address: String,
    pub(super) status: &'static str,
    pub(super) service: &'static str,
    pub(super) at: Moment,
    pub(super) opening: String,
}

impl Turn<'_> {
    pub(super) async fn list(&self, query: &Form) -> Result<Response<StaffBody>, Refused> {
        let zone = self.staff.settings.time_zone;
        let filter = Filter::read(query, zone);
        // A place that is none is the start.
        let after = query.read_as::<Cursor>("after").map(|after| after.to_string());
        let can_reveal = self.visit.grant.allows(Scope::Reveal);
        let shows_all = can_reveal && self.visit.shows_all;
        let reveal = shows_all.to_string();
        let limit = PER_PAGE.to_string();
        let mut more = vec![("limit", limit.as_str()), ("reveal", reveal.as_str())];
        more.extend(after.as_deref().map(|after| ("after", after)));
        let page: Page = self.api().get(&format!("/inbound/leads?{}", filter.to_query(&more))).await?;
        // Leads are shown also where counting them takes too long.
        let counts = self.counts(&filter).await.ok();
        let frame = self.frame();
        let (texts, path) = (frame.texts, self.path());
        let link = |filter: &Filter| format!("{path}?{}", filter.to_address(None));
        let tab = |status: Option<LeadStatus>| Tab {
            name: status.map_or(texts.all, |status| texts.status(status.as_str())),
            address: link(&Filter { status, ..filter.clone() }),
            count: counts.as_ref().map(|counts| counts.of(status)),
            is_chosen: filter.status == status,
            is_alarming: status == Some(LeadStatus::Quarantined)
                && counts.as_ref().is_none_or(|counts| counts.of(status) > 0),
        };
        let tabs = [None].into_iter().chain(LeadStatus::ALL.iter().copied().map(Some)).map(tab).collect();
        let today = Utc::now().with_timezone(&zone).date_naive();
        let days = |from, to| link(&Filter { from, to, ..filter.clone() });
        let yesterday = today.pred_opt();
        let quick = vec![
            (texts.today, days(Some(today), Some(today))),
            (texts.yesterday, days(yesterday, yesterday)),
            (texts.last_week, days(today.checked_sub_days(Days::new(6)), Some(today))),
            (texts.any_day, days(None, None)),
        ];
        let shows_newest = after.is_none() && filter.words().is_empty();
        let newest = page.leads.first().map(|lead| lead.id.to_string()).unwrap_or_default();
        let list = List {
            tabs,
            services: texts.services(filter.service),
            status: filter.status.map_or("", LeadStatus::as_str),
            quick,
            rows: self.rows(page.leads, &frame),
            narrowed: filter.words(),
            text: "",
            here: format!("{path}?{}", filter.to_address(after.as_deref())),
            first: after.as_ref().map(|_| link(&filter)),
            next: page.next.map(|next| format!("{path}?{}", filter.to_address(Some(&next)))),
            newest: shows_newest.then_some(newest),
            shows_all,
            can_reveal,
            is_quarantine: filter.status == Some(LeadStatus::Quarantined),
            filter: filter.clone(),
            frame,
        };
        Ok(answer::page(StatusCode::OK, &list))
    }

    pub(super) fn rows(&self, leads: Vec<Lead>, frame: &Frame<'_>) -> Vec<Row> {
        let (texts, path, zone) = (frame.texts, self.path(), self.staff.settings.time_zone);
        let row = |lead: Lead| Row {
            address: format!("{path}/leads/{}", lead.id),
            status: texts.status(&lead.status),
            service: texts.service(lead.service.as_deref()),
            at: Moment::of(&lead.created_at_utc, zone, self.language),
            opening: opening(&lead.message),
            lead,
        };
        leads.into_iter().map(row).collect()
    }

    /// What there is besides in every status; of the last year, or of as many days as were asked for, a year at most.
    async fn counts(&self, filter: &Filter) -> Result<Arc<Counts>, Refused> {
        let last = filter.to.unwrap_or_else(|| Utc::now().with_timezone(&filter.zone).date_naive());
        let first = last.checked_sub_days(YEAR).unwrap_or(last);
        let from = filter.from.map_or(first, |from| from.clamp(first, last));
        let counted = Filter { status: None, from: Some(from), ..filter.clone() };
        self.staff.counted.get(&self.api(), &counted.to_query(&[])).await
    }
}

/// The first words of a message, on one line.
fn opening(message: &str) -> String {
    const LONGEST: usize = 90;
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
