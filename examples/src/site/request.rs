use std::time::Duration;

use bytes::{Buf, Bytes};
use fastcore_leads::lead::limits::MAX_BODY_BYTES;
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::timeout;

use super::{Kind, Problem};

/// How long a post may take to arrive.
const PATIENCE: Duration = Duration::from_secs(20);
/// A form takes more bytes than JSON for the same text, and may be much larger: a message that is too long is shown again, with what is
/// wrong with it, instead of being lost.
const MAX_FORM_BYTES: usize = 16 * MAX_BODY_BYTES;

/// Reads a body within bounds of size and time: what has arrived, and whether that is all of it.
pub(super) async fn read<B>(kind: Kind, body: B) -> (Bytes, Result<(), Problem>)
where
    B: Body,
    B::Data: Buf,
{
    let limit = if kind == Kind::Form { MAX_FORM_BYTES } else { MAX_BODY_BYTES };
    let mut whole = Vec::new();
    let collect = async {
        let mut body = std::pin::pin!(body);
        while let Some(frame) = body.frame().await {
            let Ok(mut data) = frame.map_err(|_| Problem::Malformed)?.into_data() else { continue };
            let room = limit - whole.len();
            if data.remaining() > room {
                whole.extend_from_slice(&data.copy_to_bytes(room));
                return Err(Problem::TooLarge);
            }
            whole.extend_from_slice(&data.copy_to_bytes(data.remaining()));
        }
        Ok(())
    };
    let is_whole = timeout(PATIENCE, collect).await.unwrap_or(Err(Problem::TooSlow));
    (whole.into(), is_whole)
}
