//! `runbook verify`: whether a run's journal is what was written, what is left of a damaged one, and its repair.

use super::answers::who;
use super::args::Global;
use super::console::Console;
use super::problem::{Problem, UNDECIDED};
use super::run::state;
use crate::journal::{self, Diagnosis, JournalError, Repair, RunDirectory, Verification};
use crate::model::RunId;

/// Checks a run's journal; repairs it if that is wanted.
pub fn verify(
    run: &RunId,
    repair: bool,
    global: &Global,
    console: &Console,
) -> Result<u8, Problem> {
    let state = state(global)?;
    let run = state.find(run.as_str())?;
    let directory = state.run(&run);
    if repair {
        // Nobody may write what is being repaired.
        let _lock = state.lock(&format!("run {run}"), &format!("a repair by {}", who()))?;
        let done = journal::repair(&directory, &who())?;
        let (text, exit) = repaired(&run, &done);
        console.print(&text);
        return Ok(exit);
    }
    match journal::verify(&directory) {
        Ok(found) => {
            console.print(&whole(&run, &found));
            Ok(0)
        }
        Err(error) => Err(damaged(&run, &directory, error)),
    }
}

fn whole(run: &RunId, found: &Verification) -> String {
    let mut text = format!(
        "run {run}: {} records and {} texts and images, chained and whole\n",
        found.records, found.blobs
    );
    if found.mirror_damaged > 0 {
        text.push_str("its mirror is damaged; the next resume writes it anew\n");
    } else if found.mirror_behind > 0 {
        text.push_str(&format!(
            "its mirror is {} records behind, as after a crash; the next resume completes it\n",
            found.mirror_behind
        ));
    }
    text
}

/// The error with what is left of the journal.
fn damaged(run: &RunId, directory: &RunDirectory, error: JournalError) -> Problem {
    let repairable = matches!(
        error,
        JournalError::Lost { .. } | JournalError::Corrupt { .. }
    );
    let mut problem = Problem::from(error);
    if !repairable {
        return problem;
    }
    let Some(diagnostic) = problem.diagnostics.pop() else {
        return problem;
    };
    let diagnostic = match journal::diagnose(directory) {
        Ok(found) if found.proven > 0 => diagnostic.note(left(&found)).help(format!(
            "runbook verify {run} --repair    keeps the damaged files and restores what can be proven"
        )),
        Ok(_) => diagnostic.note("not even its first record can be proven: nothing can be restored"),
        Err(error) => diagnostic.note(error.to_string()),
    };
    Problem {
        diagnostics: vec![diagnostic],
        exit: problem.exit,
    }
}

fn left(found: &Diagnosis) -> String {
    let mut text = format!("records 1 to {} can be proven", found.proven);
    if found.from_mirror > 0 {
        text.push_str(&format!(
            ", {} of them only from journal.jsonl",
            found.from_mirror
        ));
    }
    match found.lost {
        0 => text.push_str("; no other record is known to have existed"),
        lost => text.push_str(&format!(
            "; at least {lost} more existed and cannot be proven"
        )),
    }
    text
}

fn repaired(run: &RunId, done: &Repair) -> (String, u8) {
    let kept =
        |kept: &std::path::Path| format!("the damaged files are kept in {}\n", kept.display());
    match done {
        Repair::NotNeeded => (format!("run {run}: nothing to repair\n"), 0),
        Repair::Mirror { kept: place } => (
            format!(
                "run {run}: the journal is whole; its mirror was written anew\n{}",
                kept(place)
            ),
            0,
        ),
        Repair::Restored { found, kept: place } => (
            format!(
                "run {run}: repaired; {}\n{}next: runbook status {run}\n",
                left(found),
                kept(place)
            ),
            0,
        ),
        Repair::Cut { found, kept: place } => (
            format!(
                "run {run}: repaired as far as it can be proven; {}\n{}It cannot be resumed, because what the \
                 lost records did is not known. Look at the targets, then\n    runbook show {run}    what is \
                 known to have happened\n    runbook undo {run}    puts that back, where nobody has changed it \
                 since\n",
                left(found),
                kept(place)
            ),
            UNDECIDED,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_left() {
        let found = Diagnosis {
            proven: 7,
            from_mirror: 2,
            lost: 1,
        };
        let text = left(&found);
        for part in ["1 to 7", "2 of them only", "at least 1 more"] {
            assert!(text.contains(part), "{text}");
        }
    }
}
