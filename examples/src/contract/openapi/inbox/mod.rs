//! The OpenAPI 3.1 document of the inbox.

mod schemas;

use fastcore_leads::{
    LeadStatus, Service,
    endpoint::InboxProblem,
    inbox::{MAX_PAGE, MAX_REPEATED},
    lead::limits,
};
use serde_json::{Value, json};
use utoipa::openapi::{
    ComponentsBuilder, Content, HttpMethod, KnownFormat, PathItem, PathsBuilder, Ref, Required, ResponseBuilder,
    path::{OperationBuilder, ParameterBuilder, ParameterIn},
    request_body::{RequestBody, RequestBodyBuilder},
    schema::{AnyOfBuilder, ArrayBuilder, ObjectBuilder, SchemaFormat, Type},
    security::SecurityRequirement,
    tag::TagBuilder,
};

use super::{
    TOKEN, UUID, described, header, parameter,
    problems::{self, Shown},
    text, token, with_example,
};

/// A place in the list, as far as a client has to know.
const CURSOR: &str = "^[0-9]{1,17}_[0-9a-f]{32}$";
/// A place among what was found.
const SEARCH_CURSOR: &str = "^[1-9][0-9]{0,18}$";

/// The document of an inbox that is mounted under a path.
pub fn document(path: &str) -> Value {
    let components = ComponentsBuilder::new()
        .schema("StoredLead", schemas::lead())
        .schema("LeadPage", schemas::page())
        .schema("Search", schemas::search())
        .schema("SearchPage", schemas::search_page())
        .schema("LeadWithTrail", schemas::lead_with_trail())
        .schema("Counts", schemas::counts())
        .schema("ContactTimes", schemas::contact_times())
        .schema("Move", schemas::moves())
        .schema("Note", schemas::note())
        .schema("Assignment", schemas::assignment())
        .schema("Reason", schemas::why())
        .schema("Person", schemas::person())
        .schema("Erasure", schemas::erasure())
        .schema("Export", schemas::export())
        .schema("Erased", schemas::erased())
        .schema("InboxProblem", problems::schema_of_inbox())
        .security_scheme(TOKEN, token());
    let about = "For the service's own staff and systems. What is personal is masked, unless the token has the scope reveal; who is \
                 shown a lead in clear is noted in its trail.";
    let paths = PathsBuilder::new()
        .path("/inbound/leads", PathItem::new(HttpMethod::Get, list_operation()))
        .path("/inbound/leads.csv", PathItem::new(HttpMethod::Get, sheet("csv")))
        .path("/inbound/leads.jsonl", PathItem::new(HttpMethod::Get, sheet("jsonl")))
        .path("/inbound/leads/search", PathItem::new(HttpMethod::Post, search_operation()))
        .path("/inbound/leads/counts", PathItem::new(HttpMethod::Get, counts_operation()))
        .path("/inbound/leads/contact-times", PathItem::new(HttpMethod::Get, contact_times()))
        .path("/inbound/leads/{id}", {
            let mut item = PathItem::new(HttpMethod::Get, show());
            item.delete = Some(erase().build());
            item
        })
        .path("/inbound/leads/{id}/status", PathItem::new(HttpMethod::Post, move_operation()))
        .path("/inbound/leads/{id}/notes", PathItem::new(HttpMethod::Post, note()))
        .path("/inbound/leads/{id}/assignee", PathItem::new(HttpMethod::Post, assign()))
        .path("/inbound/leads/{id}/release", PathItem::new(HttpMethod::Post, release()))
        .path("/inbound/leads/{id}/consent-withdrawal", PathItem::new(HttpMethod::Post, withdraw()))
        .path("/inbound/subjects/export", PathItem::new(HttpMethod::Post, export_operation()))
        .path("/inbound/subjects/erase", PathItem::new(HttpMethod::Post, erase_subject()));
    let tags = [
        TagBuilder::new().name("leads").description(Some("Reading and working leads")).build(),
        TagBuilder::new().name("subjects").description(Some("All that is held on a person")).build(),
    ];
    let document = described("FASTCore leads: the inbox", about, path)
        .tags(Some(tags))
        .paths(paths)
        .components(Some(components.build()))
        .build();
    serde_json::to_value(document).unwrap_or_default()
}

