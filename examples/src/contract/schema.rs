//! The body's schema, from the parser's limits.
//!
//! Texts are held to their length *after trimming*, as the parser counts, so they have a pattern instead of `minLength`
//! and `maxLength`. White space is spelt out: `\s` means something else in each dialect of regular expressions.

use fastcore_leads::{
    SAMPLE_LEAD, Service,
    lead::limits::{self, Length},
};
use serde_json::{Value, json};
use utoipa::openapi::{
    RefOr, Schema,
    schema::{AnyOfBuilder, ArrayBuilder, Object, ObjectBuilder, SchemaType, Type},
};

/// Unicode's `White_Space`, as the inside of a character class; line breaks stand first.
const LINE_BREAKS: &str = r"\u000a\u000d";
const OTHER_SPACE: &str = r"\u0009\u000b\u000c\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000";
/// C0, DEL and C1.
const CONTROLS: &str = r"\u0000-\u001f\u007f-\u009f";
/// The same without tab and line breaks.
const CONTROLS_OF_A_MESSAGE: &str = r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f";
/// Printable ASCII without the space.
const GRAPHIC: &str = r"\u0021-\u007e";
const DATE_TIME: &str = r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])[Tt ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::(?:[0-5][0-9]|60)(?:[.][0-9]+)?)?(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])?";

/// The body of a request, as JSON Schema.
pub(super) fn document() -> Value {
    let mut document = serde_json::to_value(lead()).unwrap_or_default();
    complete(&mut document);
    document
}

/// Adds what the builders cannot say: ids that no sender mints. A look-ahead in the pattern would say it too, but not every
/// dialect of regular expressions has one.
pub(super) fn complete(lead: &mut Value) {
    let nil_or_max = "^(?:urn:uuid:|[{])?(?:[0-]+|[fF-]+)[}]?$";
    lead["properties"]["meta"]["properties"]["request_id"]["not"] = json!({ "pattern": nil_or_max });
}

/// The body of a request, as far as the builders can say it: the rest is [`complete`]'s.
pub(super) fn lead() -> Object {
    ObjectBuilder::new()
        .title(Some("A lead"))
        .description(Some(
            "What a visitor sent, and what the site says about it. Members that are not listed are ignored; a listed one \
             that comes twice makes the body malformed. For optional members null, an empty text and blanks are the \
             same as none.",
        ))
        .property("name", described(required_text(limits::NAME), "The visitor's name", limits::NAME))
        .required("name")
        .property("email", email())
        .required("email")
        .property("phone", described(optional_text(limits::PHONE), "The telephone number, as written", limits::PHONE))
        .property("company", described(optional_text(limits::COMPANY), "The company", limits::COMPANY))
        .property("service", service())
        .property("message", message())
        .required("message")
        .property(
            "consent",
            of(Type::Boolean).description(Some("Whether the visitor agreed. A service may be set to refuse false")),
        )
        .required("consent")
        .property("meta", meta())
        .required("meta")
        .examples([serde_json::from_str::<Value>(SAMPLE_LEAD).unwrap_or_default()])
        .build()
}

fn meta() -> ObjectBuilder {
    let hash = format!("[{GRAPHIC}]{{{},{}}}", limits::HASH.min, limits::HASH.max);
    of(Type::Object)
        .description(Some("What the sender says about the lead"))
        .property(
            "source",
            described(required_text(limits::SOURCE), "The site, such as fast-techservices.com", limits::SOURCE),
        )
        .required("source")
        .property("request_id", request_id())
        .required("request_id")
        .property(
            "ip_hash",
            matching(&hash).description(Some(
                "A keyed hash of the visitor's address: printable ASCII without spaces. An IP address is refused",
            )),
        )
        .required("ip_hash")
        .property(
            "user_agent_hash",
            nullable(matching(&format!("(?:{hash}|{})", blanks())))
                .description(Some("A keyed hash of the visitor's user agent")),
        )
        .property("timestamp_utc", instant("When the lead was sent: RFC 3339; without an offset it is UTC"))
        .required("timestamp_utc")
        .property("consent", consent_proof())
        .property("suspicion", suspicion())
}

