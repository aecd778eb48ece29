//! Counts that are kept for a while: to count a million leads takes longer than to list fifty, and everybody asks.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{Api, Refused, pages::Counts};

/// For so many times as long as counting took, so that no more than a hundredth of the time goes into it.
const TIMES: u32 = 100;
const LONGEST: Duration = Duration::from_secs(60);
/// What is counted quicker is counted each time.
const SLOW: Duration = Duration::from_millis(10);
/// Questions whose answers are kept.
const MAX_KEPT: usize = 256;

/// What was counted lately, by what was asked.
#[derive(Default)]
pub(super) struct Counted {
    kept: Mutex<HashMap<String, (Instant, Arc<Counts>)>>,
    /// One counts, and the others wait for what it finds.
    counting: tokio::sync::Mutex<()>,
}

impl Counted {
    pub(super) async fn get(&self, api: &Api<'_>, query: &str) -> Result<Arc<Counts>, Refused> {
        let target = format!("/inbound/leads/counts?{query}");
        // Who may see all sees the same; who may see some does not.
        if api.grant.is_for_some_sources() {
            return Ok(Arc::new(api.get(&target).await?));
        }
        if let Some(counts) = self.fresh(query) {
            return Ok(counts);
        }
        let _counting = self.counting.lock().await;
        if let Some(counts) = self.fresh(query) {
            return Ok(counts);
        }
        let began = Instant::now();
        let counts: Arc<Counts> = Arc::new(api.get(&target).await?);
        let took = began.elapsed();
        if took < SLOW {
            return Ok(counts);
        }
        let until = Instant::now() + (took * TIMES).min(LONGEST);
        let mut kept = self.kept();
        if kept.len() >= MAX_KEPT {
            kept.retain(|_, (until, _)| began < *until);
        }
        if kept.len() < MAX_KEPT {
            kept.insert(query.to_owned(), (until, Arc::clone(&counts)));
        }
        Ok(counts)
    }

    fn fresh(&self, query: &str) -> Option<Arc<Counts>> {
        let kept = self.kept();
        let (until, counts) = kept.get(query)?;
        (Instant::now() < *until).then(|| Arc::clone(counts))
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<String, (Instant, Arc<Counts>)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
