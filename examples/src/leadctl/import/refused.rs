use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use fastcore_leads::ParseError;
use serde_json::{Value, json};

use super::Line;
use crate::dump::private;

/// The file of refused lines, which nobody else may read. A line of it is the lead's number in the file, the reasons, and
/// the lead: mended, it can be imported as it is.
pub(crate) struct Refused {
    path: PathBuf,
    /// Written beside it, and put in its place in the end.
    part: PathBuf,
    file: Option<BufWriter<File>>,
    count: u64,
    failure: Option<String>,
}

impl Refused {
    /// A file that the operator chose must not be there yet; beside an earlier run's, one of our own name has a number.
    pub(crate) fn new(import: &Path, chosen: Option<&Path>) -> Result<Self, String> {
        if let Some(chosen) = chosen.filter(|chosen| fs::symlink_metadata(chosen).is_ok()) {
            return Err(format!("{} is there already: choose another file for refused lines", chosen.display()));
        }
        let beside = |path: &Path, ending: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(ending);
            PathBuf::from(name)
        };
        let free = || {
            let numbered = (2_u32..).map(|number| beside(import, &format!(".refused-{number}.jsonl")));
            let mut names = std::iter::once(beside(import, ".refused.jsonl")).chain(numbered);
            names.find(|name| fs::symlink_metadata(name).is_err()).unwrap_or_else(|| import.to_owned())
        };
        let path = chosen.map_or_else(free, Path::to_owned);
        let part = beside(&path, ".part");
        Ok(Self { path, part, file: None, count: 0, failure: None })
    }

    pub(crate) fn write(&mut self, line: &Line, reasons: &Value) {
        self.count += 1;
        if let Err(error) = self.append(line, reasons) {
            self.failure = Some(format!("{} cannot be written: {error}", self.path.display()));
        }
    }

    /// Whether lines are lost: then an import had better stop.
    pub(crate) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    fn append(&mut self, line: &Line, reasons: &Value) -> std::io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                // What a run that was killed has left.
                let _ = fs::remove_file(&self.part);
                none.insert(BufWriter::new(private(&self.part)?))
            }
        };
        let lead = line.shown();
        serde_json::to_writer(&mut *file, &json!({"line": line.number, "errors": reasons, "lead": lead}))?;
        file.write_all(b"\n")
    }

    /// How many there are, and where; or why they could not be written.
    pub(crate) fn finish(mut self) -> (u64, Result<Option<PathBuf>, String>) {
        let is_written = match self.file.take() {
            None => Ok(()),
            Some(mut file) => file.flush().and_then(|()| fs::rename(&self.part, &self.path)),
        };
        let failure = is_written.err().map(|error| format!("{} cannot be written: {error}", self.path.display()));
        match self.failure.or(failure) {
            Some(failure) => (self.count, Err(failure)),
            None => (self.count, Ok((self.count > 0).then_some(self.path))),
        }
    }
}

/// What the parser found, as the endpoint says it.
pub(crate) fn reasons(error: &ParseError) -> Value {
    match error {
        ParseError::Invalid(violations) => violations
            .iter()
            .map(|violation| {
                let (pointer, code) = (violation.pointer(), violation.code().as_str());
                json!({"pointer": pointer, "code": code, "detail": violation.detail()})
            })
            .collect(),
        ParseError::Malformed => json!([{"code": "malformed_body", "detail": error.to_string()}]),
    }
}
