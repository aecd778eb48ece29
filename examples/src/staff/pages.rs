//! What the pages have in common: their frame, and the leads as the inbox hands them out.

use std::collections::BTreeMap;

use askama::Template;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use fastcore_leads::LeadStatus;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::{Shared, Visit, answer::ASSETS_VERSION, texts::Texts};
use crate::web::Language;

/// What is around every page.
pub(super) struct Frame<'a> {
    pub(super) texts: &'static Texts,
    pub(super) language: Language,
    pub(super) path: &'a str,
    pub(super) assets: &'static str,
    pub(super) user: Option<User<'a>>,
}

/// Who looks at it.
pub(super) struct User<'a> {
    pub(super) name: &'a str,
    pub(super) csrf: &'a str,
}

impl<'a> Frame<'a> {
    pub(super) fn new(staff: &'a Shared, language: Language, visit: Option<&'a Visit>) -> Self {
        let user = visit.map(|visit| User { name: visit.grant.actor().as_str(), csrf: &visit.csrf });
        Self { texts: language.staff(), language, path: &staff.settings.path, assets: &ASSETS_VERSION, user }
    }

    /// What every form of the session carries.
    pub(super) fn csrf(&self) -> &str {
        self.user.as_ref().map_or("", |user| user.csrf)
    }
}

#[derive(Template)]
#[template(path = "staff/sign_in.html")]
pub(super) struct SignIn<'a> {
    pub(super) frame: Frame<'a>,
    pub(super) problem: Option<&'static str>,
    pub(super) next: String,
    /// What was typed, and could not be sent.
    pub(super) kept: String,
}

#[derive(Template)]
#[template(path = "staff/message.html")]
pub(super) struct Message<'a> {
    pub(super) frame: Frame<'a>,
    pub(super) text: &'static str,
    /// What was typed, and could not be sent.
    pub(super) kept: String,
}

#[derive(Template)]
#[template(path = "staff/onward.html")]
pub(super) struct Onward<'a> {
    pub(super) frame: Frame<'a>,
    pub(super) target: &'a str,
}

pub(super) struct Choice {
    pub(super) value: &'static str,
    pub(super) label: &'static str,
    pub(super) is_chosen: bool,
}

/// A lead, as the inbox shows it.
#[derive(Deserialize)]
pub(super) struct Lead {
    pub(super) id: Uuid,
    pub(super) created_at_utc: String,
    pub(super) status: String,
    pub(super) name: String,
    pub(super) email: String,
    pub(super) phone: Option<String>,
    pub(super) company: Option<String>,
    pub(super) service: Option<String>,
    pub(super) message: String,
    pub(super) consent: bool,
    pub(super) source: String,
    pub(super) request_id: Uuid,
    pub(super) erased_at_utc: Option<String>,
    /// An object where the row is of our making.
    meta_json: Value,
}

#[derive(Deserialize)]
pub(super) struct LeadNote {
    pub(super) at: String,
    pub(super) by: String,
    pub(super) text: String,
}

impl Lead {
    /// Who sees to it; nobody where that is empty.
    pub(super) fn assignee(&self) -> &str {
        self.meta_json["assignee"].as_str().unwrap_or_default()
    }

    /// What is no note of ours is left out.
    pub(super) fn notes(&self) -> impl Iterator<Item = LeadNote> {
        self.meta_json["notes"].as_array().into_iter().flatten().filter_map(|note| LeadNote::deserialize(note).ok())
    }

    /// Why it is held back.
    pub(super) fn suspicion(&self) -> Vec<String> {
        let codes = self.meta_json["suspicion"].as_array().into_iter();
        codes.flatten().filter_map(|code| code.as_str().map(str::to_owned)).collect()
    }
}

/// Numbers of leads.
#[allow(clippy::struct_field_names, reason = "as the inbox names them")]
#[derive(Deserialize)]
pub(super) struct Counts {
    pub(super) by_status: BTreeMap<String, u64>,
    pub(super) by_service: BTreeMap<String, u64>,
    pub(super) by_day: BTreeMap<String, u64>,
}

impl Counts {
    /// Of a status; without one, of all that the list shows.
    pub(super) fn of(&self, status: Option<LeadStatus>) -> u64 {
        let count = |status: LeadStatus| self.by_status.get(status.as_str()).copied().unwrap_or_default();
        status.map_or_else(|| self.by_status.values().sum::<u64>() - count(LeadStatus::Quarantined), count)
    }
}

/// An instant, as people read it where they are and as machines do.
#[derive(Clone)]
pub(super) struct Moment {
    pub(super) shown: String,
    pub(super) exact: String,
}

impl Moment {
    pub(super) fn of(text: &str, zone: Tz, language: Language) -> Self {
        match text.parse::<DateTime<Utc>>() {
            Ok(at) => Self::at(at, zone, language),
            // Of a row that something else wrote.
            Err(_) => Self { shown: text.to_owned(), exact: text.to_owned() },
        }
    }

    pub(super) fn at(at: DateTime<Utc>, zone: Tz, language: Language) -> Self {
        let format = language.staff().moment;
        Self { shown: at.with_timezone(&zone).format(format).to_string(), exact: at.to_rfc3339() }
    }
}
