use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::{Connections, Engine, Session, Work, ask, change::in_transaction, read_answers};
use crate::{
    lead::LeadId,
    outbox::{
        CheckpointDelivery, Claim, Delivery, DeliveryFilter, DeliveryRecord, DestinationStatus, Event, Settlement,
        Subject, Subscription,
    },
    sql::{
        inbox::{Dialect, Statement},
        outbox::{
            self as sql, CheckpointRow, DueRow, EventRow, Numbered, Reached, RecordRow, SequencerRow, StatusRow,
            Unnumbered,
        },
    },
    store::{LeadOutbox, StoreError, StoreErrorKind},
};

/// How many deliveries are removed, or made due again, in one transaction: few enough that nobody waits long for it.
const AT_ONCE: u32 = 1000;
/// The fewest rows that are numbered in one transaction, where more take too long.
const LEAST_AT_ONCE: u32 = 50;

#[async_trait]
impl<C: Connections> LeadOutbox for Engine<C> {
    async fn sequence(&self, limit: u32) -> Result<u32, StoreError> {
        let (limit, mut numbered) = (limit.max(1), 0_u32);
        let (mut at_once, mut reached) = (limit, None);
        while numbered < limit {
            let (room, before) = (at_once.min(limit - numbered), reached.clone());
            let pass = self.transact(move |session| Box::pin(sequence(session, C::DIALECT, room, before))).await;
            match pass {
                Ok((some, so_far)) => {
                    numbered = numbered.saturating_add(some);
                    if so_far.as_ref().is_none_or(Reached::is_end) {
                        break;
                    }
                    reached = so_far;
                }
                // Fewer may do where so many take too long.
                Err(error) if error.kind() == StoreErrorKind::TimedOut && at_once > LEAST_AT_ONCE => {
                    at_once = (at_once / 8).max(LEAST_AT_ONCE);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(numbered)
    }

    async fn events(&self, after: u64, limit: u32) -> Result<Vec<Event>, StoreError> {
        let rows: Vec<EventRow> = self.ask(C::DIALECT.events(sql::signed(after), limit)).await?;
        rows.into_iter().map(EventRow::read).collect()
    }

    async fn last_sequence(&self) -> Result<u64, StoreError> {
        let last: Vec<u64> = self.ask(C::DIALECT.last_sequence()).await?;
        Ok(last.into_iter().next().unwrap_or_default())
    }

    async fn subscribe(&self, destination: &str) -> Result<(), StoreError> {
        let statement = C::DIALECT.subscribe(destination);
        self.connections().write(Box::new(|session| session.write(statement))).await.map(|_rows| ())
    }

    async fn unsubscribe(&self, destination: &str) -> Result<bool, StoreError> {
        loop {
            let statement = C::DIALECT.drop_deliveries(destination, AT_ONCE);
            let some = self.transact(move |session| Box::pin(count_of(session, C::DIALECT, statement))).await?;
            if some < u64::from(AT_ONCE) {
                break;
            }
        }
        // First the destination, so that nobody enters what would be left.
        let statements = (C::DIALECT.unsubscribe(destination), C::DIALECT.drop_deliveries(destination, u32::MAX));
        self.transact(move |session| {
            Box::pin(async move {
                let removed = session.answers(statements.0).await?;
                session.write(statements.1).await?;
                Ok(!removed.is_empty())
            })
        })
        .await
    }

    async fn fan_out(&self, subscription: &Subscription, limit: u32) -> Result<u32, StoreError> {
        let subscription = subscription.clone();
        self.transact(move |session| Box::pin(fan_out(session, C::DIALECT, subscription, limit))).await
    }

    async fn claim(&self, claim: &Claim) -> Result<Vec<Delivery>, StoreError> {
        let claim = claim.clone();
        let work: Work<C::Session, Option<Vec<Delivery>>> =
            in_transaction(C::DIALECT, Option::is_some, move |session| Box::pin(take(session, C::DIALECT, claim)));
        Ok(self.connections().write(work).await?.unwrap_or_default())
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<u32, StoreError> {
        if settlements.is_empty() {
            return Ok(0);
        }
        let statement = C::DIALECT.settle(settlements);
        let counted = self.connections().write(Box::new(|session| session.answers(statement))).await?;
        Ok(u32::try_from(counted.len()).unwrap_or(u32::MAX))
    }

    async fn claim_checkpoint(
        &self,
        destination: &str,
        lease: Duration,
    ) -> Result<Option<CheckpointDelivery>, StoreError> {
        let statement = C::DIALECT.claim_checkpoint(destination, lease);
        let answers = self.connections().write(Box::new(|session| session.answers(statement))).await?;
        let claimed: Vec<CheckpointRow> = read_answers(&answers)?;
        Ok(claimed.into_iter().next().map(|row| row.read(destination)))
    }

    async fn settle_checkpoint(
        &self,
        delivery: &CheckpointDelivery,
        has_arrived: bool,
        rest: Duration,
    ) -> Result<bool, StoreError> {
        let statement = C::DIALECT.settle_checkpoint(delivery, has_arrived, rest);
        let counted = self.connections().write(Box::new(|session| session.answers(statement))).await?;
        Ok(!counted.is_empty())
    }

    async fn subjects(&self, ids: &[LeadId]) -> Result<Vec<Subject>, StoreError> {
        let mut ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
        ids.sort_unstable();
        ids.dedup();
        let earlier: Vec<(Uuid, u64)> = self.ask(C::DIALECT.earlier_leads(&ids)).await?;
        let leads = self.leads(C::DIALECT.leads_by_id(&ids)).await?;
        let earlier_of = |id: Uuid| earlier.iter().find(|(of, _)| *of == id).map_or(0, |(_, number)| *number);
        Ok(leads.into_iter().map(|lead| Subject { earlier_leads: earlier_of(lead.id.as_uuid()), lead }).collect())
    }

    async fn pause(&self, destination: &str, is_paused: bool) -> Result<bool, StoreError> {
        let statement = C::DIALECT.pause(destination, is_paused);
        let changed = self.connections().write(Box::new(|session| session.answers(statement))).await?;
        Ok(!changed.is_empty())
    }

    async fn destinations(&self) -> Result<Vec<DestinationStatus>, StoreError> {
        let rows: Vec<StatusRow> = self.ask(C::DIALECT.destinations()).await?;
        rows.into_iter().map(StatusRow::read).collect()
    }

    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        after: Option<(u64, &str)>,
        limit: u32,
    ) -> Result<Vec<DeliveryRecord>, StoreError> {
        let rows: Vec<RecordRow> = self.ask(C::DIALECT.deliveries(filter, after, limit)).await?;
        rows.into_iter().map(RecordRow::read).collect()
    }

    async fn replay(&self, filter: &DeliveryFilter) -> Result<u64, StoreError> {
        let (mut replayed, mut after) = (0, None::<(u64, String)>);
        loop {
            let place = after.as_ref().map(|(sequence, destination)| (*sequence, destination.as_str()));
            let shown = self.deliveries(filter, place, AT_ONCE).await?;
            let Some(last) = shown.last() else { return Ok(replayed) };
            after = Some((last.event.sequence, last.destination.clone()));
            let statement = C::DIALECT.replay(&shown);
            replayed += self.transact(move |session| Box::pin(count_of(session, C::DIALECT, statement))).await?;
        }
    }

    async fn forget_delivered(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        let mut forgotten = 0;
        loop {
            let statement = C::DIALECT.forget(before, AT_ONCE);
            let some = self.transact(move |session| Box::pin(count_of(session, C::DIALECT, statement))).await?;
            forgotten += some;
            if some < u64::from(AT_ONCE) {
                return Ok(forgotten);
            }
        }
    }
}

impl<C: Connections> Engine<C> {
    pub(super) async fn ask<T: DeserializeOwned>(&self, statement: Statement) -> Result<Vec<T>, StoreError> {
        read_answers(&self.answers(statement).await?)
    }
}

/// One pass of the sequencer. Returns how many rows it numbered, and how far it came.
async fn sequence<S: Session>(
    session: &mut S,
    dialect: Dialect,
    limit: u32,
    before: Option<Reached>,
) -> Result<(u32, Option<Reached>), StoreError> {
    let sequencer: Vec<SequencerRow> = ask(session, dialect.lock_sequencer()).await?;
    // Whoever emptied the table has to migrate.
    let Some(sequencer) = sequencer.into_iter().next() else { return Ok((0, None)) };
    let sequencer = sequencer.read().going_on(before);
    let (rows, reached) = Unnumbered::read(ask(session, dialect.unnumbered(&sequencer, limit)).await?)?;
    let numbered: Vec<Numbered> =
        rows.iter().zip(sequencer.last + 1..).map(|((id, row), number)| Numbered::of(id, row, number)).collect();
    if !numbered.is_empty() {
        session.write(dialect.number(&numbered)).await?;
    }
    if !numbered.is_empty() || sequencer.is_changed_by(&reached) {
        let count = i64::try_from(numbered.len()).unwrap_or_default();
        session.write(dialect.mark(&sequencer, count, &reached)).await?;
    }
    Ok((u32::try_from(numbered.len()).unwrap_or(u32::MAX), Some(reached)))
}

async fn fan_out<S: Session>(
    session: &mut S,
    dialect: Dialect,
    subscription: Subscription,
    limit: u32,
) -> Result<u32, StoreError> {
    let position: Vec<i64> = ask(session, dialect.lock_destination(&subscription.destination)).await?;
    let Some(position) = position.into_iter().next() else { return Ok(0) };
    let ahead: Vec<(u32, i64)> = ask(session, dialect.ahead(position, limit)).await?;
    let Some((events, last)) = ahead.into_iter().next().filter(|(events, _)| *events > 0) else { return Ok(0) };
    for statement in dialect.fan_out(&subscription, position, last) {
        session.write(statement).await?;
    }
    Ok(events)
}

/// None where nothing is to be had: then nothing is to be written either.
async fn take<S: Session>(
    session: &mut S,
    dialect: Dialect,
    claim: Claim,
) -> Result<Option<Vec<Delivery>>, StoreError> {
    if !claim.pause.is_zero() && session.answers(dialect.rest(&claim.destination, claim.pause)).await?.is_empty() {
        return Ok(None);
    }
    let due: Vec<DueRow> = ask(session, dialect.due_deliveries(&claim)).await?;
    if due.is_empty() {
        return Ok(None);
    }
    let deliveries: Vec<_> = due.into_iter().map(|row| row.read(&claim.destination)).collect::<Result<_, _>>()?;
    session.write(dialect.take(&claim, &deliveries)).await?;
    Ok(Some(deliveries))
}

/// Runs a statement that writes, and returns how many rows it wrote.
async fn count_of<S: Session>(session: &mut S, dialect: Dialect, statement: Statement) -> Result<u64, StoreError> {
    let counted: Vec<u64> = match dialect {
        Dialect::Postgres => {
            let text = format!(
                "WITH changed AS ({} RETURNING 1) SELECT count(*)::text AS answer FROM changed",
                statement.text
            );
            ask(session, Statement { text: text.into(), ..statement }).await?
        }
        Dialect::Sqlite => {
            session.write(statement).await?;
            ask(session, Statement::of(dialect, "SELECT CAST(changes() AS TEXT) AS answer")).await?
        }
    };
    Ok(counted.into_iter().next().unwrap_or_default())
}
