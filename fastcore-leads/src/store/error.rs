use std::{borrow::Cow, error::Error, fmt};

/// Why a store could not do what it was asked.
///
/// Shows the kind, the database's own code and the constraint's name: none of them holds a row's content. The driver's
/// error is kept for programs ([`driver_error`](Self::driver_error)) and is deliberately neither shown nor
/// [`source`](Error::source): loggers print the whole chain, and drivers quote rows.
pub struct StoreError {
    kind: StoreErrorKind,
    code: Option<Cow<'static, str>>,
    constraint: Option<String>,
    reason: Option<String>,
    driver: Option<Box<dyn Error + Send + Sync>>,
    is_unexplained: bool,
}

impl StoreError {
    /// An error of a kind.
    pub fn new(kind: StoreErrorKind) -> Self {
        Self { kind, code: None, constraint: None, reason: None, driver: None, is_unexplained: false }
    }

    /// Adds the database's code: a SQLSTATE, or SQLite's extended result code.
    pub fn with_code(mut self, code: impl Into<Cow<'static, str>>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// Adds the name of the constraint that was broken.
    pub fn with_constraint(mut self, constraint: Option<&str>) -> Self {
        self.constraint = constraint.map(str::to_owned);
        self
    }

    /// Says more about what to do, if there is more to say. Not for texts of a driver, which quote rows.
    pub fn with_reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into()).filter(|reason| !reason.is_empty());
        self
    }

    /// Keeps the driver's error.
    pub fn with_driver_error(mut self, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.driver = Some(error.into());
        self
    }

    /// The same error, taken for another kind by a store that knows more.
    pub fn into_kind(self, kind: StoreErrorKind) -> Self {
        Self { kind, is_unexplained: false, ..self }
    }

    /// An error whose code the driver keeps to itself: the database refused a statement. Until more is known, it is
    /// [`StoreErrorKind::Rejected`].
    pub fn unexplained(driver: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { is_unexplained: true, ..Self::new(StoreErrorKind::Rejected) }.with_driver_error(driver)
    }

    /// Whether it is [`unexplained`](Self::unexplained) still.
    pub fn is_unexplained(&self) -> bool {
        self.is_unexplained
    }

    /// The same error, of another kind where it was [unexplained](Self::unexplained).
    pub fn explained_as(self, kind: StoreErrorKind, reason: Option<&str>) -> Self {
        if !self.is_unexplained {
            return self;
        }
        let reason = reason.map(str::to_owned).or_else(|| self.reason.clone());
        Self { kind, reason, is_unexplained: false, ..self }
    }

    /// Whether the connection that it came from is as good as before.
    pub fn leaves_connection(&self) -> bool {
        matches!(self.kind, StoreErrorKind::Rejected | StoreErrorKind::Contention | StoreErrorKind::Locked)
    }

    /// What the workflow makes of it.
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// The database's code: a SQLSTATE, or SQLite's extended result code.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// The driver's error, to downcast. Its texts may hold a row's content: do not log them.
    pub fn driver_error(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.driver.as_deref()
    }
}

impl From<StoreErrorKind> for StoreError {
    fn from(kind: StoreErrorKind) -> Self {
        Self::new(kind)
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.message())?;
        if let Some(code) = &self.code {
            write!(f, " (code {code})")?;
        }
        if let Some(constraint) = &self.constraint {
            write!(f, " (constraint {constraint})")?;
        }
        if let Some(reason) = &self.reason {
            write!(f, ": {reason}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreError")
            .field("kind", &self.kind)
            .field("code", &self.code)
            .field("constraint", &self.constraint)
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

impl Error for StoreError {}

/// The kinds of [`StoreError`] that a caller must tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The database could not be reached, or takes no work now. Nothing was written.
    Unavailable,
    /// The database did not answer in time. The batch was written whole or not at all.
    TimedOut,
    /// The connection broke while the answer was under way. The batch was written whole or not at all.
    OutcomeUnknown,
    /// A deadlock or a serialisation failure: rolled back, to be run again.
    Contention,
    /// Somebody else's transaction holds a row that this one needs, or a table. Nothing was written; to be run again.
    Locked,
    /// The database refuses a row of the batch. Nothing was written, with the one exception that [`LeadStore`](crate::LeadStore) names.
    Rejected,
    /// The database was migrated by a newer version, or by an edited one. Nothing was written.
    SchemaMismatch,
    /// The database lacks a table, a column or a right, or refuses the service altogether: no lead's fault. Nothing was
    /// written.
    Misconfigured,
    /// A fault of ours or of the database's set-up. The batch was written whole or not at all.
    Internal,
}

impl StoreErrorKind {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Unavailable,
        Self::TimedOut,
        Self::OutcomeUnknown,
        Self::Contention,
        Self::Locked,
        Self::Rejected,
        Self::SchemaMismatch,
        Self::Misconfigured,
        Self::Internal,
    ];

    /// The word for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::TimedOut => "timed_out",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::Contention => "contention",
            Self::Locked => "locked",
            Self::Rejected => "rejected",
            Self::SchemaMismatch => "schema_mismatch",
            Self::Misconfigured => "misconfigured",
            Self::Internal => "internal",
        }
    }

    const fn message(self) -> &'static str {
        match self {
            Self::Unavailable => "the database is not available: try again later",
            Self::TimedOut => "the database did not answer in time: try again with the same request id",
            Self::OutcomeUnknown => "the connection to the database broke: try again with the same request id",
            Self::Contention => "the database rolled the transaction back: run it again",
            Self::Locked => "another transaction holds a lock on a row or a table: try again with the same request id",
            Self::Rejected => "the database refused a row",
            Self::SchemaMismatch => {
                "the database's tables are not of this version: run the migrations, or the version that made them"
            }
            Self::Misconfigured => {
                "the database lacks a table, a column or a right: run the migrations, and grant what the service needs"
            }
            Self::Internal => "the database could not carry out a statement",
        }
    }
}
