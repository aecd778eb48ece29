//! The load: connections that are kept open, each sending its next lead as soon as the last one is acknowledged.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use fastcore_leads::testing::{TOKEN, body};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};
use uuid::Uuid;

use crate::{candidates::block_on, wrk};

/// Who sends the leads.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Generator {
    Own,
    Wrk,
}

impl Generator {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Wrk => "wrk",
        }
    }

    pub(crate) fn run(self, load: &Load, address: SocketAddr) -> Result {
        match self {
            Self::Own => load.run(address),
            Self::Wrk => wrk::run(load, address),
        }
    }
}

pub(crate) struct Load {
    pub(crate) connections: usize,
    /// Sent before the clock starts, and acknowledged too.
    pub(crate) warm_up: Duration,
    pub(crate) seconds: Duration,
}

pub(crate) struct Result {
    /// All leads that were answered 201, those of the warm-up included.
    pub(crate) acknowledged: u64,
    pub(crate) per_second: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

impl Load {
    pub(crate) fn run(&self, address: SocketAddr) -> Result {
        block_on(async {
            let start = Instant::now() + self.warm_up;
            let end = start + self.seconds;
            let mut clients = JoinSet::new();
            for _ in 0..self.connections {
                clients.spawn(client(address, start, end));
            }
            let mut acknowledged = 0;
            let mut times = Vec::new();
            for (count, mut measured) in clients.join_all().await {
                acknowledged += count;
                times.append(&mut measured);
            }
            times.sort_unstable();
            let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
            Result {
                acknowledged,
                per_second: times.len() as f64 / self.seconds.as_secs_f64(),
                p50: at(0.5),
                p99: at(0.99),
            }
        })
    }
}

/// Answers how many leads were acknowledged, and the times of those sent and answered between start and end.
async fn client(address: SocketAddr, start: Instant, end: Instant) -> (u64, Vec<Duration>) {
    let mut request = template();
    let id_at = find(&request, b"\"request_id\":\"").expect("the template has one") + 14;
    let address_at = find(&request, ADDRESS.as_bytes()).expect("the template has one");
    let mut stream = TcpStream::connect(address).await.expect("the service listens");
    stream.set_nodelay(true).expect("TCP_NODELAY");
    let mut answer = Vec::with_capacity(1024);
    let (mut acknowledged, mut times) = (0, Vec::new());
    loop {
        let sent = Instant::now();
        if sent >= end {
            return (acknowledged, times);
        }
        let id = Uuid::now_v7().hyphenated();
        id.encode_lower(&mut request[id_at..id_at + 36]);
        id.encode_lower(&mut request[address_at..address_at + 36]);
        stream.write_all(&request).await.expect("the service reads");
        read_answer(&mut stream, &mut answer).await;
        assert!(answer.starts_with(b"HTTP/1.1 201 "), "{}", String::from_utf8_lossy(&answer));
        acknowledged += 1;
        let now = Instant::now();
        if sent >= start && now <= end {
            times.push(now - sent);
        }
    }
}

/// Each lead has an address of its own in the place of the digits.
pub(crate) const ADDRESS: &str = "00000000-0000-0000-0000-000000000000@example.com";

pub(crate) fn template() -> Vec<u8> {
    let mut body = body();
    body["email"] = ADDRESS.into();
    let body = body.to_string();
    format!(
        "POST /inbound/leads HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nauthorization: Bearer {TOKEN}\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Reads one answer with `Content-Length`.
pub(crate) async fn read_answer(stream: &mut TcpStream, answer: &mut Vec<u8>) {
    answer.clear();
    loop {
        let read = stream.read_buf(answer).await.expect("an answer comes");
        assert!(read > 0, "the connection ended");
        let Some(head) = find(answer, b"\r\n\r\n") else { continue };
        let at = find(answer, b"content-length: ").expect("a length") + 16;
        let digits = answer[at..].iter().take_while(|byte| byte.is_ascii_digit());
        let length = digits.fold(0, |n, digit| n * 10 + usize::from(digit - b'0'));
        if answer.len() >= head + 4 + length {
            return;
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
