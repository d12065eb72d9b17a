//! What people and programs see of a run. Reads events and the journal only.

mod event;

pub use event::{Event, EventSink, OperationOutcome, PlanNote};
