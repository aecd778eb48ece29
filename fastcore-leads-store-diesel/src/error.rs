//! Which error of diesel is which kind: by diesel's own kinds, never by text. diesel keeps SQLSTATEs and result codes to
//! itself, so [`Unclear`](Cause::Unclear) is left for the stores to find out.

use diesel::result::{DatabaseErrorKind, Error};
use fastcore_leads::{StoreError, StoreErrorKind};

/// What is known of an error.
pub(crate) enum Cause {
    /// Enough.
    Clear(StoreError),
    /// The database refused a statement, and diesel does not say why.
    Unclear(StoreError),
}

impl From<Error> for Cause {
    fn from(error: Error) -> Self {
        let kind = match &error {
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
                _ => return Self::Unclear(keep(StoreErrorKind::Rejected, error)),
            },
            Error::BrokenTransactionManager => StoreErrorKind::OutcomeUnknown,
            _ => StoreErrorKind::Internal,
        };
        Self::Clear(keep(kind, error))
    }
}

impl From<Cause> for StoreError {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Clear(error) | Cause::Unclear(error) => error,
        }
    }
}

impl Cause {
    /// What is left of an error once leads were written: never "nothing was written".
    pub(crate) fn after_a_write(self) -> Self {
        match self {
            Self::Unclear(error) => Self::Clear(error.into_kind(StoreErrorKind::OutcomeUnknown)),
            clear @ Self::Clear(_) => clear,
        }
    }
}

/// An error of a statement that writes no lead: where diesel does not say why, the database could not do it now.
pub(crate) fn running(error: Error) -> StoreError {
    match Cause::from(error) {
        Cause::Clear(error) => error,
        Cause::Unclear(error) => error.into_kind(StoreErrorKind::Unavailable),
    }
}

/// An error of a migration's statement.
pub(crate) fn migrating(error: Error) -> StoreError {
    match Cause::from(error) {
        Cause::Unclear(error) => error
            .into_kind(StoreErrorKind::Internal)
            .with_reason("a statement of a migration was refused: the server's log says why"),
        Cause::Clear(error) => error,
    }
}

fn keep(kind: StoreErrorKind, error: Error) -> StoreError {
    let constraint = match &error {
        Error::DatabaseError(_, information) => information.constraint_name().map(str::to_owned),
        _ => None,
    };
    StoreError::new(kind).with_constraint(constraint.as_deref()).with_driver_error(error)
}
