//! A workbook: its cells have types, so that no text is taken for anything else.

use fastcore_leads::{
    StoredLead,
    inbox::{CellGuard, Disclosure, Sheet, guarded_cell},
};
use rust_xlsxwriter::{ExcelDateTime, Format, XlsxError};
use serde_json::Value;

use super::excel::{heads, is_received};
use crate::zone::Zone;

/// The rows of a sheet (Microsoft, "Excel specifications and limits"), less the one of names.
const MAX_ROWS: u32 = 1_048_575;
/// Wide columns, by the width of a digit.
const WIDTHS: [(&str, f64); 4] = [("name", 24.0), ("email", 28.0), ("company", 24.0), ("message", 60.0)];

pub(super) struct Workbook {
    disclosure: Disclosure,
    zone: Zone,
    file: rust_xlsxwriter::Workbook,
    instant: Format,
    rows: u32,
}

impl Workbook {
    pub(super) fn new(disclosure: Disclosure, zone: Zone) -> Result<Self, String> {
        let mut file = rust_xlsxwriter::Workbook::new();
        let sheet = file.add_worksheet();
        let bold = Format::new().set_bold();
        let set = |sheet: &mut rust_xlsxwriter::Worksheet| {
            sheet.set_name("leads")?;
            for (column, name) in (0..).zip(heads(zone)) {
                sheet.write_string_with_format(0, column, name, &bold)?;
            }
            for (column, name) in (0..).zip(Sheet::columns()) {
                let width = WIDTHS.iter().find(|(wide, _)| *wide == name).map_or(18.0, |(_, width)| *width);
                sheet.set_column_width(column, width)?;
            }
            sheet.set_freeze_panes(1, 0).map(drop)
        };
        set(sheet).map_err(told)?;
        let instant = Format::new().set_num_format("yyyy-mm-dd hh:mm:ss");
        Ok(Self { disclosure, zone, file, instant, rows: 0 })
    }

    pub(super) fn write(&mut self, lead: &StoredLead) -> Result<(), String> {
        if self.rows == MAX_ROWS {
            return Err(format!("a sheet holds no more than {MAX_ROWS} leads: narrow them by --from and --to"));
        }
        self.rows += 1;
        self.row(lead).map_err(told)
    }

    fn row(&mut self, lead: &StoredLead) -> Result<(), XlsxError> {
        let (row, instant) = (self.rows, &self.instant);
        let values = Sheet::row(lead, self.disclosure);
        let sheet = self.file.worksheet_from_index(0)?;
        for (column, (name, value)) in (0..).zip(Sheet::columns().zip(&values)) {
            match value {
                _ if is_received(name) => {
                    let wall = self.zone.wall(lead.created_at_utc).format("%Y-%m-%dT%H:%M:%S").to_string();
                    sheet.write_datetime_with_format(row, column, ExcelDateTime::parse_from_str(&wall)?, instant)?;
                }
                Value::Null => {}
                Value::Bool(is_so) => drop(sheet.write_boolean(row, column, *is_so)?),
                other => drop(sheet.write_string(row, column, guarded_cell(&Sheet::text(other), CellGuard::Typed))?),
            }
        }
        Ok(())
    }

    /// The file.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, String> {
        let last = u16::try_from(Sheet::columns().count() - 1).unwrap_or(u16::MAX);
        let sheet = self.file.worksheet_from_index(0).map_err(told)?;
        sheet.autofilter(0, 0, self.rows, last).map_err(told)?;
        self.file.save_to_buffer().map_err(told)
    }
}

/// Its messages may hold what stands in a cell.
#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn told(error: XlsxError) -> String {
    match error {
        XlsxError::IoError(_) | XlsxError::ZipError(_) => "the workbook cannot be written".to_owned(),
        _ => "a lead does not fit into a workbook: dump it as jsonl".to_owned(),
    }
}
