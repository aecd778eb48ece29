//! What is shown of leads: masked, unless it is asked for.

use comfy_table::{ContentArrangement, Table, presets::UTF8_FULL_CONDENSED};
use serde_json::Value;

use crate::options::Options;

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
