//! The lines of a file, read one at a time, each as the body that the endpoint would get.

use std::{
    borrow::Cow,
    cell::Cell as Counter,
    io::{BufRead, Read},
    rc::Rc,
};

use csv::StringRecord;
use fastcore_leads::{inbox::restored_cell, lead::limits::MAX_BODY_BYTES};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::Value;

use super::{
    columns::{Columns, member_of},
    json::{self, Array},
    member::Cell,
    reading::Reading,
};

/// The most bytes of a record of a CSV: one that is longer has a quote that does not end.
const MAX_RECORD: usize = 256 * 1024;
/// Most are shorter, in bytes.
const USUAL_RECORD: usize = 384;

/// How leads stand in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Jsonl,
    /// One array of JSON.
    Array,
    /// The separator, and whether a line stands in front of the header that names it.
    Csv(u8, bool),
    /// The rows of a workbook's sheet, as a CSV; the number of the first.
    Rows(u64),
}

/// A line of the file, as the body that the endpoint would get.
pub(super) struct Line {
    /// Counted from 1, the header too.
    pub(super) number: u64,
    pub(super) body: Vec<u8>,
    raw: Raw,
}

/// How a line stood there.
enum Raw {
    /// As its body.
    Body,
    Json(Vec<u8>),
    Cells(Rc<Columns>, StringRecord),
}

impl Line {
    /// What an operator recognises, and can mend: the cells under the names of their columns.
    pub(super) fn shown(&self) -> Value {
        match &self.raw {
            Raw::Body => as_json(&self.body),
            Raw::Json(raw) => as_json(raw),
            Raw::Cells(columns, record) if record.len() == columns.names.len() => {
                // As they are meant: what is read from there is no sheet, and takes nothing off.
                let cells = record.iter().map(|cell| Value::from(&*restored(cell, columns.is_dump)));
                Value::Object(columns.names.iter().cloned().zip(cells).collect())
            }
            Raw::Cells(_, record) => record.iter().collect(),
        }
    }
}

fn as_json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|_| String::from_utf8_lossy(bytes).into())
}

/// Counts what is read since the last record, so that no record takes the file for its own.
pub(super) struct Bounded<R> {
    reader: R,
    left: Rc<Counter<usize>>,
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
pub(super) struct Lines<R> {
    kind: Kind<R>,
    reading: Rc<Reading>,
    failure: Option<String>,
}

enum Kind<R> {
    Jsonl { reader: R, number: u64 },
    Array { reader: R, array: Array },
    Csv { rows: Box<csv::Reader<Bounded<R>>>, left: Rc<Counter<usize>>, columns: Rc<Columns>, numbers: Numbers },
}

/// How lines are counted: from 1, the header too.
#[derive(Clone, Copy)]
enum Numbers {
    /// By lines of the text, of which so many stand in front of the CSV.
    Lines(u64),
    /// By rows, the first of which has this number.
    Rows(u64),
}

impl Numbers {
    fn of(self, position: &csv::Position) -> u64 {
        match self {
            Self::Lines(before) => position.line() + before,
            Self::Rows(first) => position.record() + first,
        }
    }
}

impl<R: BufRead> Lines<R> {
    /// Reads the header of a CSV, and the beginning of an array.
    pub(super) fn open(mut reader: R, form: Form, reading: Rc<Reading>) -> Result<Self, String> {
        let unreadable = |error: std::io::Error| format!("the file cannot be read: {error}");
        let kind = match form {
            Form::Jsonl => Kind::Jsonl { reader, number: 0 },
            Form::Array => {
                let array = Array::begin(&mut reader).map_err(unreadable)?;
                Kind::Array { reader, array }
            }
            Form::Csv(..) | Form::Rows(_) => {
                let (separator, numbers) = match form {
                    Form::Csv(separator, true) => {
                        reader.read_until(b'\n', &mut Vec::new()).map_err(unreadable)?;
                        (separator, Numbers::Lines(1))
                    }
                    Form::Csv(separator, false) => (separator, Numbers::Lines(0)),
                    Form::Rows(first) => (b',', Numbers::Rows(first)),
                    Form::Jsonl | Form::Array => (b',', Numbers::Lines(0)),
                };
                let left = Rc::new(Counter::new(MAX_RECORD));
                let reader = Bounded { reader, left: Rc::clone(&left) };
                let mut rows = csv::ReaderBuilder::new().delimiter(separator).flexible(true).from_reader(reader);
                let header =
                    rows.headers().map_err(|error| format!("the header of the CSV cannot be read: {error}"))?;
                let columns = Columns::of(header.iter(), &reading.map, reading.source.is_some())?;
                Kind::Csv { rows: Box::new(rows), left, columns: Rc::new(columns), numbers }
            }
        };
        Ok(Self { kind, reading, failure: None })
    }

    /// The columns of a CSV.
    pub(super) fn columns(&self) -> Option<&Columns> {
        if let Kind::Csv { columns, .. } = &self.kind { Some(columns) } else { None }
    }

