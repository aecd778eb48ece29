//! `GET /inbound/events`.

use fastcore_leads::{endpoint::EventsProblem, outbox::EventType};
use serde_json::{Value, json};
use utoipa::openapi::{
    Object, ResponseBuilder,
    path::OperationBuilder,
    schema::{ArrayBuilder, ObjectBuilder, Type},
    security::SecurityRequirement,
};

use super::{
    TOKEN, UUID, header, parameter,
    problems::{self, Shown},
    text, with_example,
};

/// Of an event: its number and its id, as far as a client has to know.
const CURSOR: &str = "^(?:0|[1-9][0-9]{0,17}-[0-9a-f]{32})$";

pub(super) fn operation() -> OperationBuilder {
    let found = ResponseBuilder::new()
        .description("What happened after the cursor, in the order of commits; nothing where nothing did in the time")
        .header("cache-control", header(text(), "no-store"))
        .content("application/json", with_example("Events", sample()));
    let digits = text().pattern(Some(CURSOR));
    let number =
        |from: u32, to: u32| ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(from)).maximum(Some(to));
    let operation = OperationBuilder::new()
        .operation_id(Some("listEvents"))
        .tag("events")
        .summary(Some("Hear what happened to leads"))
        .description(Some(
            "For systems that no webhook reaches. Needs a token of the scope events. Store next together with what you made of \
             the events, and ask with it again: nothing is missed. After a fault an event may come twice: drop what you have by \
             its id.",
        ))
        .security(SecurityRequirement::new::<_, [&str; 0], &str>(TOKEN, []))
        .parameter(parameter("after", digits, "The next of an earlier answer. Without it: from the first event on"))
        .parameter(parameter("wait", number(0, 60), "Seconds to wait for an event where there is none yet. Default: 0"))
        .parameter(parameter("limit", number(1, 500), "How many events to answer with at most. Default: 100"))
        .response("200", found);
    // A GET is never answered that the method is not allowed.
    let problems = EventsProblem::ALL.iter().filter(|problem| **problem != EventsProblem::MethodNotAllowed);
    problems::answered(operation, problems.copied().map(Shown::from))
}

/// The schema of an answer.
pub(super) fn page() -> Object {
    let unsigned = || ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
    let data = ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some(
            "The lead as it is now. With moved where it was moved, with lead where the feed tells all of it",
        ))
        .property("lead_id", text().pattern(Some(UUID)))
        .required("lead_id")
        .property("request_id", text().pattern(Some(UUID)))
        .required("request_id")
        .property("sequence", unsigned().description(Some("The event's place in the order of commits")))
        .required("sequence")
        .property(
            "service",
            ObjectBuilder::new()
                .schema_type(utoipa::openapi::schema::SchemaType::from_iter([Type::String, Type::Null])),
        )
        .required("service")
        .property("source", text())
        .required("source")
        .property("status", text())
        .required("status")
        .property(
            "earlier_leads",
            unsigned().description(Some(
                "Leads that came from the same address to the same source before, and are not in quarantine: up to 100",
            )),
        )
        .required("earlier_leads");
    let event = ObjectBuilder::new()
        .schema_type(Type::Object)
        .property(
            "id",
            text().description(Some("The same wherever the event is told")).pattern(Some("^evt_[0-9a-f]{32}$")),
        )
        .required("id")
        .property("type", text().enum_values(Some(EventType::ALL.iter().map(|known| known.as_str()))))
        .required("type")
        .property("timestamp", text().description(Some("When it happened: RFC 3339 in UTC, with microseconds")))
        .required("timestamp")
        .property("data", data)
        .required("data");
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .title(Some("Events"))
        .property("events", ArrayBuilder::new().items(event))
        .required("events")
        .property("next", text().description(Some("The cursor to ask with for what comes next")).pattern(Some(CURSOR)))
        .required("next")
        .property(
            "more",
            ObjectBuilder::new().schema_type(Type::Boolean).description(Some("Whether to ask again at once")),
        )
        .required("more")
        .build()
}

fn sample() -> Value {
    json!({
        "events": [{
            "id": "evt_019ab8d13c557c1e9d5e3f2b1a0c4d6f",
            "type": "lead.received",
            "timestamp": "2026-11-22T10:30:45.123456Z",
            "data": {
                "lead_id": "019ab8d1-3c55-7c1e-9d5e-3f2b1a0c4d6e",
                "request_id": "7f9c2b1e-5d34-4a8b-9c6d-2e1f0a3b4c5d",
                "sequence": 4711,
                "service": "ponts",
                "source": "fast-techservices.com",
                "status": "received",
                "earlier_leads": 0,
            },
        }],
        "next": "4711-019ab8d13c557c1e9d5e3f2b1a0c4d6f",
        "more": false,
    })
}
