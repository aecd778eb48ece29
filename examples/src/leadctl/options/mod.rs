mod outbox;

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::{Args, Parser, Subcommand, builder::PossibleValuesParser, builder::TypedValueParser};
use clap_complete::Shell;
use encoding_rs::Encoding;
use fastcore_leads::{
    Actor, LeadFilter, LeadId, LeadStatus, RequestId, Service,
    inbox::{Cursor, Disclosure, MAX_PAGE, Reason, Search, SearchCursor, SheetFormat, instant_or_day},
};
use fastcore_leads_examples::database::Driver;
use uuid::Uuid;

pub(crate) use self::outbox::{DeliveryArguments, NotifyCommand};

/// Works the lead inbox: read, move, import, keep it lawful.
///
/// Personal data is shown masked; --reveal shows it. Exit codes: 0 done, 1 the database or the file system failed, 2 unknown
/// options, 3 no such lead, 4 the lead's state does not allow it, 5 the input cannot be used, 6 some lines of an import were
/// refused, 7 not confirmed.
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

    /// Who acts, for the audit log: 1 to 50 characters.
    #[arg(long, global = true, env = "FASTCORE_ACTOR", default_value = "leadctl", value_parser = actor)]
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
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists leads, newest first; those in quarantine only with --status quarantined.
    List(ListArguments),
    /// Finds leads by the beginnings of words of their name, address, telephone number, company, service or message.
    Search(SearchArguments),
    /// Counts leads by status.
    Counts,
    /// Shows a lead and what happened to it.
    Show {
        /// The lead's id, or the id of its request.
        id: Uuid,
    },
    /// Moves a lead on: received, processing, resolved, archived; or back to received or processing.
    Move {
        /// The lead's id.
        #[arg(value_parser = lead_id)]
        id: LeadId,
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
        /// The lead's id.
        #[arg(value_parser = lead_id)]
        id: LeadId,
        /// Why, for the audit log: nothing personal.
        #[arg(long, value_parser = reason)]
        reason: Option<Reason>,
    },
    /// Records that the person has withdrawn the consent.
    WithdrawConsent {
        /// The lead's id.
        #[arg(value_parser = lead_id)]
        id: LeadId,
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
    /// Erases a lead, or all leads of an email address, in the site's spool too: a tombstone stays.
    Erase {
        /// A lead's id, or an email address.
        subject: String,
        /// Why, for the audit log: nothing personal.
        #[arg(long, value_parser = reason)]
        reason: Option<Reason>,
        /// Does not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Says what the retention rule would erase; with --execute, erases it.
    Purge(PurgeArguments),
    /// Takes leads in from a file, JSON Lines or CSV. May be started again after any end: no lead is made twice.
    Import(ImportArguments),
    /// Writes leads to a file, JSON Lines or CSV; those in quarantine only with --status quarantined.
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
    Deliveries(DeliveryArguments),
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
        /// The id that it is sent under.
        request_id: RequestId,
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
        /// The id that it is sent under.
        request_id: Option<RequestId>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct FilterArguments {
    /// Only leads in this status; may be given several times.
    #[arg(long, value_parser = status())]
    status: Vec<LeadStatus>,
    /// Only enquiries about this.
    #[arg(long, value_parser = service())]
    service: Option<Service>,
    /// Only from this site.
    #[arg(long)]
    source: Option<String>,
    /// Only taken in at this instant (RFC 3339) or day (YYYY-MM-DD, UTC) or later.
    #[arg(long, value_parser = instant)]
    from: Option<DateTime<Utc>>,
    /// Only taken in before.
    #[arg(long, value_parser = instant)]
    before: Option<DateTime<Utc>>,
    /// Only from this address.
    #[arg(long)]
    email: Option<String>,
}

impl FilterArguments {
    pub(crate) fn filter(&self) -> LeadFilter {
        LeadFilter {
            statuses: self.status.clone(),
            service: self.service,
            sources: self.source.iter().cloned().collect(),
            received_from: self.from,
            received_before: self.before,
            email: self.email.clone(),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    pub(crate) filter: FilterArguments,
    /// How many at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_PAGE)))]
    pub(crate) limit: u32,
    /// Where the page before ended.
    #[arg(long)]
    pub(crate) after: Option<Cursor>,
}

#[derive(Debug, Args)]
pub(crate) struct SearchArguments {
    /// What is searched for: up to 8 words, each of which has to be there. The shell's history keeps it.
    #[arg(value_parser = clap::value_parser!(Search))]
    pub(crate) text: Search,
    #[command(flatten)]
    pub(crate) filter: FilterArguments,
    /// How many at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_PAGE)))]
    pub(crate) limit: u32,
    /// Where the search before ended.
    #[arg(long)]
    pub(crate) after: Option<SearchCursor>,
}

#[derive(Debug, Args)]
pub(crate) struct PurgeArguments {
    /// Leads without contact for so many days. The CNIL's usual figure for prospects is three years.
    #[arg(long, default_value_t = 1095, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub(crate) days: u32,
    /// Leads in quarantine for so many days.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub(crate) quarantine_days: u32,
    /// Erases them, instead of saying how many there are.
    #[arg(long)]
    pub(crate) execute: bool,
    /// Does not ask.
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    /// The file: CSV, JSON lines, or a JSON array; .gz too. Columns are called as the members of the endpoint's body, or as
    /// people call them (Nom, E-Mail, Société).
    pub(crate) file: PathBuf,
    /// Shows what is understood of the file, and what would be refused; takes nothing in.
    #[arg(long)]
    pub(crate) check: bool,
    /// The member that a column stands for, such as Nom=name; as often as needed.
    #[arg(long, value_name = "COLUMN=MEMBER", value_parser = crate::import::mapping)]
    pub(crate) map: Vec<(String, &'static [&'static str])>,
    /// Where leads are from that do not say so.
    #[arg(long)]
    pub(crate) source: Option<String>,
    /// Where dates are from that say no time zone, such as Europe/Paris.
    #[arg(long)]
    pub(crate) timezone: Option<chrono_tz::Tz>,
    /// How dates are written, such as "%d/%m/%Y %H:%M". Default: as the file shows.
    #[arg(long)]
    pub(crate) date_format: Option<String>,
    /// The file's encoding, such as windows-1252. Default: found.
    #[arg(long, value_parser = encoding)]
    pub(crate) encoding: Option<&'static Encoding>,
    /// What the columns of a CSV are separated by: a character, or tab. Default: found.
    #[arg(long, value_parser = separator)]
    pub(crate) separator: Option<u8>,
    /// How many seconds the database may be away before the import stops.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) patience: u64,
    /// Default: by the file's ending.
    #[arg(long, value_parser = format())]
    pub(crate) format: Option<SheetFormat>,
    /// Where refused lines go, with their reasons. Default: the file's name and `.refused.jsonl`; beside an earlier one, with a
    /// number.
    #[arg(long)]
    pub(crate) refused: Option<PathBuf>,
}

fn encoding(label: &str) -> Result<&'static Encoding, &'static str> {
    Encoding::for_label(label.as_bytes()).ok_or("no such encoding; such as utf-8, utf-16le, windows-1252")
}

fn separator(text: &str) -> Result<u8, &'static str> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        [byte] if byte.is_ascii_punctuation() && *byte != b'"' || *byte == b'\t' => Ok(*byte),
        _ => Err("say one character, such as ; or |, or tab"),
    }
}

#[derive(Debug, Args)]
pub(crate) struct DumpArguments {
    #[command(flatten)]
    pub(crate) filter: FilterArguments,
    /// How leads are written.
    #[arg(long, value_parser = format(), default_value_t = SheetFormat::Jsonl)]
    pub(crate) format: SheetFormat,
    /// The file to write, for nobody else to read. Default: standard output.
    #[arg(long)]
    pub(crate) output: Option<PathBuf>,
}

fn status() -> impl TypedValueParser<Value = LeadStatus> {
    PossibleValuesParser::new(LeadStatus::ALL.iter().map(|status| status.as_str())).try_map(|word| word.parse())
}

fn format() -> impl TypedValueParser<Value = SheetFormat> {
    PossibleValuesParser::new(SheetFormat::ALL.iter().map(|format| format.as_str())).try_map(|word| word.parse())
}

fn service() -> impl TypedValueParser<Value = Service> {
    PossibleValuesParser::new(Service::ALL.iter().map(|service| service.as_str())).try_map(|word| word.parse())
}

fn actor(text: &str) -> Result<Actor, String> {
    Actor::new(text).map_err(|error| error.to_string())
}

fn reason(text: &str) -> Result<Reason, String> {
    Reason::new(text).map_err(|error| error.to_string())
}

fn lead_id(text: &str) -> Result<LeadId, String> {
    Uuid::try_parse(text).map(LeadId::from_uuid).map_err(|_| "not a lead's id, which is a UUID".to_owned())
}

fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    instant_or_day(text)
        .ok_or_else(|| "neither an instant such as 2026-01-31T10:00:00Z nor a day such as 2026-01-31".to_owned())
}