const READ: &[InboxProblem] = &[InboxProblem::InvalidQuery, InboxProblem::Unauthorized, InboxProblem::ScopeMissing];
const FAULTS: &[InboxProblem] = &[InboxProblem::Internal, InboxProblem::Unavailable];
const BODY: &[InboxProblem] = &[
    InboxProblem::InvalidQuery,
    InboxProblem::MalformedBody,
    InboxProblem::Unauthorized,
    InboxProblem::ScopeMissing,
    InboxProblem::RequestTimeout,
    InboxProblem::BodyTooLarge,
    InboxProblem::UnsupportedMediaType,
    InboxProblem::ValidationError,
];
const ONE: &[InboxProblem] = &[InboxProblem::LeadNotFound];
const WORK: &[InboxProblem] = &[
    InboxProblem::LeadNotFound,
    InboxProblem::LeadErased,
    InboxProblem::ReasonNamesPerson,
    InboxProblem::UnknownStatus,
];

fn operation(id: &str, tag: &str, summary: &str, description: &str) -> OperationBuilder {
    OperationBuilder::new()
        .operation_id(Some(id))
        .tag(tag)
        .summary(Some(summary))
        .description(Some(description))
        .security(SecurityRequirement::new::<_, [&str; 0], &str>(TOKEN, []))
}

fn answered(operation: OperationBuilder, problems: &[&[InboxProblem]]) -> OperationBuilder {
    let all = problems.iter().chain([&FAULTS]).flat_map(|some| some.iter().copied());
    problems::answered(operation, all.map(Shown::from))
}

fn found(description: &str, content: Content) -> ResponseBuilder {
    ResponseBuilder::new()
        .description(description)
        .header("cache-control", header(text(), "no-store"))
        .content("application/json", content)
}

fn list_operation() -> OperationBuilder {
    let operation = operation(
        "listLeads",
        "leads",
        "List leads, newest first",
        "Scope read. Leads in quarantine only where their status is asked for. However many leads arrive meanwhile, a walk from \
         next to next sees each older lead once.",
    );
    let operation = filtered(operation)
        .parameter(parameter("after", text().pattern(Some(CURSOR)), "The next of an earlier page"))
        .parameter(parameter("limit", number(1, MAX_PAGE), "How many leads a page holds at most. Default: 50"))
        .parameter(reveal())
        .response("200", found("A page", with_example("LeadPage", json!({"leads": [sample()], "next": null}))));
    answered(operation, &[READ])
}

fn search_operation() -> OperationBuilder {
    let operation = operation(
        "searchLeads",
        "leads",
        "Find leads by their words",
        "Scope read. Each word begins a word of the lead's name, address, telephone number, company, service or message; case, \
         accents and the grouping of digits do not matter. Without the scope reveal, whole words alone are found, of 3 characters at least, or 6 digits. The id of a lead or \
         of its request finds it. Leads in quarantine only where their status is asked for. Newest first; where next is not null, \
         there may be more, however few were found.",
    );
    let example = json!({"text": "dupont 06 12 34", "status": ["received"]});
    let found_one = json!({"leads": [sample()], "next": null, "is_complete": true});
    let operation = operation
        .request_body(Some(body("Search", example, true)))
        .response("200", found("What was found", with_example("SearchPage", found_one)));
    answered(operation, &[BODY])
}

fn sheet(format: &str) -> OperationBuilder {
    let (media_type, about) = match format {
        "csv" => {
            ("text/csv", "A line of names, then a line for each lead (RFC 4180); no cell is a formula to a spreadsheet")
        }
        _ => ("application/jsonl", "A JSON object on each line"),
    };
    let file = ResponseBuilder::new()
        .description(about)
        .header("cache-control", header(text(), "no-store"))
        .header("content-disposition", header(text(), "A name for the file"))
        .content(media_type, Content::new(Some(text().build())));
    let operation = operation(
        &format!("downloadLeads{}", format.to_uppercase()),
        "leads",
        "Hand out leads as a file",
        "Scope read. The connection is cut where the leads cannot be read to their end. A file in clear is noted in the audit log.",
    );
    answered(filtered(operation).parameter(reveal()).response("200", file), &[READ])
}

fn counts_operation() -> OperationBuilder {
    let operation = operation(
        "countLeads",
        "leads",
        "Count leads by status, service, source and day",
        "Scope read. Leads in quarantine count, erased ones do not. Without from: of the 31 days before to; at most 366 days. Days \
         are UTC's.",
    );
    let example = json!({
        "leads": 3,
        "by_status": {"received": 2, "quarantined": 1},
        "by_service": {"ponts": 2, "": 1},
        "by_source": {"fast-techservices.com": 3},
        "by_day": {"2026-11-22": 3},
    });
    answered(filtered(operation).response("200", found("Numbers", with_example("Counts", example))), &[READ])
}

