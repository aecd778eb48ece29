//! A sheet of a workbook, as the CSV that it could have been saved as.

use std::{
    fs,
    io::{self, Cursor},
    path::Path,
    sync::Arc,
};

use calamine::{Data, Range, Reader, open_workbook_auto_from_rs};
use csv::{QuoteStyle, WriterBuilder};

/// The sheet that is read.
#[derive(Clone)]
pub(super) struct Workbook {
    /// Its name.
    pub(super) sheet: String,
    /// Those that are not.
    pub(super) others: Vec<String>,
    /// The number of its first row that holds anything.
    pub(super) first: u64,
    /// Its rows, in UTF-8 and separated by commas.
    pub(super) text: Arc<[u8]>,
}

impl Workbook {
    /// Reads a sheet: the one of a name, or else the first that is not empty.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub(super) fn open(path: &Path, chosen: Option<&str>) -> Result<Self, String> {
        let shown = path.display();
        let bytes: Arc<[u8]> = fs::read(path).map_err(|error| format!("{shown} cannot be read: {error}"))?.into();
        let none = format!(
            "{shown} is an archive or a workbook that cannot be read, or that has a password: save it as .xlsx without one, or as CSV \
             UTF-8"
        );
        // What the library says of a file may hold what stands in it.
        let mut workbook = open_workbook_auto_from_rs(Cursor::new(bytes)).map_err(|_| none.clone())?;
        let names = workbook.sheet_names();
        let mut read = |name: &str| workbook.worksheet_range(name).map_err(|_| none.clone());
        let (sheet, range) = match chosen {
            Some(name) if !names.iter().any(|known| known == name) => {
                return Err(format!("{shown} has no sheet {name}; it has: {}", names.join(", ")));
            }
            Some(name) => (name.to_owned(), read(name)?),
            None => {
                let mut found = None;
                for name in &names {
                    let range = read(name)?;
                    if !range.is_empty() {
                        found = Some((name.clone(), range));
                        break;
                    }
                }
                found.ok_or_else(|| format!("{shown} is an empty workbook"))?
            }
        };
        let others = names.into_iter().filter(|name| *name != sheet).collect();
        let first = range.start().map_or(1, |(row, _)| u64::from(row) + 1);
        let text = csv_of(&range).map_err(|error| format!("{shown} cannot be read: {error}"))?.into();
        Ok(Self { sheet, others, first, text })
    }
}

fn csv_of(range: &Range<Data>) -> io::Result<Vec<u8>> {
    let mut rows = WriterBuilder::new().quote_style(QuoteStyle::Always).from_writer(Vec::new());
    for row in range.rows() {
        rows.write_record(row.iter().map(text)).map_err(io::Error::other)?;
    }
    rows.into_inner().map_err(csv::IntoInnerError::into_error)
}

/// A cell as it would stand in a CSV: dates in one order, and numbers without a fraction that they do not have.
fn text(cell: &Data) -> String {
    const WHOLE: f64 = 1e15;
    match cell {
        Data::Empty => String::new(),
        Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text) => text.clone(),
        Data::Float(number) if number.fract() == 0.0 && number.abs() < WHOLE => format!("{number:.0}"),
        Data::Float(number) => number.to_string(),
        Data::Int(number) => number.to_string(),
        Data::Bool(is_so) => is_so.to_string(),
        Data::DateTime(instant) => match instant.as_datetime().filter(|_| instant.is_datetime()) {
            Some(instant) => instant.format("%Y-%m-%dT%H:%M:%S%.f").to_string(),
            None => instant.as_f64().to_string(),
        },
        Data::Error(error) => error.to_string(),
    }
}
