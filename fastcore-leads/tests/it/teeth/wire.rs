//! As much of HTTP/1.1 as a server of fifty lines needs.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::Request;
use http_body::{Body, Frame};
use tokio::{io::AsyncReadExt, net::TcpStream};

/// What stands before the body, and what of the body came with it.
pub(super) struct Head {
    pub(super) request: Request<()>,
    pub(super) path: String,
    pub(super) body: Vec<u8>,
    pub(super) length: usize,
    pub(super) is_chunked: bool,
    pub(super) is_waiting: bool,
}

impl Head {
    /// `None` where the client went away half-way.
    pub(super) async fn read(stream: &mut TcpStream) -> Option<Self> {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(end) = find(&bytes, b"\r\n\r\n") {
                break end;
            }
            if stream.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        };
        let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
        let body = bytes.split_off(end + 4);
        let mut lines = head.split("\r\n");
        let mut first = lines.next()?.split(' ');
        let mut request = Request::builder().method(first.next()?).uri(first.next()?);
        let (mut length, mut is_chunked, mut is_waiting) = (0, false, false);
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            match (name.to_ascii_lowercase().as_str(), value.trim()) {
                ("content-length", value) => length = value.parse().ok()?,
                ("transfer-encoding", _) => is_chunked = true,
                ("expect", _) => is_waiting = true,
                _ => {}
            }
            request = request.header(name, value.trim());
        }
        let request = request.body(()).ok()?;
        let path = request.uri().path().to_owned();
        Some(Self { request, path, body, length, is_chunked, is_waiting })
    }
}

pub(super) async fn read_to(stream: &mut TcpStream, body: &mut Vec<u8>, length: usize) -> Option<()> {
    while body.len() < length {
        if stream.read_buf(body).await.ok()? == 0 {
            return None;
        }
    }
    Some(())
}

/// A body of which nothing more comes.
pub(super) struct Stalled;

impl Body for Stalled {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

pub(super) fn unchunked(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = find(bytes, b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).ok()?, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend(bytes.get(end + 2..end + 2 + size)?);
        bytes = bytes.get(end + 2 + size + 2..)?;
    }
}

pub(super) fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
