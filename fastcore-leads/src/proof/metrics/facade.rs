use metrics::gauge;

use crate::{
    metrics::{AUDIT_FAILING, AUDIT_LAG, AUDIT_SEALED, AUDIT_UNSEALED},
    proof::SealLag,
    time,
};

pub(in crate::proof) struct Metrics;

#[allow(clippy::unused_self, reason = "nothing is reported before it was begun")]
impl Metrics {
    pub(in crate::proof) fn begin() -> Self {
        gauge!(AUDIT_FAILING).set(0.0);
        Self
    }

    #[allow(clippy::cast_precision_loss, reason = "a gauge need not be exact to the last of so many")]
    pub(in crate::proof) fn stands(&self, lag: Option<&SealLag>, is_failing: bool) {
        gauge!(AUDIT_FAILING).set(if is_failing { 1.0 } else { 0.0 });
        let Some(lag) = lag else { return };
        let seconds = lag.oldest.map_or(0.0, |oldest| (time::now() - oldest).as_seconds_f64().max(0.0));
        gauge!(AUDIT_LAG).set(seconds);
        gauge!(AUDIT_SEALED).set(lag.sealed as f64);
        gauge!(AUDIT_UNSEALED).set(lag.unsealed as f64);
    }
}
