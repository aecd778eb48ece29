//! Problem details (RFC 9457): the closed list of everything but 201.

use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;

use crate::lead::Violation;

macro_rules! problems {
    ($($(#[$doc:meta])* $variant:ident = $word:literal, $status:ident, $title:literal, $detail:literal;)*) => {
        /// The closed list of problems that the endpoint answers with.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Problem {
            $($(#[$doc])* $variant,)*
        }

        impl Problem {
            /// Every problem, by status.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word that stands for it: the answer's member `error`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The status that it is answered with.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)* }
            }

            /// What happened, in a few words.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// What the caller should do.
            pub const fn detail(self) -> &'static str {
                match self { $(Self::$variant => $detail,)* }
            }

            /// The answer's member `type`.
            pub const fn type_uri(self) -> &'static str {
                match self { $(Self::$variant => concat!("https://fast-techservices.com/problems/", $word),)* }
            }
        }
    };
}

problems! {
    /// The body is not one JSON object, or was cut short.
    MalformedBody = "malformed_body", BAD_REQUEST, "The body is not a JSON object",
        "Send one complete JSON object in UTF-8, each member once";
    /// No token, or one that is not valid.
    Unauthorized = "unauthorized", UNAUTHORIZED, "The request is not authorized",
        "Send one Authorization header with a valid bearer token";
    /// The token is bound to other sources.
    SourceForbidden = "source_forbidden", FORBIDDEN, "The token may not send leads of this source",
        "Send a meta.source that the token is bound to";
    /// Not a POST.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "The method is not allowed", "Use POST";
    /// The body did not arrive in time.
    RequestTimeout = "request_timeout", REQUEST_TIMEOUT, "The body did not arrive in time",
        "Try again with the same request id";
    /// Same request id, other content.
    RequestIdConflict = "request_id_conflict", CONFLICT, "The request id belongs to another lead",
        "Send a new lead under a new request id";
    /// Same request id, lead erased since.
    LeadErased = "lead_erased", GONE, "The lead was erased", "Do not send it again";
    /// More than 32 KiB.
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, "The body is too large", "Send at most 32768 bytes";
    /// Not JSON by its header, or compressed.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "The media type is not supported",
        "Send Content-Type: application/json, without a content coding";
    /// Members break rules.
    ValidationError = "validation_error", UNPROCESSABLE_ENTITY, "The lead is not valid", "Correct the members in errors";
    /// A fault of the service.
    Internal = "internal", INTERNAL_SERVER_ERROR, "The service has a fault", "Tell its operators";
    /// The lead cannot be stored now.
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, "The lead cannot be stored now",
        "Try again after Retry-After with the same request id";
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    ok: bool,
    error: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct Item<'a> {
    pointer: &'a str,
    code: &'static str,
    detail: String,
}

impl Problem {
    /// Writes the answer's body. `ok` and `error` are what the FastAPI service's callers look at.
    pub(super) fn to_json(self, status: StatusCode, violations: &[Violation]) -> Bytes {
        let mut members: Vec<_> = violations.iter().map(Violation::pointer).collect();
        members.dedup();
        let counted = match members.len() {
            0 => None,
            1 => Some("1 member is not valid".to_owned()),
            n => Some(format!("{n} members are not valid")),
        };
        to_bytes(&Document {
            r#type: self.type_uri(),
            title: self.title(),
            status: status.as_u16(),
            detail: counted.as_deref().unwrap_or(self.detail()),
            ok: false,
            error: self.as_str(),
            errors: violations
                .iter()
                .map(|v| Item { pointer: v.pointer(), code: v.code().as_str(), detail: v.detail() })
                .collect(),
        })
    }
}

/// Structs of text and numbers always serialise.
pub(super) fn to_bytes(document: &impl Serialize) -> Bytes {
    serde_json::to_vec(document).unwrap_or_default().into()
}
