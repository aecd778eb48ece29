//! How the cells of a line become the body that the endpoint would get.

use std::borrow::Cow;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use uuid::Builder;

use super::{
    columns::{Way, fold},
    dates::Dates,
};

const SOURCE: Way = &["meta", "source"];
const REQUEST_ID: Way = &["meta", "request_id"];
const IP_HASH: Way = &["meta", "ip_hash"];
const TIMESTAMP: Way = &["meta", "timestamp_utc"];
const DATES: [Way; 2] = [TIMESTAMP, &["meta", "consent", "given_at"]];
/// What is known of an address that nobody wrote down.
const NO_HASH: &str = "none";

/// What a line says of a member.
pub(super) enum Cell<'c> {
    Text(Cow<'c, str>),
    Value(Value),
}

/// What stands in no line.
pub(super) struct Reading {
    pub(super) map: Vec<(String, Way)>,
    pub(super) dates: Dates,
    /// Where leads are from that do not say so.
    pub(super) source: Option<String>,
    /// When leads came that do not say so: now.
    pub(super) now: String,
}

impl Reading {
    /// The body of a lead's members, one of which may be missing or blank.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn body<'c>(
        &self,
        members: impl Iterator<Item = (Way, Cell<'c>)>,
    ) -> Result<Map<String, Value>, String> {
        let mut body = Map::new();
        for (way, cell) in members {
            let value = match cell {
                Cell::Text(text) => self.value(way, &text)?,
                Cell::Value(Value::String(text)) => self.value(way, &text)?,
                Cell::Value(other) => other,
            };
            put(&mut body, way, value);
        }
        // Before what the file does not say is put in: the same content is the same lead.
        let id = at(&body, REQUEST_ID).is_none().then(|| id_of(&body));
        for (way, otherwise) in
            [(SOURCE, self.source.as_deref()), (IP_HASH, Some(NO_HASH)), (TIMESTAMP, Some(&*self.now))]
        {
            if let (None, Some(otherwise)) = (at(&body, way), otherwise) {
                put(&mut body, way, otherwise.into());
            }
        }
        if let Some(id) = id {
            let source = at(&body, SOURCE).map(Value::to_string).unwrap_or_default();
            put(&mut body, REQUEST_ID, derived(&source, &id).into());
        }
        Ok(body)
    }

    /// Looks at the dates among members, and at nothing else.
    pub(super) fn look<'c>(&self, members: impl Iterator<Item = (Way, &'c str)>) {
        for (_, cell) in members.filter(|(way, _)| DATES.contains(way)) {
            let _ = self.dates.read(cell);
        }
    }

    /// Whether dates are only looked at.
    pub(super) fn is_looking(&self) -> bool {
        matches!(self.dates, Dates::Looked(_))
    }

    fn value(&self, way: Way, cell: &str) -> Result<Value, String> {
        if cell.contains(char::REPLACEMENT_CHARACTER) {
            return Err("a character is not of the file's encoding: say --encoding, or mend it".to_owned());
        }
        if cell.trim().is_empty() && way != ["meta", "suspicion"] {
            return Ok(Value::Null);
        }
        if way == ["phone"] && is_rounded(cell) {
            return Err(format!(
                "a spreadsheet has written a telephone number as {}: its digits are lost; make it a text there",
                cell.trim()
            ));
        }
        Ok(match way {
            ["consent"] => yes_or_no(cell).map_or_else(|| cell.into(), Value::Bool),
            ["meta", "suspicion"] => cell.split_whitespace().collect::<Vec<_>>().into(),
            way if DATES.contains(&way) => self.dates.read(cell)?.into(),
            _ => cell.into(),
        })
    }
}

/// A number as spreadsheets shorten it, such as 3,36E+10.
fn is_rounded(cell: &str) -> bool {
    let Some((digits, power)) = cell.trim().split_once(['e', 'E']) else { return false };
    let is_digit = |byte: u8| byte.is_ascii_digit();
    digits.bytes().all(|byte| is_digit(byte) || matches!(byte, b'.' | b','))
        && digits.bytes().any(is_digit)
        && power.strip_prefix('+').is_some_and(|power| !power.is_empty() && power.bytes().all(is_digit))
}

/// What people and spreadsheets write for true and false.
fn yes_or_no(cell: &str) -> Option<bool> {
    match &*fold(cell) {
        "true" | "vrai" | "oui" | "yes" | "1" | "o" | "y" => Some(true),
        "false" | "faux" | "non" | "no" | "0" | "n" => Some(false),
        _ => None,
    }
}

/// The content that makes a lead the same when a file is imported again.
fn id_of(body: &Map<String, Value>) -> Vec<u8> {
    let mut hash = Sha256::new();
    for way in
        [&["name"][..], &["email"], &["phone"], &["company"], &["service"], &["message"], &["consent"], TIMESTAMP]
    {
        if let Some(value) = at(body, way) {
            // A value always serialises.
            hash.update(serde_json::to_vec(value).unwrap_or_default());
        }
        hash.update([0]);
    }
    hash.finalize().to_vec()
}

/// An id that follows from the content (RFC 9562, section 5.8).
fn derived(source: &str, content: &[u8]) -> String {
    let hash = Sha256::new().chain_update(source).chain_update([0]).chain_update(content).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

/// The value at the end of a way; none where it is null.
fn at<'b>(body: &'b Map<String, Value>, way: &[&str]) -> Option<&'b Value> {
    let (first, rest) = way.split_first()?;
    let value = body.get(*first)?;
    let value = rest.iter().try_fold(value, |value, name| value.get(*name))?;
    (!value.is_null()).then_some(value)
}

/// Puts a value at the end of a way.
fn put(body: &mut Map<String, Value>, way: &[&str], value: Value) {
    match way {
        [] => {}
        [last] => {
            body.insert((*last).to_owned(), value);
        }
        // A proof of consent of nothing but nulls is none.
        ["consent", _] if value.is_null() => {}
        [first, rest @ ..] => {
            let inner = body.entry(*first).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}
