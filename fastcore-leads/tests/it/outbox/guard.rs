use std::{net::IpAddr, time::Duration};

use fastcore_leads::{
    Transport, bytes,
    http::Request,
    transport::{ReqwestTransport, is_public},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

#[test]
fn addresses_that_are_not_on_the_internet_are_known() {
    for address in [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
        "::10.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b::169.254.169.254",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:a00:1::",
        "3fff::1",
        "fc00::1",
        "fd12::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ] {
        assert!(!is_public(address.parse::<IpAddr>().unwrap()), "{address}");
    }
    for address in [
        "1.1.1.1",
        "100.63.255.255",
        "100.128.0.1",
        "172.32.0.1",
        "193.0.0.1",
        "2606:4700::1",
        "2a00::1",
        "64:ff9b::1.1.1.1",
    ] {
        assert!(is_public(address.parse::<IpAddr>().unwrap()), "{address}");
    }
}

fn get(url: &str) -> Request<bytes::Bytes> {
    Request::get(url).body(bytes::Bytes::new()).unwrap()
}

/// By address in any spelling, and by name.
#[tokio::test]
async fn a_guarded_transport_connects_to_allowed_networks_alone() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let guarded = |allowed: &[&str]| {
        let allowed = allowed.iter().map(|network| network.parse().unwrap()).collect();
        ReqwestTransport::guarded(Duration::from_secs(5), allowed).unwrap()
    };
    let refused = guarded(&[]);
    let hosts = ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "[::ffff:127.0.0.1]", "[::1]"];
    for host in hosts {
        assert!(refused.send(get(&format!("http://{host}:{port}/"))).await.is_err(), "{host}");
    }
    let nobody = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(nobody.is_err(), "nobody may have connected");

    let server = tokio::spawn(async move {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await.unwrap();
            // A redirect is answered, and not followed.
            let answer = "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let allowed = guarded(&["127.0.0.0/8"]);
    for host in ["127.0.0.1", "localhost"] {
        let response = allowed.send(get(&format!("http://{host}:{port}/"))).await.unwrap();
        assert_eq!(response.status(), 302);
    }
    server.await.unwrap();
    assert!(allowed.send(get("http://10.0.0.1/")).await.is_err(), "another network");
}
