//! Who is told of leads, as a file says it: TOML, a `[[destination]]` for each, `[mail]` for the server that sends mail, and
//! `[service_level]` for how long a lead may wait.

mod service_level;

use std::{
    collections::HashSet,
    fmt::Display,
    net::IpAddr,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::Duration,
};

use fastcore_leads::{
    EmailAddress, LeadOutbox, Service,
    inbox::ServiceLevel,
    outbox::{
        AUDIT_CHECKPOINT, Destination, Dispatcher, DispatcherBuilder, EventType, Payload, Schedule, SigningKey,
        Subscription, Webhook,
        mail::{Language, SmtpMailer, StaffMail},
    },
    transport::{ReqwestTransport, is_loopback, is_public},
};
use ipnet::IpNet;
use serde::Deserialize;

use crate::{keys::read_keys, toml_file};

/// How long a receiver's machine may take to answer a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Who is told, and of what besides.
#[derive(Clone, Debug)]
pub struct Told {
    /// Those who are told.
    pub destinations: Vec<Destination>,
    /// How long a lead may wait, where it is watched.
    pub service_level: Option<ServiceLevel>,
}

impl Told {
    /// Their names, for the operator.
    pub fn names(&self) -> String {
        self.destinations.iter().map(Destination::name).collect::<Vec<_>>().join(", ")
    }

    /// A dispatcher that tells them.
    pub fn dispatcher(self, store: impl LeadOutbox + 'static) -> DispatcherBuilder {
        let builder = self.destinations.into_iter().fold(Dispatcher::builder(store), DispatcherBuilder::destination);
        match self.service_level {
            Some(level) => builder.service_level(level),
            None => builder,
        }
    }
}

/// Reads the file, and checks every destination in it.
///
/// # Errors
/// A sentence for the operator that names the destination and what to change. It holds no key.
pub fn read(file: &Path) -> Result<Told, String> {
    let shown = file.display();
    let parsed: File = toml_file::read(file)?;
    let folder = file.parent().unwrap_or_else(|| Path::new("."));
    let post = parsed.mail.as_ref().map(|mail| mail.open(folder)).transpose();
    let post = post.map_err(|problem| format!("{shown}: [mail]: {problem}"))?;
    let service_level = parsed.service_level.as_ref().map(service_level::Section::service_level).transpose();
    let service_level = service_level.map_err(|problem| format!("{shown}: [service_level]: {problem}"))?;
    let mut names = HashSet::new();
    let mut destinations = Vec::new();
    for entry in parsed.destination {
        let name = entry.name.clone();
        if !names.insert(name.clone()) {
            return Err(format!("{shown}: two destinations are named {name:?}: they would share one queue"));
        }
        let wants_unanswered = entry.events.iter().any(|event| event == EventType::Unanswered.as_str());
        if wants_unanswered && service_level.is_none() {
            return Err(format!(
                "{shown}: destination {name:?} wants {}: a [service_level] section has to say how long a lead may wait",
                EventType::Unanswered
            ));
        }
        destinations.push(
            entry
                .destination(folder, post.as_ref())
                .map_err(|problem| format!("{shown}: destination {name:?}: {problem}"))?,
        );
    }
    Ok(Told { destinations, service_level })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    mail: Option<MailServer>,
    service_level: Option<service_level::Section>,
    #[serde(default)]
    destination: Vec<Entry>,
}

/// How mail is sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MailServer {
    server: String,
    from: String,
    user: Option<String>,
    /// The file of the password alone; beside this file where it is relative.
    password_file: Option<PathBuf>,
}

/// How mail is sent, checked.
struct Post {
    mailer: SmtpMailer,
    from: EmailAddress,
}

impl MailServer {
    fn open(&self, folder: &Path) -> Result<Post, String> {
        let credentials = match (&self.user, &self.password_file) {
            (Some(user), Some(file)) => {
                let file = folder.join(file);
                // Its name is not shown: somebody may have written the password itself.
                let password = std::fs::read_to_string(&file).map_err(|error| format!("password_file: {error}"))?;
                Some((user.clone(), password.trim_end_matches(['\r', '\n']).to_owned()))
            }
            (None, None) => None,
            _ => return Err("user and password_file go together".to_owned()),
        };
        let mailer = SmtpMailer::new(&self.server, credentials).map_err(|error| format!("server: {error}"))?;
        let from = self.from.parse().map_err(|error| format!("from: {error}"))?;
        Ok(Post { mailer, from })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    webhook: Option<String>,
    /// The file of its keys, one a line; beside this file where it is relative.
    keys_file: Option<PathBuf>,
    payload: Option<String>,
    mail_to: Option<Vec<String>>,
    language: Option<String>,
    reveal: Option<bool>,
    inbox: Option<String>,
    digest_seconds: Option<u64>,
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
    /// Of checkpoints: how often at most.
    every_seconds: Option<u64>,
}

impl Entry {
    fn destination(self, folder: &Path, post: Option<&Post>) -> Result<Destination, String> {
        let is_fit = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        if self.name.is_empty() || self.name.len() > 50 || !self.name.chars().all(is_fit) {
            return Err("a name has 1 to 50 characters: a to z, 0 to 9, - and _".to_owned());
        }
        if self.events.iter().any(|event| event == AUDIT_CHECKPOINT) {
            return self.checkpoints(folder);
        }
        if self.every_seconds.is_some() {
            return Err(format!("every_seconds is for events = [{AUDIT_CHECKPOINT:?}]"));
        }
        let subscription = Subscription {
            destination: self.name.clone(),
            events: each::<EventType>(&self.events, "events")?,
            services: each::<Service>(&self.services, "services")?,
            sources: self.sources.clone(),
        };
        let destination = match (&self.webhook, &self.mail_to) {
            (Some(url), None) => {
                let destination = Destination::webhook(subscription, self.webhook(url, folder)?);
                match self.in_flight {
                    Some(in_flight) => {
                        within(in_flight.into(), 1..=1000, "in_flight")?;
                        destination.in_flight(in_flight)
                    }
                    None => destination,
                }
            }
            (None, Some(to)) => self.mail(subscription, to, post)?,
            _ => return Err("give either webhook or mail_to".to_owned()),
        };
        Ok(self.scheduled(destination))
    }

