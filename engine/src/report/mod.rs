//! What people and programs see of a run. Reads events and the journal only.

mod change_line;
mod event;
mod fanout;
mod json;
mod look;
mod plan;
pub mod safe;

pub use change_line::{ChangeLine, ChangeLines};
pub use event::{Event, EventSink, OperationOutcome, PlanNote};
pub use fanout::Fanout;
pub use json::{JsonLines, SCHEMA};
pub use look::{Look, Tone, counted, elapsed};
pub use plan::{Plan, PlanCollector, PlanEntry, PlanKind};
