//! What people and programs see of a run. Reads events and the journal only.

mod change_line;
mod closing;
pub mod document;
mod error;
mod event;
mod fanout;
mod json;
mod lines;
mod listing;
mod look;
mod plan;
mod progress;
pub mod safe;
mod screen;
mod status;
mod table;
mod terminal;
mod traced;

pub use change_line::{ChangeLine, ChangeLines};
pub use error::{Diagnostic, Place, Severity, render_all};
pub use event::{Event, EventSink, OperationOutcome, PlanNote, WILL_BE_ASKED};
pub use fanout::Fanout;
pub use json::{JsonLines, SCHEMA};
pub use listing::{RunState, RunSummary, list};
pub use look::{Look, Tone, counted, elapsed};
pub(crate) use plan::both;
pub use plan::{
    Difference, Foreseen, Heading, Plan, PlanCollector, PlanEntry, PlanKind, Radius, Seal, markdown,
};
pub use screen::{Measure, Size};
pub use status::{Glance, status};
pub use terminal::{Terminal, TerminalOptions};
pub use traced::Traced;

#[cfg(test)]
mod tests;
