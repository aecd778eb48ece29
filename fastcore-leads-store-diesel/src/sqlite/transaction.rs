use diesel::{SqliteConnection, connection::SimpleConnection};
use fastcore_leads::{StoreError, StoreErrorKind, sql::sqlite as sql};

use crate::error::Cause;

/// Runs work between BEGIN and COMMIT.
///
/// diesel hides result codes. What a refusal meant shows in what SQLite did: on a full disk, an I/O error, no memory or
/// an interrupt it rolls the transaction back by itself ("Response To Errors Within A Transaction"), on a refused row it
/// does not.
pub(super) fn in_transaction<T>(
    connection: &mut SqliteConnection,
    work: impl FnOnce(&mut SqliteConnection) -> Result<T, Cause>,
) -> Result<T, StoreError> {
    // BEGIN and COMMIT name no row: where they fail, the file cannot be written now.
    connection.batch_execute(sql::BEGIN).map_err(unavailable)?;
    let cause = match work(connection) {
        Ok(value) => match connection.batch_execute(sql::COMMIT) {
            Ok(()) => return Ok(value),
            Err(error) => Cause::Clear(unavailable(error)),
        },
        Err(cause) => cause,
    };
    let was_open = connection.batch_execute(sql::ROLLBACK).is_ok();
    Err(match cause {
        Cause::Clear(error) => error,
        // No lead's fault, where what it is written to is missing.
        Cause::Unclear(error) if was_open && connection.batch_execute(sql::PROBE).is_err() => {
            error.into_kind(StoreErrorKind::Misconfigured)
        }
        Cause::Unclear(error) if was_open => error,
        Cause::Unclear(_) => StoreErrorKind::Unavailable.into(),
    })
}

pub(super) fn unavailable(error: diesel::result::Error) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable).with_driver_error(error)
}
