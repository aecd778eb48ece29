//! What a visitor pasted, without what nobody sees: told to remove it, a visitor would not know what.

use icu_properties::{
    CodePointSetData,
    props::{DefaultIgnorableCodePoint, EnumeratedProperty, GeneralCategory},
};

/// How a member's text is cleaned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One line of a person's words.
    Line,
    /// An address or a number: no invisible character has a meaning in it.
    Code,
    /// Several lines.
    Text,
}

/// Cleans a text: breaks of lines and pages become line breaks, in one line spaces; other control characters go; what is invisible
/// goes around all, and from addresses and numbers everywhere.
pub(super) fn clean(text: &str, kind: Kind) -> String {
    let mut cleaned = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let before = cleaned.chars().next_back();
        match c {
            '\r' if rest.peek() == Some(&'\n') => {}
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                cleaned.push(if kind == Kind::Text { '\n' } else { ' ' });
            }
            '\t' if kind != Kind::Text => cleaned.push(' '),
            '\t' => cleaned.push(c),
            _ if c.is_control() => {}
            // Between letters of some scripts it makes another name of a domain: the core's parser judges it.
            '\u{200c}' | '\u{200d}' if before.is_some_and(joins) && rest.peek().copied().is_some_and(joins) => {
                cleaned.push(c);
            }
            _ if kind == Kind::Code && is_invisible(c) => {}
            _ if kind == Kind::Code && c.is_whitespace() => cleaned.push(' '),
            _ => cleaned.push(c),
        }
    }
    let is_around = |c: char| c.is_whitespace() || is_invisible(c);
    // A variation selector or a joiner at the end may be part of an emoji.
    let belongs_to_the_last = |c: char| matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{e0020}'..='\u{e007f}');
    cleaned.trim_start_matches(is_around).trim_end_matches(|c| is_around(c) && !belongs_to_the_last(c)).to_owned()
}

/// Whether a text shows something to the eye.
pub(super) fn is_readable(text: &str) -> bool {
    let is_mark =
        |c| matches!(GeneralCategory::for_char(c), GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark);
    // U+2800 is a Braille cell without a dot; U+FFFD stands for what could not be read.
    let is_blank = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '\u{2800}' | '\u{fffd}');
    text.chars().any(|c| !is_blank(c) && !is_invisible(c) && !is_mark(c))
}

/// Whether a joiner beside it can have a meaning.
fn joins(c: char) -> bool {
    let is_mark =
        matches!(GeneralCategory::for_char(c), GeneralCategory::NonspacingMark | GeneralCategory::SpacingMark);
    !c.is_ascii() && (c.is_alphabetic() || is_mark)
}

/// Characters without a shape of their own: zero-width spaces and joiners, marks of direction, fillers (Unicode,
/// `Default_Ignorable_Code_Point`).
fn is_invisible(c: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

/// Reads a JSON string, also one with half of a surrogate pair, which goes: half an emoji, as a script cuts it. Nothing where it is
/// no string.
pub(super) fn read_json(raw: &str) -> Option<String> {
    serde_json::from_str(raw).ok().or_else(|| serde_json::from_str(&without_half_pairs(raw)).ok())
}

fn without_half_pairs(raw: &str) -> String {
    let mut kept = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        kept.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = match (unit(rest), rest.get(6..).and_then(unit)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                rest = &rest[6..];
                continue;
            }
            (Some(_), _) => 6,
            // Another escape: the backslash and what it stands before.
            (None, _) => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
        };
        kept.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    kept.push_str(rest);
    kept
}

/// The UTF-16 unit of an escape such as `\ud83d` that a text begins with.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u16::from_str_radix(digits, 16).ok()
}
