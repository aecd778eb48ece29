use std::{pin::pin, time::Duration};

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, header::CONTENT_LENGTH};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::timeout;

use crate::lead::limits::MAX_BODY_BYTES;

/// How long a body may take to arrive, where nothing else is set.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    TooLarge,
    Truncated,
    TooSlow,
}

/// Reads a body as it streams in, and stops at the first byte over the limit; at once where the header says so.
pub(super) async fn read<B>(headers: &HeaderMap, body: B, limit: Duration) -> Result<Bytes, Unread>
where
    B: Body,
    B::Data: Buf,
{
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > MAX_BODY_BYTES as u64) {
        return Err(Unread::TooLarge);
    }
    timeout(limit, collect(body)).await.unwrap_or(Err(Unread::TooSlow))
}

async fn collect<B>(body: B) -> Result<Bytes, Unread>
where
    B: Body,
    B::Data: Buf,
{
    let mut body = pin!(body);
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(mut data) = frame.map_err(|_| Unread::Truncated)?.into_data() else {
            continue;
        };
        let length = data.remaining();
        if whole.len() + length > MAX_BODY_BYTES {
            return Err(Unread::TooLarge);
        }
        // Most bodies come in one piece, which `Bytes` hands on without a copy.
        if whole.is_empty() && body.is_end_stream() {
            return Ok(data.copy_to_bytes(length));
        }
        whole.extend_from_slice(&data.copy_to_bytes(length));
    }
    Ok(whole.freeze())
}
