use std::{fmt, path::PathBuf, time::Duration};

use super::location::percent_decoded;
use crate::store::{StoreError, StoreErrorKind};

/// Where a PostgreSQL database is and how to get there: the one reading of its URL, for every driver (PostgreSQL manual,
/// 34.1.1.2 "Connection URIs").
///
/// `postgres://user:password@host:port,host:port/database?parameter=value`. A user name, password or database name with a
/// character of `/ ? # @ : %` has it percent-encoded. The scheme may also be `postgresql`, and name a Python driver as in
/// `postgresql+asyncpg`.
///
/// | parameter | what |
/// | --- | --- |
/// | `sslmode`, `ssl` | [`SslMode`]; `ssl=true` is `require` |
/// | `sslrootcert` | a file of the authorities that are trusted (PEM); with it, `require` is `verify-ca`. sqlx trusts the system's beside it, and carries `verify-ca` out as `verify-full`. `system`: those that the system trusts, with `verify-full` |
/// | `sslcert`, `sslkey` | files of the client's certificate and key (PEM) |
/// | `application_name` | what the server's logs call the service; `fastcore-leads` where it is missing |
/// | `connect_timeout` | how long connecting to one host may take, in seconds |
/// | `options` | settings of the session, as in `-csearch_path=leads` |
/// | `target_session_attrs` | `any`, `read-write` or `primary`; with several hosts, `read-write` where it is missing |
/// | `pooler` | `transaction` where a pooler hands each transaction on to any of the server's connections, as PgBouncer does in that mode: no session's settings are changed then, since others would have them; the role has them instead ([`pooled_role`](super::postgres::pooled_role)). `session` is as none |
/// | `host`, `port`, `user`, `password`, `dbname` | as before the question mark; `host` may be the directory of a socket |
///
/// `Debug` shows neither the user nor the password.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PgUrl {
    /// The servers, to be tried in this order: at least one.
    pub hosts: Vec<PgHost>,
    /// The role; none: the name of the system's user.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<String>,
    /// The database; none: the one with the role's name.
    pub database: Option<String>,
    /// How connections are encrypted.
    pub ssl_mode: SslMode,
    /// A file of the authorities that are trusted; none: those that the system trusts.
    pub ssl_root_cert: Option<PathBuf>,
    /// Files of the client's certificate and of its key.
    pub ssl_client_cert: Option<(PathBuf, PathBuf)>,
    /// What the server's logs call the service.
    pub application_name: String,
    /// How long connecting to one host may take.
    pub connect_timeout: Option<Duration>,
    /// Settings of the session, as the server's command line has them.
    pub options: Option<String>,
    /// Whether a server that takes no writes is passed over.
    pub is_read_write: bool,
    /// Whether a session is shared with others, a transaction at a time.
    pub is_pooled: bool,
}

/// A server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PgHost {
    /// At a name or an address, and a port.
    Tcp(String, u16),
    /// At a socket in this directory, for a port.
    Unix(PathBuf, u16),
}

/// How a connection to PostgreSQL is encrypted (PostgreSQL manual, 34.19.1 "Client Verification of Server Certificates").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SslMode {
    /// Not at all.
    Disable,
    /// Where the server offers it, whoever it is. The default, also for `allow`.
    Prefer,
    /// Always, whoever the server is.
    Require,
    /// Always, with a server whose certificate an authority vouches for.
    VerifyCa,
    /// Always, with a server whose certificate an authority vouches for and names the host.
    VerifyFull,
}

const DEFAULT_PORT: u16 = 5432;
const FORM: &str = "the database URL is not of the form postgres://user:password@host:port/database";
const ENCODE: &str = "the database URL has a character where none is expected: percent-encode / ? # @ : and % in the user name, \
                      the password and the database name, as in %2F";