fn contact_times() -> OperationBuilder {
    let operation = operation(
        "contactTimes",
        "leads",
        "Tell how long people wait until somebody works on their lead",
        "Scope read. Of the 1,000 newest leads at most. Leads in quarantine do not count. Without from: of the 31 days before to; at \
         most 366 days. oldest_received is since when the lead has waited that waits for longest, whatever the time.",
    );
    let example = json!({
        "leads": 3,
        "contacted": 2,
        "median_seconds": 5400,
        "p90_seconds": 9000,
        "by_service": {"ponts": {"leads": 3, "contacted": 2, "median_seconds": 5400, "p90_seconds": 9000}},
        "oldest_received": "2026-11-22T10:30:45.123456Z",
    });
    let operation = timed(of_kind(operation));
    answered(operation.response("200", found("Waits", with_example("ContactTimes", example))), &[READ])
}

fn show() -> OperationBuilder {
    let operation = operation(
        "showLead",
        "leads",
        "Show a lead and its trail",
        "Scope read, with up to 20 other leads of the same address. Of an erased lead its tombstone.",
    )
    .parameter(id())
    .parameter(reveal())
    .response(
        "200",
        found("The lead", with_example("LeadWithTrail", json!({"lead": sample(), "trail": [], "same_address": []}))),
    );
    answered(operation, &[READ, ONE])
}

fn move_operation() -> OperationBuilder {
    let operation = operation(
        "moveLead",
        "leads",
        "Move a lead on",
        "Scope work. From the status that you saw: where somebody else was quicker, nothing is written, and lead_status says what it \
         is in.",
    )
    .parameter(id())
    .request_body(Some(body("Move", json!({"from": "received", "to": "processing", "reason": "called back"}), true)))
    .response("200", changed());
    answered(operation, &[BODY, WORK, &[InboxProblem::StatusChanged, InboxProblem::IllegalMove]])
}

fn note() -> OperationBuilder {
    let operation = operation(
        "noteLead",
        "leads",
        "Keep a note with a lead",
        "Scope work. The note goes when the lead is erased, so it may say what is personal. A lead keeps 50.",
    )
    .parameter(id())
    .request_body(Some(body("Note", json!({"text": "wants a quote by Friday"}), true)))
    .response("200", changed());
    answered(operation, &[BODY, ONE, &[InboxProblem::LeadErased, InboxProblem::TooManyNotes]])
}

fn assign() -> OperationBuilder {
    let operation = operation(
        "assignLead",
        "leads",
        "Give a lead to somebody to see to",
        "Scope work. From whose it was when you looked, null for nobody's: where somebody else was quicker, nothing is written.",
    )
    .parameter(id())
    .request_body(Some(body("Assignment", json!({"from": null, "to": "marie", "reason": "knows the garage"}), true)))
    .response("200", changed());
    answered(operation, &[BODY, WORK, &[InboxProblem::AssigneeChanged]])
}

fn release() -> OperationBuilder {
    let operation =
        operation("releaseLead", "leads", "Let a lead out of quarantine", "Scope work. It is received then.")
            .parameter(id())
            .request_body(Some(body("Reason", json!({"reason": "a customer"}), false)))
            .response("200", changed());
    answered(operation, &[BODY, WORK, &[InboxProblem::NotQuarantined]])
}

fn withdraw() -> OperationBuilder {
    let operation = operation(
        "withdrawConsent",
        "leads",
        "Record that a consent was withdrawn",
        "Scope work. What was agreed to, and when, stays on record.",
    )
    .parameter(id())
    .request_body(Some(body("Reason", json!({"reason": "by phone"}), false)))
    .response("200", changed());
    answered(operation, &[BODY, WORK, &[InboxProblem::NoConsent]])
}

fn erase() -> OperationBuilder {
    let gone = ResponseBuilder::new()
        .description("All that was personal is gone, or was before")
        .header("cache-control", header(text(), "no-store"));
    let operation =
        operation("eraseLead", "leads", "Erase a lead", "Scope erase. A tombstone without anything personal stays.")
            .parameter(id())
            .request_body(Some(body("Reason", json!({"reason": "asked by letter"}), false)))
            .response("204", gone);
    answered(operation, &[BODY, ONE, &[InboxProblem::ReasonNamesPerson]])
}

