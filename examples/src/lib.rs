//! What the programs here share.

pub mod contract;
pub mod database;
pub mod logs;
pub mod token;
