//! What requests hold, and what answers do.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_core::Stream;
use http_body::{Body, Frame, SizeHint};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::sync::mpsc;

use super::Refusal;
use crate::{inbox::Reason, lead::LeadStatus};

/// The body of a move.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Move {
    pub(super) from: LeadStatus,
    pub(super) to: LeadStatus,
    #[serde(default)]
    pub(super) reason: Option<Reason>,
}

/// The body of any other change.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Why {
    #[serde(default)]
    pub(super) reason: Option<Reason>,
}

/// The body of what is asked about a person.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Subject {
    pub(super) email: String,
    #[serde(default)]
    pub(super) reason: Option<Reason>,
}

pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| if error.is_data() { Refusal::Invalid } else { Refusal::Malformed })
}

/// The body of an [`InboxEndpoint`](super::InboxEndpoint)'s answer: whole, or leads that are read while they are sent.
pub struct InboxBody(Kind);

enum Kind {
    Whole(Option<Bytes>),
    Pieces(mpsc::Receiver<Result<Bytes, InterruptedSheet>>),
}

impl InboxBody {
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self(Kind::Whole(Some(bytes)))
    }

    pub(super) fn pieces(pieces: mpsc::Receiver<Result<Bytes, InterruptedSheet>>) -> Self {
        Self(Kind::Pieces(pieces))
    }

    /// Returns the bytes where all are there, or itself: a stream of them.
    ///
    /// # Errors
    /// Itself, if the bytes are read while they are sent.
    pub fn into_bytes(self) -> Result<Bytes, Self> {
        match self.0 {
            Kind::Whole(bytes) => Ok(bytes.unwrap_or_default()),
            pieces @ Kind::Pieces(_) => Err(Self(pieces)),
        }
    }
}

impl Stream for InboxBody {
    type Item = Result<Bytes, InterruptedSheet>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match &mut self.get_mut().0 {
            Kind::Whole(bytes) => Poll::Ready(bytes.take().map(Ok)),
            Kind::Pieces(pieces) => pieces.poll_recv(cx),
        }
    }
}

impl Body for InboxBody {
    type Data = Bytes;
    type Error = InterruptedSheet;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, InterruptedSheet>>> {
        self.poll_next(cx).map(|next| next.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.0, Kind::Whole(bytes) if bytes.as_ref().is_none_or(Bytes::is_empty))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Kind::Pieces(_) => SizeHint::default(),
        }
    }
}

impl fmt::Debug for InboxBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboxBody").field("is_whole", &matches!(self.0, Kind::Whole(_))).finish_non_exhaustive()
    }
}

/// The database stopped answering after the first leads of a file were sent: the connection is cut, so that whoever receives it
/// learns that it is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the leads could not be read to their end")]
pub struct InterruptedSheet;
