use std::{
    fs::{File, OpenOptions},
    io::{BufWriter, Write},
    path::PathBuf,
};

use fastcore_leads::ParseError;
use serde_json::{Value, json};

use super::Line;

/// The file of refused lines, made with the first of them; nobody else may read it. A line of it is the lead's number in
/// the file, the reasons, and the lead, so that it can be mended and imported again.
pub(crate) struct Refused {
    path: PathBuf,
    file: Option<BufWriter<File>>,
    count: u64,
    failure: Option<String>,
}

impl Refused {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, file: None, count: 0, failure: None }
    }

    pub(crate) fn write(&mut self, line: &Line, reasons: &Value) {
        self.count += 1;
        if let Err(error) = self.append(line, reasons) {
            self.failure = Some(format!("{} cannot be written: {error}", self.path.display()));
        }
    }

    fn append(&mut self, line: &Line, reasons: &Value) -> std::io::Result<()> {
        use std::os::unix::fs::OpenOptionsExt;

        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&self.path)?;
                none.insert(BufWriter::new(file))
            }
        };
        let lead = serde_json::from_slice(&line.body)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&line.body).into_owned()));
        serde_json::to_writer(&mut *file, &json!({"line": line.number, "errors": reasons, "lead": lead}))?;
        file.write_all(b"\n")
    }

    /// How many there are, and where, if there are any.
    pub(crate) fn finish(mut self) -> Result<(u64, Option<PathBuf>), String> {
        if let Some(Err(error)) = self.file.as_mut().map(Write::flush) {
            self.failure = Some(format!("{} cannot be written: {error}", self.path.display()));
        }
        match self.failure {
            Some(failure) => Err(failure),
            None => Ok((self.count, (self.count > 0).then_some(self.path))),
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
