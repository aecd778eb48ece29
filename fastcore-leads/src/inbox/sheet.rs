use std::fmt;

use csv::{QuoteStyle, Writer, WriterBuilder};
use serde_json::{Map, Value};

use super::{CellGuard, Disclosure, guarded_cell};
use crate::{store::StoredLead, text::as_word};

/// The columns, and where each is in a lead's JSON: those of the store, then those of the endpoint's body, so that an import can
/// read a sheet.
const COLUMNS: [(&str, &[&str]); 19] = [
    ("id", &["id"]),
    ("created_at_utc", &["created_at_utc"]),
    ("status", &["status"]),
    ("name", &["name"]),
    ("email", &["email"]),
    ("phone", &["phone"]),
    ("company", &["company"]),
    ("service", &["service"]),
    ("message", &["message"]),
    ("consent", &["consent"]),
    ("source", &["source"]),
    ("request_id", &["request_id"]),
    ("ip_hash", &["ip_hash"]),
    ("user_agent_hash", &["meta_json", "user_agent_hash"]),
    ("timestamp_utc", &["meta_json", "timestamp_utc"]),
    ("consent.version", &["meta_json", "consent", "version"]),
    ("consent.locale", &["meta_json", "consent", "locale"]),
    ("consent.given_at", &["meta_json", "consent", "given_at"]),
    ("suspicion", &["meta_json", "suspicion"]),
];

/// Leads as rows of a file.
///
/// What is written is taken out piece by piece, so that a sheet of any length needs the memory of one piece.
///
/// ```
/// use fastcore_leads::inbox::{Disclosure, Sheet, SheetFormat};
///
/// let mut sheet = Sheet::new(SheetFormat::Csv, Disclosure::Masked);
/// assert!(sheet.take().starts_with(b"\"id\",\"created_at_utc\""));
/// assert_eq!(sheet.take(), b"");
/// ```
pub struct Sheet {
    disclosure: Disclosure,
    rows: Rows,
}

enum Rows {
    Jsonl(Vec<u8>),
    Csv(Box<Writer<Vec<u8>>>),
}

/// How a [`Sheet`] is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SheetFormat {
    /// A line of names and a line for each lead, every cell in quotes (RFC 4180). A cell that a spreadsheet would run as a
    /// formula has an apostrophe in front ([`CellGuard::Formulas`]).
    Csv,
    /// A JSON object on each line.
    Jsonl,
}

impl SheetFormat {
    /// All formats.
    pub const ALL: &[Self] = &[Self::Csv, Self::Jsonl];

    /// The name, which files of this format end in.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
        }
    }

    /// The media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Jsonl => "application/jsonl",
        }
    }
}

as_word!(SheetFormat, UnknownSheetFormat);

/// The text names no [`SheetFormat`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a format: csv or jsonl")]
pub struct UnknownSheetFormat;

impl Sheet {
    /// An empty sheet: in CSV, with its line of names.
    pub fn new(format: SheetFormat, disclosure: Disclosure) -> Self {
        let rows = match format {
            SheetFormat::Jsonl => Rows::Jsonl(Vec::new()),
            SheetFormat::Csv => {
                let mut writer = empty();
                written(&writer.write_record(Self::columns()));
                Rows::Csv(Box::new(writer))
            }
        };
        Self { disclosure, rows }
    }

    /// Returns the names of the columns, for files of other kinds.
    pub fn columns() -> impl Iterator<Item = &'static str> {
        COLUMNS.iter().map(|(name, _)| *name)
    }

    /// Returns the values of a lead, one for each of the [`columns`](Self::columns).
    pub fn row(lead: &StoredLead, disclosure: Disclosure) -> Vec<Value> {
        let lead = disclosure.lead(lead);
        let value = |path: &[&str]| path.iter().fold(&lead, |value, member| &value[*member]).clone();
        COLUMNS.iter().map(|(_, path)| value(path)).collect()
    }

    /// Returns a value of a [`row`](Self::row) as text, as an import reads it. It is not guarded yet: see [`guarded_cell`].
    pub fn text(value: &Value) -> String {
        match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            Value::Array(codes) => codes.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
            other => other.to_string(),
        }
    }

    /// Adds a lead.
    pub fn write(&mut self, lead: &StoredLead) {
        let row = Self::row(lead, self.disclosure);
        match &mut self.rows {
            Rows::Jsonl(bytes) => {
                let row: Map<_, _> = Self::columns().map(str::to_owned).zip(row).collect();
                bytes.extend_from_slice(Value::Object(row).to_string().as_bytes());
                bytes.push(b'\n');
            }
            Rows::Csv(writer) => written(&writer.write_record(row.iter().map(cell))),
        }
    }

    /// Takes out what was written since the last time.
    pub fn take(&mut self) -> Vec<u8> {
        match &mut self.rows {
            Rows::Jsonl(bytes) => std::mem::take(bytes),
            Rows::Csv(writer) => {
                let whole = std::mem::replace(&mut **writer, empty()).into_inner();
                written(&whole);
                whole.unwrap_or_default()
            }
        }
    }
}

impl fmt::Debug for Sheet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sheet").field("disclosure", &self.disclosure).finish_non_exhaustive()
    }
}

/// In quotes, all of it: to a spreadsheet of another country, a semicolon ends a cell.
fn empty() -> Writer<Vec<u8>> {
    WriterBuilder::new().quote_style(QuoteStyle::Always).from_writer(Vec::new())
}

fn written<T, E>(result: &Result<T, E>) {
    debug_assert!(result.is_ok(), "memory takes whatever is written to it, and all rows have as many cells");
}

fn cell(value: &Value) -> String {
    guarded_cell(&Sheet::text(value), CellGuard::Formulas).into_owned()
}
