//! How the cells of a line become the body that the endpoint would get.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Builder;

use super::{
    columns::fold,
    dates::Dates,
    member::{Body, Cell, Member},
};

/// What is known of an address that nobody wrote down.
const NO_HASH: &str = "none";

/// What makes a lead the same when a file is imported again, beside when it came.
const CONTENT: [Member; 7] =
    [Member::Name, Member::Email, Member::Phone, Member::Company, Member::Service, Member::Message, Member::Consent];

/// What stands in no line.
pub(super) struct Reading {
    /// What the operator said of columns; none is left out.
    pub(super) map: Vec<(String, Option<Member>)>,
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
    pub(super) fn body<'c>(&'c self, members: impl Iterator<Item = (Member, Cell<'c>)>) -> Result<Body<'c>, String> {
        let mut body = Body::default();
        for (member, cell) in members {
            let cell = match cell {
                Cell::Text(text) => self.cell(member, text)?,
                Cell::Value(Value::String(text)) => self.cell(member, text.into())?,
                Cell::Value(other) => Cell::Value(other),
            };
            body.put(member, cell);
        }
        join_name(&mut body);
        // Before what the file does not say is put in: the same content is the same lead.
        let content = body.get(Member::RequestId).is_none().then(|| content_of(&body));
        for (member, otherwise) in [
            (Member::Source, self.source.as_deref()),
            (Member::IpHash, Some(NO_HASH)),
            (Member::Timestamp, Some(&*self.now)),
        ] {
            if let (None, Some(otherwise)) = (body.get(member), otherwise) {
                body.put(member, Cell::Text(otherwise.into()));
            }
        }
        if let Some((came, content)) = content {
            let id = derived(came, body.get(Member::Source), content);
            body.put(Member::RequestId, Cell::Text(id.into()));
        }
        Ok(body)
    }

    /// Looks at the dates among members, and at nothing else.
    pub(super) fn look<'c>(&self, members: impl Iterator<Item = (Member, &'c str)>) {
        for (_, cell) in members.filter(|(member, _)| member.is_date()) {
            let _ = self.dates.read(cell);
        }
    }

    /// Whether dates are only looked at.
    pub(super) fn is_looking(&self) -> bool {
        matches!(self.dates, Dates::Looked(_))
    }

    fn cell<'c>(&self, member: Member, cell: Cow<'c, str>) -> Result<Cell<'c>, String> {
        if cell.contains(char::REPLACEMENT_CHARACTER) {
            return Err("a character is not of the file's encoding: say --encoding, or mend it".to_owned());
        }
        if cell.trim().is_empty() && member != Member::Suspicion {
            return Ok(Cell::Value(Value::Null));
        }
        if member == Member::Phone && is_rounded(&cell) {
            return Err(format!(
                "a spreadsheet has written a telephone number as {}: its digits are lost; make it a text there",
                cell.trim()
            ));
        }
        Ok(match member {
            Member::Consent => yes_or_no(&cell).map_or(Cell::Text(cell), |consent| Cell::Value(consent.into())),
            Member::Suspicion => Cell::Value(cell.split_whitespace().collect::<Vec<_>>().into()),
            member if member.is_date() => Cell::Text(self.dates.read(&cell)?.into()),
            _ => Cell::Text(cell),
        })
    }
}

/// Makes one name of what stands in two columns, or in three: of a name that has a half in it already, that half is not put in again.
fn join_name(body: &mut Body<'_>) {
    let [given, family] = [Member::GivenName, Member::FamilyName].map(|half| body.take(half));
    if given.is_none() && family.is_none() {
        return;
    }
    let name = body.take(Member::Name);
    let [Ok(given), Ok(name), Ok(family)] = [given, name, family].map(text_of) else {
        // The parser refuses what is no text.
        return body.put(Member::Name, Cell::Value(Value::Array(Vec::new())));
    };
    let known = words(&name);
    let is_new = |half: &String| {
        let half = words(half);
        !half.is_empty() && (known.is_empty() || !half.iter().all(|word| known.contains(word)))
    };
    let parts = [Some(given).filter(is_new), Some(name).filter(|_| !known.is_empty()), Some(family).filter(is_new)];
    let joined = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
    body.put(Member::Name, Cell::Text(joined.into()));
}

/// The text of a cell, without what is around it; `Err` where it is none.
fn text_of(cell: Option<Cell<'_>>) -> Result<String, ()> {
    cell.map_or(Ok(String::new()), |cell| cell.text().map(|text| text.trim().to_owned()).ok_or(()))
}

fn words(text: &str) -> Vec<String> {
    text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).map(fold).collect()
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

/// When a lead came, where the line says so, and a hash of all that it says.
fn content_of(body: &Body<'_>) -> (Option<DateTime<Utc>>, [u8; 32]) {
    let mut hash = Sha256::new();
    // Each with its length in front: no two contents are the same bytes.
    let mut add = |kind: u8, bytes: &[u8]| {
        hash.update([kind]);
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    let timestamp = body.get(Member::Timestamp);
    let came = timestamp.and_then(Cell::text).and_then(|text| DateTime::parse_from_rfc3339(text.trim()).ok());
    let came = came.map(|came| came.to_utc());
    for cell in CONTENT.into_iter().map(|member| body.get(member)).chain([timestamp.filter(|_| came.is_none())]) {
        match cell {
            None => add(0, &[]),
            Some(cell) => add(if cell.text().is_some() { 1 } else { 2 }, &cell.bytes()),
        }
    }
    if let Some(came) = came {
        add(3, &came.timestamp_micros().to_le_bytes());
    }
    (came, hash.finalize().into())
}

/// An id that follows from the content (RFC 9562, section 5.8). As one of version 7, it begins with when the lead came, where that is
/// known: leads that came one after the other stand beside each other in a database's indexes.
fn derived(came: Option<DateTime<Utc>>, source: Option<&Cell<'_>>, content: [u8; 32]) -> String {
    let source = source.map(Cell::bytes).unwrap_or_default();
    let hash = Sha256::new().chain_update(source).chain_update([0]).chain_update(content).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    if let Some(milliseconds) = came.and_then(|came| u64::try_from(came.timestamp_millis()).ok()) {
        bytes[..6].copy_from_slice(&milliseconds.to_be_bytes()[2..]);
    }
    Builder::from_custom_bytes(bytes).into_uuid().to_string()
}
