//! What the programs here share.

pub mod answer;
pub mod contract;
pub mod database;
pub mod destinations;
pub mod environment;
pub mod keys;
pub mod logs;
pub mod metrics;
pub mod seals;
pub mod site;
pub mod staff;
pub mod telemetry;
pub mod toml_file;
pub mod transport;
mod web;

use std::fmt::Write;

/// Bytes in lower-case hexadecimal.
fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes of a text in hexadecimal; nothing where it is none.
fn from_hexadecimal(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).ok()).collect()
}
