use fastcore_leads::{SAMPLE_LEAD, lead::ViolationCode};
use serde_json::Value;

use super::{Body, Policy, Vector, Verdict};

/// Collects vectors; each varies the sample lead under a request id of its own.
pub(super) struct Suite {
    pub(super) vectors: Vec<Vector>,
}

impl Suite {
    pub(super) fn new() -> Self {
        Self { vectors: Vec::new() }
    }

    /// The sample lead, under the request id of the next vector.
    pub(super) fn sample(&self) -> Value {
        let mut sample: Value = serde_json::from_str(SAMPLE_LEAD).unwrap_or_default();
        sample["meta"]["request_id"] = format!("f47ac10b-58cc-4372-a567-{:012x}", self.vectors.len() + 1).into();
        sample
    }

    /// The sample with one member, at a pointer, set to a value, or without it.
    pub(super) fn sample_with(&self, pointer: &str, value: impl Into<Option<Value>>) -> Value {
        let mut body = self.sample();
        let (parent, member) = pointer.rsplit_once('/').unwrap_or_default();
        if let Some(Value::Object(parent)) = body.pointer_mut(parent) {
            match value.into() {
                Some(value) => parent.insert(member.to_owned(), value),
                None => parent.remove(member),
            };
        }
        body
    }

    pub(super) fn accepts(&mut self, what: &str, pointer: &str, value: impl Into<Option<Value>>) {
        let body = self.sample_with(pointer, value);
        self.add(&format!("{pointer} {what}"), body, Verdict::Accepted, false);
    }

    pub(super) fn refuses(&mut self, what: &str, pointer: &str, value: impl Into<Option<Value>>, code: ViolationCode) {
        let body = self.sample_with(pointer, value);
        self.add(&format!("{pointer} {what}"), body, Verdict::Invalid(vec![(pointer.to_owned(), code)]), false);
    }

    /// Refuses what the schema accepts.
    pub(super) fn refuses_beyond_schema(&mut self, what: &str, pointer: &str, value: &str, code: ViolationCode) {
        let body = self.sample_with(pointer, Value::from(value));
        self.add(&format!("{pointer} {what}"), body, Verdict::Invalid(vec![(pointer.to_owned(), code)]), true);
    }

    pub(super) fn refuses_all(&mut self, name: &str, body: Value, violations: &[(&str, ViolationCode)]) {
        let violations = violations.iter().map(|(pointer, code)| ((*pointer).to_owned(), *code)).collect();
        self.add(name, body, Verdict::Invalid(violations), false);
    }

    pub(super) fn malformed(&mut self, name: &str, bytes: impl Into<Vec<u8>>) {
        self.push(name, Body::Bytes(bytes.into()), Verdict::Malformed, false);
    }

    pub(super) fn add(&mut self, name: &str, body: Value, verdict: Verdict, is_beyond_schema: bool) {
        self.push(name, Body::Json(body), verdict, is_beyond_schema);
    }

    pub(super) fn push(&mut self, name: &str, body: Body, verdict: Verdict, is_beyond_schema: bool) {
        let (name, policy) = (name.to_owned(), Policy::ConsentRecorded);
        self.vectors.push(Vector { name, body, policy, verdict, is_beyond_schema });
    }

    /// Sets the last vector's policy.
    pub(super) fn under(&mut self, policy: Policy) {
        if let Some(last) = self.vectors.last_mut() {
            last.policy = policy;
        }
    }
}
