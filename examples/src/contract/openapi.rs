//! The OpenAPI 3.1 document of the endpoint.

use fastcore_leads::{
    INBOUND_LEADS_PATH, Problem, SAMPLE_LEAD,
    endpoint::IDEMPOTENCY_REPLAYED,
    lead::{ViolationCode, limits},
};
use serde_json::{Value, json};
use utoipa::openapi::{
    ComponentsBuilder, ContactBuilder, Content, ContentBuilder, HeaderBuilder, HttpMethod, InfoBuilder, LicenseBuilder,
    Object, OpenApiBuilder, PathItem, PathsBuilder, Ref, Required, ResponseBuilder, ServerBuilder,
    header::Header,
    path::OperationBuilder,
    request_body::RequestBodyBuilder,
    schema::{ArrayBuilder, ObjectBuilder, Type},
    security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    tag::TagBuilder,
};

use super::schema;

const TOKEN: &str = "token";

/// The document. `schemas/Lead` in it is the published JSON Schema.
pub fn document() -> Value {
    let components = ComponentsBuilder::new()
        .schema("Lead", schema::lead())
        .schema("Receipt", receipt())
        .schema("Problem", problem())
        .security_scheme(
            TOKEN,
            SecurityScheme::Http(
                HttpBuilder::new()
                    .scheme(HttpAuthScheme::Bearer)
                    .description(Some("One of the service's tokens (RFC 6750)"))
                    .build(),
            ),
        );
    let document = OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("FASTCore leads")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(
                    "Takes in website leads. A 2xx means that the lead and its audit row are committed together, \
                     durably; the same request_id never makes a second lead; the caller always learns whether to retry.",
                ))
                .contact(Some(
                    ContactBuilder::new()
                        .name(Some("FAST Technical Services"))
                        .url(Some("https://fast-techservices.com"))
                        .build(),
                ))
                .license(Some(
                    LicenseBuilder::new().name("MIT OR Apache-2.0").identifier(Some("MIT OR Apache-2.0")).build(),
                )),
        )
        .servers(Some([ServerBuilder::new().url("/").description(Some("The service that this document comes from")).build()]))
        .tags(Some([TagBuilder::new().name("leads").description(Some("Taking in leads")).build()]))
        .paths(PathsBuilder::new().path(INBOUND_LEADS_PATH, PathItem::new(HttpMethod::Post, operation())))
        .components(Some(components.build()))
        .build();
    let mut document = serde_json::to_value(document).unwrap_or_default();
    schema::complete(&mut document["components"]["schemas"]["Lead"]);
    document
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
    problems.fold(operation, |operation, problem| operation.response(problem.status().as_str(), response(*problem)))
}

fn response(problem: Problem) -> ResponseBuilder {
    let set = match problem {
        Problem::MalformedBody => ". A service can be set to answer validation_error with this status, too",
        Problem::ValidationError => ". A service can be set to answer this with 400",
        _ => "",
    };
    let mut response = ResponseBuilder::new()
        .description(format!("{}. {}{set}", problem.title(), problem.detail()))
        .header("cache-control", header(text(), "no-store"))
        .content("application/problem+json", with_example("Problem", sample_problem(problem)));
    match problem {
        Problem::Unauthorized => {
            response = response.header("www-authenticate", header(text(), "The challenge (RFC 6750, section 3)"));
        }
        Problem::Unavailable => {
            let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
            response = response.header("retry-after", header(seconds, "When to try again, in seconds"));
        }
        _ => {}
    }
    response
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

fn problem() -> Object {
    let violation = ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("pointer", text().description(Some("Where: a JSON pointer (RFC 6901) into the request's body")))
        .required("pointer")
        .property("code", text().enum_values(Some(ViolationCode::ALL.iter().map(|code| code.as_str()))))
        .required("code")
        .property("detail", text().description(Some("The rule, for a developer")))
        .required("detail");
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .title(Some("A problem (RFC 9457)"))
        .property("type", text().description(Some("A URI that names the kind of problem")))
        .required("type")
        .property("title", text())
        .required("title")
        .property("status", ObjectBuilder::new().schema_type(Type::Integer).description(Some("The answer's status")))
        .required("status")
        .property("detail", text().description(Some("What to do")))
        .required("detail")
        .property("ok", ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([false])))
        .required("ok")
        .property("error", text().enum_values(Some(Problem::ALL.iter().map(|problem| problem.as_str()))))
        .required("error")
        .property(
            "errors",
            ArrayBuilder::new()
                .items(violation)
                .description(Some("Each rule that is broken; only with validation_error")),
        )
        .build()
}

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

fn sample_problem(problem: Problem) -> Value {
    let mut sample = json!({
        "type": problem.type_uri(),
        "title": problem.title(),
        "status": problem.status().as_u16(),
        "detail": problem.detail(),
        "ok": false,
        "error": problem.as_str(),
    });
    if problem == Problem::ValidationError {
        let code = ViolationCode::EmailInvalid;
        sample["detail"] = "1 member is not valid".into();
        sample["errors"] = json!([{"pointer": "/email", "code": code.as_str(), "detail": code.rule()}]);
    }
    sample
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn header(schema: ObjectBuilder, description: &str) -> Header {
    HeaderBuilder::new().schema(Some(schema)).description(Some(description)).build()
}

fn with_example(schema: &str, example: Value) -> Content {
    ContentBuilder::new().schema(Some(Ref::from_schema_name(schema))).example(Some(example)).build()
}
