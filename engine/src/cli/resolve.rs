//! `runbook resolve`: a person says what became of an operation.

use super::answers::who;
use super::args::{self, Global};
use super::console::Console;
use super::problem::Problem;
use super::resume::open;
use super::run::state;
use crate::journal::{Ending, Kept as _, Record, SessionKind, Standing};
use crate::report::Diagnostic;

/// Records the decision.
pub fn resolve(resolve: &args::Resolve, global: &Global, console: &Console) -> Result<u8, Problem> {
    let state = state(global)?;
    let run = state.find(resolve.run.as_str())?;
    let opened = open(&state, &run, SessionKind::Resume, |_| Ok(()))?;
    let trace = opened.history.by_id(&resolve.operation).ok_or_else(|| {
        Problem::usage(
            Diagnostic::error(format!("run {run} has no operation {}", resolve.operation))
                .help(format!("runbook status {run} names what is open")),
        )
    })?;
    let open_question = matches!(trace.standing(), Standing::InFlight | Standing::Failed);
    if !open_question {
        return Err(Problem::usage(
            Diagnostic::error(format!(
                "the outcome of {} is known: there is nothing to resolve",
                resolve.operation
            ))
            .help(format!("runbook show {run}")),
        ));
    }
    let decision = if resolve.decision.done {
        "done"
    } else if resolve.decision.retry {
        "retry"
    } else {
        "abort"
    };
    opened.journal.commit(Record::Resolved {
        operation: resolve.operation.clone(),
        decision: decision.into(),
        by: who(),
        why: resolve.why.clone().unwrap_or_default(),
    })?;
    let (ending, message) = match decision {
        "abort" => (Ending::Aborted, "given up"),
        _ => (Ending::Undecided, "resolved; to be continued"),
    };
    opened.journal.commit(Record::Ended {
        ending,
        message: message.into(),
        failed: Vec::new(),
    })?;
    opened.journal.flush()?;
    let next = if decision == "abort" || opened.history.undo_began() {
        format!("runbook undo {run}")
    } else {
        format!("runbook resume {run}")
    };
    console.print(&format!("recorded: {decision}. Next: {next}\n"));
    Ok(0)
}
