//! What an answer says, and whether it is FASTCore's at all.

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use http::{
    Response, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use serde::Deserialize;

use super::AsideReason;
use crate::{endpoint::Problem, lead::LeadId};

/// What an attempt came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// FASTCore has it.
    Stored(LeadId),
    /// FASTCore had it, and must not have it any more.
    Erased,
    /// FASTCore will never take it.
    Refused(AsideReason),
    /// FASTCore has a fault, perhaps with this lead alone.
    Failing,
    /// FASTCore cannot be reached, or asks to come back, perhaps after a while that it names.
    Unavailable(Option<Duration>),
    /// FASTCore does not know this sender: its token, its source or its version are wrong. An operator's business.
    Misconfigured,
    /// The answer is not FASTCore's. An operator's business.
    Foreign,
}

impl Verdict {
    /// Whether sending the lead again would change nothing.
    pub(super) fn is_final(self) -> bool {
        matches!(self, Self::Stored(_) | Self::Erased | Self::Refused(_))
    }

    /// Its name among the metrics.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Stored(_) => "delivered",
            Self::Erased => "erased",
            Self::Refused(AsideReason::Conflict) => "conflict",
            Self::Refused(_) => "refused",
            Self::Failing => "failing",
            Self::Unavailable(_) => "unavailable",
            Self::Misconfigured => "misconfigured",
            Self::Foreign => "foreign",
        }
    }
}

/// Whoever asks to come back later than this is asked again all the same.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Reads an answer.
pub(super) fn read(response: &Response<Bytes>) -> Verdict {
    let status = response.status();
    if status == StatusCode::CREATED {
        return lead_id(response.body()).map_or(Verdict::Foreign, Verdict::Stored);
    }
    match problem(status, response.body()) {
        Some(Problem::LeadErased) => Verdict::Erased,
        // The id follows from the content: the same id with other content is nobody's doing here.
        Some(Problem::RequestIdConflict) => Verdict::Refused(AsideReason::Conflict),
        Some(
            Problem::MalformedBody | Problem::BodyTooLarge | Problem::UnsupportedMediaType | Problem::ValidationError,
        ) => Verdict::Refused(AsideReason::Invalid),
        Some(Problem::Unauthorized | Problem::ScopeMissing | Problem::SourceForbidden | Problem::MethodNotAllowed) => {
            Verdict::Misconfigured
        }
        Some(Problem::Internal) => Verdict::Failing,
        Some(Problem::RequestTimeout | Problem::Unavailable) => Verdict::Unavailable(retry_after(response)),
        // Whoever stands between says that it is to be tried again, which is right whoever says it.
        None if matches!(
            status,
            StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::BAD_GATEWAY
                | StatusCode::GATEWAY_TIMEOUT
                | StatusCode::REQUEST_TIMEOUT
                | StatusCode::TOO_MANY_REQUESTS
        ) =>
        {
            Verdict::Unavailable(retry_after(response))
        }
        None => Verdict::Foreign,
    }
}

/// What kind of answer came, for a log: the essence of its media type where that is one that people know.
pub(super) fn kind_of(response: &Response<Bytes>) -> &'static str {
    let value = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "text/html" | "application/xhtml+xml" => "a web page",
        "application/json" | "application/problem+json" => "JSON that is not FASTCore's",
        _ if response.body().is_empty() => "an empty answer",
        _ => "something that is not FASTCore's",
    }
}

/// 201 says so with the lead's id.
fn lead_id(body: &[u8]) -> Option<LeadId> {
    #[derive(Deserialize)]
    struct Created {
        #[serde(rename = "leadId")]
        lead_id: LeadId,
    }
    serde_json::from_slice::<Created>(body).ok().map(|created| created.lead_id)
}

/// FASTCore says what is wrong with a word of its own, under the status that belongs to the word.
fn problem(status: StatusCode, body: &[u8]) -> Option<Problem> {
    #[derive(Deserialize)]
    struct Document<'a> {
        #[serde(borrow)]
        error: Cow<'a, str>,
    }
    let word = serde_json::from_slice::<Document<'_>>(body).ok()?.error;
    let problem = *Problem::ALL.iter().find(|problem| problem.as_str() == word)?;
    let is_its_status = status == problem.status()
        // As the FastAPI service has it, which can be asked for.
        || (problem == Problem::ValidationError && status == StatusCode::BAD_REQUEST);
    is_its_status.then_some(problem)
}

fn retry_after(response: &Response<Bytes>) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
}
