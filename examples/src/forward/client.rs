use std::time::Duration;

use fastcore_leads::INBOUND_LEADS_PATH;
use http::{
    HeaderValue, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER},
};
use metrics::{counter, histogram};
use reqwest::{Response, Url};
use tokio::time::{Instant, timeout};
use tracing::Instrument;

use super::Envelope;
use crate::{
    metrics::{FORWARD_ATTEMPTS, FORWARD_DURATION},
    telemetry,
};

/// What came of handing a lead over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// FASTCore has it, or knows that it must not have it any more.
    Delivered,
    /// FASTCore cannot be reached, or asks to come back, perhaps after a while that it names.
    Unavailable(Option<Duration>),
    /// FASTCore does not know this site: its token, its address or its version are wrong. An operator's business.
    Misconfigured,
    /// FASTCore will never take this lead.
    Refused,
}

/// Whoever asks to come back later than this is asked again all the same.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Of an answer's body so much is read, so that its connection can be used again.
const MAX_ANSWER: usize = 64 * 1024;
/// And for so long: what it says is known from its status.
const MAX_DRAIN: Duration = Duration::from_millis(200);

/// Posts leads to FASTCore.
pub(super) struct Client {
    http: reqwest::Client,
    url: Url,
    authorization: HeaderValue,
    timeout: Duration,
}

impl Client {
    pub(super) fn new(base: Url, token: &str, timeout: Duration) -> Result<Self, String> {
        let unusable = |what: &str| format!("FASTCORE_BASE_URL: {what}; give http://host:port or https://host");
        let mut url = base;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(unusable("no address of a web service"));
        }
        let path = format!("{}{INBOUND_LEADS_PATH}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        let mut authorization = HeaderValue::try_from(format!("Bearer {token}"))
            .map_err(|_| "the token holds characters that no header can carry".to_owned())?;
        authorization.set_sensitive(true);
        // The only library of TLS here is ring's; an earlier choice of the process holds.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            // Not even by HTTP_PROXY: the lead and the token go to FASTCore and to nobody else.
            .no_proxy()
            .connect_timeout(timeout)
            .tcp_nodelay(true)
            .build()
            .map_err(|_| unusable("no client can be built for it"))?;
        Ok(Self { http, url, authorization, timeout })
    }

    /// Tries once, within the client's time limit.
    pub(super) async fn send(&self, envelope: &Envelope) -> Outcome {
        let span = tracing::info_span!("forward lead", request_id = %envelope.request_id());
        let started = Instant::now();
        let answer = timeout(self.timeout, self.post(envelope).instrument(span.clone())).await;
        histogram!(FORWARD_DURATION).record(started.elapsed().as_secs_f64());
        let (outcome, result, status) = match answer {
            Ok(Ok(response)) => {
                let (outcome, result) = read(&response);
                let status = response.status().as_u16();
                let _ = timeout(MAX_DRAIN, drain(response)).await;
                (outcome, result, status)
            }
            // The library's message names the address, which may hold a password.
            Ok(Err(_)) | Err(_) => (Outcome::Unavailable(None), "unreachable", 0),
        };
        counter!(FORWARD_ATTEMPTS, "result" => result).increment(1);
        span.in_scope(|| match result {
            "delivered" => tracing::debug!(status, "lead handed over"),
            "misconfigured" => tracing::error!(
                status,
                "FASTCore does not take this site's leads: check the base URL, the token and its sources"
            ),
            "refused" | "conflict" => {
                tracing::error!(status, "FASTCore refused a lead for good; it is kept in the spool");
            }
            _ => tracing::warn!(status, result, "lead not handed over yet"),
        });
        outcome
    }

    async fn post(&self, envelope: &Envelope) -> reqwest::Result<Response> {
        let mut request = self
            .http
            .post(self.url.clone())
            .header(AUTHORIZATION, self.authorization.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(envelope.to_bytes())
            .build()?;
        telemetry::inject(request.headers_mut());
        self.http.execute(request).await
    }
}

/// What an answer means, and its name among the metrics.
fn read(response: &Response) -> (Outcome, &'static str) {
    match response.status() {
        // A lead that was erased is not to be made anew.
        StatusCode::CREATED | StatusCode::GONE => (Outcome::Delivered, "delivered"),
        // The id follows from the content: the same id with other content is nobody's doing here.
        StatusCode::CONFLICT => (Outcome::Refused, "conflict"),
        StatusCode::BAD_REQUEST
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNSUPPORTED_MEDIA_TYPE
        | StatusCode::UNPROCESSABLE_ENTITY => (Outcome::Refused, "refused"),
        // And those of a proxy between.
        StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::BAD_GATEWAY
        | StatusCode::GATEWAY_TIMEOUT
        | StatusCode::REQUEST_TIMEOUT
        | StatusCode::TOO_MANY_REQUESTS => {
            let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            let wait = seconds.map(|seconds| Duration::from_secs(seconds).min(LONGEST_WAIT));
            (Outcome::Unavailable(wait), "unavailable")
        }
        _ => (Outcome::Misconfigured, "misconfigured"),
    }
}

async fn drain(mut response: Response) {
    let mut read = 0;
    while let Ok(Some(chunk)) = response.chunk().await {
        read += chunk.len();
        if read > MAX_ANSWER {
            return;
        }
    }
}

/// Between half and one and a half: those who failed together do not come back together.
pub(super) fn jittered(pause: Duration) -> Duration {
    let mut byte = [128];
    // Without random numbers everybody waits alike, which is allowed.
    let _ = getrandom::fill(&mut byte);
    pause.mul_f64(0.5 + f64::from(byte[0]) / 256.0)
}
