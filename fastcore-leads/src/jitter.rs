//! Pauses that differ by chance: those who failed together do not come back together.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    time::Duration,
};

/// Between half and one and a half of a pause.
pub(crate) fn around(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + chance())
}

/// Between half and all of a pause.
pub(crate) fn up_to(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + chance() / 2.0)
}

/// From 0 up to 1.
fn chance() -> f64 {
    let number = u32::try_from(RandomState::new().build_hasher().finish() >> 32).unwrap_or_default();
    f64::from(number) / (f64::from(u32::MAX) + 1.0)
}
