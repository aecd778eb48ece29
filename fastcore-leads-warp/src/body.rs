use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Buf;
use futures_core::Stream;
use http_body::{Body, Frame};

/// A body as warp hands it out: a stream of data.
pub(crate) struct StreamedBody<S>(pub(crate) S);

impl<S, B, E> Body for StreamedBody<S>
where
    S: Stream<Item = Result<B, E>> + Unpin,
    B: Buf,
{
    type Data = B;
    type Error = E;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B>, E>>> {
        let next = ready!(Pin::new(&mut self.get_mut().0).poll_next(cx));
        Poll::Ready(next.map(|data| data.map(Frame::data)))
    }
}
