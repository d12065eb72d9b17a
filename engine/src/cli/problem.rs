//! What goes wrong before or outside of a run, with its exit status.

use crate::journal::JournalError;
use crate::report::Diagnostic;

/// Exit status: the command line, the script or the inventory is wrong; nothing was touched.
pub const USAGE: u8 = 64;
/// Exit status: a person must decide.
pub const UNDECIDED: u8 = 3;
/// Exit status: something failed.
pub const FAILED: u8 = 1;

/// Diagnostics and the exit status that they lead to.
#[derive(Debug)]
pub struct Problem {
    /// What to tell.
    pub diagnostics: Vec<Diagnostic>,
    /// The exit status.
    pub exit: u8,
}

impl Problem {
    /// Something in what the user wrote or asked for.
    pub fn usage(diagnostic: Diagnostic) -> Self {
        Self {
            diagnostics: vec![diagnostic],
            exit: USAGE,
        }
    }

    /// Something that failed.
    pub fn failed(diagnostic: Diagnostic) -> Self {
        Self {
            diagnostics: vec![diagnostic],
            exit: FAILED,
        }
    }
}

impl From<JournalError> for Problem {
    fn from(error: JournalError) -> Self {
        let exit = match &error {
            JournalError::UnknownRun { .. } | JournalError::AmbiguousRun { .. } => USAGE,
            JournalError::Locked { .. } => UNDECIDED,
            _ => FAILED,
        };
        Self {
            diagnostics: vec![Diagnostic::error(error.to_string())],
            exit,
        }
    }
}
