//! Why a lab cannot be opened or kept.

use std::path::PathBuf;

use crate::text::mistake::Mistake;

/// Failures of a lab itself, as opposed to failures inside it.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// No lab has this name.
    #[error("there is no lab named {name:?}{}; labs: {}", suggestion.as_ref().map(|near| format!(" (did you mean {near:?}?)")).unwrap_or_default(), known.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// The nearest known name.
        suggestion: Option<String>,
        /// All known names.
        known: Vec<String>,
    },
    /// The lab's description has a mistake.
    #[error("the lab cannot be understood\n{0}")]
    Definition(Mistake),
    /// A Rhai text of the lab, which the message names, has a mistake.
    #[error("the lab's behaviour cannot be understood\n{0}")]
    Behaviour(String),
    /// The stored state cannot be understood.
    #[error("the lab's state {} cannot be read: {why}; `runbook lab reset {}` starts it afresh", path.display(), to_reset(path))]
    State {
        /// Where it is.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Reading or writing the state failed.
    #[error("{action} {} failed: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// `RUNBOOK_LAB_FAULT` could not be understood.
    #[error("RUNBOOK_LAB_FAULT: {0}")]
    Fault(String),
    /// Somebody tried to change a lab that was opened for reading.
    #[error("the lab was opened read-only, so nothing can be changed in it")]
    ReadOnly,
}

/// The lab that a state belongs to, as `lab reset` wants it: by its name, if it comes with the program.
fn to_reset(state: &std::path::Path) -> &str {
    let stem = state.file_stem().and_then(|stem| stem.to_str());
    stem.filter(|stem| super::names().contains(stem))
        .unwrap_or("LAB")
}
