use std::time::Duration;

use diesel::{ConnectionError, ConnectionResult};
use diesel_async::AsyncPgConnection;
use fastcore_leads::{
    StoreError, StoreErrorKind,
    sql::{PgHost, PgUrl, SslMode as Mode, engine::Execute, postgres as sql},
};
use tokio::time::timeout;
use tokio_postgres::{
    Client, Config, Connection, Socket,
    config::{SslMode, TargetSessionAttrs},
    tls::MakeTlsConnect,
};

use super::bare::{Bare, while_connecting};

/// How long a connection may be silent before it is asked whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Where a database is, and how to get there.
#[derive(Clone)]
pub(super) struct Target {
    /// One for each server, to be tried in turn.
    configs: Vec<Config>,
    connect_timeout: Duration,
    /// Whether a server that refuses encryption, or fails at it, is spoken to in clear.
    is_clear_too: bool,
    /// Whether a pooler stands between it and the server, which shares sessions.
    pub(super) is_pooled: bool,
    tls: Tls,
}

#[cfg(feature = "tls")]
type Tls = tokio_postgres_rustls::MakeRustlsConnect;
#[cfg(not(feature = "tls"))]
type Tls = tokio_postgres::NoTls;
type Stream = <Tls as MakeTlsConnect<Socket>>::Stream;

impl Target {
    pub(super) fn new(url: &PgUrl, timeout: Duration) -> Result<Self, StoreError> {
        let configs = url.hosts.iter().map(|host| config(url, host)).collect();
        Self::encrypted(configs, url, url.connect_timeout_within(timeout))
    }

    /// Encryption as the options have it: `prefer` with whomever, `require` with a server that an authority of the system's
    /// vouches for and that has its name.
    pub(super) fn with(config: Config, timeout: Duration) -> Result<Self, StoreError> {
        let mode = match config.get_ssl_mode() {
            SslMode::Disable => "disable",
            SslMode::Prefer => "prefer",
            _ => "verify-full",
        };
        Self::encrypted(vec![config], &PgUrl::parse(&format!("postgres:///?sslmode={mode}"))?, timeout)
    }

    fn encrypted(mut configs: Vec<Config>, url: &PgUrl, connect_timeout: Duration) -> Result<Self, StoreError> {
        for config in &mut configs {
            config.keepalives_idle(KEEPALIVE).keepalives_interval(KEEPALIVE / 3).keepalives_retries(3);
            config.ssl_mode(match url.ssl_mode {
                Mode::Disable => SslMode::Disable,
                Mode::Prefer => SslMode::Prefer,
                Mode::Require | Mode::VerifyCa | Mode::VerifyFull => SslMode::Require,
            });
        }
        #[cfg(feature = "tls")]
        let tls = Tls::new(super::tls::config(url)?);
        #[cfg(not(feature = "tls"))]
        let tls = url.without_tls().map(|()| tokio_postgres::NoTls)?;
        let (is_clear_too, is_pooled) = (url.ssl_mode == Mode::Prefer, url.is_pooled);
        Ok(Self { configs, connect_timeout, is_clear_too, is_pooled, tls })
    }

    /// A connection for diesel; dropped, it closes, whatever it still waits for.
    pub(super) async fn connect(self) -> ConnectionResult<AsyncPgConnection> {
        let (client, connection) = self.open().await.map_err(unsent)?;
        let mut connection = AsyncPgConnection::try_from_client_and_connection(client, connection).await?;
        if self.is_pooled {
            return Ok(connection);
        }
        let set_up = diesel_async::SimpleAsyncConnection::batch_execute(&mut connection, sql::SET_UP_CONNECTION).await;
        set_up.map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(connection)
    }

    /// A connection without diesel.
    pub(super) async fn connect_bare(&self) -> Result<Bare, StoreError> {
        let (client, connection) = self.open().await?;
        let mut bare = Bare::new(client, connection);
        if !self.is_pooled {
            bare.execute(sql::SET_UP_CONNECTION).await?;
        }
        Ok(bare)
    }

    /// Connects to the first server that answers in time. tokio-postgres bounds no more than TCP's part of it.
    async fn open(&self) -> Result<(Client, Connection<Socket, Stream>), StoreError> {
        let mut last = StoreError::new(StoreErrorKind::Unavailable);
        for config in &self.configs {
            match timeout(self.connect_timeout, self.open_at(config)).await {
                Ok(Ok(opened)) => return Ok(opened),
                Ok(Err(error)) => last = while_connecting(error),
                Err(_) => last = StoreError::new(StoreErrorKind::Unavailable).with_reason("it did not answer in time"),
            }
        }
        Err(last)
    }

    #[cfg_attr(not(feature = "tls"), allow(clippy::clone_on_copy, reason = "with TLS it is more"))]
    async fn open_at(&self, config: &Config) -> Result<(Client, Connection<Socket, Stream>), tokio_postgres::Error> {
        match config.connect(self.tls.clone()).await {
            Err(error) if error.as_db_error().is_none() && self.is_clear_too => {
                config.clone().ssl_mode(SslMode::Disable).connect(self.tls.clone()).await
            }
            opened => opened,
        }
    }
}

fn config(url: &PgUrl, host: &PgHost) -> Config {
    let mut config = Config::new();
    match host {
        PgHost::Tcp(name, port) => config.host(name).port(*port),
        #[cfg(unix)]
        PgHost::Unix(directory, port) => config.host_path(directory).port(*port),
        #[cfg(not(unix))]
        PgHost::Unix(directory, port) => config.host(directory.display().to_string()).port(*port),
    };
    if let Some(user) = &url.user {
        config.user(user);
    }
    if let Some(password) = &url.password {
        config.password(password);
    }
    if let Some(database) = &url.database {
        config.dbname(database);
    }
    if let Some(options) = &url.options {
        config.options(options);
    }
    if url.is_read_write {
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
    config.application_name(&url.application_name);
    config
}

/// Carries the error through diesel and the pool, which would drop what it says.
fn unsent(error: StoreError) -> ConnectionError {
    ConnectionError::CouldntSetupConfiguration(diesel::result::Error::QueryBuilderError(Box::new(error)))
}
