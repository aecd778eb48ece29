//! Which error of diesel is which kind: by diesel's own kinds, never by text. diesel keeps SQLSTATEs and result codes to
//! itself: what they would tell is left [unexplained](StoreError::unexplained).

use diesel::result::{DatabaseErrorKind, Error};
use fastcore_leads::{StoreError, StoreErrorKind};

/// An error of a statement that was sent.
pub(crate) fn while_running(error: Error) -> StoreError {
    let constraint = match &error {
        Error::DatabaseError(_, information) => information.constraint_name().map(str::to_owned),
        _ => None,
    };
    let store_error = match kind_of(&error) {
        Some(kind) => StoreError::new(kind).with_driver_error(error),
        None => StoreError::unexplained(error),
    };
    store_error.with_constraint(constraint.as_deref())
}

fn kind_of(error: &Error) -> Option<StoreErrorKind> {
    Some(match error {
        Error::DatabaseError(kind, _) => match kind {
            DatabaseErrorKind::UniqueViolation
            | DatabaseErrorKind::ForeignKeyViolation
            | DatabaseErrorKind::RestrictViolation
            | DatabaseErrorKind::NotNullViolation
            | DatabaseErrorKind::CheckViolation
            | DatabaseErrorKind::ExclusionViolation => StoreErrorKind::Rejected,
            DatabaseErrorKind::SerializationFailure => StoreErrorKind::Contention,
            DatabaseErrorKind::ReadOnlyTransaction => StoreErrorKind::Unavailable,
            DatabaseErrorKind::UnableToSendCommand | DatabaseErrorKind::ClosedConnection => {
                StoreErrorKind::OutcomeUnknown
            }
            _ => return None,
        },
        Error::BrokenTransactionManager => StoreErrorKind::OutcomeUnknown,
        _ => StoreErrorKind::Internal,
    })
}
