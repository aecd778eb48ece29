//! Answers: their status, headers and format.

use std::sync::LazyLock;

use bytes::Bytes;
use fastcore_leads::{Problem as Core, lead::Violation};
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, RETRY_AFTER, VARY},
};
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{CONTACT_PATH, THANKS_PATH, messages, pages::Form, texts::counted};
use crate::{
    answer::{TEXT, answer},
    hexadecimal,
    web::{Language, secured},
};

/// Why a post is not taken in.
#[derive(Debug)]
pub(super) enum Problem {
    CrossSite,
    Malformed,
    TooLarge,
    TooSlow,
    MediaType,
    Invalid(Vec<Violation>),
    TooMany { retry_after: u64 },
    Unavailable,
}

impl Problem {
    /// As the core calls it; what it does not know has a name of its own.
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::CrossSite => "cross_site",
            Self::Malformed => Core::MalformedBody.as_str(),
            Self::TooLarge => Core::BodyTooLarge.as_str(),
            Self::TooSlow => Core::RequestTimeout.as_str(),
            Self::MediaType => Core::UnsupportedMediaType.as_str(),
            Self::Invalid(_) => Core::ValidationError.as_str(),
            Self::TooMany { .. } => "too_many_requests",
            Self::Unavailable => Core::Unavailable.as_str(),
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::CrossSite => StatusCode::FORBIDDEN,
            Self::Malformed => Core::MalformedBody.status(),
            Self::TooLarge => Core::BodyTooLarge.status(),
            Self::TooSlow => Core::RequestTimeout.status(),
            Self::MediaType => Core::UnsupportedMediaType.status(),
            Self::Invalid(_) => Core::ValidationError.status(),
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => Core::Unavailable.status(),
        }
    }

    /// What a visitor is told.
    pub(super) fn message(&self, language: Language) -> String {
        let texts = &language.texts().problems;
        let count = match self {
            Self::Invalid(violations) => violations.len(),
            Self::TooMany { retry_after } => usize::try_from(*retry_after).unwrap_or(usize::MAX),
            _ => 0,
        };
        let text = match self {
            Self::CrossSite => texts.cross_site,
            Self::Malformed | Self::TooSlow => texts.incomplete,
            Self::TooLarge => texts.too_large,
            Self::MediaType => texts.media_type,
            Self::Invalid(_) => counted(&texts.invalid, count),
            Self::TooMany { .. } => texts.too_many,
            Self::Unavailable => texts.unavailable,
        };
        text.replace("{}", &count.to_string())
    }

    pub(super) fn violations(&self) -> &[Violation] {
        match self {
            Self::Invalid(violations) => violations,
            _ => &[],
        }
    }
}

/// The format of a post, and so of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Json,
    Form,
    Other,
}

impl Kind {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let essence = |value: &HeaderValue| {
            let text = value.to_str().unwrap_or_default();
            text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
        };
        match headers.get(CONTENT_TYPE).map(essence).as_deref() {
            Some("application/json") => Self::Json,
            Some("application/x-www-form-urlencoded") => Self::Form,
            _ => Self::Other,
        }
    }
}

/// The post was taken in: a browser goes on to a page that can be reloaded, a script is told which.
pub(super) fn accepted(kind: Kind, reference: Uuid, language: Language) -> Response<Bytes> {
    let next = format!("{THANKS_PATH}?ref={reference}&lang={}", language.tag());
    if kind == Kind::Form {
        return see_other(&next);
    }
    // 202 (RFC 9110, section 15.3.3): the lead is safe, but while FASTCore is down not stored there yet.
    let body = json!({"ok": true, "reference": reference, "next": next}).to_string();
    finish(StatusCode::ACCEPTED, "application/json", "no-store", body.into())
}

/// Says what is wrong: in the form, beside the fields, or as problem details (RFC 9457).
pub(super) fn problem(kind: Kind, problem: &Problem, form: &Form<'_>, language: Language) -> Response<Bytes> {
    let mut response = if kind == Kind::Form {
        finish(problem.status(), HTML, "no-store", form.to_string().into())
    } else {
        let errors = problem.violations().iter();
        let body = json!({
            "type": "about:blank",
            "title": problem.status().canonical_reason(),
            "status": problem.status().as_u16(),
            "detail": problem.message(language),
            "ok": false,
            "error": problem.as_str(),
            "errors": errors
                .map(|v| json!({"pointer": v.pointer(), "code": v.code().as_str(), "detail": messages::violation(v, language)}))
                .collect::<Vec<_>>(),
        });
        finish(problem.status(), "application/problem+json", "no-store", body.to_string().into())
    };
    if let Problem::TooMany { retry_after } = problem {
        response.headers_mut().insert(RETRY_AFTER, (*retry_after).into());
    }
    response
}

/// A page, which is in the language that the visitor likes best. Kept by the browser for its way back, so that a form shows its ticket again, but asked for anew at each visit.
pub(super) fn page(html: &str) -> Response<Bytes> {
    let mut response = finish(StatusCode::OK, HTML, "private, no-cache", Bytes::copy_from_slice(html.as_bytes()));
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept-language"));
    response
}

pub(super) fn back_to_the_form() -> Response<Bytes> {
    see_other(CONTACT_PATH)
}

fn see_other(path: &str) -> Response<Bytes> {
    let mut response = finish(StatusCode::SEE_OTHER, TEXT, "no-store", Bytes::new());
    if let Ok(path) = HeaderValue::try_from(path) {
        response.headers_mut().insert(LOCATION, path);
    }
    response
}

pub(super) fn not_allowed(allowed: &'static str) -> Response<Bytes> {
    secured(crate::answer::not_allowed(allowed))
}

/// A file that the pages ask for.
#[derive(Debug)]
pub(super) struct Asset {
    path: &'static str,
    kind: &'static str,
    text: &'static str,
}

static ASSETS: [Asset; 3] = [
    Asset { path: "/assets/site.css", kind: "text/css; charset=utf-8", text: include_str!("../../assets/site.css") },
    Asset {
        path: "/assets/site.js",
        kind: "text/javascript; charset=utf-8",
        text: include_str!("../../assets/site.js"),
    },
    Asset { path: "/favicon.ico", kind: "image/svg+xml", text: include_str!("../../assets/icon.svg") },
];

/// Changes with the assets: pages ask for them under it, so that browsers may keep them.
pub(super) static ASSETS_VERSION: LazyLock<String> = LazyLock::new(|| {
    let all: String = ASSETS.iter().map(|asset| asset.text).collect();
    hexadecimal(&Sha256::digest(all)[..8])
});

impl Asset {
    pub(super) fn find(path: &str) -> Option<&'static Self> {
        ASSETS.iter().find(|asset| asset.path == path)
    }

    pub(super) fn response(&self) -> Response<Bytes> {
        let caching = "public, max-age=86400";
        finish(StatusCode::OK, self.kind, caching, Bytes::from_static(self.text.as_bytes()))
    }
}

const HTML: &str = "text/html; charset=utf-8";

fn finish(status: StatusCode, kind: &'static str, caching: &'static str, body: Bytes) -> Response<Bytes> {
    let mut response = answer(status, kind, body);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    secured(response)
}
