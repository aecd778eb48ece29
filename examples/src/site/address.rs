use std::net::{IpAddr, SocketAddr};

use clap::ValueEnum;
use http::HeaderMap;
use ipnet::IpNet;

/// Whose word on a visitor's address is taken, and in which header they give it.
///
/// Anybody can send these headers. They count only on connections from a proxy that the operator named, and only as far as
/// each hop was added by such a proxy: from the last entry backwards, the first address that is no proxy's is the visitor's.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    /// The proxies, as networks.
    pub trusted: Vec<IpNet>,
    /// Which header they add to. The other is ignored: a proxy that does not know it passes on what a visitor made up.
    pub header: ForwardedHeader,
}

/// The header that a proxy notes its client's address in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`: a list of addresses.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239): elements with `for=`.
    Forwarded,
}

impl Proxies {
    /// The visitor's address, where the connection comes from `peer`.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let (name, read, quotes): (_, fn(&str) -> Option<IpAddr>, _) = match self.header {
            ForwardedHeader::XForwardedFor => ("x-forwarded-for", address, false),
            ForwardedHeader::Forwarded => ("forwarded", forwarded_for, true),
        };
        // Several fields of a name are one list (RFC 9110, section 5.3).
        // What a client wrote into its own entry may be no text at all; it spoils that entry alone.
        let fields: Vec<_> =
            headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        let entries: Vec<&str> = fields.iter().flat_map(|field| split(field, ',', quotes)).collect();
        for entry in entries.iter().rev() {
            if !self.trusts(client) {
                break;
            }
            // What cannot be read hides who came before: the proxy that wrote it is the best that is known.
            let Some(address) = read(entry) else { break };
            client = address;
        }
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(&address))
    }
}

/// An element of `Forwarded`, such as `for="[2001:db8::1]:4711";proto=https`.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    split(element, ';', true).find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let value = value.trim();
        let value = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
        name.trim().eq_ignore_ascii_case("for").then(|| address(value))?
    })
}

/// An address, with or without a port; IPv6 with or without brackets.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let parsed = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()))?;
    Some(IpAddr::to_canonical(&parsed))
}

/// Splits at a character; where texts may be quoted, only outside of quotes. A quote that a client left open ends with its
/// own entry: it does not swallow what proxies add behind.
fn split(text: &str, separator: char, may_quote: bool) -> impl Iterator<Item = &str> {
    let may_quote = may_quote && text.matches('"').count().is_multiple_of(2);
    let mut is_quoted = false;
    text.split(move |c: char| {
        is_quoted ^= may_quote && c == '"';
        c == separator && !is_quoted
    })
}
