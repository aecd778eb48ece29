use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use http::HeaderMap;
use ipnet::IpNet;

/// Whose word on a visitor's address is taken, and in which header they give it.
///
/// ```
/// use fastcore_leads::{http::HeaderMap, pseudonym::Proxies};
///
/// let proxies = Proxies { trusted: vec!["10.0.0.0/8".parse()?], ..Proxies::default() };
/// let headers = HeaderMap::from_iter([("x-forwarded-for".parse()?, "198.51.100.1".parse()?)]);
/// assert_eq!(proxies.client("10.0.0.1".parse()?, &headers).to_string(), "198.51.100.1");
/// assert_eq!(proxies.client("203.0.113.9".parse()?, &headers).to_string(), "203.0.113.9");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
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
        let name = self.header.as_str();
        let (read, quotes): (fn(&str) -> Option<IpAddr>, _) = match self.header {
            ForwardedHeader::XForwardedFor => (address, false),
            ForwardedHeader::Forwarded => (forwarded_for, true),
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

    /// Whether the header comes from somebody whose word is not taken: a proxy that the operator forgot, or a visitor who
    /// made it up.
    pub fn ignores(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        headers.contains_key(self.header.as_str()) && !self.trusts(peer.to_canonical())
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(&address))
    }
}

impl ForwardedHeader {
    /// Every header.
    pub const ALL: [Self; 2] = [Self::XForwardedFor, Self::Forwarded];

    /// The header's name, in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::XForwardedFor => "x-forwarded-for",
            Self::Forwarded => "forwarded",
        }
    }
}

impl fmt::Display for ForwardedHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ForwardedHeader {
    type Err = UnknownHeader;

    fn from_str(text: &str) -> Result<Self, UnknownHeader> {
        Self::ALL.into_iter().find(|header| header.as_str().eq_ignore_ascii_case(text)).ok_or(UnknownHeader)
    }
}

/// Not a header that a [`ForwardedHeader`] stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("give x-forwarded-for or forwarded")]
pub struct UnknownHeader;

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
