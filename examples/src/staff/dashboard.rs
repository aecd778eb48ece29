//! How the leads fare: how many come, about what, and how long people wait. Pictures are drawn here, each with its numbers in a table.

use std::collections::BTreeMap;

use askama::Template;
use chrono::{Days, NaiveDate, Utc};
use fastcore_leads::LeadStatus;
use http::{Response, StatusCode};
use serde::Deserialize;

use super::{
    Frame, Refused, StaffBody, Turn, answer,
    pages::{Counts, Moment},
};

/// How many days are looked at, today included. They are UTC's, as the inbox counts them.
const DAYS: u64 = 31;

/// How long people waited until somebody worked on their lead.
#[derive(Deserialize)]
struct ContactTimes {
    contacted: u64,
    median_seconds: Option<u64>,
    p90_seconds: Option<u64>,
    by_service: BTreeMap<String, Waiting>,
    oldest_received: Option<String>,
}

#[derive(Deserialize)]
struct Waiting {
    leads: u64,
    contacted: u64,
    median_seconds: Option<u64>,
}

#[derive(Template)]
#[template(path = "staff/dashboard.html")]
struct Dashboard<'a> {
    frame: Frame<'a>,
    figures: Vec<Figure>,
    quarantined: u64,
    quarantine: String,
    charts: Vec<Chart>,
}

struct Figure {
    label: &'static str,
    value: String,
}

/// Bars that stand beside each other.
struct Chart {
    id: &'static str,
    title: &'static str,
    columns: [&'static str; 2],
    bars: Vec<Bar>,
    width: u32,
}

struct Bar {
    label: String,
    value: String,
    /// Written under the bar, where there is room.
    mark: String,
    x: u32,
    y: u32,
    width: u32,
    height: u32,
}

/// The height that the highest bar has, and the room that one takes from the next.
const HEIGHT: u64 = 160;
const TOP: u32 = 24;
/// Left and right, for what is written under the first and the last.
const MARGIN: u32 = 24;

impl Bar {
    fn middle(&self) -> u32 {
        self.x + self.width / 2
    }
}

impl Chart {
    /// `bars` are labels, numbers, and how these are written.
    fn new(
        id: &'static str,
        title: &'static str,
        columns: [&'static str; 2],
        bars: Vec<(String, u64, String)>,
        step: u32,
    ) -> Self {
        let highest = bars.iter().map(|(_, number, _)| *number).max().unwrap_or_default().max(1);
        let every = if bars.len() > 12 { 5 } else { 1 };
        let mut x = MARGIN;
        let bars: Vec<_> = bars
            .into_iter()
            .enumerate()
            .map(|(place, (label, number, value))| {
                let height = u32::try_from(number * HEIGHT / highest).unwrap_or_default();
                let mark = if place % every == 0 { label.clone() } else { String::new() };
                let y = TOP + u32::try_from(HEIGHT).unwrap_or_default() - height;
                let bar = Bar { label, value, mark, x: x + step / 8, y, width: step * 3 / 4, height };
                x += step;
                bar
            })
            .collect();
        Self { id, title, columns, bars, width: x + MARGIN }
    }
}

impl Turn<'_> {
    pub(super) async fn dashboard(&self) -> Result<Response<StaffBody>, Refused> {
        let today = Utc::now().date_naive();
        let first = today.checked_sub_days(Days::new(DAYS - 1)).unwrap_or(today);
        let api = self.api();
        let counts: Counts = api.get(&format!("/inbound/leads/counts?from={first}")).await?;
        let times: ContactTimes = api.get(&format!("/inbound/leads/contact-times?from={first}")).await?;
        let frame = self.frame();
        let texts = frame.texts;
        let duration = |seconds: Option<u64>| seconds.map_or_else(|| "–".to_owned(), |seconds| texts.duration(seconds));
        let oldest = times.oldest_received.as_deref();
        let oldest = oldest.map(|oldest| Moment::of(oldest, self.staff.settings.time_zone, self.language).shown);
        let figures = vec![
            Figure { label: texts.taken_in, value: counts.of(None).to_string() },
            Figure { label: texts.contacted, value: times.contacted.to_string() },
            Figure { label: texts.median_wait, value: duration(times.median_seconds) },
            Figure { label: texts.longest_waits, value: duration(times.p90_seconds) },
            Figure { label: texts.oldest_waiting, value: oldest.unwrap_or_else(|| "–".to_owned()) },
        ];
        let days = (0..DAYS).filter_map(|day| first.checked_add_days(Days::new(day))).map(|day| {
            let leads = counts.by_day.get(&day.to_string()).copied().unwrap_or_default();
            (day_of(day, texts.day), leads, leads.to_string())
        });
        let services = counts
            .by_service
            .iter()
            .map(|(service, leads)| (texts.service(Some(service)).to_owned(), *leads, leads.to_string()));
        let waits = times.by_service.iter().map(|(service, waiting)| {
            let value = format!("{} ({}/{})", duration(waiting.median_seconds), waiting.contacted, waiting.leads);
            (texts.service(Some(service)).to_owned(), waiting.median_seconds.unwrap_or_default(), value)
        });
        let charts = vec![
            Chart::new("days", texts.by_day, [texts.day_column, texts.leads_column], days.collect(), 24),
            Chart::new(
                "services",
                texts.by_service,
                [texts.service_column, texts.leads_column],
                services.collect(),
                120,
            ),
            Chart::new("waits", texts.by_wait, [texts.service_column, texts.wait_column], waits.collect(), 120),
        ];
        let dashboard = Dashboard {
            figures,
            quarantined: counts.of(Some(LeadStatus::Quarantined)),
            quarantine: format!("{}?status=quarantined", self.path()),
            charts,
            frame,
        };
        Ok(answer::page(StatusCode::OK, &dashboard))
    }
}

fn day_of(day: NaiveDate, format: &str) -> String {
    day.format(format).to_string()
}
