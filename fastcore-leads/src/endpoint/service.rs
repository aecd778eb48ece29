use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use tower_service::Service;

#[cfg(feature = "proof")]
use super::AuditEndpoint;
use super::{Endpoint, EventsEndpoint, InboxBody, InboxEndpoint};

macro_rules! service {
    ($(#[$doc:meta])* $endpoint:ident, $body:ty, where $($bounds:tt)*) => {
        $(#[$doc])*
        impl<B> Service<Request<B>> for $endpoint
        where
            $($bounds)*
        {
            type Response = Response<$body>;
            type Error = Infallible;
            type Future = Answering<$body>;

            fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
                Poll::Ready(Ok(()))
            }

            fn call(&mut self, request: Request<B>) -> Self::Future {
                let endpoint = self.clone();
                Box::pin(async move { Ok(endpoint.handle(request).await.map(Into::into)) })
            }
        }
    };
}

service! {
    /// For a host that composes services: [`handle`](Endpoint::handle), always ready. A full queue answers 503 at once.
    Endpoint, Full<Bytes>, where B: Body<Data: Buf + Send, Error: Send> + Send + 'static
}
service! {
    /// As for [`Endpoint`]: [`handle`](EventsEndpoint::handle), always ready.
    EventsEndpoint, Full<Bytes>, where B: Send + 'static
}
service! {
    /// As for [`Endpoint`]: [`handle`](InboxEndpoint::handle), always ready.
    InboxEndpoint, InboxBody, where B: Body<Data: Buf + Send, Error: Send> + Send + 'static
}

#[cfg(feature = "proof")]
service! {
    /// As for [`Endpoint`]: [`handle`](super::AuditEndpoint::handle), always ready.
    AuditEndpoint, Full<Bytes>, where B: Send + 'static
}

type Answering<B> = Pin<Box<dyn Future<Output = Result<Response<B>, Infallible>> + Send>>;
