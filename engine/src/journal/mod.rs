//! The durable record of a run. Knows no script and no transport.

mod record;

pub use record::{
    BlobId, ChangeIntent, Ending, Intent, Outcome, OutcomeResult, Parameter, Record,
    RecordedFailure, RunHeader, SessionKind, SourceText, StepStatus, Stored,
};
