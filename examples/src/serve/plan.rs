//! What this process is to be, before anything is made: a setting that cannot be used changes nothing.

use std::path::PathBuf;

use fastcore_leads::token::TOKEN_VARIABLE;
use fastcore_leads_examples::{
    database::Url,
    destinations::{self, Told},
    seals::Seals,
};

use crate::{options::Options, tokens::Tokens};

/// What is said where something is asked for that is of leads which are not kept here.
const TELLS_NOBODY: &str =
    "FASTCORE_DESTINATIONS is set, but FASTCORE_BASE_URL is another service, which keeps the leads: set it there";
const SEALS_NOTHING: &str =
    "FASTCORE_AUDIT_KEYS is set, but FASTCORE_BASE_URL is another service, which keeps the leads: set it there";
const HAS_NO_EVENTS: &str =
    "there is a token for events, but FASTCORE_BASE_URL is another service, which keeps the leads: set it there";
const HAS_NO_INBOX: &str =
    "there is a token of an operator, but FASTCORE_BASE_URL is another service, which keeps the leads: set it there";

/// What is on.
pub(crate) struct Plan {
    pub(crate) tokens: Tokens,
    /// Who is told of leads, and the file that says so.
    pub(crate) told: Option<(PathBuf, Told)>,
    /// What the audit log is sealed with.
    pub(crate) seals: Option<Seals>,
    pub(crate) has_site: bool,
    /// Leads go to another service: there is nothing to keep here.
    pub(crate) is_site_only: bool,
}

impl Plan {
    /// `is_trial` says that no database was chosen.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub(crate) fn read(options: &Options, is_trial: bool) -> Result<Self, String> {
        let site = options.site.posts_here().then(|| options.site.source());
        let tokens = Tokens::read(&options.listen, options.tokens.as_deref(), site)?;
        let has_site = options.site.is_on(is_trial && tokens.made.is_some());
        let is_site_only = has_site && !options.site.posts_here();
        if is_site_only && tokens.made.is_some() {
            return Err(format!(
                "{TOKEN_VARIABLE} is not set: FASTCORE_BASE_URL is another service, which knows its tokens"
            ));
        }
        if !is_site_only {
            Url::parse(&options.database_url)?;
        }
        let told = match &options.destinations {
            Some(_) if is_site_only => return Err(TELLS_NOBODY.to_owned()),
            Some(file) => Some((file.clone(), destinations::read(file)?)),
            None => None,
        };
        let seals = match &options.audit_keys {
            Some(_) if is_site_only => return Err(SEALS_NOTHING.to_owned()),
            Some(file) => Some(Seals::read(file, options.publish.as_deref())?),
            None => None,
        };
        if is_site_only && tokens.has_events {
            return Err(HAS_NO_EVENTS.to_owned());
        }
        if is_site_only && tokens.has_operators {
            return Err(HAS_NO_INBOX.to_owned());
        }
        if is_site_only && !is_trial {
            tracing::warn!(
                "DATABASE_URL is not used: this process serves the site alone, and its leads go to FASTCORE_BASE_URL"
            );
        }
        Ok(Self { tokens, told, seals, has_site, is_site_only })
    }
}
