//! What people and programs see of a run. Reads events and the journal only.

mod event;
mod fanout;
mod json;
pub mod safe;

pub use event::{Event, EventSink, OperationOutcome, PlanNote};
pub use fanout::Fanout;
pub use json::{JsonLines, SCHEMA};
