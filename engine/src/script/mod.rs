//! The language of runbooks: Rhai with a handful of host words. Knows operations, not transports.

mod check;
mod checking;
mod convert;
mod engine;
mod failure;
mod header;
mod modules;
mod needs;
pub mod parameters;
mod program;
mod scope;
mod session;
mod sources;
mod unknown;
mod unknown_texts;
mod words;

pub use check::{Finding, Names, Severity, check, codes, steps};
pub use failure::{Place, ScriptEnd};
pub use header::Header;
pub use needs::{Need, Place as NeedPlace, needs};
pub use parameters::{ParameterSpec, ParameterType};
pub use program::{Program, on_script_thread};
pub use session::{SecretSource, Session, SessionParts, UndoAction, UndoRegistry};
pub use sources::{LoadError, SourceSet};
pub use words::{BoundUndo, Class, WORDS};
