//! What `serve` and `leadctl` share.

pub mod database;
pub mod logs;
pub mod token;