    fn scheduled(&self, destination: Destination) -> Destination {
        match &self.retry_seconds {
            Some(pauses) => {
                destination.schedule(Schedule::new(pauses.iter().copied().map(Duration::from_secs).collect()))
            }
            None => destination,
        }
    }

    fn checkpoints(&self, folder: &Path) -> Result<Destination, String> {
        let is_of_leads = !self.services.is_empty()
            || !self.sources.is_empty()
            || self.payload.is_some()
            || self.in_flight.is_some()
            || self.mail_to.is_some();
        if self.events.len() > 1 || is_of_leads {
            return Err(format!(
                "{AUDIT_CHECKPOINT} goes to a webhook of its own, without other events, services, sources, payload and in_flight"
            ));
        }
        let url = self.webhook.as_ref().ok_or("webhook: the URL that checkpoints are sent to")?;
        let destination = Destination::checkpoints(&self.name, self.webhook(url, folder)?);
        let Some(seconds) = self.every_seconds else { return Ok(self.scheduled(destination)) };
        within(seconds, 1..=86_400, "every_seconds")?;
        Ok(self.scheduled(destination.at_most_every(Duration::from_secs(seconds))))
    }

    fn webhook(&self, url: &str, folder: &Path) -> Result<Webhook, String> {
        let is_of_mail =
            self.language.is_some() || self.reveal.is_some() || self.inbox.is_some() || self.digest_seconds.is_some();
        if is_of_mail {
            return Err("language, reveal, inbox and digest_seconds are for mail_to".to_owned());
        }
        let allowed: Vec<IpNet> = each(&self.allow_networks, "allow_networks")?;
        let loopback = ["127.0.0.0/8", "::1/128"].iter().filter_map(|network| network.parse().ok());
        let host = url::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
        // What is said at the start is not found out at the first delivery.
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
        let is_here = is_loopback(&host);
        if let Some(address) = address
            && !is_here
            && !is_public(address)
            && !allowed.iter().any(|network| network.contains(&address))
        {
            return Err(format!("{address} is no public address: name its network in allow_networks"));
        }
        let allowed = if is_here { allowed.into_iter().chain(loopback).collect() } else { allowed };
        let transport = ReqwestTransport::guarded(CONNECT_TIMEOUT, allowed).map_err(sentence)?;
        let keys_file = self.keys_file.as_ref().ok_or("keys_file: name the file of the keys to sign with")?;
        if ["whsec_", "whsk_"].iter().any(|prefix| keys_file.to_string_lossy().contains(prefix)) {
            return Err("keys_file: name a file that only this service may read, not the key".to_owned());
        }
        let keys = read_keys::<SigningKey>(&folder.join(keys_file))?;
        let mut webhook = Webhook::new(url, keys, transport).map_err(sentence)?;
        if let Some(payload) = &self.payload {
            webhook = webhook.payload(payload.parse::<Payload>().map_err(|error| format!("payload: {error}"))?);
        }
        if let Some(seconds) = self.timeout_seconds {
            within(seconds, 1..=300, "timeout_seconds")?;
            webhook = webhook.timeout(Duration::from_secs(seconds));
        }
        Ok(webhook)
    }

    fn mail(&self, subscription: Subscription, to: &[String], post: Option<&Post>) -> Result<Destination, String> {
        let is_of_webhook = self.keys_file.is_some()
            || self.payload.is_some()
            || !self.allow_networks.is_empty()
            || self.timeout_seconds.is_some()
            || self.in_flight.is_some();
        if is_of_webhook {
            return Err("keys_file, payload, allow_networks, timeout_seconds and in_flight are for webhook".to_owned());
        }
        let post = post.ok_or("a [mail] section has to say by which server mail is sent, and from whom")?;
        let to = each::<EmailAddress>(to, "mail_to")?;
        let mut mail = StaffMail::new(post.from.clone(), to, post.mailer.clone()).map_err(sentence)?;
        if let Some(language) = &self.language {
            mail = mail.language(language.parse::<Language>().map_err(|error| format!("language: {error}"))?);
        }
        if self.reveal == Some(true) {
            mail = mail.reveal();
        }
        if let Some(inbox) = &self.inbox {
            let is_link = ["https://", "http://"].iter().any(|scheme| inbox.starts_with(scheme));
            if !is_link || !inbox.contains("{id}") {
                return Err("inbox: a URL in which {id} stands for the lead's id".to_owned());
            }
            mail = mail.inbox(inbox.as_str());
        }
        if let Some(seconds) = self.digest_seconds {
            within(seconds, 0..=86_400, "digest_seconds")?;
            mail = mail.digest(Duration::from_secs(seconds));
        }
        Ok(Destination::mail(subscription, mail))
    }
}

fn within(value: u64, range: RangeInclusive<u64>, member: &str) -> Result<(), String> {
    if range.contains(&value) { Ok(()) } else { Err(format!("{member}: from {} to {}", range.start(), range.end())) }
}

fn each<T: std::str::FromStr<Err: Display>>(texts: &[String], member: &str) -> Result<Vec<T>, String> {
    texts.iter().map(|text| text.parse().map_err(|error| format!("{member}: {text:?}: {error}"))).collect()
}

fn sentence(error: impl Display) -> String {
    error.to_string()
}
