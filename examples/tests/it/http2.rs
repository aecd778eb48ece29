//! An HTTP/2 client without TLS, with prior knowledge.

use std::net::SocketAddr;

use fastcore_leads::testing::http::Answer;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

pub(crate) async fn exchange(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut request = http::Request::builder().method(method).uri(format!("http://{address}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = sender.send_request(request.body(Full::<bytes::Bytes>::from(body.to_owned())).unwrap());
    let (head, body): (_, hyper::body::Incoming) = response.await.unwrap().into_parts();
    let headers = head
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.to_str().unwrap().to_owned()))
        .collect();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    connection.abort();
    Answer { status: head.status.as_u16(), headers, body }
}
