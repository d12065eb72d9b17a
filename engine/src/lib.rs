//! The engine of `runbook`: scripted steps on hosts, Kubernetes nodes and pods that are seen first
//! (dry run), survive anything (journal and replay), and can be put back (undo).
//!
//! The map of the house, the invariants M1–M9 and the file that keeps each are in ARCHITECTURE.md.
#![forbid(unsafe_code)]
#![warn(missing_docs)]
// A proven invariant says its reason in an `expect`; tests may be brief.
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::panic, clippy::todo))]

pub mod cli;
pub mod executor;
pub mod inventory;
pub mod journal;
pub mod lab;
pub mod model;
pub mod operation;
pub mod report;
pub mod script;
pub mod text;
pub mod transport;
