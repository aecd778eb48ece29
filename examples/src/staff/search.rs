//! The search. What is typed is sent in the body of a form, so that no address, history or log names a person.

use askama::Template;
use fastcore_leads::token::Scope;
use http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::{
    Form, Frame, Refused, StaffBody, Turn, answer,
    list::{Filter, PER_PAGE, Row},
    pages::Lead,
};

#[derive(Default, Deserialize)]
struct Found {
    leads: Vec<Lead>,
    next: Option<String>,
    is_complete: bool,
}

#[derive(Template)]
#[template(path = "staff/search.html")]
struct Search<'a> {
    frame: Frame<'a>,
    text: &'a str,
    /// What else is asked for, as fields of the form.
    narrowed: Vec<(&'static str, String)>,
    problem: Option<&'static str>,
    rows: Vec<Row>,
    next: Option<String>,
    is_complete: bool,
    /// The list that is searched.
    here: String,
}

impl Turn<'_> {
    pub(super) async fn search(&self, form: &Form) -> Result<Response<StaffBody>, Refused> {
        let zone = self.staff.settings.time_zone;
        let filter = if form.some("everywhere").is_some() { Filter::of(zone) } else { Filter::read(form, zone) };
        let shows_all = self.visit.shows_all && self.visit.grant.allows(Scope::Reveal);
        let mut wanted = json!({"text": form.get("text"), "limit": PER_PAGE, "reveal": shows_all});
        for (member, value) in filter.to_members() {
            wanted[member] = value;
        }
        if let Some(after) = form.some("after") {
            wanted["after"] = after.into();
        }
        let frame = self.frame();
        let texts = frame.texts;
        let (status, problem, found) = match self.api().post::<Found>("/inbound/leads/search", &wanted).await {
            Ok(found) => (StatusCode::OK, None, found),
            Err(refused) if refused.error == "validation_error" => {
                (refused.status(), Some(texts.search_invalid), Found::default())
            }
            Err(refused) => return Ok(self.refused_with(&refused, form.typed())),
        };
        let search = Search {
            text: form.get("text"),
            narrowed: filter.words(),
            problem,
            rows: self.rows(found.leads, &frame),
            next: found.next,
            is_complete: found.is_complete,
            here: format!("{}?{}", self.path(), filter.to_address(None)),
            frame,
        };
        Ok(answer::page(status, &search))
    }
}
