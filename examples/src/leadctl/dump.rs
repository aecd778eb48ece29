//! Leads into a file.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, Write},
    path::Path,
};

use fastcore_leads::{
    LeadDatabase,
    inbox::{InboxExt, Sheet},
};

use crate::{
    options::{DumpArguments, Options},
    outcome::{Failure, Outcome},
};

const PAGE: u32 = 500;

pub(crate) async fn run(options: &Options, database: &dyn LeadDatabase, dump: &DumpArguments) -> Outcome {
    let mut file = open(dump.output.as_deref())?;
    let mut sheet = Sheet::new(dump.format, options.disclosure());
    let (filter, mut after, mut count) = (dump.filter.filter(), None, 0_u64);
    if options.reveal {
        database.note_exported(&filter, dump.format.as_str(), &options.actor).await?;
    }
    loop {
        let page = database.page(&filter, after, PAGE).await?;
        for lead in &page.leads {
            sheet.write(lead);
            count += 1;
        }
        file.write_all(&sheet.take()).map_err(unwritten)?;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    file.flush().map_err(unwritten)?;
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
