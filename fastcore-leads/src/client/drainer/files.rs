use std::{
    collections::{HashMap, VecDeque},
    path::PathBuf,
};

use super::Failure;
use crate::client::{
    Spool,
    spool::{File, Walk},
};

/// Files whose names are held in memory at once.
const CHUNK: usize = 256;

/// The files of a round.
pub(super) struct Files {
    walk: Option<Walk>,
    chunk: VecDeque<File>,
    /// Those that failed before.
    deferred: Vec<File>,
}

impl Files {
    pub(super) fn of(walk: Walk) -> Self {
        Self { walk: Some(walk), chunk: VecDeque::new(), deferred: Vec::new() }
    }

    /// The next one: those that failed before come last, and first of them those that were tried longest ago.
    pub(super) async fn next(&mut self, spool: &Spool, failures: &HashMap<PathBuf, Failure>) -> Option<File> {
        loop {
            while let Some(file) = self.chunk.pop_front() {
                if self.walk.is_some() && failures.contains_key(&file.path) {
                    self.deferred.push(file);
                } else {
                    return Some(file);
                }
            }
            let Some(mut walk) = self.walk.take() else {
                if self.deferred.is_empty() {
                    return None;
                }
                self.deferred.sort_by_key(|file| failures.get(&file.path).map_or(0, |failure| failure.tried));
                self.chunk = std::mem::take(&mut self.deferred).into();
                continue;
            };
            let read = spool.blocking(move |_| {
                let chunk: VecDeque<File> = walk.by_ref().filter(|file| !file.is_draft()).take(CHUNK).collect();
                Ok((walk, chunk))
            });
            if let Ok((walk, chunk)) = read.await {
                // The last chunk is shorter, or empty.
                self.walk = (!chunk.is_empty()).then_some(walk);
                self.chunk = chunk;
            }
        }
    }
}
