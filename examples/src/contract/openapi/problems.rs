//! What is answered that is no success, by endpoint.

use std::collections::BTreeMap;

use fastcore_leads::{
    LeadStatus, Problem,
    endpoint::{AuditProblem, EventsProblem, InboxProblem},
    lead::ViolationCode,
};
use serde_json::{Value, json};
use utoipa::openapi::{
    Object, ResponseBuilder,
    path::OperationBuilder,
    schema::{ArrayBuilder, ObjectBuilder, Type},
};

use super::{header, text, with_example};

/// A problem of either list.
pub(super) struct Shown {
    schema: &'static str,
    status: u16,
    word: &'static str,
    type_uri: &'static str,
    title: &'static str,
    detail: &'static str,
    /// What a service can be set to.
    setting: &'static str,
    violation: Option<ViolationCode>,
}

impl From<Problem> for Shown {
    fn from(problem: Problem) -> Self {
        Self {
            schema: "Problem",
            status: problem.status().as_u16(),
            word: problem.as_str(),
            type_uri: problem.type_uri(),
            title: problem.title(),
            detail: problem.detail(),
            setting: match problem {
                Problem::MalformedBody => ". A service can be set to answer validation_error with this status, too",
                Problem::ValidationError => ". A service can be set to answer this with 400",
                _ => "",
            },
            violation: (problem == Problem::ValidationError).then_some(ViolationCode::EmailInvalid),
        }
    }
}

macro_rules! shown {
    ($($problem:ident)*) => {
        $(impl From<$problem> for Shown {
            fn from(problem: $problem) -> Self {
                Self {
                    schema: stringify!($problem),
                    status: problem.status().as_u16(),
                    word: problem.as_str(),
                    type_uri: problem.type_uri(),
                    title: problem.title(),
                    detail: problem.detail(),
                    setting: "",
                    violation: None,
                }
            }
        })*
    };
}

shown! { AuditProblem EventsProblem InboxProblem }

impl Shown {
    fn sample(&self) -> Value {
        let mut sample = json!({
            "type": self.type_uri,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "ok": false,
            "error": self.word,
        });
        if let Some(code) = self.violation {
            sample["detail"] = "1 member is not valid".into();
            sample["errors"] = json!([{"pointer": "/email", "code": code.as_str(), "detail": code.rule()}]);
        }
        sample
    }
}

/// Adds to an operation what it answers with, by status.
pub(super) fn answered(operation: OperationBuilder, problems: impl Iterator<Item = Shown>) -> OperationBuilder {
    let mut by_status: BTreeMap<u16, Vec<Shown>> = BTreeMap::new();
    for problem in problems {
        by_status.entry(problem.status).or_default().push(problem);
    }
    by_status
        .iter()
        .fold(operation, |operation, (status, problems)| operation.response(status.to_string(), response(problems)))
}

fn response(problems: &[Shown]) -> ResponseBuilder {
    let described = |problem: &Shown| format!("{}. {}{}", problem.title, problem.detail, problem.setting);
    let all: Vec<_> = problems.iter().map(described).collect();
    let mut response =
        ResponseBuilder::new().description(all.join(". Or: ")).header("cache-control", header(text(), "no-store"));
    for problem in problems {
        response = response.content("application/problem+json", with_example(problem.schema, problem.sample()));
        match problem.word {
            "unauthorized" => {
                response = response.header("www-authenticate", header(text(), "The challenge (RFC 6750, section 3)"));
            }
            "unavailable" | "not_sealed" => {
                let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
                response = response.header("retry-after", header(seconds, "When to try again, in seconds"));
            }
            _ => {}
        }
    }
    response
}

pub(super) fn schema() -> Object {
    let violation = ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("pointer", text().description(Some("Where: a JSON pointer (RFC 6901) into the request's body")))
        .required("pointer")
        .property("code", text().enum_values(Some(ViolationCode::ALL.iter().map(|code| code.as_str()))))
        .required("code")
        .property("detail", text().description(Some("The rule, for a developer")))
        .required("detail");
    let violations =
        ArrayBuilder::new().items(violation).description(Some("Each rule that is broken; only with validation_error"));
    document(Problem::ALL.iter().map(|problem| problem.as_str())).property("errors", violations).build()
}

pub(super) fn schema_of_events() -> Object {
    document(EventsProblem::ALL.iter().map(|problem| problem.as_str())).build()
}

pub(super) fn schema_of_audit() -> Object {
    document(AuditProblem::ALL.iter().map(|problem| problem.as_str())).build()
}

pub(super) fn schema_of_inbox() -> Object {
    let status = text().enum_values(Some(LeadStatus::ALL.iter().map(|status| status.as_str())));
    let status = status.description(Some("What the lead is in, where that stands in the way"));
    document(InboxProblem::ALL.iter().map(|problem| problem.as_str())).property("lead_status", status).build()
}

fn document(words: impl Iterator<Item = &'static str>) -> ObjectBuilder {
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
        .property("error", text().enum_values(Some(words)))
        .required("error")
}
