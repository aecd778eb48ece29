//! Problem details (RFC 9457): the closed lists of everything but success.

use bytes::Bytes;
use http::StatusCode;

use super::answer;
use crate::lead::{LeadStatus, Violation};

macro_rules! problems {
    ($(#[$about:meta])* $name:ident: $($(#[$doc:meta])* $variant:ident = $word:literal, $status:ident, $title:literal, $detail:literal;)*) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$doc])* $variant,)*
        }

        impl $name {
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

            /// The answer's body, without violations.
            pub(super) fn document(self, status: StatusCode) -> answer::Document<'static> {
                answer::Document {
                    r#type: self.type_uri(),
                    title: self.title(),
                    status: status.as_u16(),
                    detail: self.detail().into(),
                    ok: false,
                    error: self.as_str(),
                    lead_status: None,
                    errors: Vec::new(),
                }
            }
        }
    };
}

problems! {
    /// The closed list of problems that [`Endpoint`](super::Endpoint) answers with.
    Problem:
    /// The body is not one JSON object, or was cut short.
    MalformedBody = "malformed_body", BAD_REQUEST, "The body is not a JSON object",
        "Send one complete JSON object in UTF-8, each member once";
    /// No token, or one that is not valid.
    Unauthorized = "unauthorized", UNAUTHORIZED, "The request is not authorized",
        "Send one Authorization header with a valid bearer token";
    /// The token is for something else.
    ScopeMissing = "scope_missing", FORBIDDEN, "The token is not for this",
        "Send a token that has this endpoint's scope";
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

problems! {
    /// The closed list of problems that [`EventsEndpoint`](super::EventsEndpoint) answers with.
    EventsProblem:
    /// A parameter that is unknown, repeated or out of its range.
    InvalidQuery = "invalid_query", BAD_REQUEST, "The query is not valid",
        "Send after as the next of an earlier answer, wait from 0 to 60 and limit from 1 to 500, each once or not at all";
    /// No token, or one that is not valid.
    Unauthorized = "unauthorized", UNAUTHORIZED, "The request is not authorized",
        "Send one Authorization header with a valid bearer token";
    /// The token is for something else.
    ScopeMissing = "scope_missing", FORBIDDEN, "The token is not for this",
        "Send a token that has this endpoint's scope";
    /// Not a GET.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "The method is not allowed", "Use GET";
    /// The log has no such place.
    CursorUnknown = "cursor_unknown", CONFLICT, "The cursor is of no place in the log",
        "The database was put back to an earlier state: start again without after, and drop events by their id";
    /// A fault of the service.
    Internal = "internal", INTERNAL_SERVER_ERROR, "The service has a fault", "Tell its operators";
    /// The events cannot be read now.
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, "The events cannot be read now",
        "Try again after Retry-After with the same cursor";
}

#[cfg(feature = "proof")]
problems! {
    /// The closed list of problems that [`AuditEndpoint`](super::AuditEndpoint) answers with.
    AuditProblem:
    /// No token, or one that is not valid.
    Unauthorized = "unauthorized", UNAUTHORIZED, "The request is not authorized",
        "Send one Authorization header with a valid bearer token";
    /// The token is for something else.
    ScopeMissing = "scope_missing", FORBIDDEN, "The token is not for this", "Send a token that has this route's scope";
    /// No lead and no request has this id, or the token may not see its source.
    LeadNotFound = "lead_not_found", NOT_FOUND, "There is no such lead", "Check the id";
    /// Nothing was signed yet, or the tree has no such tile.
    NotFound = "not_found", NOT_FOUND, "There is nothing here", "Check the path against the last checkpoint";
    /// Not a GET.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "The method is not allowed", "Use GET";
    /// The lead's row is not sealed yet.
    NotSealed = "not_sealed", CONFLICT, "The lead is not sealed yet", "Try again after Retry-After";
    /// Nothing is shown of an erased person.
    LeadErased = "lead_erased", GONE, "The lead was erased", "There is no receipt any more: do not ask again";
    /// The row was redacted: nothing can be shown of it any more.
    Redacted = "redacted", GONE, "The audit row was redacted", "There is no receipt any more: do not ask again";
    /// A fault of the service, or its log is not as it was sealed.
    Internal = "internal", INTERNAL_SERVER_ERROR, "The service has a fault", "Tell its operators";
    /// The log cannot be read now.
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, "The log cannot be read now", "Try again after Retry-After";
}

problems! {
    /// The closed list of problems that [`InboxEndpoint`](super::InboxEndpoint) answers with.
    InboxProblem:
    /// A parameter that is unknown, repeated or out of its range.
    InvalidQuery = "invalid_query", BAD_REQUEST, "The query is not valid",
        "Send the parameters that the route takes, each in its form, and no others";
    /// The body is not one JSON object, or was cut short.
    MalformedBody = "malformed_body", BAD_REQUEST, "The body is not a JSON object",
        "Send one complete JSON object in UTF-8, each member once";
    /// No token, or one that is not valid.
    Unauthorized = "unauthorized", UNAUTHORIZED, "The request is not authorized",
        "Send one Authorization header with a valid bearer token";
    /// The token is for something else.
    ScopeMissing = "scope_missing", FORBIDDEN, "The token is not for this", "Send a token that has this route's scope";
    /// The token is bound to sources, and the route is for a person's leads from everywhere.
    SourceForbidden = "source_forbidden", FORBIDDEN, "The token is for some sources only",
        "Send a token that is bound to no source";
    /// No lead and no request has this id, or the token may not see its source.
    LeadNotFound = "lead_not_found", NOT_FOUND, "There is no such lead", "Look for it in the list";
    /// A method that the route does not take.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "The method is not allowed",
        "Use one of the methods in Allow";
    /// The body did not arrive in time.
    RequestTimeout = "request_timeout", REQUEST_TIMEOUT, "The body did not arrive in time", "Try again";
    /// Somebody else was quicker.
    StatusChanged = "status_changed", CONFLICT, "The lead is in another status by now",
        "Look at the lead again, then decide again";
    /// The lead's life does not go that way.
    IllegalMove = "illegal_move", CONFLICT, "A lead does not go this way", "Choose another status";
    /// Only a lead in quarantine can be released.
    NotQuarantined = "not_quarantined", CONFLICT, "The lead is not in quarantine", "Look at the lead again";
    /// Somebody else was quicker.
    AssigneeChanged = "assignee_changed", CONFLICT, "Somebody else was given the lead meanwhile",
        "Look at the lead again, then decide again";
    /// As many notes as a lead may have.
    TooManyNotes = "too_many_notes", CONFLICT, "The lead has as many notes as are kept",
        "Keep what is to be kept elsewhere";
    /// There is no consent to withdraw.
    NoConsent = "no_consent", CONFLICT, "There is no consent to withdraw", "Nothing is left to be done";
    /// The lead is in a status that this version does not know.
    UnknownStatus = "unknown_status", CONFLICT, "The lead is in a status that this version does not know",
        "Use the version that put it there";
    /// The lead was erased.
    LeadErased = "lead_erased", GONE, "The lead was erased", "Nothing is left to be done";
    /// More than 32 KiB.
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, "The body is too large", "Send at most 32768 bytes";
    /// Not JSON by its header, or compressed.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "The media type is not supported",
        "Send Content-Type: application/json, without a content coding";
    /// A member that is missing, unknown, or not of its form.
    ValidationError = "validation_error", UNPROCESSABLE_ENTITY, "The body is not valid",
        "Send the members that the route takes, each in its form, and no others";
    /// The audit log keeps a reason for ever, also after an erasure.
    ReasonNamesPerson = "reason_names_person", UNPROCESSABLE_ENTITY, "The reason names the person",
        "Say it without: the audit log keeps it also after an erasure";
    /// A fault of the service.
    Internal = "internal", INTERNAL_SERVER_ERROR, "The service has a fault", "Tell its operators";
    /// The database does not answer now.
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, "The leads cannot be reached now",
        "Look whether it was done, then try again after Retry-After";
}

impl Problem {
    /// Writes the answer's body. `ok` and `error` are what the FastAPI service's callers look at.
    pub(super) fn to_json(self, status: StatusCode, violations: &[Violation]) -> Bytes {
        let mut members: Vec<_> = violations.iter().map(Violation::pointer).collect();
        members.dedup();
        let mut document = self.document(status);
        match members.len() {
            0 => {}
            1 => document.detail = "1 member is not valid".into(),
            n => document.detail = format!("{n} members are not valid").into(),
        }
        document.errors = violations.iter().map(answer::Item::of).collect();
        answer::to_bytes(&document)
    }
}

impl InboxProblem {
    /// Writes the answer's body. `lead_status` is what the lead is in, where that stands in the way.
    pub(super) fn to_json(self, lead_status: Option<LeadStatus>) -> Bytes {
        answer::to_bytes(&answer::Document { lead_status, ..self.document(self.status()) })
    }
}

#[cfg(feature = "proof")]
impl AuditProblem {
    /// Writes the answer's body.
    pub(super) fn to_json(self) -> Bytes {
        answer::to_bytes(&self.document(self.status()))
    }
}

impl EventsProblem {
    /// Writes the answer's body.
    pub(super) fn to_json(self) -> Bytes {
        answer::to_bytes(&self.document(self.status()))
    }
}
