//! Which error of sqlx is which kind: by type and by the database's code, never by text.

use fastcore_leads::{StoreError, StoreErrorKind};
use sqlx::error::DatabaseError;

/// An error before a statement was sent: whatever it is, nothing was written and another attempt may succeed.
pub(crate) fn while_connecting(error: sqlx::Error) -> StoreError {
    let kind = match error {
        sqlx::Error::Configuration(_) => StoreErrorKind::Internal,
        _ => StoreErrorKind::Unavailable,
    };
    // These are of the network, and hold no row.
    let reason = match &error {
        sqlx::Error::Io(error) => error.to_string(),
        sqlx::Error::Tls(error) => format!("TLS: {error}"),
        _ => String::new(),
    };
    with_details(StoreError::new(kind), &error).with_driver_error(error).with_reason(reason)
}

/// An error of a statement that was sent.
pub(crate) fn while_running(error: sqlx::Error, kind_of: fn(&str) -> StoreErrorKind) -> StoreError {
    let kind = match &error {
        sqlx::Error::Database(error) => error.code().map_or(StoreErrorKind::Internal, |code| kind_of(&code)),
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => StoreErrorKind::OutcomeUnknown,
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => StoreErrorKind::Unavailable,
        _ => StoreErrorKind::Internal,
    };
    with_details(StoreError::new(kind), &error).with_driver_error(error)
}

fn with_details(store_error: StoreError, error: &sqlx::Error) -> StoreError {
    let Some(database) = error.as_database_error() else { return store_error };
    let store_error = store_error.with_constraint(DatabaseError::constraint(database));
    match DatabaseError::code(database) {
        Some(code) => store_error.with_code(code.into_owned()),
        None => store_error,
    }
}
