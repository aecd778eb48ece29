//! The names of the metrics that [`Ingest`](crate::Ingest) reports through the [`metrics`] facade, for dashboards, alarms
//! and tests. Times are in seconds, as Prometheus has it.
//!
//! Install a recorder, such as `metrics-exporter-prometheus`, before [`IngestBuilder::start`](crate::IngestBuilder::start):
//! the handles are made there. Without a recorder nothing is recorded. No metric holds anything of a lead.

use std::collections::HashSet;

use metrics::{Counter, counter};

use crate::{
    endpoint::Problem,
    lead::{Violation, ViolationCode},
};

/// Counter: leads by `outcome`: `received`, `quarantined`, `replayed`, `request_id_conflict`, `lead_erased`, `unavailable`, `internal`.
/// What was sent again after `unavailable` counts again.
pub const LEADS: &str = "fastcore_leads_ingest_total";
/// Histogram: seconds from the call to its answer, by the same `outcome`.
pub const DURATION: &str = "fastcore_leads_ingest_duration_seconds";
/// Gauge: leads that wait for a writer.
pub const QUEUE_LEADS: &str = "fastcore_leads_queue_leads";
/// Gauge: the memory of the leads that wait or are under way, in bytes: what `queue_bytes` bounds.
pub const QUEUE_BYTES: &str = "fastcore_leads_queue_bytes";
/// Counter: leads that were refused because the queue was full, or shutting down.
pub const QUEUE_REFUSED: &str = "fastcore_leads_queue_refused_total";
/// Histogram: leads of a committed transaction.
pub const BATCH_LEADS: &str = "fastcore_leads_batch_leads";
/// Histogram: seconds from a transaction's start to its COMMIT's answer.
pub const COMMIT_DURATION: &str = "fastcore_leads_commit_duration_seconds";
/// Counter: transactions by `result`: `committed`, or the [kind](crate::StoreErrorKind::as_str) of the store's error.
pub const TRANSACTIONS: &str = "fastcore_leads_transactions_total";
/// Gauge: the settings of [`IngestBuilder`](crate::IngestBuilder), by `name`: `queue_capacity`, `queue_bytes`,
/// `max_batch`, `max_batch_bytes`, `writers`, `deadline_seconds`.
pub const SETTING: &str = "fastcore_leads_ingest_setting";

/// Counter: requests that were refused before they reached the workflow, by [`problem`](crate::Problem::as_str) and
/// [`code`](crate::lead::ViolationCode::as_str). A request that breaks rules of several codes counts once for each of them; `code` is
/// empty where the problem is not `validation_error`.
pub const REFUSED: &str = "fastcore_leads_refused_total";

/// Counter: attempts of the [client](crate::client) to hand a lead to FASTCore by `result`: `delivered`, `erased`, `conflict`,
/// `refused`, `failing`, `unavailable`, `unreachable`, `misconfigured`, `foreign`.
pub const FORWARD_ATTEMPTS: &str = "fastcore_site_forward_attempts_total";
/// Histogram: seconds of such an attempt.
pub const FORWARD_DURATION: &str = "fastcore_site_forward_duration_seconds";
/// Gauge: leads that wait in the spool.
pub const SPOOL_LEADS: &str = "fastcore_site_spool_leads";
/// Gauge: the bytes that they take.
pub const SPOOL_BYTES: &str = "fastcore_site_spool_bytes";
/// Gauge: how long ago the oldest of them was sent, in seconds.
pub const SPOOL_AGE: &str = "fastcore_site_spool_oldest_seconds";
/// Gauge: leads that were put aside, for a person to look at.
pub const SPOOL_REFUSED: &str = "fastcore_site_spool_refused_leads";
/// Counter: leads that were put into the spool.
pub const SPOOLED: &str = "fastcore_site_spooled_total";

/// Counter: attempts of the [outbox](crate::outbox) to tell a `destination` of an event by `result`: `delivered`, `failed`, `dead`.
pub const DELIVERY_ATTEMPTS: &str = "fastcore_leads_delivery_attempts_total";
/// Histogram: seconds of such an attempt, by `destination`.
pub const DELIVERY_DURATION: &str = "fastcore_leads_delivery_duration_seconds";
/// Gauge: how long ago the oldest event happened that a `destination` is still to be told of, in seconds.
pub const DELIVERY_LAG: &str = "fastcore_leads_delivery_lag_seconds";
/// Gauge: deliveries to a `destination` that are due, now or later.
pub const DELIVERIES_DUE: &str = "fastcore_leads_deliveries_due";
/// Gauge: deliveries to a `destination` that were given up.
pub const DELIVERIES_DEAD: &str = "fastcore_leads_deliveries_dead";
/// Gauge: 1 while a `destination` is paused.
pub const DESTINATION_PAUSED: &str = "fastcore_leads_destination_paused";

