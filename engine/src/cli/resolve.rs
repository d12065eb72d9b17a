//! `runbook resolve`: a person says what became of an operation.

use std::sync::Arc;

use super::answers::who;
use super::args::{self, Global, Output};
use super::console::Console;
use super::context::RunContext;
use super::ground::Ground;
use super::problem::Problem;
use super::resume::{Opened, open, place};
use super::run::{forget_markers, labs, state};
use super::runtime::runtime;
use crate::executor::{Announcer, Ledger};
use crate::journal::{Ending, History, Kept as _, Record, SessionKind, Standing, Trace};
use crate::report::Diagnostic;
use crate::transport::Cancel;

/// Records the decision.
pub fn resolve(resolve: &args::Resolve, global: &Global, console: &Console) -> Result<u8, Problem> {
    let state = state(global)?;
    let run = state.find(resolve.run.as_str())?;
    let opened = open(&state, &run, SessionKind::Resume, |history| {
        refuse(history, resolve)
    })?;
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
    let next = if decision == "abort" || opened.history.undo_began() {
        format!("runbook undo {run}")
    } else {
        format!("runbook resume {run}")
    };
    let (ending, message) = match decision {
        "abort" => (Ending::Aborted, "given up"),
        _ => (Ending::Undecided, "resolved; to be continued"),
    };
    let ended = Record::Ended {
        ending,
        message: message.into(),
        failed: Vec::new(),
    };
    if decision == "abort" {
        give_up(opened, ended, global, console)?;
    } else {
        opened.journal.commit(ended)?;
        opened.journal.flush()?;
    }
    console.print(&format!("recorded: {decision}. Next: {next}\n"));
    Ok(0)
}

/// Refuses what is no open question, before anything is written.
fn refuse(history: &History<Trace>, resolve: &args::Resolve) -> Result<(), Problem> {
    let (run, operation) = (&history.header().run, &resolve.operation);
    let over = match history.ending() {
        Some(Ending::Done | Ending::Finished) => Some("came to its end"),
        Some(Ending::Aborted) => Some("was given up"),
        Some(Ending::Undone) => Some("was undone"),
        _ => None,
    };
    if let Some(what) = over {
        return Err(Problem::usage(
            Diagnostic::error(format!("run {run} {what}: there is nothing to resolve"))
                .help(format!("runbook show {run}")),
        ));
    }
    let Some(trace) = history.by_id(operation) else {
        return Err(Problem::usage(
            Diagnostic::error(format!("run {run} has no operation {operation}"))
                .help(format!("runbook status {run} names what is open")),
        ));
    };
    if matches!(trace.standing(), Standing::InFlight | Standing::Failed) {
        return Ok(());
    }
    Err(Problem::usage(
        Diagnostic::error(format!(
            "the outcome of {operation} is known: there is nothing to resolve"
        ))
        .help(format!("runbook show {run}")),
    ))
}

/// A run that is given up is not resumed: nobody will ask any more what became of its commands, and their markers go,
/// before the record that closes the run. The history is that before the decision: what was in flight keeps its marker,
/// because a request that is still on its way must find the gate taken.
fn give_up(
    opened: Opened,
    ended: Record,
    global: &Global,
    console: &Console,
) -> Result<(), Problem> {
    let Opened {
        journal,
        history,
        secrets,
        locks: _locks,
    } = opened;
    let place = place(&journal, history.header())?;
    let ledger = Arc::new(Ledger::new(journal, history, secrets.clone()));
    let announcer = Announcer::new(console.events(Output::Text, false, Vec::new()), secrets);
    // Where the hosts cannot be known any more, their markers stay; that must not keep a run from being given up.
    match Ground::survey(place, labs(global)?) {
        Ok(ground) => {
            let runtime = runtime()?;
            let context = RunContext::recorded(&ledger, &announcer, &Cancel::default());
            let fleet = ground.acting(&runtime, context)?;
            forget_markers(&*fleet, &ledger, &announcer);
            fleet.close();
        }
        Err(problem) => console.problem(&problem),
    }
    ledger
        .commit(ended)
        .and_then(|()| ledger.journal().flush().map_err(Into::into))
        .map_err(|failure| Problem::failed(Diagnostic::error(failure.to_string())))
}
