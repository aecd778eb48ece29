//! Files of leads.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use encoding_rs::Encoding;
use fastcore_leads::inbox::SheetFormat;

use super::{FilterArguments, parse::format};
use crate::import::{Member, mapping};

#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    /// The file: CSV, JSON lines or a JSON array, .gz too; or a workbook, .xlsx or .ods. Columns are called as the members of the endpoint's body, or as
    /// people call them (Nom, E-Mail, Société).
    pub(crate) file: PathBuf,
    /// Shows what is understood of the file, and what would be refused; takes nothing in.
    #[arg(long)]
    pub(crate) check: bool,
    /// The member that a column stands for, such as Nom=name; `-` leaves the column out. As often as needed.
    #[arg(long, value_name = "COLUMN=MEMBER", value_parser = mapping)]
    pub(crate) map: Vec<(String, Option<Member>)>,
    /// Where leads are from that do not say so.
    #[arg(long)]
    pub(crate) source: Option<String>,
    /// Where dates are from that say no time zone, such as Europe/Paris.
    #[arg(long)]
    pub(crate) timezone: Option<chrono_tz::Tz>,
    /// How dates are written, such as "%d/%m/%Y %H:%M". Default: as the file shows.
    #[arg(long)]
    pub(crate) date_format: Option<String>,
    /// The file's encoding, such as windows-1252. Default: found.
    #[arg(long, value_parser = encoding)]
    pub(crate) encoding: Option<&'static Encoding>,
    /// What the columns of a CSV are separated by: a character, or tab. Default: found.
    #[arg(long, value_parser = separator)]
    pub(crate) separator: Option<u8>,
    /// Which sheet of a workbook. Default: the first that is not empty.
    #[arg(long)]
    pub(crate) sheet: Option<String>,
    /// How many seconds the database may be away before the import stops.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) patience: u64,
    /// Default: by the file's ending.
    #[arg(long, value_parser = format())]
    pub(crate) format: Option<SheetFormat>,
    /// Where refused lines go, with their reasons. Default: the file's name and `.refused.jsonl`; beside an earlier one, with a
    /// number.
    #[arg(long)]
    pub(crate) refused: Option<PathBuf>,
}

fn encoding(label: &str) -> Result<&'static Encoding, &'static str> {
    Encoding::for_label(label.as_bytes()).ok_or("no such encoding; such as utf-8, utf-16le, windows-1252")
}

fn separator(text: &str) -> Result<u8, &'static str> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        [byte] if byte.is_ascii_punctuation() && *byte != b'"' || *byte == b'\t' => Ok(*byte),
        _ => Err("say one character, such as ; or |, or tab"),
    }
}

/// How leads are written to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DumpFormat {
    /// A JSON object on each line.
    Jsonl,
    /// Comma-separated, for programs; UTF-8.
    Csv,
    /// Separated by semicolons, for Excel; as --excel.
    Excel,
    /// A workbook.
    Xlsx,
}

#[derive(Debug, Args)]
pub(crate) struct DumpArguments {
    #[command(flatten)]
    pub(crate) filter: FilterArguments,
    /// How leads are written. Default: by the ending of --output, or else jsonl.
    #[arg(long, value_enum)]
    pub(crate) format: Option<DumpFormat>,
    /// A CSV that Excel opens with a double click, in French or in English: its times are local, its numbers are text.
    #[arg(long, conflicts_with = "format")]
    pub(crate) excel: bool,
    /// The file to write, for nobody else to read. Default: standard output.
    #[arg(long)]
    pub(crate) output: Option<PathBuf>,
}

impl DumpArguments {
    /// What was asked for, or what the file's name says.
    pub(crate) fn format(&self) -> DumpFormat {
        let ending = self.output.as_ref().and_then(|path| path.extension()).and_then(|ending| ending.to_str());
        let by_name = ending.and_then(|ending| DumpFormat::from_str(ending, true).ok());
        match self.format.or(by_name) {
            _ if self.excel => DumpFormat::Excel,
            format => format.unwrap_or(DumpFormat::Jsonl),
        }
    }
}

impl DumpFormat {
    /// The name, for the audit log.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Excel => "excel",
            Self::Xlsx => "xlsx",
        }
    }
}