/// Gauge: how long ago the oldest audit row was written that is not [sealed](crate::proof), in seconds.
pub const AUDIT_LAG: &str = "fastcore_leads_audit_lag_seconds";
/// Gauge: audit rows that are sealed.
pub const AUDIT_SEALED: &str = "fastcore_leads_audit_sealed_rows";
/// Gauge: audit rows that have a number and are not sealed.
pub const AUDIT_UNSEALED: &str = "fastcore_leads_audit_unsealed_rows";
/// Gauge: 1 while the audit log cannot be sealed, or its head is not one to sign.
pub const AUDIT_FAILING: &str = "fastcore_leads_audit_failing";

/// Counter: leads that were found unanswered for longer than the service level allows, by a dispatcher of the [outbox](crate::outbox) that
/// has one.
pub const UNANSWERED: &str = "fastcore_leads_unanswered_total";
/// Gauge: how long ago the oldest lead came that nobody works on, in seconds by the clock; 0 where there is none. By every dispatcher.
pub const OLDEST_UNANSWERED: &str = "fastcore_leads_oldest_unanswered_seconds";

/// Tells the recorder what each metric is and in which unit. Once, after the recorder was installed.
pub fn describe() {
    use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

    describe_counter!(LEADS, Unit::Count, "Leads by outcome");
    describe_histogram!(DURATION, Unit::Seconds, "Time from the call to its answer, by outcome");
    describe_gauge!(QUEUE_LEADS, Unit::Count, "Leads that wait for a writer");
    describe_gauge!(QUEUE_BYTES, Unit::Bytes, "Memory of the leads that wait or are under way");
    describe_counter!(QUEUE_REFUSED, Unit::Count, "Leads refused because the queue was full or shutting down");
    describe_histogram!(BATCH_LEADS, Unit::Count, "Leads of a committed transaction");
    describe_histogram!(COMMIT_DURATION, Unit::Seconds, "Time from a transaction's start to its COMMIT's answer");
    describe_counter!(TRANSACTIONS, Unit::Count, "Transactions by result");
    describe_counter!(REFUSED, Unit::Count, "Requests refused before they reached the workflow, by problem and code");
    describe_counter!(DELIVERY_ATTEMPTS, Unit::Count, "Attempts to tell a destination of an event, by result");
    describe_histogram!(DELIVERY_DURATION, Unit::Seconds, "Time of such an attempt");
    describe_gauge!(
        DELIVERY_LAG,
        Unit::Seconds,
        "How long ago the oldest event happened that a destination is to be told of"
    );
    describe_gauge!(DELIVERIES_DUE, Unit::Count, "Deliveries that are due, now or later");
    describe_gauge!(DELIVERIES_DEAD, Unit::Count, "Deliveries that were given up");
    describe_gauge!(DESTINATION_PAUSED, "Whether a destination is paused");
    describe_gauge!(AUDIT_LAG, Unit::Seconds, "How long ago the oldest audit row was written that is not sealed");
    describe_gauge!(AUDIT_SEALED, Unit::Count, "Audit rows that are sealed");
    describe_gauge!(AUDIT_UNSEALED, Unit::Count, "Audit rows that have a number and are not sealed");
    describe_gauge!(AUDIT_FAILING, "Whether the audit log cannot be sealed, or its head is not one to sign");
    describe_counter!(UNANSWERED, Unit::Count, "Leads unanswered for longer than the service level allows");
    describe_gauge!(OLDEST_UNANSWERED, Unit::Seconds, "How long ago the oldest lead came that nobody works on");
    describe_gauge!(SETTING, "Settings of the ingest workflow, by name");
}

/// Reports the counter's series from the start: an alarm on an increase does not see a series that begins with its first
/// event.
pub(crate) fn begin_refusals() {
    for problem in Problem::ALL {
        match problem {
            Problem::RequestIdConflict | Problem::LeadErased | Problem::Internal | Problem::Unavailable => {}
            Problem::ValidationError => {
                for code in ViolationCode::ALL {
                    refusal(*problem, code.as_str()).increment(0);
                }
            }
            _ => refusal(*problem, "").increment(0),
        }
    }
}

pub(crate) fn refused(problem: Problem, violations: &[Violation]) {
    if violations.is_empty() {
        return refusal(problem, "").increment(1);
    }
    let codes: HashSet<_> = violations.iter().map(Violation::code).collect();
    for code in codes {
        refusal(problem, code.as_str()).increment(1);
    }
}

fn refusal(problem: Problem, code: &'static str) -> Counter {
    counter!(REFUSED, "problem" => problem.as_str(), "code" => code)
}
