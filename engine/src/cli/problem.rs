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
            diagnostics: vec![said(&error.to_string())],
            exit,
        }
    }
}

/// A sentence that says what happened, and those behind it that say what to do.
fn said(text: &str) -> Diagnostic {
    let end = text.match_indices(". ").find(|(at, _)| {
        let next = text[at + 2..].chars().next();
        next.is_some_and(|c| c.is_uppercase() || c == '`')
    });
    let Some((at, _)) = end else {
        return Diagnostic::error(text);
    };
    let (what, advice) = (&text[..at], &text[at + 2..]);
    let mut letters = advice.chars();
    let first = letters
        .next()
        .map(|c| c.to_lowercase().to_string())
        .unwrap_or_default();
    Diagnostic::error(what).help(format!("{first}{}", letters.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_stands_apart_from_what_happened() {
        let split = said("there is no journal at /a.b/c. `runbook list` shows the runs. Set X");
        assert_eq!(split.message, "there is no journal at /a.b/c");
        assert_eq!(split.help, ["`runbook list` shows the runs. Set X"]);
        assert!(said("it failed (version 1. 2)").help.is_empty());
    }
}
