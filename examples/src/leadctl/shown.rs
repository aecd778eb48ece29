//! What is shown of leads: masked, unless it is asked for.

use comfy_table::{ContentArrangement, Table, presets::UTF8_FULL_CONDENSED};
use fastcore_leads::{AuditRecord, StoredLead, mask_email};
use serde_json::{Map, Value, json};

use crate::options::Options;

/// A lead as JSON, members named as the columns are.
pub(crate) fn lead(lead: &StoredLead, reveal: bool) -> Value {
    let text = |text: &str| if reveal { text.to_owned() } else { masked(text) };
    json!({
        "id": lead.id.to_string(),
        "created_at_utc": instant(lead.created_at_utc),
        "status": lead.status,
        "name": text(&lead.name),
        "email": if reveal { lead.email.clone() } else { email(&lead.email) },
        "phone": lead.phone.as_deref().map(text),
        "company": lead.company.as_deref().map(text),
        "service": lead.service,
        "message": if reveal { lead.message.clone() } else { format!("({} characters)", lead.message.chars().count()) },
        "consent": lead.consent,
        "source": lead.source,
        "request_id": lead.request_id.to_string(),
        "ip_hash": text(&lead.ip_hash),
        "meta_json": if reveal { lead.meta_json.clone() } else { lead.meta_json.clone().map(without_hashes) },
        "erased_at_utc": lead.erased_at_utc.map(instant),
    })
}

/// An audit row as JSON.
pub(crate) fn record(record: &AuditRecord, reveal: bool) -> Value {
    let details = if reveal { record.details.clone() } else { without_hashes(record.details.clone()) };
    json!({
        "id": record.id.to_string(),
        "created_at_utc": instant(record.created_at),
        "event": record.event,
        "actor": record.actor,
        "details": details,
    })
}

/// Prints rows as a table for people, or as JSON for programs.
pub(crate) fn print(options: &Options, columns: &[&str], rows: &[Value], as_json: impl FnOnce() -> Value) {
    if options.json {
        say(as_json());
        return;
    }
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic).set_header(columns);
    for row in rows {
        table.add_row(columns.iter().map(|column| cell(&row[*column])));
    }
    say(table);
}

/// Prints a line. Whoever reads may have gone away: what was done is done all the same.
pub(crate) fn say(text: impl std::fmt::Display) {
    use std::io::Write;

    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// A value for a terminal: what would move its cursor, or turn the direction of writing, does not reach it.
pub(crate) fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Object(members) if members.is_empty() => String::new(),
        other => other.to_string(),
    };
    let is_odd = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if is_odd(c) { '\u{FFFD}' } else { c }).collect()
}

pub(crate) fn instant(instant: chrono::DateTime<chrono::Utc>) -> String {
    instant.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

fn email(text: &str) -> String {
    if text.is_empty() { String::new() } else { mask_email(text) }
}

fn masked(text: &str) -> String {
    text.chars().next().map_or_else(String::new, |first| format!("{first}***"))
}

/// What is known to be nobody's stays; everything else is masked.
fn without_hashes(value: Value) -> Value {
    const HARMLESS: [&str; 10] = [
        "consent",
        "consent_withdrawn_at",
        "email",
        "from",
        "reason",
        "service",
        "status",
        "suspicion",
        "timestamp_utc",
        "to",
    ];
    let Value::Object(members) = value else { return value };
    let masked = members.into_iter().map(|(name, value)| {
        let is_shown = HARMLESS.contains(&name.as_str()) || value.is_null();
        let value = if is_shown { value } else { masked(value.as_str().unwrap_or("*")).into() };
        (name, value)
    });
    Value::Object(masked.collect::<Map<_, _>>())
}
