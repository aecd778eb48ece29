use std::sync::Arc;

use super::{LeadInbox, LeadLog, LeadMigrations, LeadOutbox, LeadStore};

/// Gives a store the traits of another one, which it holds.
#[doc(hidden)]
#[macro_export]
macro_rules! __delegate {
    ($self:ident => $to:expr; [$($store:tt)*] [$($inbox:tt)*] [$($outbox:tt)*] [$($log:tt)*] [$($database:tt)*]) => {
        $crate::__delegate_store! { $self => $to; [$($store)*] }
        $crate::__delegate_inbox! { $self => $to; [$($inbox)*] }
        $crate::__delegate_outbox! { $self => $to; [$($outbox)*] }
        $crate::__delegate_log! { $self => $to; [$($log)*] }
        $crate::__delegate_migrations! { $self => $to; [$($database)*] }
    };
}

/// [`LeadStore`] alone.
#[doc(hidden)]
#[macro_export]
macro_rules! __delegate_store {
    ($self:ident => $to:expr; [$($head:tt)*]) => {
        #[$crate::__async_trait]
        $($head)* {
            async fn insert(
                &$self,
                batch: &[$crate::NewLead],
            ) -> Result<Vec<$crate::Insertion>, $crate::StoreError> {
                $crate::LeadStore::insert($to, batch).await
            }

            async fn ready(&$self) -> Result<(), $crate::StoreError> {
                $crate::LeadStore::ready($to).await
            }
        }
    };
}

/// [`LeadInbox`] alone.
#[doc(hidden)]
#[macro_export]
macro_rules! __delegate_inbox {
    ($self:ident => $to:expr; [$($head:tt)*]) => {
        #[$crate::__async_trait]
        $($head)* {
            async fn get(&$self, id: $crate::LeadId) -> Result<Option<$crate::StoredLead>, $crate::StoreError> {
                $crate::LeadInbox::get($to, id).await
            }

            async fn find(
                &$self,
                request_id: $crate::RequestId,
            ) -> Result<Option<$crate::StoredLead>, $crate::StoreError> {
                $crate::LeadInbox::find($to, request_id).await
            }

            async fn audit_trail(
                &$self,
                id: $crate::LeadId,
            ) -> Result<Vec<$crate::AuditRecord>, $crate::StoreError> {
                $crate::LeadInbox::audit_trail($to, id).await
            }

            async fn page(
                &$self,
                filter: &$crate::LeadFilter,
                after: Option<$crate::inbox::Cursor>,
                limit: u32,
            ) -> Result<$crate::LeadPage, $crate::StoreError> {
                $crate::LeadInbox::page($to, filter, after, limit).await
            }

            async fn page_before(
                &$self,
                filter: &$crate::LeadFilter,
                before: $crate::inbox::Cursor,
                limit: u32,
            ) -> Result<$crate::LeadPage, $crate::StoreError> {
                $crate::LeadInbox::page_before($to, filter, before, limit).await
            }

            async fn between(
                &$self,
                first: $crate::uuid::Uuid,
                last: $crate::uuid::Uuid,
                limit: u32,
            ) -> Result<Vec<$crate::StoredLead>, $crate::StoreError> {
                $crate::LeadInbox::between($to, first, last, limit).await
            }

            async fn erased(
                &$self,
                after: $crate::inbox::Erasure,
                limit: u32,
            ) -> Result<Vec<$crate::StoredLead>, $crate::StoreError> {
                $crate::LeadInbox::erased($to, after, limit).await
            }

            async fn search(
                &$self,
                search: &$crate::inbox::Search,
                filter: &$crate::LeadFilter,
                after: Option<$crate::inbox::SearchCursor>,
                limit: u32,
            ) -> Result<$crate::inbox::SearchPage, $crate::StoreError> {
                $crate::LeadInbox::search($to, search, filter, after, limit).await
            }

            async fn index(&$self, limit: u32) -> Result<u32, $crate::StoreError> {
                $crate::LeadInbox::index($to, limit).await
            }

            async fn find_by_email(&$self, email: &str, limit: u32) -> Result<Vec<$crate::StoredLead>, $crate::StoreError> {
                $crate::LeadInbox::find_by_email($to, email, limit).await
            }

            async fn counts(&$self) -> Result<Vec<(String, u64)>, $crate::StoreError> {
                $crate::LeadInbox::counts($to).await
            }

            async fn tally(
                &$self,
                filter: &$crate::LeadFilter,
            ) -> Result<Vec<$crate::inbox::Tally>, $crate::StoreError> {
                $crate::LeadInbox::tally($to, filter).await
            }

            async fn first_contacts(
                &$self,
                ids: &[$crate::LeadId],
            ) -> Result<Vec<($crate::LeadId, $crate::chrono::DateTime<$crate::chrono::Utc>)>, $crate::StoreError> {
                $crate::LeadInbox::first_contacts($to, ids).await
            }

            async fn due(
                &$self,
                due: &$crate::inbox::Due,
            ) -> Result<Vec<$crate::StoredLead>, $crate::StoreError> {
                $crate::LeadInbox::due($to, due).await
            }

            async fn change(
                &$self,
                change: &$crate::inbox::Change,
            ) -> Result<Vec<$crate::StoredLead>, $crate::inbox::InboxError> {
                $crate::LeadInbox::change($to, change).await
            }

            async fn append(&$self, records: &[$crate::AuditRecord]) -> Result<(), $crate::StoreError> {
                $crate::LeadInbox::append($to, records).await
            }
        }
    };
}

