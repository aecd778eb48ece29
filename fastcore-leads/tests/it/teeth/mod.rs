//! The suites bite: each of these stores and endpoints is broken in one way, and fails for that reason.

mod endpoints;
mod inbox_adapters;
mod inboxes;
mod logs;
mod outboxes;
mod stores;
mod wire;

use tokio::task::JoinError;

/// The case failed, with this in its message.
#[track_caller]
fn assert_failed_for(result: Result<(), JoinError>, reason: &str) {
    let panic = result.expect_err("the suite did not notice").into_panic();
    let message = panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_default();
    assert!(message.contains(reason), "failed for another reason: {message}");
}
