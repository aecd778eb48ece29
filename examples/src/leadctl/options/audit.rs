//! What is asked about the audit log and its proofs.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use fastcore_leads::{
    inbox::{IdPrefix, Reason},
    uuid::Uuid,
};

use super::parse::reason;

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Makes a private key to seal with, or to cosign with; with --of, prints what a key's signatures are verified with. Needs no
    /// database.
    Key {
        /// The key's name: of a log, its origin, such as example.com/audit; of a witness, its host.
        #[arg(required_unless_present = "of")]
        name: Option<String>,
        /// A file of private keys.
        #[arg(long, conflicts_with = "name")]
        of: Option<PathBuf>,
    },
    /// Says how far the log is sealed.
    Status,
    /// Seals what is not sealed yet, apart from the service, and signs a checkpoint.
    Seal {
        /// The file of the keys, the log's own first.
        #[arg(long, env = "FASTCORE_AUDIT_KEYS")]
        keys: PathBuf,
        /// The folder to publish to.
        #[arg(long, env = "FASTCORE_AUDIT_PUBLISH")]
        publish: Option<PathBuf>,
    },
    /// Goes through the whole log: each row, each hash, each checkpoint. Ends with 8 if anything is not as it was sealed.
    Verify(VerifyArguments),
    /// Writes the receipt of a lead: what shows, without this database, that it was received.
    Prove {
        /// The lead's id, or its first digits.
        id: IdPrefix,
        /// The file to write. Default: standard output.
        #[arg(long)]
        output: Option<PathBuf>,
    },
    /// Verifies a receipt, and prints the row that it is of. Needs no database.
    Check {
        /// The receipt's file.
        receipt: PathBuf,
        /// The file of the log's public keys, one a line.
        #[arg(long)]
        known: PathBuf,
    },
    /// Cosigns the log's checkpoint, from another machine, if it continues what this witness saw. Needs no database.
    Witness {
        /// The published folder, or the URL that it is served at, such as <https://example.com/audit>. A token for a URL comes from
        /// `FASTCORE_AUDIT_TOKEN`.
        log: String,
        /// The file of the log's public keys, one a line.
        #[arg(long)]
        known: PathBuf,
        /// The file of this witness's private key.
        #[arg(long)]
        key: PathBuf,
        /// The file of what this witness saw last: the checkpoint, with its cosignature. It is replaced.
        #[arg(long)]
        seen: PathBuf,
        /// This witness saw nothing yet.
        #[arg(long)]
        first: bool,
    },
    /// Removes what a sealed row says of people, with its salt, so that its hash says nothing either. Its entry stays, and another one
    /// says so. Needs the rights of the tables' owner.
    Redact {
        /// The row's id.
        row: Uuid,
        /// Why, for the audit log: nothing personal.
        #[arg(long, value_parser = reason)]
        reason: Reason,
        /// Does not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Begins the log's tree anew, behind a restore: seal then with a key of another name, and publish to another folder. Needs the
    /// rights of the tables' owner.
    Restart {
        /// The last checkpoint that was published, which the new log names.
        #[arg(long)]
        former: Option<PathBuf>,
        /// Why, for the audit log: nothing personal.
        #[arg(long, value_parser = reason)]
        reason: Reason,
        /// Does not ask.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// The file of the log's public keys, and its witnesses', one a line.
    #[arg(long, required_unless_present = "unsigned")]
    pub(crate) known: Option<PathBuf>,
    /// Looks at what is in the database alone: whoever owns it may have computed all of it anew.
    #[arg(long, conflicts_with_all = ["known", "against", "published"])]
    unsigned: bool,
    /// A checkpoint that somebody kept elsewhere. May be repeated.
    #[arg(long)]
    pub(crate) against: Vec<PathBuf>,
    /// The folder that the log was published to: each row that is another now is named.
    #[arg(long)]
    pub(crate) published: Option<PathBuf>,
}
