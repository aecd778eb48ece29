//! Files of keys.

use std::{fmt::Display, fs, os::unix::fs::PermissionsExt, path::Path};

/// Keys from a file, one a line; empty lines and lines that begin with `#` are left out.
///
/// # Errors
/// A sentence for the operator, without the key.
pub fn read_keys<K: std::str::FromStr<Err: Display>>(file: &Path) -> Result<Vec<K>, String> {
    let shown = file.display();
    let text = fs::read_to_string(file).map_err(|error| format!("{shown}: {error}"))?;
    let lines = text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines.map(|(i, line)| line.parse().map_err(|error| format!("{shown}, line {}: {error}", i + 1))).collect()
}

/// Says so where everybody can read a file of secrets.
pub fn warn_of_readers(path: &Path) {
    let mode = fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode());
    if mode & 0o007 != 0 {
        tracing::warn!(file = %path.display(), "everybody on this machine can read a file of secrets: chmod 600");
    }
}
