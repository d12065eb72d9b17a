//! What a history knows about one operation, step or session.

use jiff::Timestamp;

use super::{Ending, Intent, OutcomeResult, SessionKind, StepStatus};
use crate::model::{ScopePath, SourcePosition};

/// One operation with all that became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its latest intent. After an edit its key is the one in the edited script.
    pub intent: Intent,
    /// Its latest attempt, from 1.
    pub attempt: u32,
    /// What became of that attempt.
    pub state: EntryState,
    /// Place of its first record.
    pub seq: u64,
    /// When it was first recorded.
    pub at: Timestamp,
    /// Place of its latest intent or outcome.
    pub last_seq: u64,
    /// When that was.
    pub last_at: Timestamp,
    /// Whether the accepted script no longer has it.
    pub orphaned: bool,
}

/// What became of the latest attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum EntryState {
    /// Nobody knows yet.
    InFlight,
    /// It gave a result.
    Finished {
        /// Which.
        result: OutcomeResult,
        /// How it was learnt, if not by waiting for it.
        recovered: Option<String>,
    },
    /// It may be attempted again, with the next number.
    Retryable {
        /// What the attempt before gave, if that is known.
        previous: Option<OutcomeResult>,
        /// Who decided.
        by: String,
        /// Why.
        why: String,
    },
    /// A person said that it is done; it gave no value.
    ResolvedDone {
        /// Who.
        by: String,
        /// Why.
        why: String,
    },
    /// A person gave it up, and the run with it.
    Aborted {
        /// Who.
        by: String,
        /// Why.
        why: String,
    },
}

impl Entry {
    /// The number of the attempt that would come next.
    pub fn next_attempt(&self) -> u32 {
        match self.state {
            EntryState::Retryable { .. } => self.attempt.saturating_add(1),
            _ => self.attempt,
        }
    }
}

/// A step that was entered.
#[derive(Clone, Debug, PartialEq)]
pub struct StepEntry {
    /// Which.
    pub path: ScopePath,
    /// Where in the text.
    pub source: Option<SourcePosition>,
    /// When it was first entered.
    pub started: Timestamp,
    /// How and when it was left; none while it runs.
    pub ended: Option<(StepStatus, Timestamp)>,
}

/// A process that worked on the run.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionEntry {
    /// What it did.
    pub kind: SessionKind,
    /// Its number.
    pub epoch: u64,
    /// Its process id, for messages only.
    pub pid: u32,
    /// Who.
    pub operator: String,
    /// Version of the engine.
    pub engine: String,
    /// When it began.
    pub started: Timestamp,
    /// How and when it ended; none if it still runs or died.
    pub ended: Option<(Ending, Timestamp)>,
}
