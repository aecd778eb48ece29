//! What the sealer measures, by way of the `metrics` facade; nothing at all without the feature `metrics`.

#[cfg(feature = "metrics")]
mod facade;
#[cfg(not(feature = "metrics"))]
mod nothing;

#[cfg(feature = "metrics")]
pub(super) use self::facade::Metrics;
#[cfg(not(feature = "metrics"))]
pub(super) use self::nothing::Metrics;
