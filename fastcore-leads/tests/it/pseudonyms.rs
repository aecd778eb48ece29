//! Visitors' addresses: where they come from, and what becomes of them.

use std::net::IpAddr;

use fastcore_leads::{
    chrono::{TimeZone, Utc},
    http::{HeaderMap, HeaderValue},
    pseudonym::{ForwardedHeader, Pepper, Proxies},
    testing::Random,
};

#[test]
fn hashes_change_with_the_pepper_and_the_month_and_cut_ipv6_to_a_household() {
    let pepper = Pepper::parse("a-pepper-of-some-length").unwrap();
    let other = Pepper::parse("another-pepper-of-length").unwrap();
    let november = Utc.with_ymd_and_hms(2026, 11, 30, 23, 59, 59).unwrap();
    let december = Utc.with_ymd_and_hms(2026, 12, 1, 0, 0, 0).unwrap();
    let of = |text: &str| text.parse::<IpAddr>().unwrap();
    let hash = pepper.hash_address(of("203.0.113.7"), november);
    assert_eq!(hash, pepper.hash_address(of("::ffff:203.0.113.7"), november), "one address, two spellings");
    let (id, rest) = hash.split_once('-').unwrap();
    assert_eq!((id.len(), rest.starts_with("202611.")), (8, true), "{hash}");
    assert!(hash.len() <= 128 && hash.parse::<IpAddr>().is_err());
    let others = [
        pepper.hash_address(of("203.0.113.8"), november),
        pepper.hash_address(of("203.0.113.7"), december),
        other.hash_address(of("203.0.113.7"), november),
        pepper.hash_user_agent(&[203, 0, 113, 7], november),
    ];
    for one in &others {
        assert_ne!(one.split('.').next_back(), hash.split('.').next_back());
    }
    assert_eq!(
        pepper.hash_address(of("2001:db8::1"), november),
        pepper.hash_address(of("2001:db8:0:0:ffff:ffff:ffff:ffff"), november)
    );
    assert_ne!(pepper.hash_address(of("2001:db8::1"), november), pepper.hash_address(of("2001:db8:0:1::1"), november));
    assert!(!format!("{pepper:?}").contains("a-pepper"));
    for bad in ["", "short", "a-pepper-of-some-length,short", ","] {
        assert!(Pepper::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn only_configured_hops_say_where_a_visitor_comes_from() {
    let proxies = |trusted: &[&str], header| Proxies {
        trusted: trusted.iter().map(|network| network.parse().unwrap()).collect(),
        header,
    };
    let client = |proxies: &Proxies, peer: &str, headers: &[(&'static str, &str)]| {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        proxies.client(peer.parse().unwrap(), &map).to_string()
    };
    let none = proxies(&[], ForwardedHeader::XForwardedFor);
    let by_list = proxies(&["10.0.0.0/8", "::1/128"], ForwardedHeader::XForwardedFor);
    let by_rfc = proxies(&["10.0.0.0/8"], ForwardedHeader::Forwarded);
    let list = "x-forwarded-for";
    for (proxies, peer, headers, expected) in [
        (&none, "203.0.113.1", &[(list, "198.51.100.1")][..], "203.0.113.1"),
        (&by_list, "203.0.113.1", &[(list, "198.51.100.1")], "203.0.113.1"),
        (&by_list, "10.0.0.1", &[], "10.0.0.1"),
        (&by_list, "10.0.0.1", &[(list, "198.51.100.1")], "198.51.100.1"),
        (&by_list, "::ffff:10.0.0.1", &[(list, "198.51.100.1")], "198.51.100.1"),
        (&by_list, "10.0.0.1", &[(list, "6.6.6.6, 198.51.100.1, 10.2.3.4")], "198.51.100.1"),
        (&by_list, "10.0.0.1", &[(list, "6.6.6.6"), (list, "198.51.100.1:555")], "198.51.100.1"),
        (&by_list, "10.0.0.1", &[(list, "198.51.100.1, unknown")], "10.0.0.1"),
        (&by_list, "10.0.0.1", &[(list, "10.9.9.9")], "10.9.9.9"),
        (&by_list, "10.0.0.1", &[(list, "2001:db8::7, 10.9.9.9")], "2001:db8::7"),
        (&by_list, "10.0.0.1", &[("forwarded", "for=6.6.6.6")], "10.0.0.1"),
        (&by_rfc, "10.0.0.1", &[("forwarded", "for=198.51.100.1;proto=https")], "198.51.100.1"),
        (&by_rfc, "10.0.0.1", &[("forwarded", r#"for=6.6.6.6, proto=https;For="[2001:db8::7]:4711""#)], "2001:db8::7"),
        (&by_rfc, "10.0.0.1", &[("forwarded", r#"for="a,for=6.6.6.6";by=x, for=198.51.100.1"#)], "198.51.100.1"),
        (&by_rfc, "10.0.0.1", &[("forwarded", "for=198.51.100.1, for=_hidden")], "10.0.0.1"),
        (&by_rfc, "10.0.0.1", &[(list, "6.6.6.6")], "10.0.0.1"),
        (&by_list, "10.0.0.1", &[(list, "é\u{fffd}, 198.51.100.1")], "198.51.100.1"),
    ] {
        assert_eq!(client(proxies, peer, headers), expected, "{peer} {headers:?}");
    }
    // Whatever a client writes in front of what a trusted proxy adds changes nothing.
    let mut random = Random::from_env();
    let chars: Vec<char> = "0123456789abcdef.:,;=\"[] for_unknown%é".chars().collect();
    for _ in 0..5_000 {
        let made_up: String = (0..random.below(40)).map(|_| chars[random.below(chars.len())]).collect();
        let lists = format!("{made_up}, 198.51.100.1");
        assert_eq!(client(&by_list, "10.0.0.1", &[(list, &lists)]), "198.51.100.1", "{lists}");
        let elements = format!("{made_up}, for=198.51.100.1");
        assert_eq!(client(&by_rfc, "10.0.0.1", &[("forwarded", &elements)]), "198.51.100.1", "{elements}");
    }
}
