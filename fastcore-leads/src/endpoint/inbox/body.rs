//! What requests hold, and what answers do.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_core::Stream;
use http_body::{Body, Frame, SizeHint};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error, MapAccess, Visitor},
};
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use super::Refusal;
use crate::{
    audit::Actor,
    inbox::{Note, Reason, SearchCursor},
    lead::{LeadStatus, Service},
};

/// The body of a search.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    pub(super) text: String,
    #[serde(default)]
    pub(super) status: Vec<LeadStatus>,
    #[serde(default)]
    pub(super) service: Option<Service>,
    #[serde(default)]
    pub(super) source: Vec<String>,
    #[serde(default)]
    pub(super) from: Option<String>,
    #[serde(default)]
    pub(super) to: Option<String>,
    #[serde(default)]
    pub(super) after: Option<SearchCursor>,
    #[serde(default, deserialize_with = "whole")]
    pub(super) limit: Option<u32>,
    #[serde(default)]
    pub(super) reveal: Option<bool>,
}

/// A number without a fraction, however it is written: to JSON Schema, `50.0` is an integer.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let Some(number) = Option::<f64>::deserialize(deserializer)? else { return Ok(None) };
    // A number without a fraction is told without one.
    number.to_string().parse().map(Some).map_err(|_| D::Error::custom("not a whole number"))
}

/// The body of a move.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Move {
    pub(super) from: LeadStatus,
    pub(super) to: LeadStatus,
    #[serde(default)]
    pub(super) reason: Option<Reason>,
}

/// The body of a note.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Noted {
    pub(super) text: Note,
}

/// The body that gives a lead to somebody. A member that is null is nobody in particular; neither may be left out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Assignment {
    #[serde(deserialize_with = "Option::deserialize")]
    pub(super) from: Option<Actor>,
    #[serde(deserialize_with = "Option::deserialize")]
    pub(super) to: Option<Actor>,
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

/// The body of an export.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Person {
    pub(super) email: String,
}

/// The body of an erasure of all that is held on a person.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Erasure {
    pub(super) email: String,
    #[serde(default)]
    pub(super) reason: Option<Reason>,
}

/// Reads a body: first one JSON object with each member once, and then the members.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    let Members(members) = serde_json::from_slice(body).map_err(|_| Refusal::Malformed)?;
    serde_json::from_value(Value::Object(members)).map_err(|_| Refusal::Invalid)
}

/// An object, and not the list of its members' values that serde takes for a struct as well.
struct Members(Map<String, Value>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Once;

        impl<'de> Visitor<'de> for Once {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Map::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if members.insert(name, value).is_some() {
                        return Err(A::Error::custom("a member comes twice"));
                    }
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Once)
    }
}

/// The body of an [`InboxEndpoint`](super::InboxEndpoint)'s answer: whole, or leads that are read while they are sent.
pub struct InboxBody(Kind);

enum Kind {
    Whole(Option<Bytes>),
    Pieces(mpsc::Receiver<Piece>),
    /// All that there was, or that it broke off.
    Ended,
}

/// What is sent of a file.
pub(super) enum Piece {
    Bytes(Bytes),
    /// It is whole. Where the sender is gone without it, it is not.
    End,
}

impl InboxBody {
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self(Kind::Whole(Some(bytes)))
    }

    pub(super) fn pieces(pieces: mpsc::Receiver<Piece>) -> Self {
        Self(Kind::Pieces(pieces))
    }

    /// Returns the bytes where all are there, or itself: a stream of them.
    ///
    /// # Errors
    /// Itself, if the bytes are read while they are sent.
    pub fn into_bytes(self) -> Result<Bytes, Self> {
        match self.0 {
            Kind::Whole(bytes) => Ok(bytes.unwrap_or_default()),
            pieces => Err(Self(pieces)),
        }
    }
}

impl Stream for InboxBody {
    type Item = Result<Bytes, InterruptedSheet>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let kind = &mut self.get_mut().0;
        let last = match kind {
            Kind::Whole(bytes) => return Poll::Ready(bytes.take().map(Ok)),
            Kind::Pieces(pieces) => match ready!(pieces.poll_recv(cx)) {
                Some(Piece::Bytes(bytes)) => return Poll::Ready(Some(Ok(bytes))),
                Some(Piece::End) => None,
                None => Some(Err(InterruptedSheet)),
            },
            Kind::Ended => None,
        };
        *kind = Kind::Ended;
        Poll::Ready(last)
    }
}

impl Body for InboxBody {
    type Data = Bytes;
    type Error = InterruptedSheet;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, InterruptedSheet>>> {
        self.poll_next(cx).map(|next| next.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Whole(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Kind::Pieces(_) => false,
            Kind::Ended => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Kind::Pieces(_) => SizeHint::default(),
            Kind::Ended => SizeHint::with_exact(0),
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
