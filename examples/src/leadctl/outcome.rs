use std::{fmt, process::ExitCode};

use fastcore_leads::{StoreError, inbox::InboxError};

/// What a command answers.
pub(crate) type Outcome = Result<(), Failure>;

/// Why a command did not do what it was asked, as a sentence and an exit code. 2 is for options that it does not know.
#[derive(Debug)]
pub(crate) enum Failure {
    /// 1: the database, the file system or the terminal failed.
    Failed(String),
    /// 3: there is no such lead, or audit row.
    NotFound(String),
    /// 4: the lead's state does not allow it; nothing was changed.
    Refused(String),
    /// 5: the input cannot be used at all; nothing was changed.
    BadInput(String),
    /// 6: the import went through, but some lines were refused.
    SomeRefused(String),
    /// 7: the question was answered with no, or nobody was there to answer it.
    Declined(String),
    /// 8: the audit log, or a receipt of it, is not as it was sealed.
    Unsound(String),
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Failed(_) => 1,
            Self::NotFound(_) => 3,
            Self::Refused(_) => 4,
            Self::BadInput(_) => 5,
            Self::SomeRefused(_) => 6,
            Self::Declined(_) => 7,
            Self::Unsound(_) => 8,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(text)
            | Self::NotFound(text)
            | Self::Refused(text)
            | Self::BadInput(text)
            | Self::SomeRefused(text)
            | Self::Declined(text)
            | Self::Unsound(text) => f.write_str(text),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<InboxError> for Failure {
    fn from(error: InboxError) -> Self {
        match error {
            InboxError::Store(error) => error.into(),
            InboxError::NotFound => Self::NotFound(error.to_string()),
            refusal => Self::Refused(refusal.to_string()),
        }
    }
}

/// Asks before something is destroyed.
pub(crate) fn confirm(question: &str, yes: bool) -> Outcome {
    use std::io::{BufRead, IsTerminal, Write};

    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::Declined(format!("{question} Nobody is there to answer: add --yes")));
    }
    // Where nobody sees the question, nobody answers it.
    let _ = write!(std::io::stderr().lock(), "{question} [y/N] ");
    let mut answer = String::new();
    let is_read = std::io::stdin().lock().read_line(&mut answer).is_ok();
    if is_read && matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    Err(Failure::Declined("nothing was changed".to_owned()))
}
