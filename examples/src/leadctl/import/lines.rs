use std::{
    cell::Cell,
    io::{BufRead, Read},
    rc::Rc,
};

use fastcore_leads::{
    inbox::{SheetFormat, restored_cell},
    lead::limits::MAX_BODY_BYTES,
};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::{Map, Value};

use super::MEMBERS;

/// Columns that a CSV must have: the others are optional members.
const REQUIRED: [&str; 8] = ["name", "email", "message", "consent", "source", "request_id", "ip_hash", "timestamp_utc"];

/// A line of the file, as the body that the endpoint would get.
pub(crate) struct Line {
    /// Counted from 1, the header too.
    pub(crate) number: u64,
    pub(crate) body: Vec<u8>,
    /// The line as it stood there, where the body is not the same.
    raw: Option<Vec<u8>>,
}

impl Line {
    /// What an operator recognises.
    pub(crate) fn shown(&self) -> &[u8] {
        self.raw.as_deref().unwrap_or(&self.body)
    }
}

/// The most bytes of a record of a CSV: one that is longer has a quote that does not end.
const MAX_RECORD: usize = 256 * 1024;

/// Counts what is read since the last record, so that no record takes the file for its own.
pub(crate) struct Bounded<R> {
    reader: R,
    left: Rc<Cell<usize>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.left.get() == 0 {
            return Err(std::io::Error::other("a record is too long: does a quote not end?"));
        }
        let read = self.reader.read(buffer)?;
        self.left.set(self.left.get().saturating_sub(read));
        Ok(read)
    }
}

/// The lines of a file, read one at a time.
pub(crate) enum Lines<R> {
    Jsonl {
        reader: R,
        number: u64,
        failure: Option<String>,
    },
    Csv {
        rows: Box<csv::Reader<Bounded<R>>>,
        left: Rc<Cell<usize>>,
        columns: Vec<Option<&'static [&'static str]>>,
        failure: Option<String>,
    },
}

impl<R: BufRead> Lines<R> {
    /// Reads the header of a CSV, and takes a byte order mark off.
    pub(crate) fn open(mut reader: R, format: SheetFormat) -> Result<Self, String> {
        let start = reader.fill_buf().map_err(|error| format!("the file cannot be read: {error}"))?;
        if start.starts_with(b"\xef\xbb\xbf") {
            reader.consume(3);
        }
        if format == SheetFormat::Jsonl {
            return Ok(Self::Jsonl { reader, number: 0, failure: None });
        }
        let left = Rc::new(Cell::new(MAX_RECORD));
        let reader = Bounded { reader, left: Rc::clone(&left) };
        let mut rows = csv::ReaderBuilder::new().flexible(true).from_reader(reader);
        let header = rows.headers().map_err(|_| "the header of the CSV cannot be read: it must be UTF-8".to_owned())?;
        let columns: Vec<_> = header.iter().map(way_to).collect();
        let has = |name: &str| {
            let way = way_to(name);
            columns.iter().filter(|column| **column == way).count()
        };
        let missing: Vec<_> = REQUIRED.into_iter().filter(|name| has(name) == 0).collect();
        if !missing.is_empty() {
            return Err(format!("the CSV lacks columns: {}", missing.join(", ")));
        }
        if let Some((name, _)) = MEMBERS.iter().find(|(name, _)| has(name) > 1) {
            return Err(format!("the CSV has the column {name} twice"));
        }
        Ok(Self::Csv { rows: Box::new(rows), left, columns, failure: None })
    }

    /// The next line that is not blank; `Err` says why it is no body.
    pub(crate) fn next(&mut self) -> Option<Result<Line, (Line, String)>> {
        match self {
            Self::Jsonl { reader, number, failure } => loop {
                *number += 1;
                match read_line(reader) {
                    Ok(None) => return None,
                    Ok(Some(line)) if line.trim_ascii().is_empty() => {}
                    Ok(Some(line)) => {
                        let line = Line { number: *number, body: line, raw: None };
                        return Some(if line.body.len() > MAX_BODY_BYTES {
                            Err((line, format!("longer than {MAX_BODY_BYTES} bytes")))
                        } else {
                            Ok(nested(line))
                        });
                    }
                    Err(error) => {
                        *failure = Some(format!("the file could not be read any further: {error}"));
                        return None;
                    }
                }
            },
            Self::Csv { rows, left, columns, failure } => {
                let mut record = csv::ByteRecord::new();
                left.set(MAX_RECORD);
                let start = rows.position().line();
                match rows.read_byte_record(&mut record) {
                    Ok(false) => None,
                    Ok(true) => {
                        let number = record.position().map_or(0, csv::Position::line);
                        Some(row(number, columns, &record))
                    }
                    Err(error) => {
                        *failure = Some(format!("from line {start} on the file could not be read: {error}"));
                        None
                    }
                }
            }
        }
    }

