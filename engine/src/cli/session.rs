//! One session of a run: evaluate the script, say how it ended, record it.

use std::sync::Arc;
use std::time::Instant;

use super::ending::{Verdict, verdict};
use crate::executor::{Announcer, Ledger};
use crate::journal::{Ending, Record};
use crate::model::RunId;
use crate::report::Event;
use crate::script::{Program, ScriptEnd, on_script_thread};

/// What a session announces when it begins.
pub struct Opening {
    /// The runbook's title.
    pub title: String,
    /// `run`, `dry run`, `resume`, `undo`.
    pub mode: &'static str,
    /// On what it runs.
    pub on: String,
}

/// Announces the beginning.
pub fn begin(announcer: &Announcer, run: Option<&RunId>, opening: Opening) {
    announcer.emit(Event::RunStarted {
        run: run.cloned(),
        title: opening.title,
        mode: opening.mode,
        on: opening.on,
        at: jiff::Timestamp::now(),
    });
}

/// Evaluates a script on its own thread.
pub fn evaluate(program: &Program) -> ScriptEnd {
    on_script_thread(|| program.evaluate()).unwrap_or_else(|error| {
        let report =
            crate::operation::Report::new(format!("the script's thread could not run: {error}"));
        ScriptEnd::Failed(
            Box::new(crate::operation::Failure::Failed(report)),
            Vec::new(),
        )
    })
}

/// Like [`finish`]; a good end is recorded as `good`.
pub fn finish_as(
    announcer: &Announcer,
    ledger: Option<&Arc<Ledger>>,
    end: ScriptEnd,
    started: Instant,
    good: Ending,
) -> Verdict {
    let mut verdict = verdict(end);
    if verdict.exit == 0 {
        verdict.ending = good;
    }
    record(announcer, ledger, verdict, started)
}

/// Records and announces the end. Gives the verdict back for its diagnostic.
pub fn finish(
    announcer: &Announcer,
    ledger: Option<&Arc<Ledger>>,
    end: ScriptEnd,
    started: Instant,
) -> Verdict {
    record(announcer, ledger, verdict(end), started)
}

fn record(
    announcer: &Announcer,
    ledger: Option<&Arc<Ledger>>,
    mut verdict: Verdict,
    started: Instant,
) -> Verdict {
    if let Some(ledger) = ledger {
        let record = Record::Ended {
            ending: verdict.ending,
            message: verdict.message.clone(),
            failed: verdict.failed.clone(),
        };
        let written = ledger
            .commit(record)
            .and_then(|()| ledger.journal().flush().map_err(Into::into));
        if let (Err(failure), false) = (written, verdict.poisoned) {
            // What was done is done; but the journal does not say so, and the operator must know.
            verdict.message = format!("{}; and {failure}", verdict.message);
            verdict.ending = Ending::Failed;
            verdict.exit = super::problem::FAILED;
        }
    }
    announcer.emit(Event::RunEnded {
        run: ledger.map(|ledger| ledger.run().clone()),
        ending: verdict.ending,
        message: announcer.redact(&verdict.message),
        exit: verdict.exit,
        elapsed_ms: started.elapsed().as_millis() as u64,
    });
    verdict
}
