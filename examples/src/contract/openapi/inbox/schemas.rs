//! What is sent and answered.

use fastcore_leads::{
    LeadStatus, Service,
    inbox::{MAX_PAGE, MAX_REPEATED},
    lead::limits,
};
use utoipa::openapi::{
    Object, Ref,
    schema::{AdditionalProperties, ArrayBuilder, ObjectBuilder, Schema, SchemaType, Type},
};

use super::{
    super::{UUID, text},
    SEARCH_CURSOR, instant, source,
};

/// Text without control characters and `@`, not all of it white space.
const REASON: &str =
    r"^[^@\u0000-\u001f\u007f-\u009f]*[^@\s\u0000-\u001f\u007f-\u009f][^@\u0000-\u001f\u007f-\u009f]*$";

pub(super) fn lead() -> Object {
    let anything = || ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::Object, Type::Null]));
    members([
        ("id", text().pattern(Some(UUID))),
        ("created_at_utc", text()),
        ("status", text()),
        ("name", text()),
        ("email", text()),
        ("phone", nullable()),
        ("company", nullable()),
        ("service", nullable()),
        ("message", text().description(Some("Masked: how long it is"))),
        ("consent", ObjectBuilder::new().schema_type(Type::Boolean)),
        ("source", text()),
        ("request_id", text().pattern(Some(UUID))),
        ("ip_hash", text()),
        ("meta_json", anything()),
        ("erased_at_utc", nullable()),
    ])
    .title(Some("A lead as it is stored"))
    .build()
}

pub(super) fn page() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("leads", ArrayBuilder::new().items(Ref::from_schema_name("StoredLead")))
        .required("leads")
        .property("next", nullable().description(Some("What to send as after for the next page; null on the last")))
        .required("next")
        .build()
}

/// Arrays may be left out, and hold what is in none.
pub(super) fn search() -> Object {
    let text_of = text()
        .min_length(Some(limits::SEARCH.min))
        .max_length(Some(limits::SEARCH.max))
        .pattern(Some(r"[\p{L}\p{N}]"))
        .description(Some("Up to 8 words, or an id"));
    let status = text().enum_values(Some(LeadStatus::ALL.iter().map(|status| status.as_str())));
    let service = nullable().enum_values(Some(Service::ALL.iter().map(|service| Some(service.as_str())).chain([None])));
    let integer = SchemaType::from_iter([Type::Integer, Type::Null]);
    let boolean = SchemaType::from_iter([Type::Boolean, Type::Null]);
    let limit = ObjectBuilder::new().schema_type(integer).minimum(Some(1)).maximum(Some(MAX_PAGE));
    closed(members([("text", text_of)]))
        .property("status", any_of(status).description(Some("Of any of these")))
        .property("service", service)
        .property("source", any_of(source()).description(Some("From any of these")))
        .property("from", instant_or_null("Taken in at this instant or later, or on this day"))
        .property("to", instant_or_null("Taken in before this instant, or this day"))
        .property("after", nullable().pattern(Some(SEARCH_CURSOR)).description(Some("The next of an earlier page")))
        .property("limit", limit.description(Some("How many leads are found at most. Default: 50")))
        .property("reveal", ObjectBuilder::new().schema_type(boolean))
        .build()
}

fn any_of(schema: ObjectBuilder) -> ArrayBuilder {
    ArrayBuilder::new().items(schema).max_items(Some(MAX_REPEATED))
}

fn instant_or_null(description: &str) -> Schema {
    let nothing = ObjectBuilder::new().schema_type(Type::Null);
    Schema::AnyOf(instant().item(nothing).description(Some(description)).build())
}

pub(super) fn search_page() -> Object {
    let is_complete = ObjectBuilder::new()
        .schema_type(Type::Boolean)
        .description(Some("false: some leads that came before are not found yet"));
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("leads", ArrayBuilder::new().items(Ref::from_schema_name("StoredLead")))
        .required("leads")
        .property("next", nullable().description(Some("What to send as after to go on; null where there is no more")))
        .required("next")
        .property("is_complete", is_complete)
        .required("is_complete")
        .build()
}

