//! Leads into a file.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, Write},
    path::Path,
};

use fastcore_leads::LeadDatabase;
use serde_json::Value;

use crate::{
    import::MEMBERS,
    options::{DumpArguments, Format, Options},
    outcome::{Failure, Outcome},
    shown,
};

const PAGE: u32 = 500;

pub(crate) async fn run(options: &Options, database: &dyn LeadDatabase, dump: &DumpArguments) -> Outcome {
    let mut rows = Rows::new(open(dump.output.as_deref())?, dump.format).map_err(unwritten)?;
    let (filter, mut after, mut count) = (dump.filter.filter(), None, 0_u64);
    loop {
        let page = database.page(&filter, after, PAGE).await?;
        for lead in &page.leads {
            rows.write(&flat(&shown::lead(lead, options.reveal))).map_err(unwritten)?;
            count += 1;
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    rows.finish().map_err(unwritten)?;
    eprintln!("leads: {count}");
    Ok(())
}

/// A file that nobody else may read, or standard output.
pub(crate) fn open(path: Option<&Path>) -> Result<Box<dyn Write>, Failure> {
    let Some(path) = path else { return Ok(Box::new(BufWriter::new(io::stdout()))) };
    let file =
        private(path).map_err(|error| Failure::BadInput(format!("{} cannot be made: {error}", path.display())))?;
    Ok(Box::new(BufWriter::new(file)))
}

/// A fresh file that nobody else may read; one that is there stays as it is.
pub(crate) fn private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;

    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
pub(crate) fn unwritten(error: io::Error) -> Failure {
    Failure::Failed(format!("the output cannot be written: {error}"))
}

/// The members of the endpoint's body, as an import takes them, and those of the store.
fn flat(lead: &Value) -> Vec<(&'static str, Value)> {
    let meta = |name: &str| lead["meta_json"].get(name).cloned().unwrap_or_default();
    let own = ["id", "created_at_utc", "status"].into_iter().map(|name| (name, lead[name].clone()));
    let members = MEMBERS.iter().map(|&(name, member)| {
        let value = match member {
            ["meta", "user_agent_hash"] => meta("user_agent_hash"),
            ["meta", "timestamp_utc"] => meta("timestamp_utc"),
            ["meta", "suspicion"] => meta("suspicion"),
            ["meta", "consent", part] => meta("consent").get(*part).cloned().unwrap_or_default(),
            [.., last] => lead[*last].clone(),
            [] => Value::Null,
        };
        (name, value)
    });
    own.chain(members).collect()
}

enum Rows {
    Jsonl(Box<dyn Write>),
    Csv(Box<csv::Writer<Box<dyn Write>>>),
}

impl Rows {
    fn new(file: Box<dyn Write>, format: Format) -> io::Result<Self> {
        Ok(match format {
            Format::Jsonl => Self::Jsonl(file),
            Format::Csv => {
                // In quotes, all of them: to a spreadsheet of another country, a semicolon ends a cell.
                let mut writer = csv::WriterBuilder::new().quote_style(csv::QuoteStyle::Always).from_writer(file);
                let header =
                    ["id", "created_at_utc", "status"].into_iter().chain(MEMBERS.iter().map(|(name, _)| *name));
                writer.write_record(header)?;
                Self::Csv(Box::new(writer))
            }
        })
    }

    fn write(&mut self, row: &[(&'static str, Value)]) -> io::Result<()> {
        match self {
            Self::Jsonl(file) => {
                let row: serde_json::Map<_, _> =
                    row.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
                serde_json::to_writer(&mut *file, &row)?;
                file.write_all(b"\n")
            }
            Self::Csv(writer) => {
                let cells = row.iter().map(|(_, value)| match value {
                    Value::Array(codes) => codes.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
                    other => neutral(&text(other)),
                });
                Ok(writer.write_record(cells)?)
            }
        }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Jsonl(mut file) => file.flush(),
            Self::Csv(mut writer) => writer.flush(),
        }
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A cell that a spreadsheet would run as a formula gets an apostrophe in front (OWASP, "CSV Injection"); so does one that
/// looks as if it had got one already, so that an import can take it off again.
fn neutral(cell: &str) -> String {
    if is_formula(cell.trim_start_matches('\'')) { format!("'{cell}") } else { cell.to_owned() }
}

/// A cell as it was before it was neutralised.
pub(crate) fn restored(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|rest| is_formula(rest.trim_start_matches('\''))).unwrap_or(cell)
}

/// What a spreadsheet would run.
fn is_formula(cell: &str) -> bool {
    cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'])
}
