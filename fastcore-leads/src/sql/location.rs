use crate::store::{StoreError, StoreErrorKind};

/// Where a SQLite database is: the one reading of its URL, for every driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SqliteLocation {
    /// A file.
    File(String),
    /// The memory of this process, gone with it.
    Memory,
}

impl SqliteLocation {
    /// Reads `sqlite:path/to/file.db`, `sqlite:/absolute/file.db`, `sqlite://path/to/file.db` or `sqlite::memory:`. In the
    /// path `%20` and the like stand for a character. Of parameters only `mode=rwc` is taken, which is the default.
    ///
    /// # Errors
    /// [`StoreErrorKind::Internal`] where it is none of these.
    pub fn parse(url: &str) -> Result<Self, StoreError> {
        let refused = || {
            StoreError::new(StoreErrorKind::Internal)
                .with_reason("the database URL is not of the form sqlite:path/to/file.db")
        };
        let rest = url.strip_prefix("sqlite:").ok_or_else(refused)?;
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        let (path, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        if !matches!(parameters, "" | "mode=rwc") || path.is_empty() {
            return Err(refused());
        }
        if path == ":memory:" {
            return Ok(Self::Memory);
        }
        percent_decoded(path).map(Self::File).ok_or_else(refused)
    }
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, tail)) = rest.split_first() {
        if *byte == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(*byte);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}