    /// Why the file ended before its end, if it did.
    pub(crate) fn failure(self) -> Option<String> {
        match self {
            Self::Jsonl { failure, .. } | Self::Csv { failure, .. } => failure,
        }
    }
}

/// A line without its end. Of one that is far too long, only the beginning is kept.
fn read_line(reader: &mut impl BufRead) -> std::io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let limit = MAX_BODY_BYTES as u64 + 2;
    if reader.by_ref().take(limit).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') && line.len() as u64 == limit {
        skip_line(reader)?;
    }
    while matches!(line.last(), Some(b'\n' | b'\r')) {
        line.pop();
    }
    Ok(Some(line))
}

fn skip_line(reader: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        if let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
            reader.consume(end + 1);
            return Ok(());
        }
        let length = buffer.len();
        reader.consume(length);
    }
}

/// Members of `meta` may stand at the top of a line, as in a dump; a line that nests them already stays as it is. A line of a
/// file of refused lines is the lead in it.
fn nested(line: Line) -> Line {
    let Ok(Members(mut members)) = serde_json::from_slice::<Members>(&line.body) else { return line };
    let number = line.number;
    let is_refused = members.iter().any(|(name, _)| name == "errors");
    let lead = members.iter().position(|(name, value)| name == "lead" && value.is_object());
    if let Some(place) = lead.filter(|_| is_refused) {
        let lead = members.swap_remove(place).1.to_string().into_bytes();
        return nested(Line { number, body: lead, raw: None });
    }
    if members.iter().any(|(name, _)| name == "meta") {
        return line;
    }
    let mut body = Map::new();
    let mut seen = Vec::new();
    for (name, value) in members {
        let Some(way) = way_to(&name) else { continue };
        // The parser refuses it, and so it does here.
        if seen.contains(&way) {
            return line;
        }
        seen.push(way);
        put(&mut body, way, value);
    }
    let raw = Some(line.raw.unwrap_or(line.body));
    Line { number, body: Value::Object(body).to_string().into_bytes(), raw }
}

/// The members of an object as they stand there, the same name twice too.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// The member that a column stands for; none for a column that no lead has.
fn way_to(column: &str) -> Option<&'static [&'static str]> {
    let column = column.trim();
    // Only what is in `meta` may be called so: `meta.name` is nobody's name.
    let (name, is_meta) = column.strip_prefix("meta.").map_or((column, false), |name| (name, true));
    let found = MEMBERS.iter().find(|(member, _)| *member == name).map(|(_, way)| *way);
    found.filter(|way| !is_meta || way.first() == Some(&"meta"))
}

fn row(
    number: u64,
    columns: &[Option<&'static [&'static str]>],
    record: &csv::ByteRecord,
) -> Result<Line, (Line, String)> {
    let refused = |why: String| {
        let cells: Vec<_> = record.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect();
        (Line { number, body: Value::from(cells).to_string().into_bytes(), raw: None }, why)
    };
    if record.len() != columns.len() {
        return Err(refused(format!("{} cells in {} columns", record.len(), columns.len())));
    }
    let mut body = Map::new();
    for (cell, way) in record.iter().zip(columns) {
        let Some(way) = way else { continue };
        let Ok(cell) = std::str::from_utf8(cell) else { return Err(refused("not UTF-8".to_owned())) };
        let cell = restored_cell(cell);
        let value = match *way {
            ["consent"] => match cell.trim().to_ascii_lowercase().as_str() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                _ => Value::from(cell),
            },
            ["meta", "suspicion"] => cell.split_whitespace().collect::<Vec<_>>().into(),
            _ if cell.trim().is_empty() => Value::Null,
            _ => Value::from(cell),
        };
        put(&mut body, way, value);
    }
    let body = Value::Object(body).to_string().into_bytes();
    Ok(Line { number, body, raw: None })
}

/// Puts a value at the end of a way.
fn put(body: &mut Map<String, Value>, way: &[&str], value: Value) {
    match way {
        [] => {}
        [last] => {
            body.insert((*last).to_owned(), value);
        }
        // A proof of consent of nothing but nulls is none.
        ["consent", _] if value.is_null() => {}
        [first, rest @ ..] => {
            let inner = body.entry(*first).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}
