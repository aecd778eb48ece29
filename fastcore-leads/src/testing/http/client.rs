//! A client that sends exactly the bytes that it is given.

use std::{net::SocketAddr, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{endpoint::INBOUND_LEADS_PATH, testing::TOKEN};

/// No answer takes longer; a server that says nothing fails the test.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer, taken apart. Two are equal if they differ in nothing but the `Date` that a server puts on them.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers in the order that they came in, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl PartialEq for Answer {
    fn eq(&self, other: &Self) -> bool {
        let undated = |answer: &'_ Self| -> Vec<(String, String)> {
            answer.headers.iter().filter(|(name, _)| name != "date").cloned().collect()
        };
        (self.status, undated(self), &self.body) == (other.status, undated(other), &other.body)
    }
}

impl Eq for Answer {}

impl Answer {
    /// The header of a name, unless it comes twice.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(header, _)| header == name);
        let (value, None) = (values.next()?, values.next()) else { return None };
        Some(&value.1)
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }
}

/// Writes a request with `Content-Length`, for a connection of its own.
pub fn request(method: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{method} {INBOUND_LEADS_PATH} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    [head.as_bytes(), body].concat()
}

/// Writes the request that the site sends for a lead.
pub fn lead_request(body: &Value) -> Vec<u8> {
    authorized(body.to_string().as_bytes())
}

/// Writes a request with a valid head around any body.
pub fn authorized(body: &[u8]) -> Vec<u8> {
    let authorization = format!("Bearer {TOKEN}");
    request("POST", &[("authorization", &authorization), ("content-type", "application/json")], body)
}

/// Writes the same in chunks of a size, with trailer lines such as `"x: y\r\n"`.
pub fn chunked(body: &[u8], size: usize, trailer: &str) -> Vec<u8> {
    let mut sent = format!(
        "POST {INBOUND_LEADS_PATH} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {TOKEN}\r\n\
         connection: close\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    .into_bytes();
    for chunk in body.chunks(size) {
        sent.extend(format!("{:x}\r\n", chunk.len()).bytes());
        sent.extend(chunk);
        sent.extend(b"\r\n");
    }
    sent.extend(format!("0\r\n{trailer}\r\n").bytes());
    sent
}

/// Asks for a target with a token, and with a body of JSON where there is one.
pub(super) async fn ask(address: SocketAddr, method: &str, target: &str, token: &str, body: Option<&str>) -> Answer {
    let mut head = format!("{method} {target} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n");
    if !token.is_empty() {
        head.push_str(&format!("authorization: Bearer {token}\r\n"));
    }
    if body.is_some() {
        head.push_str("content-type: application/json\r\n");
    }
    let body = body.unwrap_or_default();
    exchange(address, format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes()).await
}

/// Sends bytes on a connection of their own and reads one answer, which must come.
pub async fn exchange(address: SocketAddr, request: &[u8]) -> Answer {
    match try_exchange(address, request).await {
        Ok(answer) => answer,
        Err(got) => panic!("the connection ended after {:?}", String::from_utf8_lossy(&got)),
    }
}

/// As [`exchange`], with a server that may die meanwhile.
///
/// # Errors
/// What was received, where the connection ended before an answer was whole.
pub async fn try_exchange(address: SocketAddr, request: &[u8]) -> Result<Answer, Vec<u8>> {
    let is_head = request.starts_with(b"HEAD ");
    let read = async {
        let stream = TcpStream::connect(address).await.map_err(|_| Vec::new())?;
        let (mut reader, mut writer) = stream.into_split();
        // A server may answer, and close, before all is sent.
        let send = async { writer.write_all(request).await.ok() };
        let receive = async {
            let mut bytes = Vec::new();
            loop {
                if let Some(answer) = take_apart(&bytes, is_head) {
                    return Ok(answer);
                }
                let before = bytes.len();
                if reader.read_buf(&mut bytes).await.is_err() || bytes.len() == before {
                    return Err(bytes);
                }
            }
        };
        tokio::join!(send, receive).1
    };
    timeout(PATIENCE, read).await.expect("an answer comes")
}

/// Sends bytes and closes the connection without waiting for an answer.
pub(super) async fn send_and_leave(address: SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    stream.write_all(bytes).await.expect("the server reads");
}

/// An answer, once it is whole.
fn take_apart(bytes: &[u8], is_head: bool) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).expect("a head in ASCII");
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().expect("a status");
    let headers: Vec<_> = lines
        .map(|line| line.split_once(": ").expect("a header"))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let mut answer = Answer { status, headers, body: bytes[end + 4..].to_vec() };
    if answer.header("transfer-encoding") == Some("chunked") {
        answer.body = unchunked(&bytes[end + 4..])?;
        return Some(answer);
    }
    let length = answer.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    if is_head || answer.body.len() >= length {
        answer.body.truncate(if is_head { 0 } else { length });
        return Some(answer);
    }
    None
}

/// What came in chunks, once the last of them is there.
fn unchunked(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let end = bytes.windows(2).position(|window| window == b"\r\n")?;
        let size = std::str::from_utf8(&bytes[..end]).expect("a size in ASCII");
        let size = usize::from_str_radix(size, 16).expect("a size in hexadecimal");
        let chunk = bytes.get(end + 2..end + 2 + size)?;
        whole.extend_from_slice(chunk);
        bytes = bytes.get(end + 2 + size + 2..)?;
        if size == 0 {
            return Some(whole);
        }
    }
}
