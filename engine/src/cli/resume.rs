//! `runbook resume`: go on at the exact operation.

use std::path::PathBuf;
use std::sync::Arc;

use super::again;
use super::answers::{self, Answers, who};
use super::args::{self, Global};
use super::console::Console;
use super::context::RunContext;
use super::ground::{Ground, Place};
use super::inspect::has_begun;
use super::plan_file::BoundPlan;
use super::prepare;
use super::problem::{Problem, UNDECIDED};
use super::run::{Prepared, Work, labs, pinned, program, session_of, session_started, state};
use super::runtime::runtime;
use super::session;
use crate::executor::{Alignment, Announcer, Asker, DryRun, Edited, Executor, Ledger};
use crate::journal::{
    Ending, Entry, History, Journal, Record, RunHeader, RunLock, SessionKind, SourceText,
    StateDirectory, Trace,
};
use crate::model::{RunId, Secrets};
use crate::operation::{Question, QuestionKind};
use crate::report::{Diagnostic, Fanout};
use crate::script::SourceSet;
use crate::transport::Cancel;

/// A run with its journal open and its locks held.
pub struct Opened {
    /// The journal.
    pub journal: Journal,
    /// The history.
    pub history: History<Trace>,
    /// The secrets of this session.
    pub secrets: Arc<Secrets>,
    /// Held as long as the session works on the run.
    pub locks: [RunLock; 2],
}

impl Opened {
    /// Everything that is recorded of its operations, in the order of their first records.
    pub fn entries(&self) -> Result<Vec<Entry>, Problem> {
        let recall = |seq| self.journal.record(seq);
        let entries = self.history.entries().map(|trace| trace.entry(&recall));
        Ok(entries.collect::<Result<_, _>>()?)
    }
}

/// Opens a run for a further session, if `allowed` has nothing against its history.
pub fn open(
    state: &StateDirectory,
    run: &RunId,
    kind: SessionKind,
    allowed: impl FnOnce(&History<Trace>) -> Result<(), Problem>,
) -> Result<Opened, Problem> {
    let own = state.lock(&format!("run {run}"), &format!("run {run} by {}", who()))?;
    let secrets = Arc::new(Secrets::new());
    let (journal, mut history) = Journal::open_history(&state.run(run), secrets.clone())?;
    allowed(&history)?;
    let shared = state.lock(&history.header().scope, &format!("run {run} by {}", who()))?;
    history.apply(&journal.commit(session_started(kind, history.epoch() + 1))?)?;
    Ok(Opened {
        journal,
        history,
        secrets,
        locks: [own, shared],
    })
}

/// Where a recorded run happens.
pub fn place(journal: &Journal, header: &RunHeader) -> Result<Place, Problem> {
    let inventory = match &header.inventory {
        None => None,
        Some(text) => {
            let content = pinned(journal, std::slice::from_ref(text))?;
            Some((
                PathBuf::from(&text.name),
                Some(content.main_text().to_owned()),
            ))
        }
    };
    Ok(Place {
        lab: header.lab.clone(),
        inventory,
        limit: header.limit.clone(),
        context: header.context.clone(),
        kubeconfig: header.kubeconfig.as_ref().map(PathBuf::from),
        parallel: header.parallel,
    })
}

/// What a recorded run was prepared with.
pub fn prepared(opened: &Opened, global: &Global, console: &Console) -> Result<Prepared, Problem> {
    let header = opened.history.header();
    let ground = Ground::survey(place(&opened.journal, header)?, labs(global)?)?;
    let sources = pinned(&opened.journal, opened.history.sources())?;
    let script = prepare::checked(&sources, &ground.names(), console)?;
    Ok(Prepared {
        sources: Arc::new(sources),
        header: script,
        parameters: header.parameters.clone(),
        ground,
    })
}

/// Goes on with a run.
pub fn resume(resume: &args::Resume, global: &Global, console: &Console) -> Result<u8, Problem> {
    answers::can_walk(&resume.talk, console)?;
    let state = state(global)?;
    let run = match &resume.run {
        Some(run) => state.find(run.as_str())?,
        None => newest_unfinished(&state)?,
    };
    let opened = open(&state, &run, SessionKind::Resume, |history| {
        refuse_finished(history, &run)
    })?;
    let mut prepared = prepared(&opened, global, console)?;
    let asker = Answers::new(&resume.talk, console);
    let before = opened.history.failed().to_vec();
    let plan = BoundPlan::of(&opened.journal, opened.history.header())?;
    let Opened {
        journal,
        history,
        secrets,
        locks: _locks,
    } = opened;
    let ledger = Arc::new(Ledger::new(journal, history, secrets));
    let before = again::last_failed(&ledger, &before)?;
    again::retry(&ledger, &before, "resume tries again what failed")?;
    if let Some(file) = &resume.edited {
        let file = file.as_ref().map_or_else(
            || prepared.sources.main.clone(),
            |file| file.display().to_string(),
        );
        accept_edit(&file, &mut prepared, &ledger, &asker, console)?;
    }
    Work {
        prepared,
        ledger,
        mode: "resume",
        plan,
    }
    .go(&resume.talk, console)
}

