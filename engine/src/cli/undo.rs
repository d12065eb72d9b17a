//! `runbook undo`: put back what a run changed, last effect first.

use std::sync::Arc;
use std::time::Instant;

use super::again;
use super::answers::Answers;
use super::args::{self, Global, Output};
use super::console::Console;
use super::context::RunContext;
use super::problem::{Problem, UNDECIDED};
use super::resume::{Opened, open, prepared};
use super::run::{conclude, forget_markers, program, state};
use super::runtime::{listen_for_interrupts, runtime};
use super::secrets::SecretsOfUser;
use super::session::{self, Opening};
use crate::executor::undo::{Restore, ScriptedUndo, UndoItem, UndoMode, UndoStep, plan, scope};
use crate::executor::{Announcer, Asker, Executor, Ledger, Live, Replay};
use crate::journal::{Ending, Entry, Kept as _, SessionKind, Standing, StateDirectory, StepEntry};
use crate::model::RunId;
use crate::operation::{
    Action, Affects, Call, Failure, Question, QuestionKind, RunCommand, Telling,
};
use crate::report::Diagnostic;
use crate::script::{
    BoundUndo, Program, ScriptEnd, Session, SessionParts, UndoRegistry, on_script_thread,
};
use crate::transport::{Cancel, Command};

/// Undoes a run.
pub fn undo(undo: &args::Undo, global: &Global, console: &Console) -> Result<u8, Problem> {
    let started = Instant::now();
    let state = state(global)?;
    let run = state.find(undo.run.as_str())?;
    if undo.dry_run {
        return preview(undo, &state, &run, console);
    }
    // Asked before anything is written: a run that is not undone after all stays as it was.
    let looked = match super::inspect::locked(&state, &run) {
        true => None,
        false => Some(look(undo, &state, &run, console)?),
    };
    let asker = Arc::new(Answers::approvals(undo.yes, console));
    let question = Question {
        text: "Put this back?".into(),
        name: "undo".into(),
        kind: QuestionKind::Confirm,
    };
    if looked.is_some() {
        asker.ask(&question, &|| None).map_err(|failure| Problem {
            diagnostics: vec![
                Diagnostic::error(failure.to_string()).help("nothing was done; approve with --yes"),
            ],
            exit: UNDECIDED,
        })?;
    }
    let opened = open(&state, &run, SessionKind::Undo, |history| {
        match looked == Some(history.last_seq()) {
            true => Ok(()),
            false => Err(went_on(&run)),
        }
    })?;
    let items = items(
        &opened.entries()?,
        &opened.history.steps,
        undo.to.as_deref(),
    )?;
    let prepared = prepared(&opened, global, console)?;
    let Opened {
        journal,
        history,
        secrets,
        locks: _locks,
    } = opened;
    let ledger = Arc::new(Ledger::new(journal, history, secrets));
    retry_stuck(&ledger)?;
    let runtime = runtime()?;
    let cancel = Cancel::default();
    let events = console.events(Output::Text, true, Vec::new());
    listen_for_interrupts(&runtime, cancel.clone(), events.clone());
    let announcer = Announcer::new(events, ledger.secrets().clone());
    let context = RunContext::recorded(&ledger, &announcer, &cancel);
    let fleet = prepared.ground.acting(&runtime, context)?;
    let live = Live::new(
        ledger.clone(),
        fleet.clone(),
        announcer.clone(),
        asker,
        cancel,
        prepared.ground.parallel(),
    );
    let mode = Arc::new(UndoMode::new(
        ledger.clone(),
        Replay::new(ledger.clone(), announcer.clone(), live),
    ));
    let registry = Arc::new(UndoRegistry::default());
    let executor: Arc<dyn Executor> = mode.clone();
    let words = Session::new(SessionParts {
        executor,
        script: prepared.sources.main.clone(),
        parameters: prepared.parameters.clone(),
        inventory: prepared.ground.inventory.clone(),
        hosts: prepared.ground.hosts.clone(),
        secrets: ledger.secrets().clone(),
        secret_source: Arc::new(SecretsOfUser {
            interactive: console.interactive(),
            announcer: announcer.clone(),
        }),
        parallel: prepared.ground.parallel(),
        undo: Some(registry.clone()),
    });
    let program = program(prepared.sources.clone(), words, false)?;
    let opening = Opening {
        title: prepared.header.title.clone(),
        mode: "undo",
        on: prepared.ground.title(),
    };
    session::begin(&announcer, Some(&run), opening);
    // The script is replayed from the record alone, for the closures that only it has.
    let collected = session::evaluate(&program);
    let work = Work {
        program: &program,
        registry: &registry,
        ledger: &ledger,
        mode: &*mode,
        force: undo.force,
    };
    let end = match collected {
        ScriptEnd::Failed(failure, places)
            if matches!(*failure, Failure::Diverged(_) | Failure::Poisoned(_)) =>
        {
            ScriptEnd::Failed(failure, places)
        }
        _ => {
            mode.act();
            match on_script_thread(|| items.iter().try_for_each(|item| work.put_back(item))) {
                Ok(Ok(())) => ScriptEnd::Finished("everything that could be put back was".into()),
                Ok(Err(failure)) => ScriptEnd::Failed(Box::new(failure), Vec::new()),
                Err(error) => {
                    ScriptEnd::Failed(Box::new(Failure::failed(error.to_string())), Vec::new())
                }
            }
        }
    };
    if matches!(end, ScriptEnd::Done | ScriptEnd::Finished(_)) {
        forget_markers(&*fleet, &ledger, &announcer);
    }
    fleet.close();
    let verdict = session::finish_as(&announcer, Some(&ledger), end, started, Ending::Undone);
    conclude(&verdict, &prepared.sources, ledger.secrets(), console);
    Ok(verdict.exit)
}

