//! `email`, `service`, `consent`.

use fastcore_leads::lead::{
    ViolationCode::{ConsentRequired, EmailInvalid, NotABoolean, NotAString, Required, ServiceUnknown},
    limits,
};
use serde_json::{Value, json};

use super::{Policy, Suite, Verdict};

pub(super) fn add(suite: &mut Suite) {
    email(suite);
    service(suite);
    consent(suite);
}

fn email(suite: &mut Suite) {
    const AT: &str = "/email";
    suite.refuses("missing", AT, None, Required);
    suite.refuses("null", AT, Value::Null, Required);
    for (what, value) in
        [("a number", json!(1)), ("true", json!(true)), ("a list", json!(["a@b.fr"])), ("an object", json!({}))]
    {
        suite.refuses(what, AT, value, NotAString);
    }
    for (what, address) in [
        ("with a tag", "jean.dupont+devis@example.com"),
        ("with upper case", "Jean.DUPONT@Example.COM"),
        ("with blanks around", "  jean@example.com "),
        ("with every special character", "!#$%&'*+-/=?^_`{|}~@example.com"),
        ("with a local part beyond ASCII", "élodie@example.com"),
        ("with a domain beyond ASCII", "jean@société.fr"),
        ("with a domain in Punycode", "jean@xn--socit-esab.fr"),
        ("at a deep domain", "a@b.c.d.e.example.com"),
        ("with an ideographic full stop for a dot", "jean@example\u{3002}com"),
        ("with a local part that is composed", "e\u{301}lodie@example.com"),
    ] {
        suite.accepts(what, AT, json!(address));
    }
    for (what, address) in [
        ("without an @", "jean.example.com"),
        ("with nothing before the @", "@example.com"),
        ("with nothing after the @", "jean@"),
        ("with two @", "jean@dupont@example.com"),
        ("with a blank inside", "jean dupont@example.com"),
        ("with a line break behind", "jean@example.com\n"),
        ("with a comment", "jean@example.com (Jean)"),
        ("with U+0000", "jean\0@example.com"),
        ("empty", ""),
        ("of blanks only", "  "),
    ] {
        suite.refuses(what, AT, json!(address), EmailInvalid);
    }
    for (what, address) in [
        ("at a domain without a dot", "jean@localhost"),
        ("at .test", "jean@example.test"),
        ("at .invalid", "jean@example.invalid"),
        ("at .local", "jean@printer.local"),
        ("at an address literal", "jean@[192.0.2.1]"),
        ("at an IP address", "jean@192.0.2.1"),
        ("with a quoted local part", "\"jean\"@example.com"),
        ("with two dots", "jean..dupont@example.com"),
        ("that begins with a dot", ".jean@example.com"),
        ("with a dot before the @", "jean.@example.com"),
        ("at a domain that begins with a hyphen", "jean@-example.com"),
        ("at a domain with an underscore", "jean@exa_mple.com"),
        ("at a domain that ends with a dot", "jean@example.com."),
        ("in angle brackets", "<jean@example.com>"),
        ("at .onion", "jean@example.onion"),
        ("at .arpa", "jean@example.arpa"),
        ("at a domain that ends in a number", "jean@example.123"),
        ("at a domain with bad Punycode", "jean@xn--a-\u{e9}.com"),
        ("at a domain with hyphens in third and fourth place", "jean@ex--ample.com"),
        ("at a domain that ends with a hyphen", "jean@example-.com"),
        ("at a domain of an emoji, which IDNA 2008 refuses", "jean@\u{1f697}.com"),
        ("with a zero-width space", "je\u{200b}an@example.com"),
        ("that begins with a combining mark", "\u{301}jean@example.com"),
    ] {
        suite.refuses_beyond_schema(what, AT, address, EmailInvalid);
    }
    let local = limits::MAX_EMAIL_LOCAL_BYTES;
    suite.accepts("with the longest local part", AT, json!(format!("{}@example.com", "a".repeat(local))));
    let long = format!("{}@example.com", "a".repeat(local + 1));
    suite.refuses_beyond_schema("with a local part one too long", AT, &long, EmailInvalid);
    suite.accepts("with the longest local part, in bytes", AT, json!(format!("{}@example.com", "é".repeat(local / 2))));
    let wide = format!("{}@example.com", "é".repeat(local / 2 + 1));
    suite.refuses_beyond_schema("with a local part too long in bytes", AT, &wide, EmailInvalid);
    // 84 code points, of which the normal form has 21, in 63 bytes.
    let composed = "\u{3b1}\u{313}\u{300}\u{345}".repeat(21);
    suite.accepts("with a local part that composition shortens", AT, json!(format!("{composed}@example.com")));
    suite.accepts("of the greatest length", AT, json!(address_of(limits::MAX_EMAIL_BYTES)));
    suite.refuses("one too long", AT, json!(address_of(limits::MAX_EMAIL_BYTES + 1)), EmailInvalid);
    let longer = format!("b{}", address_of(limits::MAX_EMAIL_BYTES));
    suite.refuses_beyond_schema("one too long as a whole", AT, &longer, EmailInvalid);
    let label = |n: usize| format!("a@{}.com", "b".repeat(n));
    suite.accepts("with the longest label", AT, json!(label(63)));
    suite.refuses_beyond_schema("with a label one too long", AT, &label(64), EmailInvalid);
}

/// An address of so many bytes, its labels within bounds.
fn address_of(bytes: usize) -> String {
    let rest = bytes - "a@".len() - ".com".len();
    let mut labels = vec!["b".repeat(63); rest / 64];
    labels.push("b".repeat(rest % 64));
    labels.retain(|label| !label.is_empty());
    format!("a@{}.com", labels.join("."))
}

fn service(suite: &mut Suite) {
    const AT: &str = "/service";
    for word in ["ponts", "cabines", "compresseurs", "diagnostic", "autre"] {
        suite.accepts(&format!("{word:?}"), AT, json!(word));
    }
    suite.accepts("missing", AT, None);
    suite.accepts("null", AT, Value::Null);
    suite.accepts("empty", AT, json!(""));
    suite.accepts("of blanks only", AT, json!("  "));
    suite.refuses("with upper case", AT, json!("Ponts"), ServiceUnknown);
    suite.refuses("with blanks around", AT, json!(" ponts "), ServiceUnknown);
    suite.refuses("unknown", AT, json!("pneus"), ServiceUnknown);
    suite.refuses("a number", AT, json!(0), NotAString);
    suite.refuses("a list", AT, json!(["ponts"]), NotAString);
}

fn consent(suite: &mut Suite) {
    const AT: &str = "/consent";
    suite.accepts("true", AT, json!(true));
    suite.accepts("false, where it is recorded", AT, json!(false));
    suite.accepts("true, where it is required", AT, json!(true));
    suite.under(Policy::ConsentRequired);
    let body = suite.sample_with(AT, json!(false));
    suite.add(
        "/consent false, where it is required",
        body,
        Verdict::Invalid(vec![(AT.to_owned(), ConsentRequired)]),
        true,
    );
    suite.under(Policy::ConsentRequired);
    suite.refuses("missing", AT, None, Required);
    suite.refuses("null", AT, Value::Null, Required);
    let wrong: [(&str, Value); 5] = [
        ("\"true\"", json!("true")),
        ("\"yes\"", json!("yes")),
        ("1", json!(1)),
        ("0", json!(0)),
        ("a list", json!([true])),
    ];
    for (what, value) in wrong {
        suite.refuses(what, AT, value, NotABoolean);
    }
}
