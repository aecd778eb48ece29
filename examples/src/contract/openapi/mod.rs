//! The OpenAPI 3.1 documents of the endpoints.

mod audit;
mod events;
mod inbox;
mod problems;

use fastcore_leads::{
    INBOUND_EVENTS_PATH, INBOUND_LEADS_PATH, Problem, SAMPLE_LEAD, endpoint::IDEMPOTENCY_REPLAYED, lead::limits,
};
use serde_json::{Value, json};
use utoipa::openapi::{
    ComponentsBuilder, ContactBuilder, Content, ContentBuilder, HeaderBuilder, HttpMethod, InfoBuilder, LicenseBuilder,
    Object, OpenApiBuilder, PathItem, PathsBuilder, Ref, RefOr, Required, ResponseBuilder, Schema, ServerBuilder,
    header::Header,
    path::{OperationBuilder, ParameterBuilder, ParameterIn},
    request_body::RequestBodyBuilder,
    schema::{ObjectBuilder, Type},
    security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    tag::TagBuilder,
};

pub use self::inbox::document as inbox;
use self::problems::Shown;
use super::schema;

const TOKEN: &str = "token";

/// The document. `schemas/Lead` in it is the published JSON Schema.
pub fn document() -> Value {
    let components = ComponentsBuilder::new()
        .schema("Lead", schema::lead())
        .schema("Receipt", receipt())
        .schema("Problem", problems::schema())
        .schema("Events", events::page())
        .schema("EventsProblem", problems::schema_of_events())
        .schema("AuditProblem", problems::schema_of_audit())
        .security_scheme(TOKEN, token());
    let about = "Takes in website leads, and tells of them. A 2xx means that the lead and its audit row are committed together, \
                 durably; the same request_id never makes a second lead; the caller always learns whether to retry.";
    let document = described("FASTCore leads", about, "/")
        .tags(Some([
            TagBuilder::new().name("leads").description(Some("Taking in leads")).build(),
            TagBuilder::new().name("events").description(Some("Hearing of leads")).build(),
            TagBuilder::new().name("audit").description(Some("Proofs of the audit log, where it is sealed")).build(),
        ]))
        .paths(
            PathsBuilder::new()
                .path(INBOUND_LEADS_PATH, PathItem::new(HttpMethod::Post, operation()))
                .path(INBOUND_EVENTS_PATH, PathItem::new(HttpMethod::Get, events::operation()))
                .path("/audit/checkpoint", PathItem::new(HttpMethod::Get, audit::checkpoint()))
                .path("/inbound/leads/{id}/receipt", PathItem::new(HttpMethod::Get, audit::receipt())),
        )
        .components(Some(components.build()))
        .build();
    let mut document = serde_json::to_value(document).unwrap_or_default();
    schema::complete(&mut document["components"]["schemas"]["Lead"]);
    document
}

/// A document, as yet without what it describes.
fn described(title: &str, about: &str, server: &str) -> OpenApiBuilder {
    let contact =
        ContactBuilder::new().name(Some("FAST Technical Services")).url(Some("https://fast-techservices.com"));
    let licence = LicenseBuilder::new().name("MIT OR Apache-2.0").identifier(Some("MIT OR Apache-2.0"));
    let info = InfoBuilder::new()
        .title(title)
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(about))
        .contact(Some(contact.build()))
        .license(Some(licence.build()));
    let server =
        ServerBuilder::new().url(server).description(Some("The service that this document comes from")).build();
    OpenApiBuilder::new().info(info).servers(Some([server]))
}

fn token() -> SecurityScheme {
    let token =
        HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("One of the service's tokens (RFC 6750)"));
    SecurityScheme::Http(token.build())
}

fn operation() -> OperationBuilder {
    let body = RequestBodyBuilder::new()
        .description(Some(format!("One JSON object of at most {} bytes", limits::MAX_BODY_BYTES)))
        .content("application/json", with_example("Lead", sample()))
        .required(Some(Required::True));
    let created = ResponseBuilder::new()
        .description("The lead and its audit row are committed. A retry gets the first answer again")
        .header(
            IDEMPOTENCY_REPLAYED,
            header(
                ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["true"])),
                "Set where the lead was there already",
            ),
        )
        .header("cache-control", header(text(), "no-store"))
        .content("application/json", with_example("Receipt", sample_receipt()));
    let operation = OperationBuilder::new()
        .operation_id(Some("ingestLead"))
        .tag("leads")
        .summary(Some("Take in a lead"))
        .description(Some(
            "Stores the lead and an audit row in one transaction. Send it again under the same meta.request_id until an \
             answer says that it need not be: that never makes a second lead.",
        ))
        .security(SecurityRequirement::new::<_, [&str; 0], &str>(TOKEN, []))
        .request_body(Some(body.build()))
        .response("201", created);
    // A POST is never answered that the method is not allowed.
    let problems = Problem::ALL.iter().filter(|problem| **problem != Problem::MethodNotAllowed);
    problems::answered(operation, problems.copied().map(Shown::from))
}

fn receipt() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .title(Some("A receipt"))
        .property("leadId", text().description(Some("The lead's id: a UUID")).pattern(Some(UUID)))
        .required("leadId")
        .property(
            "timestamp",
            text()
                .description(Some("When the lead was stored: RFC 3339 in UTC, with microseconds"))
                .pattern(Some(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{6}Z$")),
        )
        .required("timestamp")
        .property("status", text().enum_values(Some(["received"])))
        .required("status")
        .build()
}

const UUID: &str = "^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$";

fn sample() -> Value {
    serde_json::from_str(SAMPLE_LEAD).unwrap_or_default()
}

fn sample_receipt() -> Value {
    json!({
        "leadId": "019ab8d1-3c55-7c1e-9d5e-3f2b1a0c4d6e",
        "timestamp": "2026-11-22T10:30:45.123456Z",
        "status": "received",
    })
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn header(schema: ObjectBuilder, description: &str) -> Header {
    HeaderBuilder::new().schema(Some(schema)).description(Some(description)).build()
}

fn parameter(name: &str, schema: impl Into<RefOr<Schema>>, description: &str) -> ParameterBuilder {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .description(Some(description))
        .schema(Some(schema))
}

fn with_example(schema: &str, example: Value) -> Content {
    ContentBuilder::new().schema(Some(Ref::from_schema_name(schema))).example(Some(example)).build()
}