impl PgUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`StoreErrorKind::Internal`], with a sentence that says what is wrong and shows no value.
    pub fn parse(url: &str) -> Result<Self, StoreError> {
        let (scheme, rest) = url.split_once("://").ok_or_else(|| refused(FORM))?;
        if !matches!(scheme.split('+').next(), Some("postgres" | "postgresql")) {
            return Err(refused(FORM));
        }
        let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        // A password with one of these characters ends the authority early, and the rest of it must not be taken for a name.
        if rest.contains(['@', '#']) {
            return Err(refused(ENCODE));
        }
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut url = Self::new();
        let (userinfo, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        if userinfo.contains('@') || userinfo.matches(':').count() > 1 {
            return Err(refused(ENCODE));
        }
        let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
        url.user = some(user)?;
        url.password = some(password)?;
        url.database = some(path.strip_prefix('/').unwrap_or_default())?;
        let mut places = Places::default();
        for place in hosts.split(',').filter(|place| !place.is_empty()) {
            let (host, port) = split_port(place)?;
            places.hosts.push(decoded(host)?);
            places.ports.push(port.to_owned());
        }
        let (mut target, mut mode) = (None, None);
        let (mut cert, mut key) = (None, None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let is_pair = pair.contains('=');
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decoded(value)?;
            match name {
                "sslmode" | "ssl" if mode.is_some() => return Err(refused("sslmode is given twice, or beside ssl")),
                "sslmode" | "ssl" => mode = Some(SslMode::parse(name, &value)?),
                "sslrootcert" => url.ssl_root_cert = Some(PathBuf::from(value)),
                "sslcert" => cert = Some(PathBuf::from(value)),
                "sslkey" => key = Some(PathBuf::from(value)),
                "application_name" => url.application_name = value,
                "connect_timeout" => {
                    let seconds: u64 =
                        value.parse().map_err(|_| refused("connect_timeout is not a number of seconds"))?;
                    url.connect_timeout = Some(Duration::from_secs(seconds)).filter(|timeout| !timeout.is_zero());
                }
                "options" => url.options = Some(value),
                "target_session_attrs" => {
                    target = Some(match value.as_str() {
                        "any" => false,
                        "read-write" | "primary" => true,
                        _ => return Err(refused("target_session_attrs is not one of any, read-write, primary")),
                    });
                }
                "pooler" => {
                    url.is_pooled = match value.as_str() {
                        "transaction" => true,
                        "session" => false,
                        _ => return Err(refused("pooler is not one of transaction, session")),
                    };
                }
                "host" | "hostaddr" => places.hosts = value.split(',').map(str::to_owned).collect(),
                "port" => places.ports = value.split(',').map(str::to_owned).collect(),
                "user" => url.user = Some(value),
                "password" => url.password = Some(value),
                "dbname" => url.database = Some(value),
                // It may be the rest of a password that was not encoded.
                _ if query.contains("password=") => return Err(refused(ENCODE)),
                _ => return Err(unknown(name, is_pair)),
            }
        }
        url.hosts = places.read()?;
        url.is_read_write = target.unwrap_or(url.hosts.len() > 1);
        url.ssl_client_cert = match (cert, key) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            _ => return Err(refused("sslcert and sslkey are given together or not at all")),
        };
        let is_of_the_system = url.ssl_root_cert.take_if(|file| file.as_os_str() == "system").is_some();
        url.ssl_mode = match mode {
            None | Some(SslMode::VerifyFull) if is_of_the_system => SslMode::VerifyFull,
            Some(_) if is_of_the_system => {
                return Err(refused("sslrootcert=system goes with sslmode=verify-full only"));
            }
            Some(SslMode::Require) if url.ssl_root_cert.is_some() => SslMode::VerifyCa,
            mode => mode.unwrap_or(SslMode::Prefer),
        };
        Ok(url)
    }

    fn new() -> Self {
        Self {
            hosts: Vec::new(),
            user: None,
            password: None,
            database: None,
            ssl_mode: SslMode::Prefer,
            ssl_root_cert: None,
            ssl_client_cert: None,
            application_name: "fastcore-leads".to_owned(),
            connect_timeout: None,
            options: None,
            is_read_write: false,
            is_pooled: false,
        }
    }

    /// How long connecting to one host may take, within a time for all of them.
    pub fn connect_timeout_within(&self, timeout: Duration) -> Duration {
        let share = timeout / u32::try_from(self.hosts.len()).unwrap_or(u32::MAX).max(1);
        self.connect_timeout.map_or(share, |set| set.min(timeout))
    }

    /// What is wrong where a build has no TLS.
    ///
    /// # Errors
    /// [`StoreErrorKind::Internal`] where this URL asks for it.
    pub fn without_tls(&self) -> Result<(), StoreError> {
        if matches!(self.ssl_mode, SslMode::Disable | SslMode::Prefer) {
            return Ok(());
        }
        Err(refused("the database URL asks for an encrypted connection: build with the feature `tls`"))
    }
}

