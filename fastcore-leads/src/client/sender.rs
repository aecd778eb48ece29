use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, Uri,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use tokio::time::{Instant, timeout};
use tracing::Instrument;

use super::{
    answer::{self, Verdict},
    envelope::Envelope,
    metrics::Metrics,
};
use crate::transport::{Transport, Unreachable};

/// Posts leads to FASTCore.
pub(super) struct Sender {
    pub(super) transport: Arc<dyn Transport>,
    pub(super) uri: Uri,
    /// Marked as sensitive.
    pub(super) authorization: HeaderValue,
    pub(super) timeout: Duration,
}

impl Sender {
    /// Tries once, within the time limit.
    pub(super) async fn send(&self, envelope: &Envelope, metrics: &Metrics) -> Verdict {
        let span = tracing::info_span!("forward lead", request_id = %envelope.request_id());
        let started = Instant::now();
        let answer = timeout(self.timeout, self.post(envelope)).instrument(span.clone()).await;
        let elapsed = started.elapsed();
        let (verdict, result, status, kind) = match &answer {
            Ok(Ok(response)) => {
                let verdict = answer::read(response);
                (verdict, verdict.as_str(), response.status().as_u16(), answer::kind_of(response))
            }
            Ok(Err(_)) | Err(_) => (Verdict::Unavailable(None), "unreachable", 0, "no answer"),
        };
        metrics.attempted(result, elapsed);
        span.in_scope(|| match verdict {
            Verdict::Stored(_) | Verdict::Erased => tracing::debug!(status, result, "lead handed over"),
            Verdict::Misconfigured => tracing::error!(
                status,
                "FASTCore does not take this site's leads: check the base URL, the token and its sources"
            ),
            Verdict::Foreign => tracing::error!(
                status,
                "what answers at FASTCore's address is not FASTCore, but {kind}: check the base URL and what stands between; \
                 the lead is kept"
            ),
            Verdict::Refused(_) => {
                tracing::error!(status, result, "FASTCore refuses a lead for good; a person has to look at it");
            }
            Verdict::Failing => tracing::error!(status, "FASTCore has a fault with a lead; it is tried again"),
            Verdict::Unavailable(_) => tracing::warn!(status, result, "lead not handed over yet"),
        });
        verdict
    }

    async fn post(&self, envelope: &Envelope) -> Result<Response<Bytes>, Unreachable> {
        let mut request = Request::new(envelope.body().clone());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        request.headers_mut().insert(AUTHORIZATION, self.authorization.clone());
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.transport.send(request).await
    }
}
