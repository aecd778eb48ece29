//! More leads than the database takes: the table is locked, the queue is full, and the rest is refused.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use fastcore_leads::testing::postgres::Cluster;
use tokio::{io::AsyncWriteExt, net::TcpStream, task::JoinSet};
use uuid::Uuid;

use crate::{
    candidates::{SERVE, block_on},
    load::{read_answer, template},
    process::Service,
};

const CONNECTIONS: usize = 256;
const CAPACITY: &str = "64";

/// How long refusals take, and the memory of the service meanwhile.
pub(crate) fn measure(cluster: &Cluster) {
    let candidate = &SERVE;
    let place = candidate.place(cluster);
    let service = Service::start_with(candidate, &place, &["--queue-capacity", CAPACITY, "--max-batch", "16"]);
    let lock = cluster.session(&place.url, "BEGIN; LOCK TABLE lead_inbox;");
    let (address, is_over) = (service.address(), Arc::new(AtomicBool::new(false)));
    let mut times = block_on(async {
        let mut clients = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let is_over = Arc::clone(&is_over);
            clients.spawn(async move {
                let mut request = template();
                let id_at = request.windows(14).position(|window| window == b"\"request_id\":\"").expect("an id") + 14;
                let mut stream = TcpStream::connect(address).await.expect("the service listens");
                let (mut answer, mut times) = (Vec::with_capacity(1024), Vec::new());
                while !is_over.load(Ordering::Relaxed) {
                    let sent = Instant::now();
                    Uuid::now_v7().hyphenated().encode_lower(&mut request[id_at..id_at + 36]);
                    stream.write_all(&request).await.expect("the service reads");
                    read_answer(&mut stream, &mut answer).await;
                    assert!(answer.starts_with(b"HTTP/1.1 503 "), "{}", String::from_utf8_lossy(&answer));
                    // The others were in the queue, and waited for the database.
                    if sent.elapsed() < Duration::from_secs(1) {
                        times.push(sent.elapsed());
                    }
                }
                times
            });
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
        is_over.store(true, Ordering::Relaxed);
        clients.join_all().await.concat()
    });
    drop(lock);
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!(
        "{} refusals over {CONNECTIONS} connections: p50 {:.2?}, p99 {:.2?}, slowest {:.2?}; peak memory {:.1} MiB",
        times.len(),
        at(0.5),
        at(0.99),
        at(1.0),
        service.peak_mib()
    );
}
