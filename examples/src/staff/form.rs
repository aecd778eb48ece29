//! What a browser sends.

use std::time::Duration;

use bytes::{Buf, Bytes};
use http::StatusCode;
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::timeout;
use url::form_urlencoded;

/// How long a form may take to arrive.
const PATIENCE: Duration = Duration::from_secs(20);
/// A note of 1,000 characters takes some 12 KB as a form.
const MAX_BYTES: usize = 64 * 1024;

/// Why a form was not read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Unread {
    TooLarge,
    TooSlow,
    Broken,
}

impl Unread {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken => StatusCode::BAD_REQUEST,
        }
    }

    /// The problem's name.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "body_too_large",
            Self::TooSlow => "request_timeout",
            Self::Broken => "malformed_body",
        }
    }
}

/// The fields of a form, or of a query.
#[derive(Default)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    pub(super) fn parse(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// Reads a body.
    pub(super) async fn read<B>(body: B) -> Result<Self, Unread>
    where
        B: Body,
        B::Data: Buf,
    {
        let body = body.map_frame(|frame| frame.map_data(|mut data| -> Bytes { data.copy_to_bytes(data.remaining()) }));
        let body = body.map_err(|_| std::io::Error::other("broken"));
        let whole = timeout(PATIENCE, Limited::new(Box::pin(body), MAX_BYTES).collect()).await;
        match whole.map_err(|_| Unread::TooSlow)? {
            Ok(whole) => Ok(Self::parse(&whole.to_bytes())),
            Err(error) if error.is::<LengthLimitError>() => Err(Unread::TooLarge),
            Err(_) => Err(Unread::Broken),
        }
    }

    /// The form with another value of a field.
    pub(super) fn with(mut self, name: &str, value: String) -> Self {
        self.0.retain(|(field, _)| field != name);
        self.0.push((name.to_owned(), value));
        self
    }

    /// What somebody typed who works on a lead.
    pub(super) fn typed(&self) -> String {
        let typed = ["text", "reason"].into_iter().filter_map(|name| self.some(name));
        typed.collect::<Vec<_>>().join("\n")
    }

    /// The text of a field, trimmed; empty where there is none.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value.trim())
    }

    /// A field that says something.
    pub(super) fn some(&self, name: &str) -> Option<&str> {
        Some(self.get(name)).filter(|text| !text.is_empty())
    }

    pub(super) fn read_as<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.some(name)?.parse().ok()
    }
}
