use std::sync::Arc;

use async_trait::async_trait;
use fastcore_leads::{
    AuditRecord, LeadId, LeadInbox, LeadLog, LeadOutbox, LeadStore, MemoryLeadStore, StoreError,
    proof::{LogEntry, Seal, SealLag, SealState, Tile, TileId},
    testing::log::{self, Log},
};

use super::assert_failed_for;

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    SwapsEntries,
    LeavesARowOut,
    SwapsSalts,
    SealsWhateverThereIs,
    KeepsAnyCheckpoint,
    GivesAnotherPlace,
    CountsNothing,
    RedactsWhatIsNotSealed,
    KeepsTheSalt,
    KeepsTheTree,
}

struct Broken {
    inner: MemoryLeadStore,
    fault: Fault,
}

fastcore_leads::__delegate_store! { self => &self.inner; [impl LeadStore for Broken] }
fastcore_leads::__delegate_inbox! { self => &self.inner; [impl LeadInbox for Broken] }
fastcore_leads::__delegate_outbox! { self => &self.inner; [impl LeadOutbox for Broken] }

#[async_trait]
impl LeadLog for Broken {
    async fn sealed(&self) -> Result<SealState, StoreError> {
        self.inner.sealed().await
    }

    async fn seal_lag(&self) -> Result<SealLag, StoreError> {
        let lag = self.inner.seal_lag().await?;
        Ok(if self.fault == Fault::CountsNothing { SealLag { unsealed: 0, oldest: None, ..lag } } else { lag })
    }

    async fn entries(&self, from: u64, limit: u32) -> Result<Vec<LogEntry>, StoreError> {
        let mut entries = self.inner.entries(from, limit).await?;
        match self.fault {
            // As they were written, and not by their numbers.
            Fault::SwapsEntries if entries.len() > 1 => {
                let (one, other) = (entries[0].row.take(), entries[1].row.take());
                (entries[0].row, entries[1].row) = (other, one);
            }
            Fault::LeavesARowOut if entries.len() > 1 => drop(entries.remove(0)),
            _ => {}
        }
        Ok(entries)
    }

    async fn seal(&self, seal: &Seal) -> Result<bool, StoreError> {
        let mut seal = seal.clone();
        if self.fault == Fault::SealsWhateverThereIs {
            seal.from = self.inner.sealed().await?.size;
        }
        self.inner.seal(&seal).await
    }

    async fn tiles(&self, ids: &[TileId]) -> Result<Vec<Tile>, StoreError> {
        let mut tiles = self.inner.tiles(ids).await?;
        if self.fault == Fault::SwapsSalts {
            tiles.iter_mut().filter(|tile| tile.salts.len() > 1).for_each(|tile| tile.salts.swap(0, 1));
        }
        Ok(tiles)
    }

    async fn keep_checkpoint(&self, size: u64, checkpoint: &str) -> Result<(), StoreError> {
        if self.fault == Fault::KeepsAnyCheckpoint && checkpoint == "another" {
            log::receive(&self.inner, 1).await;
            while self.inner.sequence(100).await? > 0 {}
            let state = self.inner.sealed().await?;
            self.inner.seal(&Seal { from: state.size, to: state.size + 1, added: Vec::new() }).await?;
            return self.inner.keep_checkpoint(state.size + 1, checkpoint).await;
        }
        self.inner.keep_checkpoint(size, checkpoint).await
    }

    async fn receipt_of(&self, id: LeadId) -> Result<Option<u64>, StoreError> {
        let place = self.inner.receipt_of(id).await?;
        Ok(if self.fault == Fault::GivesAnotherPlace { place.map(|place| place ^ 1) } else { place })
    }

    async fn strays(&self, after: &str, limit: u32) -> Result<(Vec<String>, Option<String>), StoreError> {
        self.inner.strays(after, limit).await
    }

    async fn redact(&self, row_id: &str, record: &AuditRecord) -> Result<bool, StoreError> {
        match self.fault {
            Fault::RedactsWhatIsNotSealed => Ok(true),
            Fault::KeepsTheSalt => {
                let sealed = self.inner.sealed().await?.size;
                let entries = self.inner.entries(0, u32::try_from(sealed).unwrap_or(u32::MAX)).await?;
                self.inner.append(std::slice::from_ref(record)).await?;
                let is_lead = |entry: &LogEntry| entry.row.as_ref().is_some_and(|row| row["event"] == "LEAD_RECEIVED");
                Ok(entries.iter().any(|entry| is_lead(entry) && entry.row_id.as_deref() == Some(row_id)))
            }
            _ => self.inner.redact(row_id, record).await,
        }
    }

    async fn restart_log(&self, former_origin: Option<&str>, record: &AuditRecord) -> Result<(), StoreError> {
        if self.fault == Fault::KeepsTheTree {
            return self.inner.append(std::slice::from_ref(record)).await;
        }
        self.inner.restart_log(former_origin, record).await
    }
}

fn broken(fault: Fault) -> Log {
    Arc::new(Broken { inner: MemoryLeadStore::new(), fault })
}

macro_rules! bites {
    ($($name:ident: $fault:ident in $case:ident, $reason:literal;)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                let result = tokio::spawn(log::$case(broken(Fault::$fault))).await;
                assert_failed_for(result, $reason);
            }
        )*
    };
}

bites! {
    a_store_that_swaps_entries: SwapsEntries in entries_stand_in_the_order_of_their_numbers, "left";
    a_store_that_leaves_a_row_out: LeavesARowOut in entries_stand_in_the_order_of_their_numbers, "left";
    a_store_that_swaps_salts: SwapsSalts in the_tree_is_that_of_its_entries, "entry 0";
    a_store_that_seals_whatever_there_is: SealsWhateverThereIs in a_seal_that_comes_late_writes_nothing, "from 0";
    a_store_that_keeps_any_checkpoint: KeepsAnyCheckpoint in a_checkpoint_of_fewer_leaves_is_not_kept, "another";
    a_store_that_gives_another_place: GivesAnotherPlace in a_receipt_is_that_of_its_lead, "left";
    a_store_that_counts_nothing: CountsNothing in what_is_not_sealed_is_counted, "it has no number yet, and waits";
    a_store_that_redacts_what_is_not_sealed: RedactsWhatIsNotSealed in a_redacted_row_says_nothing_and_the_tree_holds, "it is not sealed yet";
    a_store_that_keeps_the_salt: KeepsTheSalt in a_redacted_row_says_nothing_and_the_tree_holds, "left";
    a_store_that_keeps_the_tree: KeepsTheTree in a_log_is_begun_anew_on_demand_only, "it is shorter";
}