impl SslMode {
    fn parse(name: &str, value: &str) -> Result<Self, StoreError> {
        Ok(match value {
            "disable" => Self::Disable,
            "allow" | "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            "true" | "on" | "1" if name == "ssl" => Self::Require,
            "false" | "off" | "0" if name == "ssl" => Self::Disable,
            _ => return Err(refused("sslmode is not one of disable, allow, prefer, require, verify-ca, verify-full")),
        })
    }
}

/// Hosts and ports, until both are known.
#[derive(Default)]
struct Places {
    hosts: Vec<String>,
    ports: Vec<String>,
}

impl Places {
    /// One port for each host, or one for all.
    fn read(self) -> Result<Vec<PgHost>, StoreError> {
        let hosts = if self.hosts.is_empty() { vec!["localhost".to_owned()] } else { self.hosts };
        if self.ports.len() > 1 && self.ports.len() != hosts.len() {
            return Err(refused("the database URL has another number of ports than of hosts"));
        }
        let port = |i: usize| match self.ports.get(i).or(self.ports.first()).map_or("", String::as_str) {
            "" => Ok(DEFAULT_PORT),
            port => port.parse().map_err(|_| refused("a port of the database URL is not a number up to 65535")),
        };
        let host = |(i, host): (usize, String)| {
            Ok(match host {
                path if path.starts_with('/') => PgHost::Unix(PathBuf::from(path), port(i)?),
                empty if empty.is_empty() => PgHost::Tcp("localhost".to_owned(), port(i)?),
                name if name.chars().any(|c| c.is_whitespace() || c.is_control()) => return Err(refused(FORM)),
                name => PgHost::Tcp(name, port(i)?),
            })
        };
        hosts.into_iter().enumerate().map(host).collect()
    }
}

/// Splits `host:port` and `[address]:port`.
fn split_port(place: &str) -> Result<(&str, &str), StoreError> {
    if let Some(rest) = place.strip_prefix('[') {
        let (address, rest) = rest.split_once(']').ok_or_else(|| refused(FORM))?;
        return match rest.strip_prefix(':') {
            None if !rest.is_empty() => Err(refused(FORM)),
            port => Ok((address, port.unwrap_or_default())),
        };
    }
    match place.split_once(':') {
        Some((_, port)) if port.contains(':') => Err(refused(ENCODE)),
        Some(parts) => Ok(parts),
        None => Ok((place, "")),
    }
}

fn some(text: &str) -> Result<Option<String>, StoreError> {
    Ok(Some(decoded(text)?).filter(|text| !text.is_empty()))
}

fn decoded(text: &str) -> Result<String, StoreError> {
    percent_decoded(text).filter(|text| !text.contains('\0')).ok_or_else(|| refused(ENCODE))
}

/// Names a parameter where it cannot be a part of a secret.
fn unknown(name: &str, is_pair: bool) -> StoreError {
    let is_name = is_pair && name.len() <= 40 && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let what = if is_name { format!("the parameter {name}") } else { "a parameter".to_owned() };
    refused(&format!("the database URL has {what}, which is not known here"))
}

fn refused(reason: &str) -> StoreError {
    StoreError::new(StoreErrorKind::Internal).with_reason(reason)
}

impl fmt::Debug for PgUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgUrl").field("hosts", &self.hosts).field("ssl_mode", &self.ssl_mode).finish_non_exhaustive()
    }
}
