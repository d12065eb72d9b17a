//! The durable record of a run. Knows no script and no transport.

mod ahead;
mod chain;
mod crash;
mod database;
mod encode;
mod entry;
mod error;
mod fold;
mod fresh;
mod history;
mod kept;
mod layout;
mod lock;
mod log_damage;
mod look;
mod mending;
mod migrate;
mod mirror;
mod names;
mod private;
mod reading;
mod recall;
mod record;
mod remains;
mod repair;
mod row_line;
mod rows;
mod salvage;
mod shown;
mod sketch;
mod soundness;
mod state_directory;
mod store;
mod trace;
mod verify;
mod writer;

pub use crash::{Blackout, CrashPoint};
pub use database::SCHEMA;
pub use entry::{Entry, EntryState, SessionEntry, StepEntry};
pub use error::JournalError;
pub use history::History;
pub use kept::{Kept, Standing};
pub use lock::RunLock;
pub use record::{
    BlobId, ChangeIntent, Ending, Intent, Outcome, OutcomeResult, Parameter, Record,
    RecordedFailure, RunHeader, SessionKind, SourceText, StepStatus, Stored,
};
pub use repair::{Repair, repair};
pub use salvage::{Diagnosis, diagnose};
pub use shown::Shown;
pub use state_directory::{RunDirectory, StateDirectory};
pub use store::Journal;
pub use trace::Trace;
pub use verify::{Verification, verify};

#[cfg(test)]
mod recall_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
