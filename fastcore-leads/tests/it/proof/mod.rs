//! The tree, its notes and receipts, and what finds that a log was tampered with.

mod notes;
mod receipts;
mod sealing;
mod tree;
