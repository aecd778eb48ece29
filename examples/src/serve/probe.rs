//! Whether the service that runs with these settings is ready, for the health check of a container.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(5);

/// Asks `/readyz` of whatever listens there.
///
/// # Errors
/// A sentence, if it is not ready.
pub(crate) fn run(listen: &str) -> Result<(), String> {
    let unreachable = |error: std::io::Error| format!("{listen} does not answer: {error}");
    let address = listen.to_socket_addrs().map_err(unreachable)?.next().map(local);
    let address = address.ok_or_else(|| format!("{listen} is no address"))?;
    let ask = || {
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        Ok(status)
    };
    let status = ask().map_err(unreachable)?;
    if &status == b"HTTP/1.1 200" {
        return Ok(());
    }
    Err(format!("{listen} is not ready: it answers {}", String::from_utf8_lossy(&status[9..])))
}

/// What listens everywhere listens here, too.
fn local(address: SocketAddr) -> SocketAddr {
    let here: std::net::IpAddr = match address {
        SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
    };
    if address.ip().is_unspecified() { SocketAddr::new(here, address.port()) } else { address }
}
