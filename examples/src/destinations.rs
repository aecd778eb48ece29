//! Who is told of leads, as a file says it: TOML, a `[[destination]]` for each.

use std::{collections::HashSet, fmt::Display, net::IpAddr, path::Path, time::Duration};

use fastcore_leads::{
    Service,
    outbox::{Destination, EventType, Payload, Schedule, SigningKey, Subscription, Webhook},
    transport::{ReqwestTransport, is_public},
};
use ipnet::IpNet;
use serde::Deserialize;

/// How long a receiver's machine may take to answer a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads the file, and checks every destination in it.
///
/// # Errors
/// A sentence for the operator that names the destination and what to change. It holds no key.
pub fn read(file: &Path) -> Result<Vec<Destination>, String> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| format!("{shown}: {error}"))?;
    // Where it cannot be read as TOML, the library shows the line, which may hold a key.
    let parsed: File = toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
        format!("{shown}, line {line}: {}", error.message())
    })?;
    let folder = file.parent().unwrap_or_else(|| Path::new("."));
    let mut names = HashSet::new();
    let mut destinations = Vec::new();
    for entry in parsed.destination {
        let name = entry.name.clone();
        if !names.insert(name.clone()) {
            return Err(format!("{shown}: two destinations are named {name:?}: they would share one queue"));
        }
        destinations
            .push(entry.destination(folder).map_err(|problem| format!("{shown}: destination {name:?}: {problem}"))?);
    }
    Ok(destinations)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    destination: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    webhook: String,
    /// The file of its keys, one a line; beside this file where it is relative.
    keys_file: std::path::PathBuf,
    payload: Option<String>,
    #[serde(default)]
    events: Vec<String>,
    #[serde(default)]
    services: Vec<String>,
    #[serde(default)]
    sources: Vec<String>,
    #[serde(default)]
    allow_networks: Vec<String>,
    timeout_seconds: Option<u64>,
    in_flight: Option<u32>,
    retry_seconds: Option<Vec<u64>>,
}

impl Entry {
    fn destination(self, folder: &Path) -> Result<Destination, String> {
        let is_fit = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        if self.name.is_empty() || self.name.len() > 50 || !self.name.chars().all(is_fit) {
            return Err("a name has 1 to 50 characters: a to z, 0 to 9, - and _".to_owned());
        }
        let allowed: Vec<IpNet> = each(&self.allow_networks, "allow_networks")?;
        let loopback = ["127.0.0.0/8", "::1/128"].iter().filter_map(|network| network.parse().ok());
        let host = url::Url::parse(&self.webhook).ok().and_then(|url| url.host_str().map(str::to_owned));
        let host = host.unwrap_or_default();
        // What is said at the start is not found out at the first delivery.
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
        let is_here = host == "localhost" || address.is_some_and(|address| address.is_loopback());
        if let Some(address) = address
            && !is_here
            && !is_public(address)
            && !allowed.iter().any(|network| network.contains(&address))
        {
            return Err(format!("{address} is no public address: name its network in allow_networks"));
        }
        let allowed = if is_here { allowed.into_iter().chain(loopback).collect() } else { allowed };
        let transport = ReqwestTransport::guarded(CONNECT_TIMEOUT, allowed).map_err(sentence)?;
        let mut webhook =
            Webhook::new(&self.webhook, read_keys::<SigningKey>(&folder.join(&self.keys_file))?, transport)
                .map_err(sentence)?;
        if let Some(payload) = &self.payload {
            webhook = webhook.payload(payload.parse::<Payload>().map_err(|error| format!("payload: {error}"))?);
        }
        if let Some(seconds) = self.timeout_seconds {
            if !(1..=300).contains(&seconds) {
                return Err("timeout_seconds: from 1 to 300".to_owned());
            }
            webhook = webhook.timeout(Duration::from_secs(seconds));
        }
        let subscription = Subscription {
            destination: self.name,
            events: each::<EventType>(&self.events, "events")?,
            services: each::<Service>(&self.services, "services")?,
            sources: self.sources,
        };
        let mut destination = Destination::webhook(subscription, webhook);
        if let Some(in_flight) = self.in_flight {
            if !(1..=1000).contains(&in_flight) {
                return Err("in_flight: from 1 to 1000".to_owned());
            }
            destination = destination.in_flight(in_flight);
        }
        if let Some(pauses) = self.retry_seconds {
            destination = destination.schedule(Schedule::new(pauses.into_iter().map(Duration::from_secs).collect()));
        }
        Ok(destination)
    }
}

/// Keys from a file, one a line; empty lines and lines that begin with `#` are left out.
///
/// # Errors
/// A sentence for the operator, without the key.
pub fn read_keys<K: std::str::FromStr<Err: Display>>(file: &Path) -> Result<Vec<K>, String> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| format!("{shown}: {error}"))?;
    let lines = text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines.map(|(i, line)| line.parse().map_err(|error| format!("{shown}, line {}: {error}", i + 1))).collect()
}

fn each<T: std::str::FromStr<Err: Display>>(texts: &[String], member: &str) -> Result<Vec<T>, String> {
    texts.iter().map(|text| text.parse().map_err(|error| format!("{member}: {text:?}: {error}"))).collect()
}

fn sentence(error: impl Display) -> String {
    error.to_string()
}
