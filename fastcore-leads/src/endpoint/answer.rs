//! What all answers have in common.

use std::borrow::Cow;

use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_LENGTH},
    response::Builder,
};
use serde::Serialize;

use crate::{
    lead::{LeadStatus, Violation},
    store::{StoreError, StoreErrorKind},
    token::Unauthorized,
};

/// The media type of a [`Document`].
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// What is answered is for nobody else (RFC 9111, section 5.2.2.5).
pub(super) const NO_STORE: &str = "no-store";

/// The `Retry-After` of a 503 where nothing else was set, in seconds.
pub(super) const RETRY_AFTER_SECONDS: u32 = 2;

/// A problem, as RFC 9457 has it.
#[derive(Serialize)]
pub(super) struct Document<'a> {
    pub(super) r#type: &'static str,
    pub(super) title: &'static str,
    pub(super) status: u16,
    pub(super) detail: Cow<'static, str>,
    pub(super) ok: bool,
    pub(super) error: &'static str,
    /// The status that the lead is in, where it is another than was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lead_status: Option<LeadStatus>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) errors: Vec<Item<'a>>,
}

#[derive(Serialize)]
pub(super) struct Item<'a> {
    pointer: &'a str,
    code: &'static str,
    detail: String,
}

impl<'a> Item<'a> {
    pub(super) fn of(violation: &'a Violation) -> Self {
        Self { pointer: violation.pointer(), code: violation.code().as_str(), detail: violation.detail() }
    }
}

/// The challenge of a 401 (RFC 6750, section 3).
pub(super) fn challenge(unauthorized: Unauthorized) -> HeaderValue {
    HeaderValue::from_static(match unauthorized {
        Unauthorized::NoToken => r#"Bearer realm="fastcore""#,
        Unauthorized::InvalidToken => r#"Bearer realm="fastcore", error="invalid_token""#,
    })
}

/// Whether an error of the store is a fault that no retry mends.
pub(super) fn is_fault(error: &StoreError) -> bool {
    matches!(error.kind(), StoreErrorKind::Rejected | StoreErrorKind::Internal)
}

/// Structs of text and numbers always serialise.
pub(super) fn to_bytes(document: &impl Serialize) -> Bytes {
    serde_json::to_vec(document).unwrap_or_default().into()
}

/// Sets the length too: frameworks and servers that set it themselves put it in different places.
pub(super) fn finish(response: Builder, body: Bytes) -> http::Result<Response<Bytes>> {
    response.header(CACHE_CONTROL, NO_STORE).header(CONTENT_LENGTH, body.len()).body(body)
}

/// The answer, or a bare 500 where it cannot be put together.
pub(super) fn or_bare(answer: http::Result<Response<Bytes>>) -> Response<Bytes> {
    answer.unwrap_or_else(|_| {
        let mut bare = Response::new(Bytes::new());
        *bare.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        bare
    })
}
