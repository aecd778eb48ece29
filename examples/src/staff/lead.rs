//! One lead: what was written, what happened to it, and what can be done with it.

use askama::Template;
use fastcore_leads::{
    LeadId, LeadStatus,
    audit::{LEAD_ASSIGNED, LEAD_NOTED, LEAD_REVEALED},
    outbox::DeliveryFilter,
    token::Scope,
};
use http::{Method, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Form, Frame, Refused, StaffBody, Turn, Wish, answer,
    pages::{Lead, Moment},
};

/// What a lead's page can do, by the last segment of its path.
pub(super) const WORKS: [&str; 8] =
    ["status", "notes", "assignee", "release", "consent-withdrawal", "erase", "reveal", "mask"];

/// Deliveries that are shown of a lead.
const MAX_DELIVERIES: u32 = 50;

#[derive(Deserialize)]
struct Shown {
    lead: Lead,
    trail: Vec<Record>,
    same_address: Vec<Other>,
}

#[derive(Deserialize)]
struct Record {
    created_at_utc: String,
    event: String,
    actor: String,
    details: Value,
}

#[derive(Deserialize)]
struct Other {
    id: Uuid,
    created_at_utc: String,
    status: String,
    service: Option<String>,
}

/// What somebody was about to do, and why it was not done: shown again, so that nothing that was typed is lost.
pub(super) struct Undone<'f> {
    refused: Refused,
    form: &'f Form,
}

#[derive(Template)]
#[template(path = "staff/lead.html")]
struct Page<'a> {
    frame: Frame<'a>,
    address: String,
    lead: Lead,
    status: &'static str,
    service: &'static str,
    received: Moment,
    suspicion: Vec<String>,
    notes: Vec<Note>,
    moves: Vec<(&'static str, &'static str)>,
    events: Vec<Event>,
    others: Vec<Earlier>,
    deliveries: Vec<Sent>,
    /// How many steps the trail had when this page was made: what is beyond is news to whoever sends it back.
    seen: usize,
    problem: Option<&'static str>,
    news: Vec<Event>,
    typed: Typed,
    can: Can,
    is_masked: bool,
    me: String,
}

#[derive(Default)]
struct Typed {
    note: String,
    reason: String,
    assignee: Option<String>,
}

#[allow(clippy::struct_excessive_bools, reason = "each is a right of its own")]
struct Can {
    reveal: bool,
    work: bool,
    erase: bool,
    withdraw: bool,
}

struct Note {
    at: Moment,
    by: String,
    text: String,
}

#[derive(Clone)]
struct Event {
    at: Moment,
    what: String,
    actor: String,
    reason: String,
    is_quiet: bool,
}

struct Earlier {
    address: String,
    at: Moment,
    status: &'static str,
    service: &'static str,
}

struct Sent {
    destination: String,
    what: &'static str,
    state: &'static str,
    attempts: u32,
    at: Moment,
    answer: String,
}

/// Asked once more, since it cannot be undone.
#[derive(Template)]
#[template(path = "staff/erase.html")]
struct Erase<'a> {
    frame: Frame<'a>,
    address: String,
    lead: Lead,
    received: Moment,
    problem: Option<&'static str>,
    reason: String,
}

