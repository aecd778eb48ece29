//! A second opinion. diesel hides SQLSTATEs, and has no kind for a deadlock, a full disk or a value that does not fit.
//! Inserts are idempotent: a batch that was refused for a reason unknown is run once more without diesel. Either it goes
//! through now, or the server says why not.

use std::collections::HashSet;

use fastcore_leads::{
    Insertion, NewLead, StoreError, StoreErrorKind, settle,
    sql::postgres::{self as sql, Columns},
    unsettled,
};
use tokio::sync::Mutex;
use tokio_postgres::{Client, Error};
use uuid::Uuid;

use super::{
    Cause, Lease, Shared,
    connect::{Bare, Target},
    rows, write_on,
};

/// A connection without diesel, opened at the first need and kept.
pub(super) struct Diagnosis {
    target: Target,
    client: Mutex<Option<Bare>>,
}

impl Diagnosis {
    pub(super) fn new(target: Target) -> Self {
        Self { target, client: Mutex::new(None) }
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    async fn run_again(&self, batch: &[NewLead]) -> Result<Vec<Insertion>, StoreError> {
        let mut held = self.client.lock().await;
        // Taken out while it is used: dropped half-way, it is closed.
        let client = match held.take() {
            Some(client) if !client.is_closed() => client,
            _ => self
                .target
                .connect_bare()
                .await
                .map_err(|error| StoreError::new(StoreErrorKind::Unavailable).with_driver_error(error))?,
        };
        let result = run(&client, batch).await;
        *held = Some(client);
        result
    }
}

impl Shared {
    /// Finds out what a refusal meant that diesel does not explain.
    pub(super) async fn ask_again(&self, batch: &[NewLead], error: StoreError) -> Result<Vec<Insertion>, StoreError> {
        if let Some(diagnosis) = &self.diagnosis {
            return diagnosis.run_again(batch).await;
        }
        let mut lease = Lease::take_from_pool(&self.pool, self.timeout).await?;
        let result = write_on(lease.connection()?, batch).await;
        if result.is_ok() {
            lease.give_back();
        } else {
            drop(lease);
        }
        match result {
            Ok(outcomes) => Ok(outcomes),
            Err(Cause::Clear(error)) => Err(error),
            // Refused again: without any lead too, it is none's fault.
            Err(Cause::Unclear(error)) if self.refuses_an_empty_batch().await => {
                Err(error.into_kind(StoreErrorKind::Misconfigured))
            }
            // Of several leads one may be at fault, a lone one is better sent again than lost.
            Err(Cause::Unclear(_)) if batch.len() > 1 => Err(error),
            Err(Cause::Unclear(error)) => Err(error.into_kind(StoreErrorKind::Unavailable)),
        }
    }

    async fn refuses_an_empty_batch(&self) -> bool {
        let Ok(mut lease) = Lease::take_from_pool(&self.pool, self.timeout).await else {
            return false;
        };
        let Ok(connection) = lease.connection() else {
            return false;
        };
        let refused = matches!(write_on(connection, &[]).await, Err(Cause::Unclear(_)));
        if !refused {
            lease.give_back();
        }
        refused
    }
}

async fn run(client: &Client, batch: &[NewLead]) -> Result<Vec<Insertion>, StoreError> {
    let inserted = insert(client, batch).await.map_err(classified)?;
    let rest = unsettled(batch, &inserted);
    let found = client.query(sql::FIND_BY_REQUEST, &[&rest]).await.map_err(classified)?;
    client.batch_execute(sql::CONFIRM).await.map_err(classified)?;
    let existing = found.iter().map(rows::read_bare).collect::<Result<Vec<_>, _>>().map_err(classified)?;
    settle(batch, &inserted, &existing)
}

async fn insert(client: &Client, batch: &[NewLead]) -> Result<HashSet<Uuid>, Error> {
    let columns = Columns::of(batch);
    let row = client
        .query_one(
            sql::INSERT,
            &[
                &columns.ids,
                &columns.audit_ids,
                &columns.created_at_utc,
                &columns.names,
                &columns.emails,
                &columns.phones,
                &columns.companies,
                &columns.services,
                &columns.messages,
                &columns.consents,
                &columns.sources,
                &columns.request_ids,
                &columns.ip_hashes,
                &columns.meta_json,
                &columns.statuses,
                &columns.actors,
                &columns.details_json,
            ],
        )
        .await?;
    Ok(row.try_get::<_, Vec<Uuid>>(0)?.into_iter().collect())
}

fn classified(error: Error) -> StoreError {
    let Some(database) = error.as_db_error() else {
        return StoreError::new(StoreErrorKind::OutcomeUnknown).with_driver_error(error);
    };
    let code = database.code().code().to_owned();
    let constraint = database.constraint().map(str::to_owned);
    StoreError::new(sql::kind_of(&code)).with_code(code).with_constraint(constraint.as_deref()).with_driver_error(error)
}
