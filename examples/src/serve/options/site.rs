use std::{path::PathBuf, time::Duration};

use clap::{Args, value_parser};
use fastcore_leads::{ConsentPolicy, LeadDraft};
use fastcore_leads_examples::{
    forward::{self, Forward, Worker},
    site::{ForwardedHeader, Pepper, Proxies, Settings, Site},
};
use ipnet::IpNet;
use url::Url;

/// How long a visitor waits for FASTCore, which itself gives up after two seconds.
const FORWARD_TIMEOUT: Duration = Duration::from_secs(3);

/// The site in front.
#[derive(Args, Debug)]
#[command(
    next_help_heading = "The site (addresses are hashed under FASTCORE_IP_PEPPER; without it one is made and kept)"
)]
pub(crate) struct SiteOptions {
    /// Serve the contact page, and POST /api/forms/contact. On where neither a database nor a token is set.
    #[arg(long, env = "FASTCORE_SITE", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    site: Option<bool>,

    /// The site's name: `meta.source` of its leads.
    #[arg(long, env = "FASTCORE_SITE_SOURCE", default_value = "fast-techservices.com", value_parser = source)]
    site_source: String,

    /// The folder that keeps the pepper, and leads that FASTCore has not taken yet.
    #[arg(long, env = "FASTCORE_SITE_STATE", default_value = "fastcore-site")]
    site_state: PathBuf,

    /// Where FASTCore is, such as <https://fastcore.example.com>. Without it leads are posted to this same process.
    #[arg(long, env = "FASTCORE_BASE_URL", hide_env_values = true)]
    fastcore_base_url: Option<Url>,

    /// Proxies whose word on a visitor's address is taken: addresses or networks, separated by commas.
    #[arg(long, env = "FASTCORE_TRUSTED_PROXIES", value_delimiter = ',', value_parser = network)]
    trusted_proxies: Vec<IpNet>,

    /// The header that those proxies note it in.
    #[arg(long, env = "FASTCORE_FORWARDED_HEADER", value_enum, default_value_t)]
    forwarded_header: ForwardedHeader,

    /// Origins, besides the site's own, that forms may be sent from, such as <https://fast-techservices.com>, separated by
    /// commas: pages elsewhere that post here, and the site's public origin where a proxy changes the Host header.
    #[arg(long, env = "FASTCORE_SITE_ORIGINS", value_delimiter = ',', value_parser = origin)]
    site_origins: Vec<String>,

    /// Posts of one visitor in a minute; one more is told to wait.
    #[arg(long, env = "FASTCORE_SITE_POSTS_PER_MINUTE", default_value_t = 10, value_parser = value_parser!(u32).range(1..=100_000))]
    site_posts_per_minute: u32,

    /// Forms that are filled faster, in milliseconds, are quarantined.
    #[arg(long, env = "FASTCORE_SITE_MIN_FILL_MS", default_value_t = 3000, value_parser = value_parser!(u64).range(..=600_000))]
    site_min_fill_ms: u64,

    /// Leads that wait for FASTCore at most, on disk.
    #[arg(long, env = "FASTCORE_SITE_SPOOL_CAPACITY", default_value_t = 10_000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    site_spool_capacity: u32,
}

impl SiteOptions {
    /// Whether the site is served, where it was not said and `is_trial` tells that nothing else was.
    pub(crate) fn is_on(&self, is_trial: bool) -> bool {
        self.site.unwrap_or(is_trial)
    }

    /// Whether leads are posted to this process.
    pub(crate) fn posts_here(&self) -> bool {
        self.fastcore_base_url.is_none()
    }

    /// Starts the site. `own` is this process's address, `token` what it sends leads with.
    pub(crate) fn start(&self, own: &str, token: String, consent: ConsentPolicy) -> Result<(Site, Worker), String> {
        let base_url = match &self.fastcore_base_url {
            Some(url) => url.clone(),
            None => Url::parse(own).map_err(|error| format!("{own}: {error}; set FASTCORE_BASE_URL"))?,
        };
        let (forward, worker) = Forward::start(forward::Settings {
            base_url,
            token,
            timeout: FORWARD_TIMEOUT,
            spool: self.site_state.join("spool"),
            capacity: self.site_spool_capacity as usize,
        })?;
        let pepper = Pepper::load(&self.site_state)?;
        let settings = Settings {
            source: self.site_source.clone(),
            consent,
            posts_per_minute: self.site_posts_per_minute,
            min_fill: Duration::from_millis(self.site_min_fill_ms),
            origins: self.site_origins.clone(),
            proxies: Proxies { trusted: self.trusted_proxies.clone(), header: self.forwarded_header },
        };
        Ok((Site::new(settings, pepper, forward), worker))
    }
}

/// What the core's parser takes for a source.
fn source(text: &str) -> Result<String, String> {
    let violations = match (LeadDraft { source: text, ..LeadDraft::default() }).parse(ConsentPolicy::Recorded) {
        Err(fastcore_leads::ParseError::Invalid(violations)) => violations,
        _ => Vec::new(),
    };
    match violations.iter().find(|violation| violation.pointer() == "/meta/source") {
        Some(violation) => Err(violation.detail()),
        None => Ok(text.to_owned()),
    }
}

/// Scheme, host and port, as browsers write them.
fn origin(text: &str) -> Result<String, String> {
    let url = Url::parse(text.trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    url.map(|url| url.origin().ascii_serialization())
        .ok_or_else(|| "give an origin such as https://example.com".to_owned())
}

/// A network, or an address alone.
fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let network = text.parse().or_else(|_| text.parse().map(|address: std::net::IpAddr| IpNet::from(address)));
    network.map_err(|_| "give an address such as 10.0.0.1, or a network such as 10.0.0.0/8".to_owned())
}
