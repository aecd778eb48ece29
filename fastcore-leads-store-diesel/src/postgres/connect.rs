use std::time::Duration;

use diesel::{ConnectionError, ConnectionResult};
use diesel_async::AsyncPgConnection;
use fastcore_leads::{
    StoreError,
    sql::{PgHost, PgUrl, SslMode as Mode, engine::Execute, postgres as sql},
};
use tokio_postgres::{
    Client, Config, Connection, NoTls, Socket,
    config::{SslMode, TargetSessionAttrs},
    tls::MakeTlsConnect,
};
#[cfg(feature = "tls")]
use tokio_postgres_rustls::MakeRustlsConnect;

use super::bare::{Bare, while_connecting};

/// How long a connection may be silent before it is asked whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Where a database is, and how to get there.
#[derive(Clone)]
pub(super) struct Target {
    config: Config,
    /// Whether a server that refuses encryption, or fails at it, is spoken to in clear.
    is_clear_too: bool,
    #[cfg(feature = "tls")]
    tls: MakeRustlsConnect,
}

impl Target {
    pub(super) fn new(url: &PgUrl, timeout: Duration) -> Result<Self, StoreError> {
        let mut config = Config::new();
        for host in &url.hosts {
            match host {
                PgHost::Tcp(name, port) => config.host(name).port(*port),
                #[cfg(unix)]
                PgHost::Unix(directory, port) => config.host_path(directory).port(*port),
                #[cfg(not(unix))]
                PgHost::Unix(directory, port) => config.host(directory.display().to_string()).port(*port),
            };
        }
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
        config.connect_timeout(url.connect_timeout_within(timeout));
        Self::encrypted(kept_alive(config), url)
    }

    /// Encryption as the options have it: `prefer` with whomever, `require` with a server that an authority of the system's
    /// vouches for and that has its name.
    pub(super) fn with(config: Config) -> Result<Self, StoreError> {
        let mode = match config.get_ssl_mode() {
            SslMode::Disable => "disable",
            SslMode::Prefer => "prefer",
            _ => "verify-full",
        };
        Self::encrypted(kept_alive(config), &PgUrl::parse(&format!("postgres:///?sslmode={mode}"))?)
    }

    #[cfg(feature = "tls")]
    fn encrypted(mut config: Config, url: &PgUrl) -> Result<Self, StoreError> {
        config.ssl_mode(match url.ssl_mode {
            Mode::Disable => SslMode::Disable,
            Mode::Prefer => SslMode::Prefer,
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => SslMode::Require,
        });
        let tls = MakeRustlsConnect::new(super::tls::config(url)?);
        Ok(Self { config, is_clear_too: url.ssl_mode == Mode::Prefer, tls })
    }

    #[cfg(not(feature = "tls"))]
    fn encrypted(mut config: Config, url: &PgUrl) -> Result<Self, StoreError> {
        url.without_tls()?;
        config.ssl_mode(SslMode::Disable);
        Ok(Self { config, is_clear_too: url.ssl_mode == Mode::Prefer })
    }

    /// A connection for diesel; dropped, it closes, whatever it still waits for.
    pub(super) async fn connect(self) -> ConnectionResult<AsyncPgConnection> {
        let mut connection = match self.open().await.map_err(unsent)? {
            Opened::InClear(client, connection) => {
                AsyncPgConnection::try_from_client_and_connection(client, connection).await?
            }
            #[cfg(feature = "tls")]
            Opened::Encrypted(client, connection) => {
                AsyncPgConnection::try_from_client_and_connection(client, connection).await?
            }
        };
        let set_up = diesel_async::SimpleAsyncConnection::batch_execute(&mut connection, sql::SET_UP_CONNECTION).await;
        set_up.map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(connection)
    }

    /// A connection without diesel.
    pub(super) async fn connect_bare(&self) -> Result<Bare, StoreError> {
        let mut bare = match self.open().await.map_err(while_connecting)? {
            Opened::InClear(client, connection) => Bare::new(client, connection),
            #[cfg(feature = "tls")]
            Opened::Encrypted(client, connection) => Bare::new(client, connection),
        };
        bare.execute(sql::SET_UP_CONNECTION).await?;
        Ok(bare)
    }

    async fn open(&self) -> Result<Opened, tokio_postgres::Error> {
        #[cfg(feature = "tls")]
        match self.config.connect(self.tls.clone()).await {
            Ok((client, connection)) => return Ok(Opened::Encrypted(client, connection)),
            Err(error) if error.as_db_error().is_some() || !self.is_clear_too => return Err(error),
            Err(_) => {}
        }
        let mut config = self.config.clone();
        let (client, connection) = config.ssl_mode(SslMode::Disable).connect(NoTls).await?;
        Ok(Opened::InClear(client, connection))
    }
}

/// Asks a silent server whether it is still there.
fn kept_alive(mut config: Config) -> Config {
    config.keepalives_idle(KEEPALIVE).keepalives_interval(KEEPALIVE / 3).keepalives_retries(3);
    config
}

#[cfg_attr(feature = "tls", allow(clippy::large_enum_variant, reason = "taken apart at once"))]
enum Opened {
    InClear(Client, Connection<Socket, <NoTls as MakeTlsConnect<Socket>>::Stream>),
    #[cfg(feature = "tls")]
    Encrypted(Client, Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>),
}

/// Carries the error through diesel and the pool, which would drop what it says.
fn unsent(error: tokio_postgres::Error) -> ConnectionError {
    ConnectionError::CouldntSetupConfiguration(diesel::result::Error::QueryBuilderError(Box::new(while_connecting(
        error,
    ))))
}
