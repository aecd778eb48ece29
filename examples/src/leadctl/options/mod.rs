mod audit;
mod files;
mod inbox;
mod outbox;
mod parse;

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use clap_complete::Shell;
use fastcore_leads::{
    Actor, LeadStatus,
    inbox::{Disclosure, IdPrefix, Note, Reason},
};
use fastcore_leads_examples::database::Driver;

use self::parse::{OPERATOR, actor, bound, note, reason, status};
pub(crate) use self::{
    audit::{AuditCommand, VerifyArguments},
    files::{DumpArguments, DumpFormat, ImportArguments},
    inbox::{FilterArguments, ListArguments, PurgeArguments, SearchArguments, StatsArguments},
    outbox::{DeliveryArguments, NotifyCommand},
    parse::Bound,
};
use crate::zone::Zone;

/// Works the lead inbox: read, move, import, keep it lawful.
///
/// Personal data is shown masked; --reveal shows it. Exit codes: 0 done, 1 the database or the file system failed, 2 unknown
/// options, 3 no such lead, 4 the lead's state does not allow it, 5 the input cannot be used, 6 some lines of an import were
/// refused, 7 not confirmed, 8 the audit log, or a receipt, is not as it was sealed.
#[derive(Debug, Parser)]
#[command(name = "leadctl", version)]
pub(crate) struct Options {
    /// Where leads are kept: <postgres://user:password@host/database>, or sqlite:path/to/file.db.
    #[arg(
        long,
        global = true,
        env = "DATABASE_URL",
        default_value = "sqlite:fastcore-leads.db",
        hide_env_values = true
    )]
    pub(crate) database_url: String,

    /// The library that talks to the database.
    #[arg(long, global = true, env = "FASTCORE_DRIVER", value_enum, default_value_t = Driver::Sqlx)]
    pub(crate) driver: Driver,

    /// Prints JSON for programs instead of tables for people.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Shows personal data in full.
    #[arg(long, global = true)]
    pub(crate) reveal: bool,

    /// Tells times in UTC, and takes days for UTC's. Default: as the machine's clock does, TZ=Europe/Paris as another's.
    #[arg(long, global = true)]
    utc: bool,

    /// Who acts, for the audit log: 1 to 50 characters. Default: who is logged in.
    #[arg(long, global = true, env = "FASTCORE_ACTOR", default_value = OPERATOR.as_str(), hide_default_value = true, value_parser = actor)]
    pub(crate) actor: Actor,

    /// The folder that the site keeps its spool in: leads of an address may wait there, too.
    #[arg(long, global = true, env = "FASTCORE_SITE_STATE")]
    pub(crate) site_state: Option<PathBuf>,

    /// The file of the spool's keys, where it is encrypted.
    #[arg(long, global = true, env = "FASTCORE_SITE_SPOOL_KEYS")]
    pub(crate) site_spool_keys: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Options {
    pub(crate) fn disclosure(&self) -> Disclosure {
        if self.reveal { Disclosure::Clear } else { Disclosure::Masked }
    }

    /// Where times are told.
    pub(crate) fn zone(&self) -> Zone {
        if self.utc { Zone::UTC } else { Zone::local() }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists leads, newest first; those in quarantine only with --status quarantined.
    List(ListArguments),
    /// Finds leads by the beginnings of words of their name, address, telephone number, company, service or message.
    Search(SearchArguments),
    /// Counts leads by status.
    Counts,
    /// Prints leads as they come, until it is interrupted; of those in quarantine, the ones that are let out.
    Watch,
    /// Shows how leads fare: how many by day, service, source and status, and how long people wait.
    Stats(StatsArguments),
    /// Shows a lead and what happened to it.
    Show {
        /// The lead's id, or the reference that the visitor was shown: its first digits do.
        id: IdPrefix,
    },
    /// Keeps a note with a lead, for whoever works on it next.
    Note {
        /// The lead's id, or its first digits.
        id: IdPrefix,
        /// The note, 1 to 1,000 characters; "-" reads it from standard input. It goes when the lead is erased.
        #[arg(value_parser = note)]
        text: Note,
    },
    /// Says who sees to a lead.
    Assign {
        /// The lead's id, or its first digits.
        id: IdPrefix,
        /// Who, 1 to 50 characters. Default: whoever acts.
        #[arg(value_parser = actor)]
        to: Option<Actor>,
        /// Nobody does any more.
        #[arg(long, conflicts_with = "to")]
        nobody: bool,
        /// Why, for the audit log: nothing personal.
        #[arg(long, value_parser = reason)]
        reason: Option<Reason>,
    },
    /// Moves a lead on: received, processing, resolved, archived; or back to received or processing.
    Move {
        /// The lead's id, or its first digits.
        id: IdPrefix,
        /// Where to.
        #[arg(value_parser = status())]
        status: LeadStatus,
        /// The status that you saw it in; where it has changed since, nothing is done. Default: as it is now.
        #[arg(long, value_parser = status())]
        seen: Option<LeadStatus>,
        /// Why, for the audit log, which keeps it for ever: nothing personal.
        #[arg(long, value_parser = reason)]
        reason: Option<Reason>,
    },
    /// Takes a lead out of quarantine.
    Release {
        /// The lead's id, or its first digits.
        id: IdPrefix,
        /// Why, for the audit log: nothing personal.
        #[arg(long, value_parser = reason)]
        reason: Option<Reason>,
    },
    /// Records that the person has withdrawn the consent.
    WithdrawConsent {
        /// The lead's id, or its first digits.
        id: IdPrefix,
        /// Why, for the audit log: nothing personal.
        #[arg(long, value_parser = reason)]
        reason: Option<Reason>,
    },
    /// Writes all that is held on an email address as JSON, in the site's spool too. Needs --reveal: it is for the person.
    Export {
        /// The address, in any case.
        email: String,
        /// The file to write, for nobody else to read. Default: standard output.
        #[arg(long)]
        output: Option<PathBuf>,
    },
    /// Lists what was erased, those first that were erased first: what a back-up needs that is restored.
    Erasures {
        /// Only what was erased at this instant (RFC 3339) or on this day (YYYY-MM-DD) or later.
        #[arg(long, value_parser = bound)]
        since: Option<Bound>,
    },
    /// Erases a lead, or all leads of an email address, in the site's spool too: a tombstone stays.
    Erase {
        /// A lead's id, its first digits, or an email address.
        #[arg(required_unless_present = "from_list")]
        subject: Option<String>,
        /// Erases again what a list of erasures names, as `leadctl --json erasures` writes it: behind a restore.
        #[arg(long, conflicts_with = "subject")]
        from_list: Option<PathBuf>,
        /// Why, for the audit log: nothing personal.
        #[arg(long, value_parser = reason)]
        reason: Option<Reason>,
        /// Does not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Says what the retention rule would erase; with --execute, erases it.
    Purge(PurgeArguments),
    /// Takes leads in from a file, JSON, CSV or a workbook. May be started again after any end: no lead is made twice.
    Import(ImportArguments),
    /// Writes leads to a file, JSON Lines, CSV or a workbook; those in quarantine only with --status quarantined.
    Dump(DumpArguments),
    /// Looks after the leads that wait in the site's spool, or were put aside there. Needs --site-state and no database.
    #[command(subcommand)]
    Spool(SpoolCommand),
    /// Tells others of leads, apart from the service, until it is interrupted.
    Dispatch {
        /// The file that says whom.
        #[arg(long, env = "FASTCORE_DESTINATIONS")]
        destinations: PathBuf,
    },
    /// Shows how each destination stands: what waits, what was given up, how far it is behind.
    Destinations,
    /// Lists what destinations are told, by sequence number.
    Deliveries {
        #[command(flatten)]
        deliveries: DeliveryArguments,
        /// How many at most are listed.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Has deliveries sent again that arrived or were given up.
    Replay {
        #[command(flatten)]
        deliveries: DeliveryArguments,
        /// Says how many there are, and changes nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Stops sending to a destination: what comes meanwhile is kept.
    Pause {
        /// Its name.
        destination: String,
    },
    /// Goes on sending to a destination that was paused, or that answered 410.
    Resume {
        /// Its name.
        destination: String,
    },
    /// Forgets a destination that was taken out of the file, with whatever waits for it or was given up.
    Forget {
        /// Its name.
        destination: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Prints what happened to leads, in the order of commits, a line of JSON each.
    Events {
        /// Begins behind this sequence number.
        #[arg(long, default_value_t = 0)]
        after: u64,
        /// Goes on with what happens from now on, until it is interrupted.
        #[arg(long)]
        follow: bool,
    },
    /// Proves that the audit log is as it was: seals it, verifies it, cosigns it, hands out receipts.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Tries destinations out. Needs no database.
    #[command(subcommand)]
    Notify(NotifyCommand),
    /// Receives on this machine, verifies, and prints what comes: to try destinations out. Needs no database.
    Listen {
        /// Where to listen.
        #[arg(long, default_value = "127.0.0.1:9000")]
        listen: String,
        /// The file of the keys to verify with: whsec_... or whpk_..., one a line. Default: a key made for this run.
        #[arg(long)]
        keys: Option<PathBuf>,
    },
    /// Makes a key to sign webhooks with: a shared secret.
    WebhookKey {
        /// A private key instead, whose public half receivers verify with.
        #[arg(long)]
        private: bool,
    },
    /// Brings the tables up to date.
    Migrate,
    /// Checks connection, tables, settings and triggers.
    Check,
    /// Makes a token for `FASTCORE_SITE_INGEST_TOKEN`.
    Token,
    /// Prints the PostgreSQL statements for two roles: an owner that migrates, and a writer that cannot touch the audit log.
    Grants {
        /// The role that owns the tables and migrates.
        #[arg(long, default_value = "fastcore_owner")]
        owner: String,
        /// The role that services connect as.
        #[arg(long, default_value = "fastcore_writer")]
        writer: String,
        /// Have the writer bring its settings along, for a pooler in transaction mode: `pooler=transaction` in the database's URL.
        #[arg(long)]
        pooler: bool,
    },
    /// Prints a completion script for a shell.
    Completions {
        /// Which shell.
        shell: Shell,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum SpoolCommand {
    /// Lists leads, those that wait first, by hour; then those that were put aside, with the reason.
    List {
        /// How many at most.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Finds the leads of an email address.
    Find {
        /// The address, in any case.
        email: String,
    },
    /// Shows a lead; with --reveal, the body that is sent.
    Show {
        /// The id that it is sent under, or its first digits.
        request_id: IdPrefix,
    },
    /// Erases the leads of an email address. `leadctl erase` does this too, and looks into the database.
    Erase {
        /// The address, in any case.
        email: String,
        /// Does not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Has leads that were put aside delivered again: one, or all.
    Retry {
        /// The id that it is sent under, or its first digits.
        request_id: Option<IdPrefix>,
    },
}
