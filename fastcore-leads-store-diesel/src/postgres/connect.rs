use std::{ops::Deref, time::Duration};

use diesel::{ConnectionError, ConnectionResult};
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use fastcore_leads::{StoreError, StoreErrorKind, sql::postgres as sql};
use tokio::task::AbortHandle;
use tokio_postgres::{Client, Connection, NoTls, Socket, tls::MakeTlsConnect};
#[cfg(feature = "tls")]
use tokio_postgres_rustls::MakeRustlsConnect;

/// Where a database is, and how to get there.
#[derive(Clone)]
pub(super) struct Target {
    config: tokio_postgres::Config,
    setup: String,
    #[cfg(feature = "tls")]
    tls: MakeRustlsConnect,
}

impl Target {
    pub(super) fn parse(url: &str, timeout: Duration) -> Result<Self, StoreError> {
        // The error would quote the URL, and with it the password.
        // tokio-postgres has no words for verifying, which rustls always does.
        let url = url.replace("sslmode=verify-full", "sslmode=require").replace("sslmode=verify-ca", "sslmode=require");
        let mut config: tokio_postgres::Config = url.parse().map_err(|_| {
            StoreError::new(StoreErrorKind::Internal)
                .with_reason("the database URL is not of the form postgres://user:password@host:port/database")
        })?;
        config.connect_timeout(timeout);
        Ok(Self {
            config,
            setup: sql::set_up_connection(timeout),
            #[cfg(feature = "tls")]
            tls: trusting_the_system()?,
        })
    }

    /// A connection for diesel; dropped, it closes, whatever it still waits for.
    pub(super) async fn connect(self) -> ConnectionResult<AsyncPgConnection> {
        let opened = self.open().await.map_err(|error| ConnectionError::CouldntSetupConfiguration(unsent(&error)))?;
        let mut connection = match opened {
            Opened::InClear(client, connection) => {
                AsyncPgConnection::try_from_client_and_connection(client, connection).await?
            }
            #[cfg(feature = "tls")]
            Opened::Encrypted(client, connection) => {
                AsyncPgConnection::try_from_client_and_connection(client, connection).await?
            }
        };
        let setup = connection.batch_execute(&self.setup).await;
        setup.map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(connection)
    }

    /// A connection without diesel.
    pub(super) async fn connect_bare(&self) -> Result<Bare, tokio_postgres::Error> {
        let bare = match self.open().await? {
            Opened::InClear(client, connection) => Bare::new(client, connection),
            #[cfg(feature = "tls")]
            Opened::Encrypted(client, connection) => Bare::new(client, connection),
        };
        bare.batch_execute(&self.setup).await?;
        Ok(bare)
    }

    #[cfg(feature = "tls")]
    async fn open(&self) -> Result<Opened, tokio_postgres::Error> {
        let error = match self.config.connect(self.tls.clone()).await {
            Ok((client, connection)) => return Ok(Opened::Encrypted(client, connection)),
            Err(error) => error,
        };
        // "prefer" is no promise: a server that cannot be verified is spoken to in clear, as one without TLS would be.
        let is_refused = error.as_db_error().is_some();
        if is_refused || self.config.get_ssl_mode() != tokio_postgres::config::SslMode::Prefer {
            return Err(error);
        }
        let mut config = self.config.clone();
        let (client, connection) = config.ssl_mode(tokio_postgres::config::SslMode::Disable).connect(NoTls).await?;
        Ok(Opened::InClear(client, connection))
    }

    #[cfg(not(feature = "tls"))]
    async fn open(&self) -> Result<Opened, tokio_postgres::Error> {
        let (client, connection) = self.config.connect(NoTls).await?;
        Ok(Opened::InClear(client, connection))
    }
}

#[cfg_attr(feature = "tls", allow(clippy::large_enum_variant, reason = "taken apart at once"))]
enum Opened {
    InClear(Client, Connection<Socket, <NoTls as MakeTlsConnect<Socket>>::Stream>),
    #[cfg(feature = "tls")]
    Encrypted(Client, Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>),
}

/// A client of tokio-postgres that closes its connection when it is dropped: by itself it would wait for the answers that
/// are outstanding, for ever where the network is gone.
pub(super) struct Bare {
    client: Client,
    driver: AbortHandle,
}

impl Bare {
    fn new(
        client: Client,
        connection: impl Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static,
    ) -> Self {
        let driver = tokio::spawn(async move {
            // An error reaches the statements that wait.
            let _ = connection.await;
        });
        Self { client, driver: driver.abort_handle() }
    }
}

impl Deref for Bare {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

fn unsent(error: &tokio_postgres::Error) -> diesel::result::Error {
    let code = error.code().map_or("no answer", |code| code.code());
    diesel::result::Error::DatabaseError(
        diesel::result::DatabaseErrorKind::UnableToSendCommand,
        Box::new(format!("cannot connect: {code}")),
    )
}

#[cfg(feature = "tls")]
fn trusting_the_system() -> Result<MakeRustlsConnect, StoreError> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| StoreError::new(StoreErrorKind::Internal).with_driver_error(error))?;
    let config = builder.with_root_certificates(roots).with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