fn newest_unfinished(state: &StateDirectory) -> Result<RunId, Problem> {
    let over = |ending: Option<Ending>| {
        matches!(
            ending,
            Some(Ending::Done | Ending::Finished | Ending::Aborted | Ending::Undone)
        )
    };
    state
        .runs()
        .into_iter()
        .rev()
        .find(|run| {
            has_begun(state, run) && !over(Journal::read_ending(&state.run(run)).ok().flatten())
        })
        .ok_or_else(|| {
            Problem::usage(
                Diagnostic::error("there is no run to resume")
                    .help("`runbook list` shows what ran"),
            )
        })
}

fn refuse_finished(history: &History<Trace>, run: &RunId) -> Result<(), Problem> {
    let (what, next) = match history.ending() {
        Some(Ending::Done | Ending::Finished) => {
            ("came to its end: there is nothing to resume", "show")
        }
        Some(Ending::Aborted) => ("was given up: it cannot be resumed, only undone", "show"),
        Some(Ending::Undone) => ("was undone: start it anew", "show"),
        _ if history.undo_began() => (
            "is partly undone: what would follow builds on what was put back; it can only be undone to the end",
            "undo",
        ),
        _ => return Ok(()),
    };
    Err(Problem::usage(
        Diagnostic::error(format!("run {run} {what}")).help(format!("runbook {next} {run}")),
    ))
}

fn failed_journal(failure: crate::operation::Failure) -> Problem {
    Problem::failed(Diagnostic::error(failure.to_string()))
}

/// Replays an edited script without effects, shows what that means, and asks.
fn accept_edit(
    file: &str,
    prepared: &mut Prepared,
    ledger: &Arc<Ledger>,
    asker: &Answers,
    console: &Console,
) -> Result<(), Problem> {
    let sources = Arc::new(prepare::load(file)?);
    prepared.header = prepare::checked(&sources, &prepared.ground.names(), console)?;
    prepared.sources = sources.clone();
    let runtime = runtime()?;
    let silent = Announcer::new(Arc::new(Fanout(Vec::new())), ledger.secrets().clone());
    let context = RunContext::unrecorded(&silent, &Cancel::default());
    let fleet = prepared.ground.observing(&runtime, context)?;
    let nobody: Arc<dyn Asker> = Arc::new(Answers::approvals(false, console));
    let plan = DryRun::new(fleet, silent.clone(), nobody, Cancel::default());
    let edited = Arc::new(Edited::new(ledger.clone(), plan));
    let executor: Arc<dyn Executor> = edited.clone();
    let words = session_of(prepared, executor, &silent, console.interactive());
    let evaluated = session::evaluate(&program(sources.clone(), words, true)?);
    if let crate::script::ScriptEnd::Failed(failure, _) = &evaluated {
        eprintln!("replayed up to: {failure}");
        edited.stopped();
    }
    let orphans = edited.orphans().map_err(failed_journal)?;
    let alignment = edited.alignment();
    console.print(&summary(&alignment, &orphans));
    refuse_unseen(&edited.unseen().map_err(failed_journal)?)?;
    let question = Question {
        text: format!(
            "Go on with the edited script ({} orphaned effects stay as they are)?",
            orphans.len()
        ),
        name: "edited".into(),
        kind: QuestionKind::Confirm,
    };
    let answer = asker.ask(&question, &|| None).map_err(|failure| Problem {
        diagnostics: vec![
            Diagnostic::error(failure.to_string()).help("nothing was done; accept with --yes"),
        ],
        exit: UNDECIDED,
    })?;
    let edition = ledger.history().edition() + 1;
    let record = Record::Edited {
        edition,
        sources: texts(ledger, &sources),
        reused: alignment.reused,
        orphaned: orphans
            .iter()
            .map(|entry| entry.intent.id.clone())
            .collect(),
        by: answer.by,
    };
    ledger.commit(record).map_err(failed_journal)
}

/// A command that was run stays run: where nobody can say whether the edited script comes to it again, nothing goes on.
fn refuse_unseen(unseen: &[Entry]) -> Result<(), Problem> {
    let Some(first) = unseen.first() else {
        return Ok(());
    };
    let message = format!(
        "the edited script decides by a value that is not known yet, and behind that {} recorded {} would run again, \
         such as `{}` on {}",
        unseen.len(),
        if unseen.len() == 1 {
            "command"
        } else {
            "commands"
        },
        first.intent.summary,
        first.intent.target
    );
    let diagnostic = Diagnostic::error(message)
        .help(
            "nothing was done; place the new part behind what is recorded, or in a step of its own",
        )
        .help("or go on with the script as it was: runbook resume RUN");
    Err(Problem {
        diagnostics: vec![diagnostic],
        exit: UNDECIDED,
    })
}

fn texts(ledger: &Ledger, sources: &SourceSet) -> Vec<SourceText> {
    let pin = |(name, text): (&str, &str)| SourceText {
        name: name.to_owned(),
        blob: ledger.journal().store_blob(text.as_bytes()),
    };
    sources.iter().map(pin).collect()
}

fn summary(alignment: &Alignment, orphans: &[Entry]) -> String {
    let mut text = format!(
        "The edited script against the record:\n  {} operations reused, {} new, {} orphaned\n",
        alignment.reused.len(),
        alignment.new.len(),
        orphans.len()
    );
    for line in &alignment.new {
        text.push_str(&format!("  new       {line}\n"));
    }
    for entry in orphans {
        text.push_str(&format!(
            "  orphaned  {} {} {}\n",
            entry.intent.kind, entry.intent.target, entry.intent.summary
        ));
    }
    text
}
