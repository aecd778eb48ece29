//! How leads get to FASTCore.

use std::time::Duration;

use fastcore_leads::{
    Transport,
    transport::{ReqwestTransport, Unreachable},
};
use http::{Request, Response};

use crate::telemetry;

/// Sends requests with reqwest, and the context of the current trace along.
#[derive(Clone, Debug)]
pub struct TracedTransport(ReqwestTransport);

impl TracedTransport {
    /// Makes a client.
    ///
    /// # Errors
    /// [`Unreachable`], as [`ReqwestTransport::new`].
    pub fn new(connect_timeout: Duration) -> Result<Self, Unreachable> {
        ReqwestTransport::new(connect_timeout).map(Self)
    }
}

#[async_trait::async_trait]
impl Transport for TracedTransport {
    async fn send(&self, mut request: Request<bytes::Bytes>) -> Result<Response<bytes::Bytes>, Unreachable> {
        telemetry::inject(request.headers_mut());
        self.0.send(request).await
    }
}
