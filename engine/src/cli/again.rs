//! What failed, and is tried again: by itself where trying again is harmless, else by a person's word.

use super::answers::who;
use super::problem::{Problem, UNDECIDED};
use crate::executor::{Ledger, STOPPED};
use crate::journal::{
    Entry, EntryState, Kept as _, OutcomeResult, Record, RecordedFailure, Standing, Trace,
};
use crate::model::OperationId;
use crate::operation::{Class, Failure};
use crate::report::Diagnostic;

/// Commands that are named; more are counted.
const NAMED: usize = 8;

/// The operations that kept the run from its end: those whose failure ended the last session, and commands that were
/// stopped in any.
pub fn last_failed(ledger: &Ledger, failed: &[OperationId]) -> Result<Vec<OperationId>, Problem> {
    let commands: Vec<OperationId> = {
        let history = ledger.history();
        let open = |trace: &&Trace| {
            trace.class() == Class::Command && trace.standing() == Standing::Failed
        };
        history
            .entries()
            .filter(open)
            .map(|trace| trace.id().clone())
            .collect()
    };
    let mut found = failed.to_vec();
    for entry in entries(ledger, &commands)? {
        if was_stopped(&entry) && !found.contains(&entry.intent.id) {
            found.push(entry.intent.id);
        }
    }
    Ok(found)
}

fn entries(ledger: &Ledger, ids: &[OperationId]) -> Result<Vec<Entry>, Problem> {
    let found = ids.iter().filter_map(|id| ledger.entry_of(id).transpose());
    found.collect::<Result<_, _>>().map_err(failed_journal)
}

fn failed_journal(failure: Failure) -> Problem {
    Problem::failed(Diagnostic::error(failure.to_string()))
}

fn was_stopped(entry: &Entry) -> bool {
    let how = match &entry.state {
        EntryState::Finished { recovered, .. } => recovered.as_deref(),
        _ => None,
    };
    how == Some(STOPPED) && failure(entry).is_some()
}

/// Lets operations be attempted again whose recorded outcome is a failure.
///
/// # Errors
/// One of them is a command that was begun on its target and failed: it might do twice what must be done once, so a
/// person decides. Where the target was not reached, nothing was begun, and it is tried again like everything else.
pub fn retry(ledger: &Ledger, failed: &[OperationId], why: &str) -> Result<(), Problem> {
    let entries = entries(ledger, failed)?;
    let unsettled = entries
        .iter()
        .filter_map(|entry| failure(entry).map(|failure| (entry, failure)));
    let (commands, others): (Vec<_>, Vec<_>) = unsettled
        .partition(|(entry, failure)| entry.intent.class == Class::Command && !failure.unreachable);
    if !commands.is_empty() {
        return Err(undecided(ledger, &commands));
    }
    if others.is_empty() {
        return Ok(());
    }
    let record = Record::Retried {
        operations: others
            .iter()
            .map(|(entry, _)| entry.intent.id.clone())
            .collect(),
        by: who(),
        why: why.to_owned(),
    };
    ledger.commit(record).map_err(failed_journal)
}

/// The failure that is recorded of an operation, if it is settled with one.
fn failure(entry: &Entry) -> Option<&RecordedFailure> {
    match &entry.state {
        EntryState::Finished {
            result: OutcomeResult::Failed(failure),
            ..
        } => Some(failure),
        _ => None,
    }
}

fn undecided(ledger: &Ledger, commands: &[(&Entry, &RecordedFailure)]) -> Problem {
    let run = ledger.run();
    let diagnostics = commands.iter().take(NAMED).map(|(entry, failure)| {
        let (id, intent) = (&entry.intent.id, &entry.intent);
        let what = match was_stopped(entry) {
            true => "was stopped before its end",
            false => "failed",
        };
        let summary = ledger.secrets().redact(&intent.summary);
        let told = format!(
            "the command `{summary}` {what} on {}; it is not run again by itself",
            intent.target
        );
        Diagnostic::error(told)
            .note(failure.report.message.clone())
            .help(format!(
                "runbook resolve {run} {id} --retry    to run it again"
            ))
            .help(format!(
                "runbook resolve {run} {id} --done     if its work is done by now"
            ))
            .help(format!(
                "runbook resolve {run} {id} --abort    to give the run up"
            ))
    });
    let mut diagnostics: Vec<Diagnostic> = diagnostics.collect();
    if commands.len() > NAMED {
        let more = format!("and {} more commands", commands.len() - NAMED);
        diagnostics.push(Diagnostic::error(more).help(format!("runbook status {run}")));
    }
    Problem {
        diagnostics,
        exit: UNDECIDED,
    }
}
