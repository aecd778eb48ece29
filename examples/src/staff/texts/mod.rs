//! What the pages say, a file for each language.

mod en;
mod fr;

use fastcore_leads::{
    LeadStatus, Service,
    outbox::{DeliveryState, EventType},
};

use super::pages::Choice;
use crate::web::Language;

impl Language {
    pub(super) fn staff(self) -> &'static Texts {
        match self {
            Self::French => &fr::TEXTS,
            Self::English => &en::TEXTS,
        }
    }
}

/// Every text of the pages in one language.
pub(super) struct Texts {
    pub(super) title: &'static str,
    pub(super) skip: &'static str,
    pub(super) menu: &'static str,
    pub(super) leads: &'static str,
    pub(super) dashboard: &'static str,
    pub(super) signed_in_as: &'static str,
    pub(super) sign_out: &'static str,
    pub(super) sign_in_title: &'static str,
    pub(super) sign_in: &'static str,
    pub(super) token: &'static str,
    pub(super) token_hint: &'static str,
    pub(super) go_on: &'static str,
    pub(super) back: &'static str,
    pub(super) problem_title: &'static str,

    pub(super) statuses: &'static str,
    pub(super) all: &'static str,
    pub(super) filter: &'static str,
    pub(super) service_label: &'static str,
    pub(super) any_service: &'static str,
    pub(super) source: &'static str,
    pub(super) from: &'static str,
    pub(super) to: &'static str,
    pub(super) show: &'static str,
    pub(super) days: &'static str,
    pub(super) today: &'static str,
    pub(super) yesterday: &'static str,
    pub(super) last_week: &'static str,
    pub(super) any_day: &'static str,
    pub(super) search: &'static str,
    pub(super) search_label: &'static str,
    pub(super) search_everywhere: &'static str,
    pub(super) search_hint: &'static str,
    pub(super) search_incomplete: &'static str,
    pub(super) none_so_far: &'static str,
    pub(super) search_invalid: &'static str,
    pub(super) no_leads: &'static str,
    pub(super) received_column: &'static str,
    pub(super) name_column: &'static str,
    pub(super) message_column: &'static str,
    pub(super) status_column: &'static str,
    pub(super) assignee_column: &'static str,
    pub(super) older: &'static str,
    pub(super) newest: &'static str,
    pub(super) news: &'static str,
    pub(super) show_news: &'static str,
    pub(super) reveal_list: &'static str,
    pub(super) mask: &'static str,
    pub(super) export: &'static str,
    pub(super) export_clear: &'static str,
    pub(super) quarantine_note: &'static str,

    pub(super) lead: &'static str,
    pub(super) reveal: &'static str,
    pub(super) masked_note: &'static str,
    pub(super) erased_note: &'static str,
    pub(super) message: &'static str,
    pub(super) person: &'static str,
    pub(super) email: &'static str,
    pub(super) phone: &'static str,
    pub(super) company: &'static str,
    pub(super) consent: &'static str,
    pub(super) consent_given: &'static str,
    pub(super) consent_missing: &'static str,
    pub(super) reference: &'static str,
    pub(super) suspicion: &'static str,
    pub(super) work: &'static str,
    pub(super) reason: &'static str,
    pub(super) reason_hint: &'static str,
    pub(super) release: &'static str,
    pub(super) notes: &'static str,
    pub(super) no_notes: &'static str,
    pub(super) note: &'static str,
    pub(super) note_hint: &'static str,
    pub(super) add_note: &'static str,
    pub(super) assignee: &'static str,
    pub(super) nobody: &'static str,
    pub(super) assign_to: &'static str,
    pub(super) assign: &'static str,
    pub(super) colon: &'static str,
    pub(super) take: &'static str,
    pub(super) withdraw: &'static str,
    pub(super) erase: &'static str,
    pub(super) erase_title: &'static str,
    pub(super) erase_warning: &'static str,
    pub(super) erase_sure: &'static str,
    pub(super) cancel: &'static str,
    pub(super) meanwhile: &'static str,
    pub(super) history: &'static str,
    pub(super) by: &'static str,
    pub(super) same_address: &'static str,
    pub(super) told_title: &'static str,
    pub(super) told_nobody: &'static str,
    pub(super) attempts: &'static str,

    pub(super) taken_in: &'static str,
    pub(super) contacted: &'static str,
    pub(super) median_wait: &'static str,
    pub(super) longest_waits: &'static str,
    pub(super) oldest_waiting: &'static str,
    pub(super) by_day: &'static str,
    pub(super) by_service: &'static str,
    pub(super) by_wait: &'static str,
    pub(super) day_column: &'static str,
    pub(super) leads_column: &'static str,
    pub(super) service_column: &'static str,
    pub(super) wait_column: &'static str,
    pub(super) numbers: &'static str,
    pub(super) period: &'static str,