pub(super) fn lead_with_trail() -> Object {
    let row = members([
        ("id", text()),
        ("created_at_utc", text()),
        ("event", text()),
        ("actor", text()),
        ("details", ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::Object, Type::Null]))),
    ]);
    let other = members([
        ("id", text().pattern(Some(UUID))),
        ("created_at_utc", text()),
        ("status", text()),
        ("service", nullable()),
        ("source", text()),
    ]);
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("lead", Ref::from_schema_name("StoredLead"))
        .required("lead")
        .property("trail", ArrayBuilder::new().items(row).description(Some("What happened to it, oldest first")))
        .required("trail")
        .property(
            "same_address",
            ArrayBuilder::new().items(other).description(Some("Other leads of its address, newest first")),
        )
        .required("same_address")
        .build()
}

pub(super) fn counts() -> Object {
    let by = || {
        let number = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
        ObjectBuilder::new().schema_type(Type::Object).additional_properties(Some(Schema::Object(number.build())))
    };
    let sum = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
    members([("leads", sum), ("by_status", by()), ("by_service", by()), ("by_source", by()), ("by_day", by())]).build()
}

fn waits() -> [(&'static str, ObjectBuilder); 4] {
    let number = |kinds: SchemaType| ObjectBuilder::new().schema_type(kinds).minimum(Some(0));
    let seconds = || number(SchemaType::from_iter([Type::Integer, Type::Null]));
    [
        ("leads", number(Type::Integer.into())),
        ("contacted", number(Type::Integer.into())),
        ("median_seconds", seconds()),
        ("p90_seconds", seconds()),
    ]
}

pub(super) fn contact_times() -> Object {
    let each = members(waits()).build();
    members(waits())
        .property(
            "by_service",
            ObjectBuilder::new().schema_type(Type::Object).additional_properties(Some(Schema::Object(each))),
        )
        .required("by_service")
        .property("oldest_received", nullable())
        .required("oldest_received")
        .build()
}

fn closed(object: ObjectBuilder) -> ObjectBuilder {
    object.additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
}

fn reason() -> ObjectBuilder {
    nullable()
        .min_length(Some(limits::REASON.min))
        .max_length(Some(limits::REASON.max))
        .pattern(Some(REASON))
        .description(Some("Why, for the audit log, which keeps it for ever: nothing that names the person"))
}

pub(super) fn moves() -> Object {
    let status = || text().enum_values(Some(LeadStatus::ALL.iter().map(|status| status.as_str())));
    closed(members([("from", status()), ("to", status())])).property("reason", reason()).build()
}

pub(super) fn note() -> Object {
    // Not all of it white space.
    let plain = r"^[^\u0000-\u0008\u000b-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u0008\u000b-\u001f\u007f-\u009f]*$";
    let note = text()
        .min_length(Some(limits::NOTE.min))
        .max_length(Some(limits::NOTE.max))
        .pattern(Some(plain))
        .description(Some("Kept with the lead, and gone when it is erased"));
    closed(members([("text", note)])).build()
}

pub(super) fn assignment() -> Object {
    let name = || {
        nullable()
            .min_length(Some(limits::ACTOR.min))
            .max_length(Some(limits::ACTOR.max))
            .pattern(Some(r"^[^\u0000-\u001f\u007f-\u009f]*$"))
    };
    closed(members([("from", name()), ("to", name())])).property("reason", reason()).build()
}

pub(super) fn why() -> Object {
    closed(ObjectBuilder::new().schema_type(Type::Object)).property("reason", reason()).build()
}

/// What a lead can have, whoever wrote it.
fn email() -> ObjectBuilder {
    text()
        .pattern(Some(r"^[^\u0000-\u001f\u007f-\u009f]*@[^\u0000-\u001f\u007f-\u009f]*$"))
        .max_length(Some(limits::MAX_EMAIL_BYTES))
}

pub(super) fn person() -> Object {
    closed(members([("email", email())])).build()
}

pub(super) fn erasure() -> Object {
    closed(members([("email", email())])).property("reason", reason()).build()
}

pub(super) fn export() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("email", text())
        .required("email")
        .property("exported_at_utc", text())
        .required("exported_at_utc")
        .property("leads", ArrayBuilder::new().items(ObjectBuilder::new().schema_type(Type::Object)))
        .required("leads")
        .build()
}

pub(super) fn erased() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("erased", ArrayBuilder::new().items(text().pattern(Some(UUID))))
        .required("erased")
        .build()
}

fn nullable() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Null]))
}

fn members<const N: usize>(names: [(&str, ObjectBuilder); N]) -> ObjectBuilder {
    names.into_iter().fold(ObjectBuilder::new().schema_type(Type::Object), |object, (name, schema)| {
        object.property(name, schema).required(name)
    })
}
