//! The inbox after ingest: reading leads, working them, and keeping them lawful.
//!
//! [`LeadInbox`](crate::LeadInbox) is what a store implements; [`InboxExt`] is what a service calls on top: moves through
//! the [statuses](crate::LeadStatus), release from quarantine, withdrawal of consent, erasure, export, purge. Each change to a
//! lead is a [`Change`], decided in one place and written with its audit row in one transaction.
//!
//! ```
//! use fastcore_leads::{Actor, Ingest, Lead, LeadFilter, LeadInbox, LeadStatus, MemoryLeadStore, inbox::InboxExt};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! let store = MemoryLeadStore::new();
//! let lead = Lead::parse(fastcore_leads::SAMPLE_LEAD.as_bytes(), Default::default())?;
//! let ingest = Ingest::builder(store.clone()).start();
//! let id = ingest.ingest(lead, Actor::SITE_INGEST).await?.receipt.lead_id;
//!
//! let page = store.page(&LeadFilter::default(), None, 50).await?;
//! assert_eq!(page.leads.len(), 1);
//! let operator = Actor::new("marie")?;
//! store.transition(id, LeadStatus::Received, LeadStatus::Processing, operator.clone(), None).await?;
//! // Somebody else was quicker: nothing is written.
//! assert!(store.transition(id, LeadStatus::Received, LeadStatus::Archived, operator, None).await.is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(()) }).map_err(|error| error.to_string())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod address;
mod cell;
mod change;
mod disclosure;
mod erasure;
mod error;
mod export;
mod ext;
mod history;
mod id_prefix;
mod note;
mod page;
mod reason;
mod retention;
mod reveal;
mod search;
mod service_level;
mod sheet;
mod tally;
mod waits;

pub(crate) use self::address::{is_same_address, spellings};
#[cfg(feature = "outbox")]
pub(crate) use self::ext::note_unanswered;
pub(crate) use self::page::page_size;
pub(crate) use self::retention::CONTACTS;
pub(crate) use self::search::words_of;
pub use self::{
    cell::{CellGuard, guarded_cell, restored_cell},
    change::{Change, Rewrite, Target},
    disclosure::Disclosure,
    erasure::Erasure,
    error::InboxError,
    export::{Export, ExportedEvent, ExportedLead},
    ext::InboxExt,
    history::{BrokenTrail, LeadState},
    id_prefix::{IdPrefix, InvalidIdPrefix},
    note::{InvalidNote, Note},
    page::{Cursor, InvalidCursor, LeadFilter, LeadPage, MAX_PAGE, MAX_REPEATED, instant_or_day},
    reason::{InvalidReason, Reason},
    retention::{Due, PurgeReport, Retention, Unless},
    search::{InvalidSearch, InvalidSearchCursor, Search, SearchCursor, SearchPage},
    service_level::{InvalidServiceLevel, ServiceLevel, WorkHours},
    sheet::{Sheet, SheetFormat, UnknownSheetFormat},
    tally::Tally,
    waits::{ContactTimes, Waits},
};