/// [`LeadOutbox`] alone.
#[doc(hidden)]
#[macro_export]
macro_rules! __delegate_outbox {
    ($self:ident => $to:expr; [$($head:tt)*]) => {
        #[$crate::__async_trait]
        $($head)* {
            async fn sequence(&$self, limit: u32) -> Result<u32, $crate::StoreError> {
                $crate::LeadOutbox::sequence($to, limit).await
            }

            async fn events(
                &$self,
                after: u64,
                limit: u32,
            ) -> Result<Vec<$crate::outbox::Event>, $crate::StoreError> {
                $crate::LeadOutbox::events($to, after, limit).await
            }

            async fn last_sequence(&$self) -> Result<u64, $crate::StoreError> {
                $crate::LeadOutbox::last_sequence($to).await
            }

            async fn subscribe(&$self, destination: &str) -> Result<(), $crate::StoreError> {
                $crate::LeadOutbox::subscribe($to, destination).await
            }

            async fn unsubscribe(&$self, destination: &str) -> Result<bool, $crate::StoreError> {
                $crate::LeadOutbox::unsubscribe($to, destination).await
            }

            async fn fan_out(
                &$self,
                subscription: &$crate::outbox::Subscription,
                limit: u32,
            ) -> Result<u32, $crate::StoreError> {
                $crate::LeadOutbox::fan_out($to, subscription, limit).await
            }

            async fn claim(
                &$self,
                claim: &$crate::outbox::Claim,
            ) -> Result<Vec<$crate::outbox::Delivery>, $crate::StoreError> {
                $crate::LeadOutbox::claim($to, claim).await
            }

            async fn settle(
                &$self,
                settlements: &[$crate::outbox::Settlement],
            ) -> Result<u32, $crate::StoreError> {
                $crate::LeadOutbox::settle($to, settlements).await
            }

            async fn claim_checkpoint(
                &$self,
                destination: &str,
                lease: std::time::Duration,
            ) -> Result<Option<$crate::outbox::CheckpointDelivery>, $crate::StoreError> {
                $crate::LeadOutbox::claim_checkpoint($to, destination, lease).await
            }

            async fn settle_checkpoint(
                &$self,
                delivery: &$crate::outbox::CheckpointDelivery,
                has_arrived: bool,
                rest: std::time::Duration,
            ) -> Result<bool, $crate::StoreError> {
                $crate::LeadOutbox::settle_checkpoint($to, delivery, has_arrived, rest).await
            }

            async fn subjects(
                &$self,
                ids: &[$crate::LeadId],
            ) -> Result<Vec<$crate::outbox::Subject>, $crate::StoreError> {
                $crate::LeadOutbox::subjects($to, ids).await
            }

            async fn pause(&$self, destination: &str, is_paused: bool) -> Result<bool, $crate::StoreError> {
                $crate::LeadOutbox::pause($to, destination, is_paused).await
            }

            async fn destinations(&$self) -> Result<Vec<$crate::outbox::DestinationStatus>, $crate::StoreError> {
                $crate::LeadOutbox::destinations($to).await
            }

            async fn deliveries(
                &$self,
                filter: &$crate::outbox::DeliveryFilter,
                after: Option<(u64, &str)>,
                limit: u32,
            ) -> Result<Vec<$crate::outbox::DeliveryRecord>, $crate::StoreError> {
                $crate::LeadOutbox::deliveries($to, filter, after, limit).await
            }

            async fn replay(&$self, filter: &$crate::outbox::DeliveryFilter) -> Result<u64, $crate::StoreError> {
                $crate::LeadOutbox::replay($to, filter).await
            }

            async fn forget_delivered(
                &$self,
                before: $crate::chrono::DateTime<$crate::chrono::Utc>,
            ) -> Result<u64, $crate::StoreError> {
                $crate::LeadOutbox::forget_delivered($to, before).await
            }
        }
    };
}