fn preview(
    undo: &args::Undo,
    state: &StateDirectory,
    run: &RunId,
    console: &Console,
) -> Result<u8, Problem> {
    look(undo, state, run, console).map(|_| 0)
}

/// Shows what is to be put back, and gives the place of the last record that this was made from.
fn look(
    undo: &args::Undo,
    state: &StateDirectory,
    run: &RunId,
    console: &Console,
) -> Result<u64, Problem> {
    let records = super::inspect::begun(state, run)?;
    let history = super::run::history(&records)?;
    let entries: Vec<Entry> = history.entries().cloned().collect();
    let items = items(&entries, &history.steps, undo.to.as_deref())?;
    console.print(&listing(&items));
    Ok(history.last_seq())
}

fn went_on(run: &RunId) -> Problem {
    Problem {
        diagnostics: vec![
            Diagnostic::error(format!("run {run} went on while you were asked")).help(format!(
                "nothing was done; look at it again: runbook undo {run}"
            )),
        ],
        exit: UNDECIDED,
    }
}

/// What is to be put back; with `to`, from the beginning of that step on.
fn items(
    entries: &[Entry],
    steps: &[StepEntry],
    to: Option<&str>,
) -> Result<Vec<UndoItem>, Problem> {
    let from = match to {
        None => 0,
        Some(title) => {
            let inside = |entry: &&Entry| entry.intent.scope.steps().contains(&title);
            entries
                .iter()
                .filter(inside)
                .map(|entry| entry.seq)
                .min()
                .ok_or_else(|| {
                    let titles: Vec<&str> = steps
                        .iter()
                        .filter_map(|step| step.path.steps().last().copied())
                        .collect();
                    let near = crate::text::suggest::closest(title, titles.iter().copied());
                    let help = near.map_or_else(
                        || format!("its steps: {}", titles.join(", ")),
                        |near| format!("did you mean {near:?}?"),
                    );
                    Problem::usage(
                        Diagnostic::error(format!(
                            "the run has no step {title:?} in which something was done"
                        ))
                        .help(help),
                    )
                })?
        }
    };
    Ok(plan(entries, from))
}

fn listing(items: &[UndoItem]) -> String {
    let mut text = String::from("To be put back, last effect first:\n");
    for item in items {
        let line = match &item.step {
            UndoStep::Restore(change) => format!("restore  {}: {}", item.target, change.subject),
            UndoStep::Command(program) => {
                format!("run      {}: {}", item.target, program.display())
            }
            UndoStep::Hook => format!("then     {}", item.summary),
            UndoStep::Leave(why) => format!("leave    {}: {} ({why})", item.target, item.summary),
        };
        text.push_str(&format!("  {}\n", crate::report::safe::line(&line)));
    }
    if items.is_empty() {
        text.push_str("  nothing\n");
    }
    text
}

/// A stuck undo goes on: what failed in it is tried again.
fn retry_stuck(ledger: &Ledger) -> Result<(), Problem> {
    let failed: Vec<_> = {
        let history = ledger.history();
        history
            .entries()
            .filter(|trace| trace.undoes() && trace.standing() == Standing::Failed)
            .map(|trace| trace.id().clone())
            .collect()
    };
    again::retry(ledger, &failed, "undo tries again what failed")
}

struct Work<'a> {
    program: &'a Program,
    registry: &'a UndoRegistry,
    ledger: &'a Ledger,
    mode: &'a dyn Executor,
    force: bool,
}

impl Work<'_> {
    fn put_back(&self, item: &UndoItem) -> Result<(), Failure> {
        let path = scope(&item.id);
        let call = |action| Call {
            key: path.operation(1),
            scope: path.clone(),
            source: None,
            target: item.target.clone(),
            action,
        };
        match &item.step {
            UndoStep::Leave(_) => Ok(()),
            UndoStep::Restore(change) => {
                let bound = self.bound(item);
                let restore = Restore {
                    target: item.target.clone(),
                    change,
                    before: self.ledger.image(&change.before)?,
                    after: self.ledger.image(&change.after)?,
                    force: self.force,
                    scripted: bound.as_ref().map(|bound| bound as &dyn ScriptedUndo),
                    key: path.operation(1),
                };
                self.mode
                    .perform(&call(Action::Change(&restore)))
                    .map(|_| ())
            }
            UndoStep::Command(program) => {
                let command = RunCommand {
                    command: Command {
                        program: program.clone(),
                        stdin: None,
                        env: Default::default(),
                    },
                    guards: Vec::new(),
                    undo: None,
                    undone_by: None,
                    detach: false,
                    timeout: None,
                    expect_exit: vec![0],
                    planned: None,
                    affects: Affects::WholeTarget,
                };
                self.mode
                    .perform(&call(Action::Command(&command)))
                    .map(|_| ())
            }
            UndoStep::Hook => {
                let telling = Telling {
                    word: "note",
                    text: item.summary.clone(),
                    rows: crate::model::Value::Null,
                };
                self.mode.perform(&call(Action::Tell(&telling)))?;
                let Some(bound) = self.bound(item) else {
                    return Ok(());
                };
                // Its operations count from 1 in a scope of their own, below the note.
                let below = path.join(crate::model::Segment::Step {
                    title: item.summary.clone(),
                    nth: 1,
                });
                self.program.within(below, || bound.perform())
            }
        }
    }

    fn bound(&self, item: &UndoItem) -> Option<BoundUndo<'_>> {
        // After an edit a key may mean another operation than the one that once had it.
        let owner = self.ledger.history().entry(&item.key)?.id().clone();
        if owner != item.id {
            return None;
        }
        let action = self.registry.action(&item.key)?;
        Some(BoundUndo {
            action,
            engine: self.program.engine(),
        })
    }
}
