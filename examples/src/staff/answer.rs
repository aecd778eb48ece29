//! Answers: their status, headers and body.

use std::{
    pin::Pin,
    sync::{LazyLock, Mutex, PoisonError},
    task::{Context, Poll},
};

use askama::Template;
use bytes::Bytes;
use fastcore_leads::endpoint::InboxBody;
use futures_util::{Stream, StreamExt, stream::BoxStream};
use http::{
    HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_LENGTH, LOCATION},
};
use sha2::{Digest, Sha256};

use crate::{
    answer::{TEXT, answer},
    hexadecimal,
    web::secured,
};

/// A stream of bytes that may break off. The lock is never waited for: it makes the stream one that can be shared, as warp asks.
pub struct Pieces(Mutex<BoxStream<'static, Result<Bytes, std::io::Error>>>);

impl Pieces {
    pub(super) fn new(stream: impl Stream<Item = Result<Bytes, std::io::Error>> + Send + 'static) -> Self {
        Self(Mutex::new(stream.boxed()))
    }
}

impl Stream for Pieces {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().0.get_mut().unwrap_or_else(PoisonError::into_inner).poll_next_unpin(context)
    }
}

impl std::fmt::Debug for Pieces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pieces").finish_non_exhaustive()
    }
}

/// The body of an answer to a colleague.
pub enum StaffBody {
    /// All of it.
    Whole(Bytes),
    /// What is made while it is sent: a file of leads, or news as they come.
    Pieces(Pieces),
}

impl std::fmt::Debug for StaffBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StaffBody").field("is_whole", &matches!(self, Self::Whole(_))).finish_non_exhaustive()
    }
}

impl From<InboxBody> for StaffBody {
    fn from(body: InboxBody) -> Self {
        match body.into_bytes() {
            Ok(whole) => Self::Whole(whole),
            Err(pieces) => Self::Pieces(Pieces::new(pieces.map(|piece| piece.map_err(std::io::Error::other)))),
        }
    }
}

const HTML: &str = "text/html; charset=utf-8";

pub(super) fn page(status: StatusCode, page: &impl Template) -> Response<StaffBody> {
    // Writing to memory does not fail.
    finish(answer(status, HTML, page.render().unwrap_or_default()))
}

pub(super) fn text(status: StatusCode, text: &'static str) -> Response<StaffBody> {
    finish(answer(status, TEXT, text))
}

pub(super) fn see_other(target: &str) -> Response<StaffBody> {
    let mut response = text(StatusCode::SEE_OTHER, "");
    if let Ok(target) = HeaderValue::try_from(target) {
        response.headers_mut().insert(LOCATION, target);
    }
    response
}

pub(super) fn not_allowed(allowed: &'static str) -> Response<StaffBody> {
    finish(crate::answer::not_allowed(allowed))
}

/// What is sent while it is made.
pub(super) fn pieces(kind: &'static str, pieces: Pieces) -> Response<StaffBody> {
    let mut response = answer(StatusCode::OK, kind, Bytes::new());
    response.headers_mut().remove(CONTENT_LENGTH);
    secured(response.map(|_| StaffBody::Pieces(pieces)))
}

fn finish(response: Response<Bytes>) -> Response<StaffBody> {
    secured(response.map(StaffBody::Whole))
}

static ASSETS: [(&str, &str, &str); 3] = [
    ("staff.css", "text/css; charset=utf-8", include_str!("../../assets/staff.css")),
    ("icon.svg", "image/svg+xml", include_str!("../../assets/icon.svg")),
    ("staff.js", "text/javascript; charset=utf-8", include_str!("../../assets/staff.js")),
];

/// Changes with the assets: pages ask for them under it, so that browsers may keep them.
pub(super) static ASSETS_VERSION: LazyLock<String> = LazyLock::new(|| {
    let all: String = ASSETS.iter().map(|(_, _, text)| *text).collect();
    hexadecimal(&Sha256::digest(all)[..8])
});

/// A file that the pages ask for; whoever is not signed in may have it too.
pub(super) fn asset(name: &str) -> Option<Response<StaffBody>> {
    let (_, kind, text) = ASSETS.iter().find(|(found, _, _)| *found == name)?;
    let mut response = finish(answer(StatusCode::OK, kind, Bytes::from_static(text.as_bytes())));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=86400"));
    Some(response)
}
