//! Where leads are kept: the traits that a database crate implements, and what passes through them.

mod delegate;
mod error;
mod log;
mod memory;
mod new_lead;
mod outbox;
mod settle;
mod stored;

use async_trait::async_trait;

pub(crate) use self::stored::NOTES;
pub use self::{
    error::{StoreError, StoreErrorKind},
    log::LeadLog,
    memory::MemoryLeadStore,
    new_lead::NewLead,
    outbox::LeadOutbox,
    settle::{settle, unsettled},
    stored::StoredLead,
};
use crate::{
    audit::AuditRecord,
    inbox::{Change, Cursor, Due, Erasure, InboxError, LeadFilter, LeadPage, Search, SearchCursor, SearchPage, Tally},
    lead::{LeadId, RequestId},
};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Takes in leads: what the ingest workflow needs of a database.
///
/// # Contract
///
/// **What the caller has made sure of.** A [`NewLead`] has passed the parser: no store checks a length or a character.
/// Ids are fresh; two leads of a batch may share a request id.
///
/// **Atomicity.** `insert` is one atomic, durable step for the whole batch. When it returns `Ok`, each lead that is
/// [`Insertion::Inserted`] and its audit row are committed and survive a crash of the process, the database and the
/// machine. When it returns `Err`, nothing of the batch was written, except where the kind is
/// [`StoreErrorKind::OutcomeUnknown`], [`StoreErrorKind::TimedOut`] or [`StoreErrorKind::Internal`]: then all of it was, or
/// nothing. If a trigger of a host's keeps a lead out of a PostgreSQL table without an error, the batch is
/// [`StoreErrorKind::Rejected`] and its other leads may be written, each with its audit row; to insert them again tells.
///
/// **Outcomes.** One for each lead, in the batch's order. The database's unique constraint on the request id decides
/// whether a lead is new; where it is not, [`StoredLead::answer_to`] decides between replay, conflict and erased. No row
/// is written for those. Running a batch again is therefore always safe, and a lead that an earlier run of the *same*
/// batch wrote is `Inserted` again.
///
/// **Cancellation.** The future may be dropped at any await: the batch is then written whole or not at all, and no
/// connection stays inside a transaction.
///
/// **Time.** The store bounds its own waits, so that a database that does not answer becomes an error.
///
/// **Clone.** Stores are handles: clones share connections.
#[async_trait]
pub trait LeadStore: Send + Sync {
    /// Writes leads with their audit rows.
    ///
    /// # Errors
    /// [`StoreError`], with a kind by the database's own code; nothing was written, but for the kinds named above.
    async fn insert(&self, batch: &[NewLead]) -> Result<Vec<Insertion>, StoreError>;

    /// Asks the database for a sign of life, for a readiness probe.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer, or has not been migrated.
    async fn ready(&self) -> Result<(), StoreError>;
}

/// Reads leads back, and works them. A service calls [`InboxExt`](crate::inbox::InboxExt) on top.
///
/// # Contract
///
/// **Changes** are one atomic, durable step each: the rows of [`Change::target`](crate::inbox::Change::target) are locked,
/// [`Change::decide`](crate::inbox::Change::decide) decides on them, and what it says is written, each lead with its audit
/// row; or nothing is.
///
/// **Cancellation** as in [`LeadStore`]'s contract.
#[async_trait]
pub trait LeadInbox: LeadStore {
    /// The lead with this id.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer.
    async fn get(&self, id: LeadId) -> Result<Option<StoredLead>, StoreError>;

    /// The lead that this request made.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer.
    async fn find(&self, request_id: RequestId) -> Result<Option<StoredLead>, StoreError>;

    /// What happened to a lead, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer.
    async fn audit_trail(&self, id: LeadId) -> Result<Vec<AuditRecord>, StoreError>;

    /// Leads that a filter shows, newest first: up to so many, at most [`MAX_PAGE`](crate::inbox::MAX_PAGE), behind a place
    /// in the list. However many leads arrive meanwhile, a walk from page to page sees each older lead exactly once.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer.
    async fn page(&self, filter: &LeadFilter, after: Option<Cursor>, limit: u32) -> Result<LeadPage, StoreError>;

    /// Leads that a filter shows, newest first: the page in front of a place in the list, of up to so many.
    ///
    /// # Errors
    /// [`StoreError`] if the database does not answer.
    async fn page_before(&self, filter: &LeadFilter, before: Cursor, limit: u32) -> Result<LeadPage, StoreError>;

    /// Leads whose ids, or whose requests' ids, lie between two, these included: up to so many by either, those in quarantine and
    /// those that are erased too. In no order; a lead may be there twice.
    ///
    /// # Errors
    /// [`StoreError`] if the database does not answer.
    async fn between(&self, first: Uuid, last: Uuid, limit: u32) -> Result<Vec<StoredLead>, StoreError>;

    /// What is left of leads that were erased, those first that were erased first: up to so many, at most
    /// [`MAX_PAGE`](crate::inbox::MAX_PAGE), behind a place in this order.
    ///
    /// # Errors
    /// [`StoreError`] if the database does not answer.
    async fn erased(&self, after: Erasure, limit: u32) -> Result<Vec<StoredLead>, StoreError>;

