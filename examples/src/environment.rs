//! What stands in the environment: secrets, also from files, and what people write by mistake.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use clap::{ArgMatches, Command, builder::Resettable, parser::ValueSource};

/// The folder that systemd puts credentials into (systemd.exec, `LoadCredential=`).
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";
/// What names the file of a secret, behind the name of its variable.
const FILE: &str = "_FILE";

/// Variables that hold a secret: each may come from a file, and none of them is blank by intent.
pub const SECRETS: [&str; 6] = [
    "DATABASE_URL",
    "FASTCORE_SITE_INGEST_TOKEN",
    "FASTCORE_EVENTS_TOKEN",
    "FASTCORE_OPERATOR_TOKENS",
    "FASTCORE_IP_PEPPER",
    "FASTCORE_AUDIT_TOKEN",
];

/// Reads a secret: from the variable of this name, from the file that the variable with `_FILE` behind its name names, or from the
/// credential of this name that systemd was told to load. White space around it does not count.
///
/// # Errors
/// A sentence for the operator that holds nothing of the secret, if there are several, or if it is blank, in quotes, or in a file that
/// cannot be read.
pub fn secret(name: &str) -> Result<Option<String>, String> {
    let variable = format!("{name}{FILE}");
    let file = env::var_os(&variable).filter(|path| !path.is_empty()).map(PathBuf::from);
    let credential = env::var_os(CREDENTIALS).map(|folder| Path::new(&folder).join(name)).filter(|path| path.exists());
    let found: Vec<(String, Option<PathBuf>)> = [
        env::var_os(name).map(|_| (name.to_owned(), None)),
        file.map(|path| (variable.clone(), Some(path))),
        credential.map(|path| (format!("the credential {name}"), Some(path))),
    ]
    .into_iter()
    .flatten()
    .collect();
    let [(place, path)] = &found[..] else {
        let [(one, _), (other, _), ..] = &found[..] else { return Ok(None) };
        return Err(format!("{one} and {other} are both there: which is meant? Take one away"));
    };
    let value = match path {
        None => env::var_os(name).unwrap_or_default().to_string_lossy().into_owned(),
        Some(path) => {
            fs::read_to_string(path).map_err(|error| format!("{place}, {}: cannot be read: {error}", path.display()))?
        }
    };
    let value = value.trim();
    if value.is_empty() {
        return Err(format!("{place} is blank: take it away, or give it a value"));
    }
    if is_in_quotes(value) {
        return Err(in_quotes(place));
    }
    Ok(Some(value.to_owned()))
}

/// Puts the database's URL into the option of that name, where the command line has none: of the environment, a file or a credential.
/// Returns whether anybody chose one.
///
/// # Errors
/// As [`secret`].
pub fn database_url(matches: &ArgMatches, url: &mut String) -> Result<bool, String> {
    if matches.value_source("database_url") == Some(ValueSource::CommandLine) {
        return Ok(true);
    }
    let chosen = secret("DATABASE_URL")?;
    let is_chosen = chosen.is_some();
    if let Some(chosen) = chosen {
        *url = chosen;
    }
    Ok(is_chosen)
}

/// Looks for settings in quotes: whatever reads a file of variables for this program left them in.
///
/// # Errors
/// A sentence for the operator.
pub fn check() -> Result<(), String> {
    let ours = |name: &str| name.starts_with("FASTCORE_") || SECRETS.contains(&name);
    let mut names = env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    match names.find(|(name, value)| ours(name) && is_in_quotes(value.to_string_lossy().trim())) {
        Some((name, _)) => Err(in_quotes(&name)),
        None => Ok(()),
    }
}

/// Lets options whose variables are set and blank be as good as unset: as files of variables have them that are filled in later.
pub fn without_blanks(command: Command) -> Command {
    let is_blank = |value: &OsString| value.to_string_lossy().trim().is_empty();
    command.mut_args(|argument| match argument.get_env().and_then(env::var_os) {
        Some(value) if is_blank(&value) => argument.env(Resettable::Reset),
        _ => argument,
    })
}

fn is_in_quotes(value: &str) -> bool {
    ['"', '\''].iter().any(|quote| value.len() > 1 && value.starts_with(*quote) && value.ends_with(*quote))
}

fn in_quotes(place: &str) -> String {
    format!("{place} is in quotes, and they belong to it: write it without them")
}