fn consent_proof() -> ObjectBuilder {
    let version = limits::CONSENT_VERSION;
    nullable(ObjectBuilder::new())
        .schema_type(SchemaType::from_iter([Type::Object, Type::Null]))
        .description(Some("The text that the visitor agreed to"))
        .property("version", described(required_text(version), "The text's version", version))
        .required("version")
        .property(
            "locale",
            required_text(limits::CONSENT_LOCALE).description(Some("The text's language: a BCP 47 tag such as fr-FR")),
        )
        .required("locale")
        .property("given_at", instant("When it was agreed to: RFC 3339"))
        .required("given_at")
}

fn suspicion() -> ArrayBuilder {
    let Length { min, max } = limits::SUSPICION_CODE;
    ArrayBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Array, Type::Null]))
        .items(matching(&format!("[a-z0-9_]{{{min},{max}}}")))
        .max_items(Some(limits::MAX_SUSPICION_CODES))
        .description(Some(
            "What the sender found suspicious, such as honeypot or too_fast: the lead is stored as quarantined",
        ))
}

/// Less than the parser asks for: what an address is takes more than a pattern. Lengths are bounded loosely, since the
/// limits count bytes after normalisation.
fn email() -> ObjectBuilder {
    let around = format!("[{OTHER_SPACE}]*");
    let inside = format!("[^@{CONTROLS}{OTHER_SPACE}]");
    let max = limits::MAX_EMAIL_BYTES;
    let part = max - "a@".len();
    matching(&format!("{around}{inside}{{1,{part}}}@{inside}{{1,{part}}}{around}")).description(Some(format!(
        "An address that a person can be reached at, by the rules of Pydantic's EmailStr; at most {max} bytes, {} before \
         the @",
        limits::MAX_EMAIL_LOCAL_BYTES
    )))
}

fn service() -> RefOr<Schema> {
    let words = Service::ALL.iter().map(|service| Value::from(service.as_str())).chain([Value::Null]);
    AnyOfBuilder::new()
        .item(
            ObjectBuilder::new()
                .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
                .enum_values(Some(words.collect::<Vec<_>>())),
        )
        .item(matching(&blanks()))
        .description(Some("What the enquiry is about"))
        .into()
}

fn message() -> ObjectBuilder {
    let length = limits::MESSAGE;
    // CR LF counts as one.
    let text = trimmed(length, &format!("(?:\\r\\n|[^{CONTROLS_OF_A_MESSAGE}])"));
    described(matching(&text), "The enquiry; line breaks and tabs are kept, CR LF and CR as LF", length)
}

fn request_id() -> ObjectBuilder {
    let hyphenated = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}";
    matching(&format!("(?:{hyphenated}|[0-9a-fA-F]{{32}}|[{{]{hyphenated}[}}]|urn:uuid:{hyphenated})"))
        .description(Some(
            "A UUID, minted once for each form that is shown: the same id never makes a second lead. Neither nil nor max",
        ))
}

fn instant(description: &str) -> ObjectBuilder {
    matching(DATE_TIME).max_length(Some(limits::MAX_INSTANT_BYTES)).description(Some(description))
}

fn required_text(length: Length) -> ObjectBuilder {
    matching(&trimmed(length, &format!("[^{CONTROLS}]")))
}

fn optional_text(length: Length) -> ObjectBuilder {
    nullable(matching(&format!("(?:{}|{})", trimmed(length, &format!("[^{CONTROLS}]")), blanks())))
}

fn described(text: ObjectBuilder, what: &str, Length { min, max }: Length) -> ObjectBuilder {
    text.description(Some(format!("{what}. {min} to {max} code points after trimming white space")))
}

/// White space, then a text of that length which neither begins nor ends with it, then white space.
fn trimmed(Length { min, max }: Length, inside: &str) -> String {
    let around = blanks();
    let edge = format!("[^{CONTROLS}{LINE_BREAKS}{OTHER_SPACE}]");
    match min {
        0 | 1 => format!("{around}{edge}(?:{inside}{{0,{}}}{edge})?{around}", max - 2),
        _ => format!("{around}{edge}{inside}{{{},{}}}{edge}{around}", min - 2, max - 2),
    }
}

fn blanks() -> String {
    format!("[{LINE_BREAKS}{OTHER_SPACE}]*")
}

/// A string that matches as a whole.
fn matching(pattern: &str) -> ObjectBuilder {
    of(Type::String).pattern(Some(format!("^{pattern}$")))
}

fn nullable(text: ObjectBuilder) -> ObjectBuilder {
    text.schema_type(SchemaType::from_iter([Type::String, Type::Null]))
}

fn of(kind: Type) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(kind)
}
