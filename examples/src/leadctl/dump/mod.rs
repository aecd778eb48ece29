//! Leads into a file.

mod excel;
mod workbook;

use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, Write},
    path::Path,
};

use fastcore_leads::{
    LeadDatabase, StoredLead,
    inbox::{InboxExt, Sheet, SheetFormat},
};

use self::{excel::Excel, workbook::Workbook};
use crate::{
    options::{DumpArguments, DumpFormat, Options},
    outcome::{Failure, Outcome},
    shown,
};

const PAGE: u32 = 500;

/// What leads are written to.
enum Output {
    Sheet(Sheet),
    Excel(Box<Excel>),
    Workbook(Box<Workbook>),
}

pub(crate) async fn run(options: &Options, database: &dyn LeadDatabase, dump: &DumpArguments) -> Outcome {
    let format = dump.format();
    let mut file = open(dump.output.as_deref())?;
    let mut output = match format {
        DumpFormat::Jsonl => Output::Sheet(Sheet::new(SheetFormat::Jsonl, options.disclosure())),
        DumpFormat::Csv => Output::Sheet(Sheet::new(SheetFormat::Csv, options.disclosure())),
        DumpFormat::Excel => Output::Excel(Box::new(Excel::new(options.disclosure(), options.zone()))),
        DumpFormat::Xlsx => {
            Output::Workbook(Box::new(Workbook::new(options.disclosure(), options.zone()).map_err(Failure::Failed)?))
        }
    };
    let (filter, mut after, mut count) = (dump.filter.filter(options.zone()), None, 0_u64);
    if options.reveal {
        database.note_exported(&filter, format.as_str(), &options.actor).await?;
    }
    loop {
        let page = database.page(&filter, after, PAGE).await?;
        for lead in &page.leads {
            output.write(lead)?;
            count += 1;
        }
        file.write_all(&output.take()).map_err(unwritten)?;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    if let Output::Workbook(workbook) = output {
        file.write_all(&workbook.finish().map_err(Failure::Failed)?).map_err(unwritten)?;
    }
    file.flush().map_err(unwritten)?;
    shown::note(format!("leads: {count}"));
    Ok(())
}

impl Output {
    fn write(&mut self, lead: &StoredLead) -> Outcome {
        match self {
            Self::Sheet(sheet) => sheet.write(lead),
            Self::Excel(excel) => excel.write(lead).map_err(unwritten)?,
            Self::Workbook(workbook) => workbook.write(lead).map_err(Failure::BadInput)?,
        }
        Ok(())
    }

    /// What was written since the last time; a workbook is whole in the end alone.
    fn take(&mut self) -> Vec<u8> {
        match self {
            Self::Sheet(sheet) => sheet.take(),
            Self::Excel(excel) => excel.take(),
            Self::Workbook(_) => Vec::new(),
        }
    }
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
