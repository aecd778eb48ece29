use std::time::Duration;

use diesel::{ConnectionError, ConnectionResult};
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use fastcore_leads::{StoreError, StoreErrorKind, sql::postgres as sql};
use tokio_postgres::Client;

/// Where a database is, and how to get there.
#[derive(Clone)]
pub(super) struct Target {
    config: tokio_postgres::Config,
    setup: String,
    #[cfg(feature = "tls")]
    tls: tokio_postgres_rustls::MakeRustlsConnect,
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

    /// A connection for diesel.
    pub(super) async fn connect(self) -> ConnectionResult<AsyncPgConnection> {
        let client = self.open().await.map_err(|error| ConnectionError::CouldntSetupConfiguration(unsent(&error)))?;
        let mut connection = AsyncPgConnection::try_from(client).await?;
        let setup = connection.batch_execute(&self.setup).await;
        setup.map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(connection)
    }

    /// A connection without diesel.
    pub(super) async fn connect_bare(&self) -> Result<Client, tokio_postgres::Error> {
        let client = self.open().await?;
        client.batch_execute(&self.setup).await?;
        Ok(client)
    }

    #[cfg(feature = "tls")]
    async fn open(&self) -> Result<Client, tokio_postgres::Error> {
        let error = match self.config.connect(self.tls.clone()).await {
            Ok((client, connection)) => return Ok(drive(client, connection)),
            Err(error) => error,
        };
        // "prefer" is no promise: a server that cannot be verified is spoken to in clear, as one without TLS would be.
        let is_refused = error.as_db_error().is_some();
        if is_refused || self.config.get_ssl_mode() != tokio_postgres::config::SslMode::Prefer {
            return Err(error);
        }
        let mut config = self.config.clone();
        let (client, connection) =
            config.ssl_mode(tokio_postgres::config::SslMode::Disable).connect(tokio_postgres::NoTls).await?;
        Ok(drive(client, connection))
    }

    #[cfg(not(feature = "tls"))]
    async fn open(&self) -> Result<Client, tokio_postgres::Error> {
        let (client, connection) = self.config.connect(tokio_postgres::NoTls).await?;
        Ok(drive(client, connection))
    }
}

/// Runs the connection until the client is dropped. Its errors reach the client's calls.
fn drive(
    client: Client,
    connection: impl Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static,
) -> Client {
    tokio::spawn(async move {
        let _ = connection.await;
    });
    client
}

/// diesel has no kind for an error of connecting, and nobody may see its text.
fn unsent(error: &tokio_postgres::Error) -> diesel::result::Error {
    let code = error.code().map_or("no answer", |code| code.code());
    diesel::result::Error::DatabaseError(
        diesel::result::DatabaseErrorKind::UnableToSendCommand,
        Box::new(format!("cannot connect: {code}")),
    )
}

#[cfg(feature = "tls")]
fn trusting_the_system() -> Result<tokio_postgres_rustls::MakeRustlsConnect, StoreError> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| StoreError::new(StoreErrorKind::Internal).with_driver_error(error))?;
    let config = builder.with_root_certificates(roots).with_no_client_auth();
    Ok(tokio_postgres_rustls::MakeRustlsConnect::new(config))
}
