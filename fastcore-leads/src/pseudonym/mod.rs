//! What a sender says of its visitors instead of who they are: keyed hashes of addresses and user agents.

mod address;
mod pepper;

/// A network of trusted proxies.
pub use ipnet::IpNet;

pub use self::{
    address::{ForwardedHeader, Proxies, UnknownHeader},
    pepper::{MIN_PEPPER_LENGTH, PEPPER_VARIABLE, Pepper, PepperError},
};