impl Turn<'_> {
    fn moment(&self, text: &str) -> Moment {
        Moment::of(text, self.staff.settings.time_zone, self.language)
    }

    fn address(&self, id: impl std::fmt::Display) -> String {
        format!("{}/leads/{id}", self.path())
    }

    pub(super) async fn lead(&self, id: Uuid, undone: Option<Undone<'_>>) -> Result<Response<StaffBody>, Refused> {
        let grant = &self.visit.grant;
        let can_reveal = grant.allows(Scope::Reveal);
        let is_masked = !(can_reveal && self.visit.shows(id));
        let Shown { lead, trail, same_address } =
            self.api().get(&format!("/inbound/leads/{id}?reveal={}", !is_masked)).await?;
        let deliveries = self.deliveries(lead.id).await?;
        let frame = self.frame();
        let texts = frame.texts;
        let events: Vec<_> = trail.iter().map(|record| self.event(record)).collect();
        let steps: Vec<_> = trail.iter().zip(&events).filter(|(record, _)| record.event != LEAD_REVEALED).collect();
        let seen = steps.len();
        let (mut news, mut problem, mut typed, mut status) = (Vec::new(), None, Typed::default(), StatusCode::OK);
        if let Some(Undone { refused, form }) = undone {
            let known = form.read_as("seen").unwrap_or(seen);
            news = steps.iter().skip(known).map(|(_, event)| (*event).clone()).collect();
            problem = Some(texts.problem(&refused.error));
            status = refused.status();
            typed = Typed {
                note: form.get("text").to_owned(),
                reason: form.get("reason").to_owned(),
                assignee: form.some("to").filter(|_| refused.error == "assignee_changed").map(str::to_owned),
            };
        }
        let is_erased = lead.erased_at_utc.is_some();
        let can_work = grant.allows(Scope::Work) && !is_erased;
        let page = Page {
            address: self.address(lead.id),
            status: texts.status(&lead.status),
            service: texts.service(lead.service.as_deref()),
            received: self.moment(&lead.created_at_utc),
            suspicion: lead.suspicion(),
            notes: lead
                .notes()
                .map(|note| Note { at: self.moment(&note.at), by: note.by.clone(), text: note.text.clone() })
                .collect(),
            moves: moves(&lead.status).iter().map(|to| (to.as_str(), texts.move_to(*to))).collect(),
            events,
            others: same_address.iter().map(|other| self.other(other, &frame)).collect(),
            deliveries,
            seen,
            problem,
            news,
            typed,
            can: Can {
                reveal: can_reveal && !is_erased,
                work: can_work,
                erase: grant.allows(Scope::Erase) && !is_erased,
                withdraw: can_work && lead.consent,
            },
            is_masked,
            me: grant.actor().as_str().to_owned(),
            lead,
            frame,
        };
        Ok(answer::page(status, &page))
    }

    pub(super) async fn ask_to_erase(&self, id: Uuid) -> Result<Response<StaffBody>, Refused> {
        self.erase_page(id, None, "").await
    }

    async fn erase_page(
        &self,
        id: Uuid,
        refused: Option<&Refused>,
        reason: &str,
    ) -> Result<Response<StaffBody>, Refused> {
        let Shown { lead, .. } = self.api().get(&format!("/inbound/leads/{id}?reveal=false")).await?;
        let frame = self.frame();
        let page = Erase {
            address: self.address(lead.id),
            received: self.moment(&lead.created_at_utc),
            problem: refused.map(|refused| frame.texts.problem(&refused.error)),
            reason: reason.to_owned(),
            lead,
            frame,
        };
        Ok(answer::page(refused.map_or(StatusCode::OK, Refused::status), &page))
    }

    pub(super) async fn work(&self, id: Uuid, work: &str, form: &Form) -> Result<Response<StaffBody>, Refused> {
        let reason = form.some("reason");
        let body = match work {
            "reveal" | "mask" => {
                let wish = if work == "reveal" { Wish::Show(id) } else { Wish::Mask };
                self.staff.sessions.remember(&self.visit, &wish);
                return Ok(answer::see_other(&self.address(id)));
            }
            "erase" => return self.erase(id, form).await,
            "status" => json!({"from": form.get("from"), "to": form.get("to"), "reason": reason}),
            "notes" => json!({"text": form.get("text")}),
            "assignee" => json!({"from": form.some("from"), "to": form.some("to"), "reason": reason}),
            _ => json!({ "reason": reason }),
        };
        let done = self.api().send(Method::POST, &format!("/inbound/leads/{id}/{work}"), &body).await;
        match done {
            Ok(()) => Ok(answer::see_other(&self.address(id))),
            // Whatever stands in the way, what was typed is shown again with it.
            Err(refused) if refused.error != "lead_not_found" => {
                let shown = self.lead(id, Some(Undone { refused, form })).await;
                // The database is away: then at least what was typed is shown.
                Ok(shown.unwrap_or_else(|refused| self.refused_with(&refused, form.typed())))
            }
            Err(refused) => Err(refused),
        }
    }

    async fn erase(&self, id: Uuid, form: &Form) -> Result<Response<StaffBody>, Refused> {
        if form.get("sure") != "true" {
            return self.ask_to_erase(id).await;
        }
        let reason = form.some("reason");
        let done = self.api().send(Method::DELETE, &format!("/inbound/leads/{id}"), &json!({ "reason": reason })).await;
        match done {
            Ok(()) => Ok(answer::see_other(&self.address(id))),
            Err(refused) if refused.error == "reason_names_person" || refused.error == "validation_error" => {
                self.erase_page(id, Some(&refused), form.get("reason")).await
            }
            Err(refused) => Err(refused),
        }
    }

    fn event(&self, record: &Record) -> Event {
        let texts = self.language.staff();
        let word = |member: &str| record.details[member].as_str();
        let mut what = texts.event(&record.event).to_owned();
        if let Some(to) = word("to") {
            what = format!("{what} ({})", texts.status(to));
        }
        if record.event == LEAD_ASSIGNED {
            what = format!("{what} {}", word("assignee").unwrap_or(texts.nobody));
        }
        Event {
            at: self.moment(&record.created_at_utc),
            what,
            actor: record.actor.clone(),
            reason: word("reason").unwrap_or_default().to_owned(),
            is_quiet: matches!(&*record.event, LEAD_REVEALED | LEAD_NOTED),
        }
    }

    fn other(&self, other: &Other, frame: &Frame<'_>) -> Earlier {
        Earlier {
            address: self.address(other.id),
            at: self.moment(&other.created_at_utc),
            status: frame.texts.status(&other.status),
            service: frame.texts.service(other.service.as_deref()),
        }
    }

    /// Who was told of the lead, and how that went.
    async fn deliveries(&self, id: Uuid) -> Result<Vec<Sent>, Refused> {
        let filter = DeliveryFilter { lead_id: Some(LeadId::from_uuid(id)), ..DeliveryFilter::default() };
        let found = self.staff.outbox.deliveries(&filter, None, MAX_DELIVERIES).await;
        let found = found.map_err(|_| Refused::of(StatusCode::SERVICE_UNAVAILABLE, "unavailable"))?;
        let (texts, zone) = (self.language.staff(), self.staff.settings.time_zone);
        let sent = found.into_iter().map(|record| Sent {
            what: texts.told(record.event.event_type),
            state: texts.delivery(record.state),
            attempts: record.attempts,
            at: Moment::at(record.due_at, zone, self.language),
            answer: record.last_status.map(|status| status.to_string()).unwrap_or_default(),
            destination: record.destination,
        });
        Ok(sent.collect())
    }
}

/// Where a lead can go from a status: onward first, and back after.
fn moves(status: &str) -> Vec<LeadStatus> {
    let Ok(from) = status.parse::<LeadStatus>() else { return Vec::new() };
    let mut moves: Vec<_> = from.moves().collect();
    moves.sort_by_key(|to| *to < from);
    moves
}
