use std::{ops::RangeInclusive, time::Duration};

use super::cursor::Cursor;

/// How long a request may wait for an event, in seconds.
const WAIT: RangeInclusive<u64> = 0..=60;
/// How many events an answer may hold.
const LIMIT: RangeInclusive<u32> = 1..=500;
const DEFAULT_LIMIT: u32 = 100;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) after: Cursor,
    pub(super) wait: Duration,
    pub(super) limit: u32,
}

impl Query {
    /// Reads a URL's query. None where a parameter is unknown, repeated or out of its range.
    pub(super) fn parse(query: &str) -> Option<Self> {
        let (mut after, mut wait, mut limit) = (None, None, None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=')?;
            let is_repeated = match name {
                "after" => after.replace(Cursor::parse(value)?).is_some(),
                "wait" => wait.replace(number(value).filter(|wait| WAIT.contains(wait))?).is_some(),
                "limit" => {
                    let value = u32::try_from(number(value)?).ok().filter(|limit| LIMIT.contains(limit))?;
                    limit.replace(value).is_some()
                }
                _ => return None,
            };
            if is_repeated {
                return None;
            }
        }
        Some(Self {
            after: after.unwrap_or_default(),
            wait: Duration::from_secs(wait.unwrap_or_default()),
            limit: limit.unwrap_or(DEFAULT_LIMIT),
        })
    }
}

/// Digits alone: no sign, no spaces, nothing encoded.
fn number(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}
