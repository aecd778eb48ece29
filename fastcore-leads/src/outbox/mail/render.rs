use std::fmt::Write;

use super::{Language, texts::Texts};
use crate::{
    lead::LeadId,
    mask::mask_email,
    outbox::{EventType, Message},
};

/// A mail about events, to be written.
pub(super) struct Letter<'a> {
    pub(super) messages: &'a [Message],
    pub(super) language: Language,
    pub(super) is_revealed: bool,
    pub(super) inbox: Option<&'a str>,
}

/// What is said of one event.
struct Entry {
    title: String,
    rows: Vec<(&'static str, String)>,
    link: Option<String>,
}

impl Letter<'_> {
    /// Words of ours, and the name of a service: nothing that a visitor wrote.
    pub(super) fn subject(&self) -> String {
        let texts = self.texts();
        let [first, rest @ ..] = self.messages else { return String::new() };
        let event = first.delivery.event.event_type;
        if rest.iter().any(|other| other.delivery.event.event_type != event) {
            return format!("{} {}", self.messages.len(), texts.several);
        }
        let what = texts.event(event, self.messages.len());
        let services = |message: &Message| message.subject.lead.service.clone();
        match services(first).filter(|service| rest.iter().all(|other| services(other).as_ref() == Some(service))) {
            Some(service) if is_a_word(&service) => format!("{what}{}{service}", texts.colon),
            _ => what,
        }
    }

    pub(super) fn text(&self) -> String {
        let (texts, mut text) = (self.texts(), String::new());
        for entry in self.entries() {
            let _ = writeln!(text, "{}\n", entry.title);
            for (label, value) in entry.rows {
                let _ = writeln!(text, "{label}{}{value}", texts.colon);
            }
            if let Some(link) = entry.link {
                let _ = writeln!(text, "{}{}{link}", texts.open, texts.colon);
            }
            text.push_str("\n----\n\n");
        }
        for note in self.notes() {
            let _ = writeln!(text, "{note}");
        }
        text
    }

    pub(super) fn html(&self) -> String {
        let texts = self.texts();
        let mut html = format!(
            "<!DOCTYPE html>\n<html lang=\"{}\"><head><meta charset=\"utf-8\"><title>{}</title></head>\n\
             <body style=\"margin:0;padding:16px;background:#f2f4f7;font:15px/1.5 Arial,sans-serif;color:#1b1f24\">\n",
            texts.tag,
            escaped(&self.subject())
        );
        for entry in self.entries() {
            let _ = write!(
                html,
                "<div style=\"max-width:560px;margin:0 auto 16px;padding:16px 20px;background:#ffffff;border:1px solid #d6dae0\">\n\
                 <h1 style=\"margin:0 0 12px;font-size:18px\">{}</h1>\n<table role=\"presentation\" style=\"border-collapse:collapse\">\n",
                escaped(&entry.title)
            );
            for (label, value) in entry.rows {
                let _ = writeln!(
                    html,
                    "<tr><th scope=\"row\" style=\"padding:2px 16px 2px 0;text-align:left;vertical-align:top;\
                     font-weight:normal;color:#5a6472\">{}</th><td style=\"white-space:pre-line\">{}</td></tr>",
                    escaped(label),
                    escaped(&value)
                );
            }
            html.push_str("</table>\n");
            if let Some(link) = entry.link {
                let _ = writeln!(
                    html,
                    "<p style=\"margin:12px 0 0\"><a href=\"{}\" style=\"color:#0b5cad\">{}</a></p>",
                    escaped(&link),
                    escaped(texts.open)
                );
            }
            html.push_str("</div>\n");
        }
        for note in self.notes() {
            let _ = writeln!(
                html,
                "<p style=\"max-width:560px;margin:0 auto;font-size:13px;color:#5a6472\">{}</p>",
                escaped(note)
            );
        }
        html.push_str("</body></html>\n");
        html
    }

    fn texts(&self) -> &'static Texts {
        Texts::of(self.language)
    }

    fn entries(&self) -> Vec<Entry> {
        self.messages.iter().map(|message| self.entry(message)).collect()
    }

    fn entry(&self, message: &Message) -> Entry {
        let (texts, event, lead) = (self.texts(), &message.delivery.event, &message.subject.lead);
        let service = lead.service.clone().unwrap_or_else(|| texts.no_service.to_owned());
        let mut rows = vec![
            (texts.at, event.occurred_at.format("%Y-%m-%d %H:%M UTC").to_string()),
            (texts.service, service),
            (texts.source, lead.source.clone()),
            (texts.status_label, texts.status(&lead.status)),
        ];
        let is_known = event.event_type != EventType::Erased && lead.erased_at_utc.is_none();
        if is_known && self.is_revealed {
            let optional = |label, value: &Option<String>| value.clone().map(|value| (label, value));
            rows.extend([(texts.name, lead.name.clone()), (texts.email, lead.email.clone())]);
            rows.extend(optional(texts.phone, &lead.phone));
            rows.extend(optional(texts.company, &lead.company));
            rows.push((texts.message, lead.message.clone()));
        } else if is_known {
            rows.push((texts.email, mask_email(&lead.email)));
        }
        if is_known && message.subject.earlier_leads > 0 {
            rows.push((texts.earlier, message.subject.earlier_leads.to_string()));
        }
        Entry { title: texts.event(event.event_type, 1), rows, link: self.link(lead.id) }
    }

    fn link(&self, id: LeadId) -> Option<String> {
        self.inbox.map(|url| url.replace("{id}", &id.to_string()))
    }

    fn notes(&self) -> impl Iterator<Item = &'static str> {
        let texts = self.texts();
        (!self.is_revealed).then_some(texts.masked).into_iter().chain([texts.footer])
    }
}

/// Whether a text may stand in a header: rows of other programs may hold anything.
fn is_a_word(text: &str) -> bool {
    !text.is_empty() && text.len() <= 30 && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

/// A text as HTML has it.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            _ => html.push(c),
        }
    }
    html
}
