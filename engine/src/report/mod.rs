//! What people and programs see of a run. Reads events and the journal only.

mod change_line;
mod closing;
pub mod document;
mod error;
mod event;
mod fanout;
mod json;
mod listing;
mod live;
mod look;
mod plan;
pub mod safe;
mod status;
mod terminal;

pub use change_line::{ChangeLine, ChangeLines};
pub use error::{Diagnostic, Place, Severity, render_all};
pub use event::{Event, EventSink, OperationOutcome, PlanNote, WILL_BE_ASKED};
pub use fanout::Fanout;
pub use json::{JsonLines, SCHEMA};
pub use listing::{RunState, RunSummary, list};
pub use look::{Look, Tone, counted, elapsed};
pub(crate) use plan::both;
pub use plan::{
    Difference, Heading, Plan, PlanCollector, PlanEntry, PlanKind, Radius, Seal, markdown,
};
pub use status::{Glance, status};
pub use terminal::{Terminal, TerminalOptions};

#[cfg(test)]
mod tests;
