//! What a file is, found before anything is taken in.

use std::{
    cell::RefCell,
    fmt,
    fs::File,
    io::{BufReader, Read},
    rc::Rc,
};

use chrono::{SecondsFormat, Utc};
use fastcore_leads::inbox::SheetFormat;
use serde_json::{Value, json};

use super::{
    columns::Columns,
    dates::{Dates, Seen},
    file::Source,
    lines::{Form, Lines},
    member::Member,
    quotes,
    reading::Reading,
};
use crate::options::ImportArguments;

/// What columns are separated by, the most usual first.
const SEPARATORS: [u8; 4] = *b",;\t|";
/// How much of a file is looked at for its form.
const HEAD: u64 = 64 * 1024;

/// How a file is read.
pub(super) struct Understood<'p> {
    source: Source<'p>,
    form: Form,
    reading: Rc<Reading>,
    /// Each column, and the member that it stands for.
    columns: Vec<(String, Option<String>)>,
}

impl<'p> Understood<'p> {
    /// Reads through a file.
    ///
    /// # Errors
    /// A sentence for the operator, where it cannot be used, or where something has to be said that the file does not.
    pub(super) fn of(import: &'p ImportArguments) -> Result<Self, String> {
        let source = Source::of(&import.file, import.encoding, import.sheet.as_deref())?;
        let form = if let Some((_, first)) = source.sheet() {
            Form::Rows(first)
        } else {
            let mut head = Vec::new();
            let unreadable = |error: std::io::Error| format!("{} cannot be read: {error}", import.file.display());
            source.open(|file| file)?.take(HEAD).read_to_end(&mut head).map_err(unreadable)?;
            form_of(import, &String::from_utf8_lossy(&head))?
        };
        if let Form::Csv(separator, _) = form {
            quotes::check(source.open(|file| file)?, separator)?;
        }
        let reading = |dates| Reading {
            map: import.map.clone(),
            dates,
            source: import.source.clone(),
            now: Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true),
        };
        let looking = Rc::new(reading(Dates::Looked(RefCell::default())));
        let mut lines = Lines::open(source.open(|file| file)?, form, Rc::clone(&looking))?;
        let columns = lines.columns().map(named).unwrap_or_default();
        let mut seen = Seen::default();
        let may_have_dates =
            lines.columns().is_none_or(|columns| columns.members.iter().flatten().any(|it| it.is_date()));
        if import.date_format.is_none() && may_have_dates {
            while let Some(line) = lines.next() {
                let number = line.map_or_else(|(line, _)| line.number, |line| line.number);
                looking.dates.looked().for_each(|cell| seen.note(number, &cell));
            }
        }
        let dates = Dates::of(import.timezone, import.date_format.as_deref(), &seen)?;
        Ok(Self { source, form, reading: Rc::new(reading(dates)), columns })
    }

    /// Its lines, from the start; `watch` sees the bytes of the file as they are read.
    ///
    /// # Errors
    /// A sentence for the operator, if it cannot be read.
    pub(super) fn lines<R: Read + 'static>(
        &self,
        watch: impl FnOnce(File) -> R,
    ) -> Result<Lines<BufReader<Box<dyn Read>>>, String> {
        Lines::open(self.source.open(watch)?, self.form, Rc::clone(&self.reading))
    }

    pub(super) fn to_json(&self) -> Value {
        let columns: Vec<_> =
            self.columns.iter().map(|(name, member)| json!({"column": name, "member": member})).collect();
        let sheet = self.source.sheet().map(|(name, _)| name);
        json!({"encoding": self.source.encoding(), "separator": self.separator(), "sheet": sheet, "columns": columns})
    }

    fn separator(&self) -> Option<&'static str> {
        match self.form {
            Form::Csv(b'\t', _) => Some("tab"),
            Form::Csv(b';', _) => Some(";"),
            Form::Csv(b'|', _) => Some("|"),
            Form::Csv(..) => Some(","),
            Form::Jsonl | Form::Array | Form::Rows(_) => None,
        }
    }
}

/// For people.
impl fmt::Display for Understood<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = self.source.shown();
        match (self.form, self.separator()) {
            (Form::Jsonl | Form::Array, _) => return write!(f, "read as JSON in {source}"),
            (_, Some(separator)) => write!(f, "read as CSV in {source}, separated by {separator}")?,
            (_, None) => write!(f, "read as {source} of a workbook")?,
        }
        let taken = self.columns.iter().filter_map(|(name, member)| Some((name, member.as_ref()?)));
        let taken: Vec<_> = taken.map(|(name, member)| format!("{name} as {member}")).collect();
        let left: Vec<_> =
            self.columns.iter().filter(|(_, member)| member.is_none()).map(|(name, _)| &**name).collect();
        write!(f, "; columns: {}", taken.join(", "))?;
        if !left.is_empty() {
            write!(f, "; left out: {}", left.join(", "))?;
        }
        Ok(())
    }
}

fn named(columns: &Columns) -> Vec<(String, Option<String>)> {
    let members = columns.members.iter().map(|member| member.map(Member::way));
    columns.names.iter().cloned().zip(members).collect()
}

fn form_of(import: &ImportArguments, head: &str) -> Result<Form, String> {
    let ending = import.file.with_extension("");
    let name = if import.file.extension().is_some_and(|end| end == "gz") { &ending } else { &import.file };
    let ending = name.extension().and_then(|end| end.to_str()).unwrap_or_default().to_ascii_lowercase();
    let format = import.format.or(match &*ending {
        "csv" | "txt" | "tsv" | "tab" => Some(SheetFormat::Csv),
        "jsonl" | "ndjson" | "json" => Some(SheetFormat::Jsonl),
        _ => None,
    });
    match format {
        None => Err(format!(
            "{} ends neither in .csv nor in .jsonl: say --format csv or --format jsonl",
            import.file.display()
        )),
        Some(SheetFormat::Csv) => Ok(csv_of(import, head)),
        Some(_) if head.trim_start().starts_with('[') => Ok(Form::Array),
        Some(_) => Ok(Form::Jsonl),
    }
}

/// The separator is the one that a line in front of the header names, or by which most columns are known, or else most are there.
fn csv_of(import: &ImportArguments, head: &str) -> Form {
    let named = head.strip_prefix("sep=").and_then(|rest| rest.bytes().next());
    let header = if named.is_some() { head.split_once('\n').map_or("", |(_, rest)| rest) } else { head };
    let columns = |separator: u8| {
        let mut rows = csv::ReaderBuilder::new().delimiter(separator).from_reader(header.as_bytes());
        let columns = rows.headers().cloned().unwrap_or_default();
        (Columns::known(columns.iter(), &import.map), columns.len())
    };
    // Of those that do alike, the first.
    let best = SEPARATORS.into_iter().rev().max_by_key(|separator| columns(*separator)).unwrap_or(b',');
    Form::Csv(import.separator.or(named).unwrap_or(best), named.is_some())
}