    /// The next line that is not blank; `Err` says why it is no body.
    pub(super) fn next(&mut self) -> Option<Result<Line, (Line, String)>> {
        let reading = Rc::clone(&self.reading);
        let read = match &mut self.kind {
            Kind::Jsonl { reader, number } => loop {
                *number += 1;
                match json::line(reader) {
                    Ok(Some(line)) if line.trim_ascii().is_empty() => {}
                    Ok(line) => break Ok(line.map(|line| of_json(*number, line, &reading))),
                    Err(error) => break Err(format!("the file could not be read any further: {error}")),
                }
            },
            Kind::Array { reader, array } => json::element(reader, array)
                .map(|element| element.map(|element| of_json(array.line, element, &reading)))
                .map_err(|error| format!("the file could not be read any further: {error}")),
            Kind::Csv { rows, left, columns, numbers } => loop {
                let mut record = StringRecord::with_capacity(USUAL_RECORD, columns.members.len());
                left.set(MAX_RECORD);
                let start = numbers.of(rows.position());
                match rows.read_record(&mut record) {
                    Ok(false) => break Ok(None),
                    // Spreadsheets leave them at the end.
                    Ok(true) if record.iter().all(|cell| cell.trim().is_empty()) => {}
                    Ok(true) => {
                        let number = record.position().map_or(start, |position| numbers.of(position));
                        break Ok(Some(row(number, columns, record, &reading)));
                    }
                    Err(error) => break Err(format!("from line {start} on the file could not be read: {error}")),
                }
            },
        };
        read.unwrap_or_else(|failure| {
            self.failure = Some(failure);
            None
        })
    }

    /// Why the file ended before its end, if it did.
    pub(super) fn failure(self) -> Option<String> {
        self.failure
    }
}

/// Members of `meta` may stand at the top of a line, as in a dump, and be called as columns are; a line that nests them already
/// stays as it is. A line of a file of refused lines is the lead in it.
fn of_json(number: u64, text: Vec<u8>, reading: &Reading) -> Result<Line, (Line, String)> {
    let as_it_is = |text: Vec<u8>| Line { number, body: text, raw: Raw::Body };
    if text.len() > MAX_BODY_BYTES {
        return Err((as_it_is(text), format!("longer than {MAX_BODY_BYTES} bytes")));
    }
    let Ok(Members(mut members)) = serde_json::from_slice::<Members>(&text) else { return Ok(as_it_is(text)) };
    let is_refused = members.iter().any(|(name, _)| name == "errors");
    let lead = members.iter().position(|(name, value)| name == "lead" && value.is_object());
    if let Some(place) = lead.filter(|_| is_refused) {
        let lead = members.swap_remove(place).1.to_string().into_bytes();
        return of_json(number, lead, reading);
    }
    if members.iter().any(|(name, _)| name == "meta") {
        return Ok(as_it_is(text));
    }
    let (mut known, mut seen) = (Vec::new(), Vec::new());
    for (name, value) in members {
        let Some(member) = member_of(&name, &reading.map) else { continue };
        // The parser refuses it, and so it does here.
        if seen.contains(&member) {
            return Ok(as_it_is(text));
        }
        seen.push(member);
        known.push((member, Cell::Value(value)));
    }
    made(number, Raw::Json(text), reading.body(known.into_iter()).map(|body| body.to_json()))
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

fn row(number: u64, columns: &Rc<Columns>, record: StringRecord, reading: &Reading) -> Result<Line, (Line, String)> {
    if record.len() != columns.members.len() {
        let why = format!("{} cells in {} columns", record.len(), columns.members.len());
        return made(number, Raw::Cells(Rc::clone(columns), record), Err(why));
    }
    let cells = record.iter().zip(&columns.members).filter_map(|(cell, member)| Some(((*member)?, cell)));
    if reading.is_looking() {
        reading.look(cells);
        return made(number, Raw::Cells(Rc::clone(columns), record), Ok(Vec::new()));
    }
    let body = reading.body(cells.map(|(member, cell)| (member, Cell::Text(restored(cell, columns.is_dump)))));
    let body = body.map(|body| body.to_json());
    made(number, Raw::Cells(Rc::clone(columns), record), body)
}

/// A cell as it was meant. What others wrote has a guard at its start at most: within, an apostrophe is one.
fn restored(cell: &str, is_dump: bool) -> Cow<'_, str> {
    match restored_cell(cell) {
        restored if is_dump || restored == cell => restored,
        restored if cell.starts_with('\'') && !restored.starts_with('\'') => Cow::Borrowed(&cell[1..]),
        _ => Cow::Borrowed(cell),
    }
}

fn made(number: u64, raw: Raw, body: Result<Vec<u8>, String>) -> Result<Line, (Line, String)> {
    match body {
        Ok(body) => Ok(Line { number, body, raw }),
        Err(why) => Err((Line { number, body: Vec::new(), raw }, why)),
    }
}