    /// Leads that have these words and that a filter shows, those that came last first: up to so many, at most
    /// [`MAX_PAGE`](crate::inbox::MAX_PAGE), behind a place among them.
    ///
    /// It takes some milliseconds, however many leads there are: where they do not do to look through all, the page says
    /// where to go on. Leads are found once [`index`](Self::index) has entered them. Those that are older than the index come last, in
    /// the order of their ids; one that another program writes needs its audit row to be found.
    ///
    /// # Errors
    /// [`StoreError`] if the database does not answer.
    async fn search(
        &self,
        search: &Search,
        filter: &LeadFilter,
        after: Option<SearchCursor>,
        limit: u32,
    ) -> Result<SearchPage, StoreError>;

    /// Enters up to so many leads into what [`search`](Self::search) finds leads by, in a transaction behind the ones that wrote
    /// them. Returns how many rows it looked at; 0 once all are entered, and while another process does so.
    ///
    /// # Errors
    /// [`StoreError`] if the database does not answer, or if somebody else holds it up; nothing was entered, but for the kinds
    /// that [`LeadStore`]'s contract names.
    async fn index(&self, limit: u32) -> Result<u32, StoreError>;

    /// The newest leads from an address, in any case, newest first, and so many at most; those in quarantine too.
    ///
    /// Anybody may send leads under an address: whoever shows them asks for as many as can be shown. [`u32::MAX`] asks for all, as an
    /// export of what is held on a person does.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer.
    async fn find_by_email(&self, email: &str, limit: u32) -> Result<Vec<StoredLead>, StoreError>;

    /// How many leads are in each status: all of [`LeadStatus::ALL`](crate::LeadStatus::ALL) first, and then those that this
    /// version does not know and that leads are in. Erased ones do not count.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer.
    async fn counts(&self) -> Result<Vec<(String, u64)>, StoreError>;

    /// How many leads a filter shows, by status, service, source and day.
    ///
    /// It reads each of them: ask for a range of time.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer.
    async fn tally(&self, filter: &LeadFilter) -> Result<Vec<Tally>, StoreError>;

    /// When somebody first worked on each of these leads: when its first move to processing or resolved was audited. A lead that nobody
    /// has worked on is not in the answer. In no order.
    ///
    /// # Errors
    /// [`StoreError`] if the database does not answer.
    async fn first_contacts(&self, ids: &[LeadId]) -> Result<Vec<(LeadId, DateTime<Utc>)>, StoreError>;

    /// Leads that a retention rule reaches, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer.
    async fn due(&self, due: &Due) -> Result<Vec<StoredLead>, StoreError>;

    /// Carries out a change, and answers the rows as they are now.
    ///
    /// # Errors
    /// What [`Change::decide`](crate::inbox::Change::decide) says, and [`InboxError::Store`]. Nothing was written, but for
    /// the kinds that [`LeadStore`]'s contract names.
    async fn change(&self, change: &Change) -> Result<Vec<StoredLead>, InboxError>;

    /// Appends rows to the audit log, in one atomic, durable step. A row whose id is there already is left as it is.
    ///
    /// # Errors
    /// [`StoreError`]; no row was written, but for the kinds that [`LeadStore`]'s contract names.
    async fn append(&self, records: &[AuditRecord]) -> Result<(), StoreError>;
}

/// A store whose tables are in a database, whether or not it can read the inbox.
#[async_trait]
pub trait LeadMigrations: LeadStore {
    /// Brings the tables up to date. Safe to call from many processes at once; changes nothing where there is nothing
    /// to do.
    ///
    /// # Errors
    /// [`StoreErrorKind::SchemaMismatch`] where a newer version, or edited statements, migrated the database;
    /// [`StoreErrorKind::Misconfigured`] where one of the [`adoption_problems`](Self::adoption_problems) stands in the way;
    /// [`StoreErrorKind::TimedOut`] where others hold a lock on the tables for too long.
    async fn migrate(&self) -> Result<(), StoreError>;

    /// What stands in the way of [`migrate`](Self::migrate), a sentence each: tables that somebody else made with columns of
    /// other types, that stand in another schema, or a database that cannot hold every lead's text. Empty where nothing does.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer.
    async fn adoption_problems(&self) -> Result<Vec<String>, StoreError>;

    /// What in the database's settings could lose an acknowledged lead, or write leads into the server's own log, a sentence each.
    /// Empty on a sound database.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer.
    async fn settings_warnings(&self) -> Result<Vec<&'static str>, StoreError>;

    /// The triggers that keep the audit log append-only and are missing, or switched off, by name. Empty on a sound
    /// database.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer.
    async fn missing_guards(&self) -> Result<Vec<String>, StoreError>;
}

/// A store that does all: takes leads in, works the inbox, tells others, proves its log, and keeps its tables.
pub trait LeadDatabase: LeadLog + LeadMigrations {}

impl<S: LeadLog + LeadMigrations + ?Sized> LeadDatabase for S {}

/// What became of one lead of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Insertion {
    /// Written, with its audit row.
    Inserted,
    /// The same request came before, with the same content: here is what it made.
    Replayed(Receipt),
    /// The same request came before, with other content.
    Conflict,
    /// The same request came before, and its lead has been erased since.
    Erased,
}

/// What a sender gets for a lead: its id, and the instant that the answer, the lead row and the audit row share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The lead's id.
    pub lead_id: LeadId,
    /// When the lead was taken in, in microseconds.
    pub created_at: DateTime<Utc>,
}
