//! The inbox endpoint, asked in a colleague's name: whatever it decides holds for the pages too.

use bytes::Bytes;
use fastcore_leads::{InboxEndpoint, endpoint::InboxBody, token::Grant};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header::CONTENT_TYPE};
use http_body_util::Full;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

/// The inbox, for one request of a colleague's.
pub(super) struct Api<'a> {
    pub(super) inbox: &'a InboxEndpoint,
    pub(super) grant: &'a Grant,
}

/// What the inbox did not do, and why.
#[derive(Debug, Deserialize)]
pub(super) struct Refused {
    pub(super) status: u16,
    /// The problem's name, such as `status_changed`.
    pub(super) error: String,
}

impl Refused {
    pub(super) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// There is no such lead, or none that this colleague may see.
    pub(super) fn not_found() -> Self {
        Self::of(StatusCode::NOT_FOUND, "lead_not_found")
    }

    pub(super) fn of(status: StatusCode, error: &str) -> Self {
        Self { status: status.as_u16(), error: error.to_owned() }
    }

    fn broken() -> Self {
        Self::of(StatusCode::INTERNAL_SERVER_ERROR, "internal")
    }
}

impl Api<'_> {
    pub(super) async fn get<T: DeserializeOwned>(&self, target: &str) -> Result<T, Refused> {
        read(self.ask(Method::GET, target, None).await?)
    }

    pub(super) async fn post<T: DeserializeOwned>(&self, target: &str, body: &Value) -> Result<T, Refused> {
        read(self.ask(Method::POST, target, Some(body)).await?)
    }

    pub(super) async fn send(&self, method: Method, target: &str, body: &Value) -> Result<(), Refused> {
        self.ask(method, target, Some(body)).await.map(drop)
    }

    /// An answer that is good; its body may be read while it is sent.
    pub(super) async fn ask(
        &self,
        method: Method,
        target: &str,
        body: Option<&Value>,
    ) -> Result<Response<InboxBody>, Refused> {
        let mut request = Request::new(Full::new(body.map(|body| Bytes::from(body.to_string())).unwrap_or_default()));
        *request.method_mut() = method;
        *request.uri_mut() = Uri::try_from(target).map_err(|_| Refused::not_found())?;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let response = self.inbox.handle_as(self.grant, request).await;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(serde_json::from_slice(&whole(response)?).unwrap_or_else(|_| Refused::broken()))
    }
}

fn read<T: DeserializeOwned>(response: Response<InboxBody>) -> Result<T, Refused> {
    serde_json::from_slice(&whole(response)?).map_err(|_| Refused::broken())
}

fn whole(response: Response<InboxBody>) -> Result<Bytes, Refused> {
    response.into_body().into_bytes().map_err(|_| Refused::broken())
}
