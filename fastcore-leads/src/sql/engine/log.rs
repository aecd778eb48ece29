use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep};

use super::{Connections, Engine, Execute, Session, ask, sqlite, write_all};
use crate::{
    audit::AuditRecord,
    jitter,
    lead::LeadId,
    proof::{LogEntry, Seal, SealLag, SealState, Tile, TileId},
    sql::{
        inbox::Dialect,
        log::{EntryRow, LagRow, StateRow, TileRow},
    },
    store::{LeadLog, LeadOutbox, StoreError, StoreErrorKind},
};

/// Rows that are numbered in one transaction.
const AT_ONCE: u32 = 500;
/// For how long a row is tried to be redacted where others are in the way, and how long apart: they would wait behind it.
const TRIED_FOR: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_secs(1);

#[async_trait]
impl<C: Connections> LeadLog for Engine<C> {
    async fn sealed(&self) -> Result<SealState, StoreError> {
        let rows: Vec<StateRow> = self.ask(C::DIALECT.sealed()).await?;
        rows.into_iter().next().ok_or_else(no_seal)?.read()
    }

    async fn seal_lag(&self) -> Result<SealLag, StoreError> {
        let rows: Vec<LagRow> = self.ask(C::DIALECT.seal_lag()).await?;
        Ok(rows.into_iter().next().ok_or_else(no_seal)?.read())
    }

    async fn entries(&self, from: u64, limit: u32) -> Result<Vec<LogEntry>, StoreError> {
        let rows: Vec<EntryRow> = self.ask(C::DIALECT.entries(from, limit)).await?;
        let mut entries = Vec::with_capacity(rows.len());
        let mut next = from;
        for entry in rows.into_iter().map(EntryRow::read) {
            // Of a number that was taken away nothing is left but its place.
            let room = (limit as usize).saturating_sub(entries.len());
            entries.extend((next..entry.index).take(room).map(|index| LogEntry { index, row_id: None, row: None }));
            if entries.len() >= limit as usize {
                break;
            }
            next = entry.index + 1;
            entries.push(entry);
        }
        Ok(entries)
    }

    async fn seal(&self, seal: &Seal) -> Result<bool, StoreError> {
        let (extend, add) = (C::DIALECT.extend(seal), C::DIALECT.add_to_tiles(&seal.added));
        self.transact(move |session| {
            Box::pin(async move {
                let is_next = !session.answers(extend).await?.is_empty();
                if is_next {
                    session.write(add).await?;
                }
                Ok(is_next)
            })
        })
        .await
    }

    async fn tiles(&self, ids: &[TileId]) -> Result<Vec<Tile>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<TileRow> = self.ask(C::DIALECT.tiles(ids)).await?;
        rows.into_iter().map(TileRow::read).collect()
    }

    async fn keep_checkpoint(&self, size: u64, checkpoint: &str) -> Result<(), StoreError> {
        let statement = C::DIALECT.keep_checkpoint(size, checkpoint);
        self.connections().write(Box::new(|session| session.write(statement))).await.map(|_rows| ())
    }

    async fn receipt_of(&self, id: LeadId) -> Result<Option<u64>, StoreError> {
        Ok(self.ask(C::DIALECT.receipt_of(id)).await?.pop())
    }

    async fn strays(&self, after: &str, limit: u32) -> Result<(Vec<String>, Option<String>), StoreError> {
        let mut rows: Vec<(Option<String>, Vec<String>)> = self.ask(C::DIALECT.strays(after, limit)).await?;
        Ok(rows.pop().map_or_else(Default::default, |(last, strays)| (strays, last)))
    }

    async fn redact(&self, row_id: &str, record: &AuditRecord) -> Result<bool, StoreError> {
        let end = Instant::now() + TRIED_FOR;
        let redacted = loop {
            match self.redact_once(row_id, record).await {
                Err(error) if is_in_the_way(error.kind()) && Instant::now() < end => {
                    sleep(jitter::around(PAUSE)).await;
                }
                redacted => break redacted?,
            }
        };
        while redacted && self.sequence(AT_ONCE).await? >= AT_ONCE {}
        if redacted && C::DIALECT == Dialect::Sqlite {
            // What was there is in the log beside the file until it is emptied: with the next erasure at the latest.
            let _ = self.connections().write(Box::new(|session| Box::pin(sqlite::empty_log(session)))).await;
        }
        Ok(redacted)
    }

    async fn restart_log(&self, former_origin: Option<&str>, record: &AuditRecord) -> Result<(), StoreError> {
        let (append, restart) = (C::DIALECT.append(&[record]), C::DIALECT.restart_log(former_origin));
        self.transact(move |session| {
            Box::pin(async move {
                check_owner(session, C::DIALECT).await?;
                for statement in restart {
                    session.write(statement).await?;
                }
                write_all(session, append, 1).await
            })
        })
        .await
    }
}

impl<C: Connections> Engine<C> {
    async fn redact_once(&self, row_id: &str, record: &AuditRecord) -> Result<bool, StoreError> {
        let (row_id, append) = (row_id.to_owned(), C::DIALECT.append(&[record]));
        self.transact(move |session| {
            Box::pin(async move {
                check_owner(session, C::DIALECT).await?;
                let place: Vec<u64> = ask(session, C::DIALECT.lock_sealed(&row_id)).await?;
                let Some(index) = place.into_iter().next() else { return Ok(false) };
                session.write(C::DIALECT.remove_salt(index)).await?;
                for statement in C::DIALECT.unguard() {
                    session.execute(statement).await?;
                }
                write_all(session, C::DIALECT.blank(&row_id), 1).await?;
                session.execute(C::DIALECT.guard()).await?;
                write_all(session, append, 1).await?;
                Ok(true)
            })
        })
        .await
    }
}

/// Whether nothing was written for others' sake. Not every driver tells a lock from a database that is away.
fn is_in_the_way(kind: StoreErrorKind) -> bool {
    matches!(kind, StoreErrorKind::Locked | StoreErrorKind::Contention | StoreErrorKind::Unavailable)
}

fn no_seal() -> StoreError {
    let reason = "the row of `audit_seal` is missing: restore it, or begin the log anew";
    StoreError::new(StoreErrorKind::Internal).with_reason(reason)
}

/// Says so at once where the rights are missing: not every driver tells why a statement was refused.
async fn check_owner<S: Session>(session: &mut S, dialect: Dialect) -> Result<(), StoreError> {
    let Some(is_owner) = dialect.is_owner() else { return Ok(()) };
    let answered: Vec<bool> = ask(session, is_owner).await?;
    if answered == [true] {
        return Ok(());
    }
    let reason = "this takes the rights of the role that owns the table `audit_log`: connect as that role";
    Err(StoreError::new(StoreErrorKind::Misconfigured).with_reason(reason))
}
