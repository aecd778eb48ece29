//! The same load by another program: wrk, with one thread.

use std::{fs, net::SocketAddr, process::Command, time::Duration};

use fastcore_leads::testing::TempDir;

use crate::load::{ADDRESS, Load, Result, template};

const MISSING: &str = "wrk is missing: `apt-get install wrk`, or leave it out with `--generators own`";

/// What wrk runs: each request has ids of its own, that are as far from each other as a browser's. `done` says what was counted.
const SCRIPT: &str = r#"
local pieces = { PIECES }
local count = 0
function init(arguments)
  math.randomseed(tonumber(arguments[1]))
  seed = arguments[1]
end
function request()
  count = count + 1
  local id = string.format("%08x-%04x-4%03x-8000-%012x", math.random(0, 0xffffffff), seed % 0x10000, count % 0x1000, count)
  return table.concat(pieces, id)
end
function done(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format("counted %d %d %d %d %d\n", summary.requests, failed, summary.duration,
    latency:percentile(50), latency:percentile(99)))
end
"#;

/// Sends leads, without a warm-up. Those that are under way at the end may be committed, and are not counted.
pub(crate) fn run(load: &Load, address: SocketAddr) -> Result {
    let request = String::from_utf8(template()).expect("text");
    let id = &ADDRESS[..36];
    let pieces: Vec<String> = split(&request, id).iter().map(|piece| format!("{piece:?}")).collect();
    let dir = TempDir::new();
    let script = dir.path().join("leads.lua");
    fs::write(&script, SCRIPT.replace("PIECES", &pieces.join(", "))).expect("the directory can be written");
    let seed = uuid::Uuid::now_v7().as_u128() as u32;
    let output = Command::new("wrk")
        .args(["-t", "1", "-c", &load.connections.to_string(), "-d", &format!("{}s", load.seconds.as_secs().max(1))])
        .arg("-s")
        .arg(&script)
        .args([&format!("http://{address}/inbound/leads"), "--", &seed.to_string()])
        .output()
        .expect(MISSING);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let counted = text.lines().find_map(|line| line.strip_prefix("counted ")).unwrap_or_else(|| panic!("{text}"));
    let counted: Vec<u64> = counted.split(' ').map(|number| number.parse().expect("a number")).collect();
    let [requests, failed, micros, p50, p99] = counted[..] else { panic!("{text}") };
    assert_eq!(failed, 0, "{text}");
    Result {
        acknowledged: requests,
        per_second: requests as f64 / micros as f64 * 1e6,
        p50: Duration::from_micros(p50),
        p99: Duration::from_micros(p99),
    }
}

/// Without the id of the request and of the address.
fn split<'a>(request: &'a str, address_id: &str) -> Vec<&'a str> {
    let request_id = request.split("\"request_id\":\"").nth(1).and_then(|rest| rest.get(..36)).expect("an id");
    request.split(request_id).flat_map(|piece| piece.split(address_id)).collect()
}
