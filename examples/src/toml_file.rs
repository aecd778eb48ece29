//! Settings in a file of TOML, some of which are secret.

use std::path::Path;

use serde::de::DeserializeOwned;

/// Reads a file.
///
/// # Errors
/// A sentence for the operator that names the line. It holds no value of the file, which may be a secret.
pub fn read<T: DeserializeOwned>(file: &Path) -> Result<T, String> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| format!("{shown}: {error}"))?;
    toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
        // A text that stands where something else should is quoted.
        let what = error.message().split('"').next().unwrap_or_default().trim_end();
        format!("{shown}, line {line}: {what}")
    })
}
