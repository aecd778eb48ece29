//! The proofs of the audit log: `GET /audit/checkpoint` and `GET /inbound/leads/{id}/receipt`.

use fastcore_leads::AuditProblem;
use serde_json::Value;
use utoipa::openapi::{
    ContentBuilder, ResponseBuilder,
    path::{OperationBuilder, ParameterBuilder, ParameterIn},
    security::SecurityRequirement,
};

use super::{
    TOKEN, UUID, header,
    problems::{self, Shown},
    text,
};

pub(super) fn checkpoint() -> OperationBuilder {
    let found = note("The last checkpoint: a signed note (c2sp.org/tlog-checkpoint)", CHECKPOINT);
    let operation = operation("getCheckpoint", "Get what the audit log is checked against")
        .description(Some(
            "For witnesses, and whoever keeps what was signed. Needs a token of the scope audit, ingest or read. The key that it is signed with is known from elsewhere. \
             The hashes are beside it, under /audit/tile/, as c2sp.org/tlog-tiles has them.",
        ))
        .response("200", found);
    answered(operation, |problem| {
        use AuditProblem::{LeadErased, LeadNotFound, NotSealed, Redacted};
        !matches!(problem, LeadErased | LeadNotFound | NotSealed | Redacted)
    })
}

pub(super) fn receipt() -> OperationBuilder {
    let found =
        note("A proof that the lead was received (c2sp.org/tlog-proof). `extra` is the entry of the log", RECEIPT);
    let operation = operation("getReceipt", "Get a proof that a lead was received")
        .description(Some(
            "It is verified without this service, by the log's public key. It is there some seconds after the lead. Needs a token of the \
             scope ingest or read.",
        ))
        .parameter(place("id", UUID, "The lead's id, or the id of its request"))
        .response("200", found);
    answered(operation, |problem| problem != AuditProblem::NotFound)
}

fn operation(id: &str, summary: &str) -> OperationBuilder {
    OperationBuilder::new()
        .operation_id(Some(id))
        .tag("audit")
        .summary(Some(summary))
        .security(SecurityRequirement::new::<_, [&str; 0], &str>(TOKEN, []))
}

fn place(name: &str, pattern: &str, description: &str) -> ParameterBuilder {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(utoipa::openapi::Required::True)
        .description(Some(description))
        .schema(Some(text().pattern(Some(pattern))))
}

fn note(description: &str, example: &str) -> ResponseBuilder {
    let content = ContentBuilder::new().schema(Some(text())).example(Some(Value::from(example))).build();
    ResponseBuilder::new()
        .description(description)
        .header("cache-control", header(text(), "no-store"))
        .content("text/plain; charset=utf-8", content)
}

/// A GET is never answered that the method is not allowed.
fn answered(operation: OperationBuilder, can_be: fn(AuditProblem) -> bool) -> OperationBuilder {
    let problems = AuditProblem::ALL.iter().copied();
    let problems = problems.filter(|problem| *problem != AuditProblem::MethodNotAllowed && can_be(*problem));
    problems::answered(operation, problems.map(Shown::from))
}

const CHECKPOINT: &str = "example.com/audit\n3\nYhPhcuthjYHsZDHISq6gBY05xhkYpIMgQxn4KfpM75Y=\n\n\u{2014} example.com/audit \
    UOxBOvcrYmeBddjzv/UbGRkz+s7f7xbJJcc3x+SrXOJrft2h0OhYx7DNqivfa4ZoY5gOLu+eXgvbuO9jaWdjxbD6EQQ=\n";
const RECEIPT: &str = "c2sp.org/tlog-proof@v1\nextra \
    ZmFzdGNvcmUtYXVkaXQvMZmIo/5UBWoDNO8MijO4E097ImFjdG9yIjoic2l0ZV9pbmdlc3QiLCJjcmVhdGVkX2F0X3V0YyI6IjIwMjYtMTEtMzBUMDM6NTk6NTQuODIxNTkzWiIs\
    ImRldGFpbHNfanNvbiI6IntcImVtYWlsXCI6XCJqZWEqKipcIixcInNlcnZpY2VcIjpcImRpYWdub3N0aWNcIixcImlwX2hhc2hcIjpcImFiYzEyM2RlZjQ1NlwifSIsImV2ZW50\
    IjoiTEVBRF9SRUNFSVZFRCIsImlkIjoiMDFhMjJhOWItZjljNS03MTVhLWE4OWQtNTdlNjc4OThlNjQxIiwibGVhZF9pZCI6IjAxYTIyYTliLWY5YzUtNzE1YS1hODlkLTU3ZTU2\
    NDBlYWQ2NSIsInJlcXVlc3RfaWQiOiI2YjIwNjRmNC05OWE5LTQ3ZWYtYmExOC00MzVjYWE0NTUyNDUiLCJzdGF0dXNfY29kZSI6MjAxfQ==\nindex 2\n\
    a3t0h3oiqr4qFAXZe4QnxYPB6Xnl/sRlT+2Xfr1qgwA=\n\nexample.com/audit\n3\nYhPhcuthjYHsZDHISq6gBY05xhkYpIMgQxn4KfpM75Y=\n\n\u{2014} \
    example.com/audit UOxBOvcrYmeBddjzv/UbGRkz+s7f7xbJJcc3x+SrXOJrft2h0OhYx7DNqivfa4ZoY5gOLu+eXgvbuO9jaWdjxbD6EQQ=\n";
