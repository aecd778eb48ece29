use std::{pin::pin, time::Duration};

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, header::CONTENT_LENGTH};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::timeout;

use super::Refusal;
use crate::lead::limits::MAX_BODY_BYTES;

/// Reads a body as it streams in, and stops at the first byte over the limit; at once where the header says so.
pub(super) async fn read<B>(headers: &HeaderMap, body: B, limit: Duration) -> Result<Bytes, Refusal>
where
    B: Body,
    B::Data: Buf,
{
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > MAX_BODY_BYTES as u64) {
        return Err(Refusal::TooLarge);
    }
    timeout(limit, collect(body)).await.unwrap_or(Err(Refusal::TooSlow))
}

async fn collect<B>(body: B) -> Result<Bytes, Refusal>
where
    B: Body,
    B::Data: Buf,
{
    let mut body = pin!(body);
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(mut data) = frame.map_err(|_| Refusal::Truncated)?.into_data() else {
            continue;
        };
        let length = data.remaining();
        if whole.len() + length > MAX_BODY_BYTES {
            return Err(Refusal::TooLarge);
        }
        // Most bodies come in one piece, which `Bytes` hands on without a copy.
        if whole.is_empty() && body.is_end_stream() {
            return Ok(data.copy_to_bytes(length));
        }
        whole.extend_from_slice(&data.copy_to_bytes(length));
    }
    Ok(whole.freeze())
}
