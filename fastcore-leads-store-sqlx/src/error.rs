//! Which error of sqlx is which kind: by type and by the database's code, never by text.

use fastcore_leads::{StoreError, StoreErrorKind};
use sqlx::error::DatabaseError;

/// An error before a statement was sent: whatever it is, nothing was written and another attempt may succeed.
pub(crate) fn while_connecting(error: sqlx::Error) -> StoreError {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code).map(std::borrow::Cow::into_owned);
    let kind = match error {
        sqlx::Error::Configuration(_) => StoreErrorKind::Internal,
        _ => StoreErrorKind::Unavailable,
    };
    with_code(StoreError::new(kind), code).with_driver_error(error)
}

/// An error of a statement that was sent.
pub(crate) fn while_running(error: sqlx::Error, kind_of: fn(&str) -> StoreErrorKind) -> StoreError {
    let kind = match &error {
        sqlx::Error::Database(error) => error.code().map_or(StoreErrorKind::Internal, |code| kind_of(&code)),
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => StoreErrorKind::OutcomeUnknown,
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => StoreErrorKind::Unavailable,
        _ => StoreErrorKind::Internal,
    };
    let database = error.as_database_error();
    let code = database.and_then(sqlx::error::DatabaseError::code).map(std::borrow::Cow::into_owned);
    let constraint = database.and_then(DatabaseError::constraint).map(str::to_owned);
    with_code(StoreError::new(kind), code).with_constraint(constraint.as_deref()).with_driver_error(error)
}

fn with_code(error: StoreError, code: Option<String>) -> StoreError {
    match code {
        Some(code) => error.with_code(code),
        None => error,
    }
}
