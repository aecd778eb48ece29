//! What is shown of leads: masked, unless it is asked for.

use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};
use comfy_table::{ContentArrangement, Table, presets::UTF8_FULL_CONDENSED};
use console::Term;
use fastcore_leads::StoredLead;
use serde_json::Value;

use crate::options::Options;

/// What is shown of leads, by how much it matters: where it does not fit, the last go first. And how much of each is shown at most.
const COLUMNS: [(&str, usize); 7] =
    [("id", 36), ("received", 17), ("status", 11), ("name", 24), ("service", 20), ("source", 24), ("assignee", 20)];
const COLUMNS_IN_CLEAR: [(&str, usize); 9] = [
    ("id", 36),
    ("received", 17),
    ("name", 24),
    ("phone", 20),
    ("status", 11),
    ("message", BEGINNING),
    ("email", 32),
    ("company", 20),
    ("service", 20),
];
/// How much of a message stands in a line.
const BEGINNING: usize = 60;
/// A column that is cut is no narrower.
const MIN_WIDTH: usize = 12;
/// The fewest digits of an id that are shown: ids begin with the time of their making, in milliseconds.
const MIN_DIGITS: usize = 10;

/// Prints rows as a table for people, or as JSON for programs.
pub(crate) fn print(options: &Options, columns: &[&str], rows: &[Value], as_json: impl FnOnce() -> Value) {
    if options.json { say(as_json()) } else { say(table(columns, rows)) }
}

/// Prints leads, a line each: as many columns as fit a terminal, with the first digits of the ids.
pub(crate) fn print_leads(options: &Options, leads: &[StoredLead], as_json: impl FnOnce() -> Value) {
    if options.json {
        say(as_json());
        return;
    }
    let digits = if width().is_some() { digits_of(leads) } else { usize::MAX };
    let mut rows: Vec<_> = leads.iter().map(|lead| row(options, lead, digits)).collect();
    let mut columns = columns(options).to_vec();
    if let Some(width) = width() {
        fit(&mut columns, &mut rows, width.into());
    }
    let names: Vec<_> = columns.iter().map(|(name, _)| *name).collect();
    say(table(&names, &rows));
}

fn columns(options: &Options) -> &'static [(&'static str, usize)] {
    if options.reveal { &COLUMNS_IN_CLEAR } else { &COLUMNS }
}

/// Takes columns away until the rest fits, each lead in a line, and cuts what is too long.
fn fit(columns: &mut Vec<(&str, usize)>, rows: &mut [Value], width: usize) {
    /// What stands between two columns, and at both ends.
    const BETWEEN: usize = 3;
    let length = |value: &Value| cell(value).chars().count();
    for (name, most) in columns.iter_mut() {
        let widest = rows.iter().map(|row| length(&row[*name])).max().unwrap_or_default().max(name.len());
        *most = widest.min(*most);
    }
    let mut left = width.saturating_sub(1);
    let mut is_full = false;
    columns.retain_mut(|(_, most)| {
        let needed = (*most).min(MIN_WIDTH) + BETWEEN;
        is_full |= needed > left;
        if is_full {
            return false;
        }
        *most = (*most).min(left - BETWEEN);
        left -= *most + BETWEEN;
        true
    });
    for row in rows {
        for (name, most) in columns.iter() {
            let text = cell(&row[*name]).split_whitespace().collect::<Vec<_>>().join(" ");
            row[*name] = shortened(&text, *most).into();
        }
    }
}

/// A lead as a line of a table.
fn row(options: &Options, lead: &StoredLead, digits: usize) -> Value {
    let mut shown = options.disclosure().lead(lead);
    let id = lead.id.to_string();
    shown["id"] = id.get(..digits).unwrap_or(&id).into();
    shown["received"] = options.zone().minute(lead.created_at_utc).into();
    shown["assignee"] = lead.assignee().into();
    let message = shown["message"].as_str().unwrap_or_default();
    shown["message"] = beginning(message).into();
    shown
}

/// A lead as a line of text, for a list that goes on.
pub(crate) fn line(options: &Options, lead: &StoredLead) -> String {
    let row = row(options, lead, usize::MAX);
    columns(options)
        .iter()
        .map(|(column, _)| cell(&row[*column]))
        .filter(|cell| !cell.is_empty())
        .collect::<Vec<_>>()
        .join("  ")
}

fn beginning(text: &str) -> String {
    shortened(&text.split_whitespace().collect::<Vec<_>>().join(" "), BEGINNING)
}

fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// How much of the ids of these leads tells them apart.
fn digits_of(leads: &[StoredLead]) -> usize {
    let mut ids: Vec<_> = leads.iter().map(|lead| lead.id.to_string()).collect();
    ids.sort_unstable();
    let alike = |pair: &[String]| pair[0].bytes().zip(pair[1].bytes()).take_while(|(one, other)| one == other).count();
    let most = ids.windows(2).map(alike).max().unwrap_or_default();
    // The hyphen behind the eighth.
    (most + 1).max(MIN_DIGITS + 1)
}

fn table(columns: &[&str], rows: &[Value]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic).set_header(columns);
    if let Some(width) = width() {
        table.set_width(width);
    }
    for row in rows {
        table.add_row(columns.iter().map(|column| cell(&row[*column])));
    }
    table
}

/// How wide the terminal is; none where the output goes elsewhere.
fn width() -> Option<u16> {
    let terminal = Term::stdout();
    terminal.is_term().then(|| terminal.size().1)
}

/// Whether whoever read has gone away.
static IS_ALONE: AtomicBool = AtomicBool::new(false);

/// Prints a line. Whoever reads may have gone away: what was done is done all the same.
pub(crate) fn say(text: impl std::fmt::Display) {
    use std::io::Write;

    let mut output = std::io::stdout().lock();
    if writeln!(output, "{text}").and_then(|()| output.flush()).is_err() {
        IS_ALONE.store(true, Ordering::Relaxed);
    }
}

/// Whether nobody reads any more: what prints until it is interrupted had better end.
pub(crate) fn is_alone() -> bool {
    IS_ALONE.load(Ordering::Relaxed)
}

/// Prints a line to whoever runs this, beside the output.
pub(crate) fn note(text: impl std::fmt::Display) {
    use std::io::Write;

    let _ = writeln!(std::io::stderr().lock(), "{text}");
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

pub(crate) fn instant(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

/// A row of bars, the longest as long as the terminal allows.
pub(crate) fn bars(label: &str, counts: &[(String, u64)]) -> String {
    let width = width().map_or(80, usize::from);
    let names =
        counts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default().max(label.chars().count());
    let most = counts.iter().map(|(_, count)| *count).max().unwrap_or_default().max(1);
    let room = width.saturating_sub(names + most.to_string().len() + 4).max(10) as u64;
    let mut text = format!("{label}\n");
    for (name, count) in counts {
        let eighths = count * room * 8 / most;
        let full = "█".repeat(usize::try_from(eighths / 8).unwrap_or_default());
        let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][usize::try_from(eighths % 8).unwrap_or_default()];
        let padding = " ".repeat(names - name.chars().count());
        text.push_str(&format!("{name}{padding}  {full}{rest} {count}\n"));
    }
    text
}

/// A wait, in the two largest units.
pub(crate) fn duration(wait: chrono::TimeDelta) -> String {
    let minutes = wait.num_minutes();
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}