    /// How an instant is written, as `strftime` has it.
    pub(super) moment: &'static str,
    pub(super) day: &'static str,
    /// Days, hours, minutes.
    pub(super) units: [&'static str; 3],
    pub(super) statuses_of: [(LeadStatus, &'static str); 5],
    pub(super) moves: [(LeadStatus, &'static str); 4],
    pub(super) services_of: [(Service, &'static str); 5],
    pub(super) no_service: &'static str,
    pub(super) events: &'static [(&'static str, &'static str)],
    pub(super) told: &'static [(EventType, &'static str)],
    pub(super) deliveries: [(DeliveryState, &'static str); 4],
    pub(super) problems: &'static [(&'static str, &'static str)],
    pub(super) other_problem: &'static str,
}

impl Texts {
    /// A status that this version does not know is a question mark.
    pub(super) fn status(&self, status: &str) -> &'static str {
        let known = status.parse::<LeadStatus>().ok();
        self.statuses_of.iter().find(|(found, _)| Some(*found) == known).map_or("?", |(_, text)| text)
    }

    pub(super) fn move_to(&self, to: LeadStatus) -> &'static str {
        self.moves.iter().find(|(found, _)| *found == to).map_or("?", |(_, text)| text)
    }

    pub(super) fn service(&self, service: Option<&str>) -> &'static str {
        let known = service.and_then(|service| service.parse::<Service>().ok());
        self.services_of.iter().find(|(found, _)| Some(*found) == known).map_or(self.no_service, |(_, text)| text)
    }

    pub(super) fn services(&self, chosen: Option<Service>) -> Vec<Choice> {
        let choice = |(service, label): &(Service, &'static str)| Choice {
            value: service.as_str(),
            label,
            is_chosen: chosen == Some(*service),
        };
        self.services_of.iter().map(choice).collect()
    }

    pub(super) fn event<'t>(&self, event: &'t str) -> &'t str {
        self.events.iter().find(|(found, _)| *found == event).map_or(event, |(_, text)| text)
    }

    pub(super) fn told(&self, event: EventType) -> &'static str {
        self.told.iter().find(|(found, _)| *found == event).map_or("?", |(_, text)| text)
    }

    pub(super) fn delivery(&self, state: DeliveryState) -> &'static str {
        self.deliveries.iter().find(|(found, _)| *found == state).map_or("?", |(_, text)| text)
    }

    pub(super) fn problem(&self, error: &str) -> &'static str {
        self.problems.iter().find(|(found, _)| *found == error).map_or(self.other_problem, |(_, text)| text)
    }

    /// The two largest units.
    pub(super) fn duration(&self, seconds: u64) -> String {
        let [days, hours, minutes] = self.units;
        let (d, h, m) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
        match (d, h) {
            (0, 0) => format!("{m} {minutes}"),
            (0, _) => format!("{h} {hours} {m} {minutes}"),
            _ => format!("{d} {days} {h} {hours}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use fastcore_leads::{audit, endpoint::InboxProblem};

    use super::*;

    /// The audit log's events that a lead's page names.
    const EVENTS: [&str; 13] = [
        audit::LEAD_RECEIVED,
        audit::LEAD_PROCESSED,
        audit::LEAD_RESOLVED,
        audit::LEAD_RETURNED,
        audit::LEAD_ARCHIVED,
        audit::LEAD_RELEASED,
        audit::LEAD_NOTED,
        audit::LEAD_ASSIGNED,
        audit::CONSENT_WITHDRAWN,
        audit::LEAD_ERASED,
        audit::LEAD_PURGED,
        audit::LEAD_REVEALED,
        audit::LEAD_UNANSWERED,
    ];

    /// In both languages: whatever a page may have to say.
    #[test]
    fn nothing_is_left_unsaid() {
        for texts in [&fr::TEXTS, &en::TEXTS] {
            assert!(LeadStatus::ALL.iter().all(|status| texts.status(status.as_str()) != "?"));
            assert!(Service::ALL.iter().all(|service| texts.service(Some(service.as_str())) != texts.no_service));
            assert!(EVENTS.iter().all(|event| texts.event(event) != *event));
            assert!(EventType::ALL.iter().all(|event| texts.told(*event) != "?"));
            assert!(DeliveryState::ALL.iter().all(|state| texts.delivery(*state) != "?"));
            let shown = ["unauthorized", "cross_site", "signed_out", "too_many_requests"];
            let unsaid: Vec<_> = InboxProblem::ALL
                .iter()
                .map(|problem| problem.as_str())
                .chain(shown)
                .filter(|problem| texts.problem(problem) == texts.other_problem)
                .collect();
            assert_eq!(unsaid, ["invalid_query", "method_not_allowed", "unsupported_media_type", "internal"]);
        }
    }
}
