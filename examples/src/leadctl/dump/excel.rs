//! A CSV that Excel opens with a double click: with a byte order mark, since it takes UTF-8 for something else, and semicolons, since
//! in French a comma is part of a number.

use std::{io, mem};

use csv::{QuoteStyle, Writer, WriterBuilder};
use fastcore_leads::{
    StoredLead,
    inbox::{CellGuard, Disclosure, Sheet, guarded_cell},
};
use serde_json::Value;

use crate::zone::Zone;

const MARK: &[u8] = "\u{feff}".as_bytes();

/// The column whose times are the operator's; those that an import reads are left as they are.
const RECEIVED: &str = "created_at_utc";

pub(super) struct Excel {
    disclosure: Disclosure,
    zone: Zone,
    rows: Writer<Vec<u8>>,
}

impl Excel {
    pub(super) fn new(disclosure: Disclosure, zone: Zone) -> Self {
        let mut excel = Self { disclosure, zone, rows: writer(MARK.to_vec()) };
        let written = excel.rows.write_record(heads(zone));
        debug_assert!(written.is_ok(), "memory takes whatever is written to it");
        excel
    }

    pub(super) fn write(&mut self, lead: &StoredLead) -> io::Result<()> {
        let row = Sheet::row(lead, self.disclosure);
        let cells = Sheet::columns().zip(&row).map(|(column, value)| match (column, value) {
            (RECEIVED, _) => self.zone.wall(lead.created_at_utc).format("%Y-%m-%d %H:%M:%S").to_string(),
            (_, Value::Bool(is_so)) => is_so.to_string(),
            _ => guarded_cell(&Sheet::text(value), CellGuard::Spreadsheet).into_owned(),
        });
        self.rows.write_record(cells).map_err(io::Error::other)
    }

    pub(super) fn take(&mut self) -> Vec<u8> {
        mem::replace(&mut self.rows, writer(Vec::new())).into_inner().unwrap_or_default()
    }
}

fn writer(start: Vec<u8>) -> Writer<Vec<u8>> {
    WriterBuilder::new().delimiter(b';').quote_style(QuoteStyle::Always).from_writer(start)
}

/// The names of the columns; the one of local times says where.
pub(super) fn heads(zone: Zone) -> impl Iterator<Item = String> {
    Sheet::columns().map(move |name| if name == RECEIVED { format!("received ({zone})") } else { name.to_owned() })
}

/// Whether a column is of local times.
pub(super) fn is_received(column: &str) -> bool {
    column == RECEIVED
}
