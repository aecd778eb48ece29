use std::{path::PathBuf, time::Duration};

use clap::{Args, value_parser};
use fastcore_leads::{
    ConsentPolicy, LeadDraft,
    client::{Client, Spool, SpoolKeys, SpoolOptions},
    pseudonym::{ForwardedHeader, IpNet, PEPPER_VARIABLE, Pepper, Proxies},
};
use fastcore_leads_examples::{
    environment,
    site::{Settings, Site, Wordings},
    transport::TracedTransport,
};
use url::Url;

/// How long a visitor waits for FASTCore, which itself gives up after two seconds.
const FORWARD_TIMEOUT: Duration = Duration::from_secs(3);

/// The site in front.
#[derive(Args, Debug)]
#[command(
    next_help_heading = "The site (addresses are hashed under FASTCORE_IP_PEPPER; without it one is made and kept)"
)]
pub(crate) struct SiteOptions {
    /// Serve the contact page, and POST /api/forms/contact. On where neither a database nor a token is set, and with
    /// --fastcore-base-url.
    #[arg(long, env = "FASTCORE_SITE", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    site: Option<bool>,

    /// The site's name: `meta.source` of its leads.
    #[arg(long, env = "FASTCORE_SITE_SOURCE", default_value = "fast-techservices.com", value_parser = source)]
    site_source: String,

    /// The folder that keeps the pepper, and leads that FASTCore has not taken yet.
    #[arg(long, env = "FASTCORE_SITE_STATE", default_value = "fastcore-site")]
    site_state: PathBuf,

    /// Where FASTCore is, such as <https://fastcore.example.com>: this process then serves the site alone, without a database and
    /// without the endpoint. Without it leads are posted to this same process.
    #[arg(long, env = "FASTCORE_BASE_URL", hide_env_values = true)]
    fastcore_base_url: Option<Url>,

    /// Proxies whose word on a visitor's address is taken: addresses or networks, separated by commas.
    #[arg(long, env = "FASTCORE_TRUSTED_PROXIES", value_delimiter = ',', value_parser = network)]
    trusted_proxies: Vec<IpNet>,

    /// The header that those proxies note it in.
    #[arg(long, env = "FASTCORE_FORWARDED_HEADER", default_value_t)]
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

    /// Forms that were opened longer ago, in hours, are quarantined.
    #[arg(long, env = "FASTCORE_SITE_MAX_FILL_HOURS", default_value_t = 24, value_parser = value_parser!(u64).range(1..=8760))]
    site_max_fill_hours: u64,

    /// A JSON file with what visitors are promised and told of their data, in place of the site's own words:
    /// {"fr": {"promise": "…", "privacy": "…"}, "en": {…}}.
    #[arg(long, env = "FASTCORE_SITE_WORDINGS")]
    site_wordings: Option<PathBuf>,

    /// Leads that wait for FASTCore at most, on disk.
    #[arg(long, env = "FASTCORE_SITE_SPOOL_CAPACITY", default_value_t = 100_000, value_parser = value_parser!(u64).range(1..=10_000_000))]
    site_spool_capacity: u64,

    /// Megabytes (2^20 bytes) that they may take.
    #[arg(long, env = "FASTCORE_SITE_SPOOL_MEGABYTES", default_value_t = 1024, value_parser = value_parser!(u64).range(1..=1_048_576))]
    site_spool_megabytes: u64,

    /// A file of keys that leads are encrypted under while they wait: one a line, the first encrypts, each decrypts. Make one with
    /// `openssl rand -hex 32`.
    #[arg(long, env = "FASTCORE_SITE_SPOOL_KEYS")]
    site_spool_keys: Option<PathBuf>,
}

impl SiteOptions {
    /// Whether the site is served, where it was not said and `is_trial` tells that nothing else was.
    pub(crate) fn is_on(&self, is_trial: bool) -> bool {
        self.site.unwrap_or(is_trial || self.fastcore_base_url.is_some())
    }

    /// The site's name.
    pub(crate) fn source(&self) -> &str {
        &self.site_source
    }

    /// Whether leads are posted to this process.
    pub(crate) fn posts_here(&self) -> bool {
        self.fastcore_base_url.is_none()
    }

    /// Starts the site. `own` is this process's address, `token` what it sends leads with.
    pub(crate) fn start(&self, own: &str, token: &str, consent: ConsentPolicy) -> Result<Site, String> {
        let base_url = self.fastcore_base_url.as_ref().map_or(own, Url::as_str);
        let transport = TracedTransport::new(FORWARD_TIMEOUT).map_err(|_| {
            "TLS cannot be set up: install the system's certificate authorities (ca-certificates)".to_owned()
        })?;
        let client = Client::builder(base_url, token, transport)
            .map_err(|error| format!("FASTCORE_BASE_URL: {error}"))?
            .timeout(FORWARD_TIMEOUT)
            .spool(self.spool()?)
            .start();
        let pepper = match environment::secret(PEPPER_VARIABLE)? {
            Some(text) => Pepper::parse(&text),
            None => Pepper::load(&self.site_state),
        };
        let pepper = pepper.map_err(|error| error.to_string())?;
        let settings = Settings {
            source: self.site_source.clone(),
            consent,
            posts_per_minute: self.site_posts_per_minute,
            fill: Duration::from_millis(self.site_min_fill_ms)..=Duration::from_secs(3600 * self.site_max_fill_hours),
            origins: self.site_origins.clone(),
            proxies: self.proxies(),
            wordings: self.site_wordings.as_deref().map_or_else(|| Ok(Wordings::default()), Wordings::from_file)?,
        };
        Ok(Site::new(settings, pepper, client))
    }

    /// Whose word on a browser's address is taken.
    pub(crate) fn proxies(&self) -> Proxies {
        Proxies { trusted: self.trusted_proxies.clone(), header: self.forwarded_header }
    }

    fn spool(&self) -> Result<Spool, String> {
        let mut options =
            SpoolOptions::new().max_leads(self.site_spool_capacity).max_bytes(self.site_spool_megabytes << 20);
        if let Some(path) = &self.site_spool_keys {
            let keys = SpoolKeys::from_file(path).map_err(|error| format!("{}: {error}", path.display()))?;
            options = options.keys(keys);
        }
        let folder = self.site_state.join("spool");
        Spool::open(&folder, options)
            .map_err(|error| format!("{}: {error}; make the folder writable", folder.display()))
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
        None => Ok(text.trim().to_owned()),
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
