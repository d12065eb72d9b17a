//! A canonical line for each effect, planned or real: the plan of a dry run and the changes of the run
//! that follows must be the same list (M5), and this is how a test compares them.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use crate::operation::Class;

use super::{Event, EventSink, OperationOutcome};

/// One effect, planned or done. Its order is by place in the script, so that parallel branches compare.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChangeLine {
    /// Steps and branches, as in an operation's key.
    pub place: String,
    /// The word.
    pub kind: String,
    /// Where it happens.
    pub target: String,
    /// One line.
    pub summary: String,
    /// The change as a diff.
    pub diff: Option<String>,
}

impl ChangeLine {
    /// The effect that an event tells of, if it tells of one.
    pub fn of(event: &Event) -> Option<Self> {
        let Event::OperationEnded {
            scope,
            class,
            kind,
            target,
            summary,
            outcome,
            ..
        } = event
        else {
            return None;
        };
        let diff = match (class, outcome) {
            (
                Class::Change | Class::Command,
                OperationOutcome::Changed { diff, .. } | OperationOutcome::Planned { diff, .. },
            ) => diff.clone(),
            // A command that ran had its effect, whatever it reported.
            (Class::Command, OperationOutcome::Ok { .. }) => None,
            _ => return None,
        };
        Some(Self {
            place: scope.to_string(),
            kind: kind.clone(),
            target: target.to_string(),
            summary: summary.clone(),
            diff,
        })
    }
}

impl fmt::Display for ChangeLine {
    /// Tab-separated, one line; line breaks in the diff are shown as `\n`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let diff = self.diff.as_deref().unwrap_or("-");
        let fields = [
            self.place.as_str(),
            &self.kind,
            &self.target,
            &self.summary,
            diff,
        ];
        f.write_str(
            &fields
                .map(|field| field.escape_debug().to_string())
                .join("\t"),
        )
    }
}

/// Collects the effects of a run or dry run.
#[derive(Debug, Default)]
pub struct ChangeLines(Mutex<Vec<ChangeLine>>);

impl ChangeLines {
    /// The effects by place; within one place in the order in which they happened.
    pub fn sorted(&self) -> Vec<ChangeLine> {
        let mut lines = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        lines.sort_by(|a, b| a.place.cmp(&b.place));
        lines
    }

    /// The stable text form: one effect a line.
    pub fn text(&self) -> String {
        self.sorted()
            .iter()
            .map(|line| format!("{line}\n"))
            .collect()
    }
}

impl EventSink for ChangeLines {
    fn emit(&self, event: Event) {
        if let Some(line) = ChangeLine::of(&event) {
            let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            lines.push(line);
        }
    }
}