/// [`LeadLog`] alone.
#[doc(hidden)]
#[macro_export]
macro_rules! __delegate_log {
    ($self:ident => $to:expr; [$($head:tt)*]) => {
        #[$crate::__async_trait]
        $($head)* {
            async fn sealed(&$self) -> Result<$crate::proof::SealState, $crate::StoreError> {
                $crate::LeadLog::sealed($to).await
            }

            async fn seal_lag(&$self) -> Result<$crate::proof::SealLag, $crate::StoreError> {
                $crate::LeadLog::seal_lag($to).await
            }

            async fn entries(
                &$self,
                from: u64,
                limit: u32,
            ) -> Result<Vec<$crate::proof::LogEntry>, $crate::StoreError> {
                $crate::LeadLog::entries($to, from, limit).await
            }

            async fn seal(&$self, seal: &$crate::proof::Seal) -> Result<bool, $crate::StoreError> {
                $crate::LeadLog::seal($to, seal).await
            }

            async fn tiles(
                &$self,
                ids: &[$crate::proof::TileId],
            ) -> Result<Vec<$crate::proof::Tile>, $crate::StoreError> {
                $crate::LeadLog::tiles($to, ids).await
            }

            async fn keep_checkpoint(&$self, size: u64, checkpoint: &str) -> Result<(), $crate::StoreError> {
                $crate::LeadLog::keep_checkpoint($to, size, checkpoint).await
            }

            async fn receipt_of(&$self, id: $crate::LeadId) -> Result<Option<u64>, $crate::StoreError> {
                $crate::LeadLog::receipt_of($to, id).await
            }

            async fn strays(
                &$self,
                after: &str,
                limit: u32,
            ) -> Result<(Vec<String>, Option<String>), $crate::StoreError> {
                $crate::LeadLog::strays($to, after, limit).await
            }

            async fn redact(&$self, row_id: &str, record: &$crate::AuditRecord) -> Result<bool, $crate::StoreError> {
                $crate::LeadLog::redact($to, row_id, record).await
            }

            async fn restart_log(
                &$self,
                former_origin: Option<&str>,
                record: &$crate::AuditRecord,
            ) -> Result<(), $crate::StoreError> {
                $crate::LeadLog::restart_log($to, former_origin, record).await
            }
        }
    };
}

/// [`LeadMigrations`] alone.
#[doc(hidden)]
#[macro_export]
macro_rules! __delegate_migrations {
    ($self:ident => $to:expr; [$($head:tt)*]) => {
        #[$crate::__async_trait]
        $($head)* {
            async fn migrate(&$self) -> Result<(), $crate::StoreError> {
                $crate::LeadMigrations::migrate($to).await
            }

            async fn adoption_problems(&$self) -> Result<Vec<String>, $crate::StoreError> {
                $crate::LeadMigrations::adoption_problems($to).await
            }

            async fn settings_warnings(&$self) -> Result<Vec<&'static str>, $crate::StoreError> {
                $crate::LeadMigrations::settings_warnings($to).await
            }

            async fn missing_guards(&$self) -> Result<Vec<String>, $crate::StoreError> {
                $crate::LeadMigrations::missing_guards($to).await
            }
        }
    };
}

/// Makes a type a store by what one of its fields is: `delegate_store!(PgLeadStore, engine)`; or by another store that may fail to be
/// there: `delegate_store!(Late, self => self.get()?)`.
#[macro_export]
macro_rules! delegate_store {
    ($store:ident, $self:ident => $to:expr) => {
        $crate::__delegate! {
            $self => $to;
            [impl $crate::LeadStore for $store]
            [impl $crate::LeadInbox for $store]
            [impl $crate::LeadOutbox for $store]
            [impl $crate::LeadLog for $store]
            [impl $crate::LeadMigrations for $store]
        }
    };
    ($store:ident, $engine:ident) => {
        $crate::__delegate! {
            self => &self.$engine;
            [impl $crate::LeadStore for $store]
            [impl $crate::LeadInbox for $store]
            [impl $crate::LeadOutbox for $store]
            [impl $crate::LeadLog for $store]
            [impl $crate::LeadMigrations for $store]
        }
    };
}

__delegate! {
    self => &**self;
    [impl<S: LeadStore + ?Sized> LeadStore for Arc<S>]
    [impl<S: LeadInbox + ?Sized> LeadInbox for Arc<S>]
    [impl<S: LeadOutbox + ?Sized> LeadOutbox for Arc<S>]
    [impl<S: LeadLog + ?Sized> LeadLog for Arc<S>]
    [impl<S: LeadMigrations + ?Sized> LeadMigrations for Arc<S>]
}
__delegate! {
    self => &**self;
    [impl<S: LeadStore + ?Sized> LeadStore for Box<S>]
    [impl<S: LeadInbox + ?Sized> LeadInbox for Box<S>]
    [impl<S: LeadOutbox + ?Sized> LeadOutbox for Box<S>]
    [impl<S: LeadLog + ?Sized> LeadLog for Box<S>]
    [impl<S: LeadMigrations + ?Sized> LeadMigrations for Box<S>]
}
