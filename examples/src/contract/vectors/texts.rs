//! Texts: both sides of each length, white space, control characters, types.

use fastcore_leads::lead::{
    ViolationCode,
    limits::{self, Length},
};
use serde_json::{Value, json};

use super::Suite;

pub(super) fn add(suite: &mut Suite) {
    required(suite, "/name", limits::NAME);
    controls(suite, "/name", false);
    optional(suite, "/phone", limits::PHONE);
    controls(suite, "/phone", false);
    optional(suite, "/company", limits::COMPANY);
    controls(suite, "/company", false);
    required(suite, "/message", limits::MESSAGE);
    controls(suite, "/message", true);
    line_breaks(suite, limits::MESSAGE);
    required(suite, "/meta/source", limits::SOURCE);
    controls(suite, "/meta/source", false);
}

fn required(suite: &mut Suite, pointer: &str, length: Length) {
    suite.refuses("missing", pointer, None, ViolationCode::Required);
    suite.refuses("null", pointer, Value::Null, ViolationCode::Required);
    suite.refuses("empty", pointer, json!(""), ViolationCode::TooShort);
    suite.refuses("of blanks only", pointer, json!(" \t\u{a0}\u{3000} "), ViolationCode::TooShort);
    if length.min > 1 {
        suite.refuses("one too short", pointer, json!("a".repeat(length.min - 1)), ViolationCode::TooShort);
        let padded = format!("{}   ", "a".repeat(length.min - 1));
        suite.refuses("long enough only with its blanks", pointer, json!(padded), ViolationCode::TooShort);
    }
    lengths(suite, pointer, length);
    types(suite, pointer);
}

fn optional(suite: &mut Suite, pointer: &str, length: Length) {
    suite.accepts("missing", pointer, None);
    suite.accepts("null", pointer, Value::Null);
    suite.accepts("empty", pointer, json!(""));
    suite.accepts("of blanks only", pointer, json!(" \t\r\n\u{2003} "));
    lengths(suite, pointer, length);
    types(suite, pointer);
}

fn lengths(suite: &mut Suite, pointer: &str, Length { min, max }: Length) {
    suite.accepts("of the least length", pointer, json!("é".repeat(min)));
    suite.accepts("of the greatest length", pointer, json!("a".repeat(max)));
    suite.accepts("of the greatest length, in four bytes each", pointer, json!("🚗".repeat(max)));
    suite.accepts("of the greatest length, with blanks around", pointer, json!(format!("  {}\n", "z".repeat(max))));
    suite.refuses("one too long", pointer, json!("a".repeat(max + 1)), ViolationCode::TooLong);
    suite.refuses("one too long, in four bytes each", pointer, json!("🚗".repeat(max + 1)), ViolationCode::TooLong);
}

fn types(suite: &mut Suite, pointer: &str) {
    for (what, value) in
        [("a number", json!(5)), ("true", json!(true)), ("a list", json!(["a"])), ("an object", json!({}))]
    {
        suite.refuses(what, pointer, value, ViolationCode::NotAString);
    }
}

/// CR LF counts as one.
fn line_breaks(suite: &mut Suite, Length { min, max }: Length) {
    const AT: &str = "/message";
    let of = |length: usize, end: &str| format!("{}{end}a", "a".repeat(length - 2));
    suite.accepts("of the greatest length, with CR LF inside", AT, json!(of(max, "\r\n")));
    suite.accepts("of CR LF almost alone", AT, json!(format!("a{}a", "\r\n".repeat(max - 2))));
    suite.refuses("one too long, with CR inside", AT, json!(of(max + 1, "\r")), ViolationCode::TooLong);
    suite.refuses_beyond_schema("one too short, with CR LF inside", AT, &of(min - 1, "\r\n"), ViolationCode::TooShort);
}

fn controls(suite: &mut Suite, pointer: &str, keeps_line_breaks: bool) {
    let with = |c: char| json!(format!("0123456789{c}0123456789"));
    for (what, c) in [("a line break", '\n'), ("a carriage return", '\r'), ("a tab", '\t')] {
        let what = format!("with {what} inside");
        if keeps_line_breaks {
            suite.accepts(&what, pointer, with(c));
        } else {
            suite.refuses(&what, pointer, with(c), ViolationCode::ControlCharacter);
        }
    }
    for c in ['\0', '\u{b}', '\u{1b}', '\u{7f}', '\u{85}', '\u{9f}'] {
        suite.refuses(
            &format!("with U+{:04X} inside", u32::from(c)),
            pointer,
            with(c),
            ViolationCode::ControlCharacter,
        );
    }
    suite.refuses(
        "that begins with U+0000",
        pointer,
        json!(format!("\0{}", "a".repeat(25))),
        ViolationCode::ControlCharacter,
    );
    suite.accepts(
        "with U+0085 around, which is white space",
        pointer,
        json!(format!("\u{85}{}\u{85}", "a".repeat(25))),
    );
    let marked = json!(format!("\u{feff}{}", "a".repeat(25)));
    suite.accepts("that begins with U+FEFF, which is none", pointer, marked);
    suite.accepts("with a tab and a line break around", pointer, json!(format!("\t{}\r\n", "a".repeat(25))));
}
