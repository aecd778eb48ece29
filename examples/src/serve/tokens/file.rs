//! Tokens in a file: TOML, a `[[token]]` for each, with a name.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use fastcore_leads::{Actor, Scope, Token};
use fastcore_leads_examples::{keys::warn_of_readers, toml_file};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    token: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    secret: Option<String>,
    secret_file: Option<PathBuf>,
    scopes: Option<Vec<String>>,
    sources: Option<Vec<String>>,
    expires: Option<toml::value::Datetime>,
}

/// A token, with what an operator may be shown of it.
pub(super) struct Named {
    pub(super) name: String,
    pub(super) secret: String,
    pub(super) scopes: Vec<Scope>,
    pub(super) sources: Option<Vec<String>>,
    pub(super) expires: Option<DateTime<Utc>>,
}

impl Named {
    pub(super) fn has_expired(&self) -> bool {
        self.expires.is_some_and(|end| end <= Utc::now())
    }

    /// # Errors
    /// A sentence for the operator.
    pub(super) fn token(&self) -> Result<Token, String> {
        let told = |problem: String| format!("token {:?}: {problem}", self.name);
        let actor = Actor::new(&self.name).map_err(|error| told(error.to_string()))?;
        let token = Token::new(&self.secret).map_err(|error| told(error.to_string()))?;
        let token = token.acting_as(actor).with_scopes(self.scopes.iter().copied());
        let token = match &self.sources {
            Some(sources) => token.for_sources(sources.clone()),
            None => token,
        };
        Ok(match self.expires {
            Some(end) => token.expiring_at(end),
            None => token,
        })
    }
}

/// Reads the file.
///
/// # Errors
/// A sentence for the operator that names the token and what to change. It holds no secret.
pub(super) fn read(file: &Path) -> Result<Vec<Named>, String> {
    let shown = file.display();
    let parsed: File = toml_file::read(file)?;
    warn_of_readers(file);
    let folder = file.parent().unwrap_or_else(|| Path::new("."));
    let mut names = HashSet::new();
    let mut tokens = Vec::new();
    for entry in parsed.token {
        let name = entry.name.clone();
        if !names.insert(name.clone()) {
            return Err(format!("{shown}: two tokens are named {name:?}: the audit log could not tell them apart"));
        }
        let token = named(entry, folder).map_err(|problem| format!("{shown}: token {name:?}: {problem}"))?;
        token.token().map_err(|problem| format!("{shown}: {problem}"))?;
        tokens.push(token);
    }
    Ok(tokens)
}

fn named(entry: Entry, folder: &Path) -> Result<Named, String> {
    let secret = match (entry.secret, entry.secret_file) {
        (Some(secret), None) => secret,
        (None, Some(path)) => {
            let path = folder.join(path);
            let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            warn_of_readers(&path);
            text.trim().to_owned()
        }
        _ => return Err("give it a secret, or a secret_file".to_owned()),
    };
    let scopes = match entry.scopes {
        None => vec![Scope::Ingest],
        Some(words) => words
            .iter()
            .map(|word| word.parse().map_err(|_| format!("{word:?} is no scope; they are {}", scopes_shown())))
            .collect::<Result<_, _>>()?,
    };
    if scopes.is_empty() {
        return Err("it has no scope: nobody could do anything with it".to_owned());
    }
    if entry.sources.as_ref().is_some_and(Vec::is_empty) {
        return Err("it is for no source: leave sources out where it is for all".to_owned());
    }
    let expires = entry.expires.map(|end| {
        let text = end.to_string();
        DateTime::parse_from_rfc3339(&text)
            .map(|end| end.to_utc())
            .map_err(|_| "write expires with a time and an offset, such as 2027-01-31T00:00:00Z".to_owned())
    });
    // As the parser takes a lead's.
    let sources = entry.sources.map(|sources| sources.iter().map(|source| source.trim().to_owned()).collect());
    Ok(Named { name: entry.name, secret, scopes, sources, expires: expires.transpose()? })
}

fn scopes_shown() -> String {
    Scope::ALL.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", ")
}
