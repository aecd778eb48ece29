use std::{
    str::FromStr,
    sync::{Mutex, PoisonError, atomic::AtomicUsize},
    time::Duration,
};

use fastcore_leads::{
    StoreError, StoreErrorKind,
    sql::{
        PgHost, PgOptions, PgUrl, SslMode,
        engine::{Engine, MAX_IDLE, PgConnections},
        postgres as sql,
    },
    transport::is_loopback,
};
use sqlx::{
    ConnectOptions, PgConnection,
    postgres::{PgConnectOptions, PgPoolOptions, PgSslMode},
    raw_sql,
};
use tokio::time::timeout;

use super::{PgLeadStore, pool::Pool};
use crate::error::while_connecting;

pub(super) async fn connect(
    servers: Vec<PgConnectOptions>,
    connect_timeout: Duration,
    url: &PgUrl,
    options: PgOptions,
) -> Result<PgLeadStore, StoreError> {
    // No float is read or written, and PgBouncer refuses a setting that it does not know.
    let servers: Vec<_> =
        servers.into_iter().map(|server| server.extra_float_digits(None).disable_statement_logging()).collect();
    let (is_read_write, is_pooled) = (url.is_read_write, url.is_pooled);
    // Asked once, of the first connection.
    let here = servers.iter().filter(|server| is_loopback(server.get_host()));
    let here = Mutex::new(here.map(|server| i32::from(server.get_port())).collect::<Vec<_>>());
    let pool = PgPoolOptions::new()
        .after_connect(move |connection, _| {
            let here = std::mem::take(&mut *here.lock().unwrap_or_else(PoisonError::into_inner));
            Box::pin(async move {
                if !here.is_empty() {
                    warn_of_slow_loopback(&mut *connection, &here).await;
                }
                if !is_pooled {
                    raw_sql(sql::SET_UP_CONNECTION).execute(&mut *connection).await?;
                }
                if !is_read_write {
                    return Ok(());
                }
                let is_read_only: String = sqlx::query_scalar(sql::IS_READ_ONLY).fetch_one(connection).await?;
                sql::check_writable(is_read_only == "true").map_err(|error| std::io::Error::other(error).into())
            })
        })
        .max_connections(options.get_max_connections())
        .acquire_timeout(connect_timeout)
        .idle_timeout(MAX_IDLE)
        .test_before_acquire(false)
        .connect_lazy_with(servers[0].clone());
    let first = servers[0].clone();
    let pool = Pool { inner: pool, servers: Some(servers.into()), server: AtomicUsize::new(0), is_pooled };
    let connections = PgConnections::over(pool, options.get_timeout());
    if let Err(error) = connections.open(options.get_min_connections() as usize).await {
        if error.kind() == StoreErrorKind::Misconfigured {
            return Err(error);
        }
        // sqlx's pool keeps to itself why it tried again: a refused connection, a name that is not known.
        return match timeout(connect_timeout, first.connect()).await {
            Ok(Err(reason)) => Err(while_connecting(reason)),
            _ => Err(error),
        };
    }
    Ok(PgLeadStore { engine: Engine::new(connections) })
}

/// sqlx 0.9.0 leaves Nagle's algorithm on (its issue 4335), and over loopback each record of TLS is a packet by itself: of a batch of more than
/// one, the second waits until the server acknowledges the first, which takes 40 ms. Through a proxy to another machine, encryption is needed.
async fn warn_of_slow_loopback(connection: &mut PgConnection, ports: &[i32]) {
    let ask = "SELECT ssl AND inet_server_port() = ANY($1)
                      AND (inet_server_addr() <<= '127.0.0.0/8' OR inet_server_addr() = '::1')
                 FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    if let Ok(Some(true)) = sqlx::query_scalar(ask).bind(ports).fetch_one(connection).await {
        tracing::warn!(
            "connections to the database on this machine are encrypted, and each large batch waits 40 ms for that: set sslmode=disable, \
             or connect to its Unix socket"
        );
    }
}

pub(super) fn server(url: &PgUrl, host: &PgHost) -> Result<PgConnectOptions, StoreError> {
    let mut options = match &url.options {
        // Only a URL takes them as they are. The rest of it is written over, so that nothing of another host's is sent.
        Some(text) => {
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let plain = PgConnectOptions::new_without_pgpass();
            let database = plain.get_database().unwrap_or(plain.get_username());
            PgConnectOptions::from_str(&format!("postgres://user:password@localhost/?options={encoded}"))
                .map_err(while_connecting)?
                .username(plain.get_username())
                .password("")
                .database(database)
        }
        None => PgConnectOptions::new_without_pgpass(),
    };
    options = match host {
        PgHost::Tcp(name, port) => options.host(name).port(*port),
        PgHost::Unix(directory, port) => options.socket(directory).port(*port),
    };
    options = options.application_name(&url.application_name).ssl_mode(match url.ssl_mode {
        SslMode::Disable => PgSslMode::Disable,
        SslMode::Prefer => PgSslMode::Prefer,
        SslMode::Require => PgSslMode::Require,
        // sqlx trusts the system's authorities beside a file's: without the name, anybody's certificate would do.
        SslMode::VerifyCa | SslMode::VerifyFull => PgSslMode::VerifyFull,
    });
    if let Some(user) = &url.user {
        options = options.username(user);
    }
    if let Some(password) = &url.password {
        options = options.password(password);
    }
    if let Some(database) = &url.database {
        options = options.database(database);
    }
    if let Some(file) = &url.ssl_root_cert {
        options = options.ssl_root_cert(file);
    }
    if let Some((cert, key)) = &url.ssl_client_cert {
        options = options.ssl_client_cert(cert).ssl_client_key(key);
    }
    Ok(options)
}
