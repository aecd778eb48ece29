use std::path::Path;

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
    /// Reads a URL. In the path `%20` and the like stand for a character. Of parameters only `mode=rwc` is taken, which is
    /// the default.
    ///
    /// | URL | file |
    /// | --- | --- |
    /// | `sqlite:leads.db`, `sqlite://leads.db`, `sqlite:///leads.db` | `leads.db` in the working directory |
    /// | `sqlite:/var/leads.db`, `sqlite:////var/leads.db` | `/var/leads.db` |
    /// | `sqlite::memory:`, `sqlite:///:memory:` | none |
    ///
    /// Three slashes and four mean what they mean to SQLAlchemy, and the scheme may name a Python driver, as in
    /// `sqlite+aiosqlite`.
    ///
    /// # Errors
    /// [`StoreErrorKind::Internal`] where it is none of these, and where three slashes name a file that is not there while
    /// four would name one that is.
    pub fn parse(url: &str) -> Result<Self, StoreError> {
        let form = || refused("the database URL is not of the form sqlite:path/to/file.db");
        let (scheme, rest) = url.split_once(':').ok_or_else(form)?;
        if scheme.split('+').next() != Some("sqlite") {
            return Err(form());
        }
        let (path, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        if !matches!(parameters, "" | "mode=rwc") {
            return Err(form());
        }
        let (path, is_relative) = match path.strip_prefix("//") {
            Some(path) => path.strip_prefix('/').map_or((path, false), |path| (path, true)),
            None => (path, false),
        };
        let path = percent_decoded(path).filter(|path| !path.is_empty()).ok_or_else(form)?;
        if path == ":memory:" {
            return Ok(Self::Memory);
        }
        if is_relative
            && !path.starts_with('/')
            && !Path::new(&path).exists()
            && Path::new(&format!("/{path}")).exists()
        {
            return Err(refused(
                "three slashes in the database URL name a file in the working directory, and there is none: write four for \
                 an absolute path, as in sqlite:////var/leads.db",
            ));
        }
        Ok(Self::File(path))
    }

    /// Returns the same place, named so that it stays the same if this process changes its working directory.
    pub fn absolute(self) -> Self {
        match self {
            Self::Memory => Self::Memory,
            Self::File(path) => {
                let absolute =
                    std::path::absolute(&path).ok().and_then(|path| path.into_os_string().into_string().ok());
                Self::File(absolute.unwrap_or(path))
            }
        }
    }
}

pub(super) fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, tail)) = rest.split_first() {
        if *byte == b'%' {
            let digits = tail.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(*byte);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

fn refused(reason: &str) -> StoreError {
    StoreError::new(StoreErrorKind::Internal).with_reason(reason)
}
