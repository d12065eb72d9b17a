//! Modes are compositions of one interface, never flags (design 5):
//! live = journal(perform) · dry run = overlay(observe only) · resume = replay then live · undo = the journal
//! backwards through the same transports.

use crate::model::Value;
use crate::operation::{Call, Failure};

/// Performs operations, in whatever way its mode means that.
pub trait Executor: Send + Sync {
    /// Performs one operation and returns its value. Called from the thread of the script's branch.
    fn perform(&self, call: &Call<'_>) -> Result<Value, Failure>;
}
