//! What the programs here share.

pub mod answer;
pub mod contract;
pub mod database;
pub mod destinations;
pub mod logs;
pub mod metrics;
pub mod site;
pub mod telemetry;
pub mod transport;

use std::fmt::Write;

/// Bytes in lower-case hexadecimal.
fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