fn export_operation() -> OperationBuilder {
    let operation = operation(
        "exportSubject",
        "subjects",
        "Hand out all that is held on a person",
        "Scopes read and reveal, of a token that is bound to no source (GDPR, articles 15 and 20).",
    )
    .request_body(Some(body("Person", json!({"email": "jean@example.com"}), true)))
    .response("200", found("Leads and their trails", Content::new(Some(Ref::from_schema_name("Export")))));
    answered(operation, &[BODY, &[InboxProblem::SourceForbidden]])
}

fn erase_subject() -> OperationBuilder {
    let operation = operation(
        "eraseSubject",
        "subjects",
        "Erase all that is held on a person",
        "Scope erase, of a token that is bound to no source (GDPR, article 17). After an error, ask again.",
    )
    .request_body(Some(body("Erasure", json!({"email": "jean@example.com", "reason": "asked by letter"}), true)))
    .response("200", found("What was erased", with_example("Erased", json!({ "erased": [ID] }))));
    answered(operation, &[BODY, &[InboxProblem::SourceForbidden, InboxProblem::ReasonNamesPerson]])
}

fn changed() -> ResponseBuilder {
    found("The lead as it is now, masked", with_example("StoredLead", sample()))
}

fn body(schema: &str, example: Value, is_required: bool) -> RequestBody {
    RequestBodyBuilder::new()
        .content("application/json", with_example(schema, example))
        .required(Some(if is_required { Required::True } else { Required::False }))
        .build()
}

fn filtered(operation: OperationBuilder) -> OperationBuilder {
    let statuses = words(LeadStatus::ALL.iter().map(|status| status.as_str()).collect());
    timed(of_kind(operation.parameter(repeated("status", statuses, "Only these"))))
}

fn of_kind(operation: OperationBuilder) -> OperationBuilder {
    let services = words(Service::ALL.iter().map(|service| service.as_str()).collect());
    operation.parameter(parameter("service", services, "Only enquiries about this")).parameter(repeated(
        "source",
        source(),
        "Only from these sites",
    ))
}

fn timed(operation: OperationBuilder) -> OperationBuilder {
    operation
        .parameter(parameter("from", instant(), "Only taken in at this instant or later, or on this day"))
        .parameter(parameter("to", instant(), "Only taken in before this instant, or this day"))
}

fn words(words: Vec<&'static str>) -> ObjectBuilder {
    text().enum_values(Some(words))
}

fn source() -> ObjectBuilder {
    text().pattern(Some(r"^[^\u0000-\u001f\u007f-\u009f]*$")).max_length(Some(limits::SOURCE.max))
}

/// RFC 3339, or a day, which begins at midnight in UTC.
fn instant() -> AnyOfBuilder {
    let format = |format| text().format(Some(SchemaFormat::KnownFormat(format)));
    AnyOfBuilder::new().item(format(KnownFormat::DateTime)).item(format(KnownFormat::Date))
}

fn repeated(name: &str, schema: ObjectBuilder, description: &str) -> ParameterBuilder {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .description(Some(description))
        .explode(Some(true))
        .schema(Some(ArrayBuilder::new().items(schema).max_items(Some(MAX_REPEATED))))
}

fn reveal() -> ParameterBuilder {
    let schema = ObjectBuilder::new().schema_type(Type::Boolean);
    parameter(
        "reveal",
        schema,
        "Whether what is personal is shown in clear. Default: whether the token has the scope reveal",
    )
}

fn id() -> ParameterBuilder {
    ParameterBuilder::new()
        .name("id")
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some("The lead's id, or the id of its request, which the visitor was shown"))
        .schema(Some(text().pattern(Some(UUID))))
}

fn number(from: u32, to: u32) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(from)).maximum(Some(to))
}

const ID: &str = "019ab8d1-3c55-7c1e-9d5e-3f2b1a0c4d6e";

fn sample() -> Value {
    json!({
        "id": ID,
        "created_at_utc": "2026-11-22T10:30:45.123456Z",
        "status": "received",
        "name": "J***",
        "email": "jea***",
        "phone": "+***",
        "company": null,
        "service": "ponts",
        "message": "(42 characters)",
        "consent": true,
        "source": "fast-techservices.com",
        "request_id": "7f9c2b1e-5d34-4a8b-9c6d-2e1f0a3b4c5d",
        "ip_hash": "a***",
        "meta_json": {},
        "erased_at_utc": null,
    })
}
