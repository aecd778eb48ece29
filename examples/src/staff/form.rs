//! What a browser sends.

use std::time::Duration;

use bytes::{Buf, Bytes};
use http_body::Body;
use http_body_util::{BodyExt, Limited};
use tokio::time::timeout;
use url::form_urlencoded;

/// How long a form may take to arrive.
const PATIENCE: Duration = Duration::from_secs(20);
/// A note of 1,000 characters takes some 12 KB as a form.
const MAX_BYTES: usize = 64 * 1024;

/// The fields of a form, or of a query.
#[derive(Default)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    pub(super) fn parse(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// Reads a body; `None` where it is too large, too slow or broken.
    pub(super) async fn read<B>(body: B) -> Option<Self>
    where
        B: Body,
        B::Data: Buf,
    {
        let body = body.map_frame(|frame| frame.map_data(|mut data| -> Bytes { data.copy_to_bytes(data.remaining()) }));
        let body = body.map_err(|_| std::io::Error::other("broken"));
        let whole = timeout(PATIENCE, Limited::new(Box::pin(body), MAX_BYTES).collect()).await.ok()?.ok()?;
        Some(Self::parse(&whole.to_bytes()))
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
