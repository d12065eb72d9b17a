//! One life of the engine: a session of a run, from opening the journal to its end or to the blackout. The parts are
//! put together as the commands `run`, `resume` and `resolve` put them together.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use runbook::executor::{AfterFailure, Ahead, Announcer, Asker, Executor, Ledger, Live, Replay};
use runbook::inventory::Inventory;
use runbook::journal::{
    Blackout, CrashPoint, Ending, Entry, EntryState, History, Journal, JournalError, OutcomeResult,
    Record, RunDirectory, RunHeader, SessionKind, SourceText, StateDirectory, Stored,
};
use runbook::lab::fleet::ClusterHook;
use runbook::lab::world::World;
use runbook::lab::{Lab, LabFleet};
use runbook::model::{HostName, OperationId, RunId, ScopePath, Secrets};
use runbook::operation::{Answer, Class, Failure, Question, Way};
use runbook::report::Fanout;
use runbook::script::{
    Program, ScriptEnd, SecretSource, Session, SessionParts, SourceSet, on_script_thread,
};
use runbook::transport::{Cancel, TransportError};

use super::fleet::{Last, SimFleet, Wire};
use super::hosts::HOSTS;
use super::turns::Turns;
use super::watch::{Seen, Watched};

/// When the engine is switched off, and in which order its branches go.
#[derive(Clone, Debug)]
pub struct Fate {
    pub journal: Option<CrashPoint>,
    pub exchange: Option<Last>,
    pub turns: super::dice::Dice,
}

/// How a life ended.
#[derive(Debug)]
pub enum End {
    /// Switched off.
    Dead,
    /// The script came to its end.
    Done,
    /// A person has to say what became of these.
    Asks(Vec<OperationId>),
    /// Something failed that a resume may try again.
    Stopped(String),
}

/// Who answers: always yes.
struct Yes;

impl Asker for Yes {
    fn ask(&self, _: &Question, _: Ahead<'_>) -> Result<Answer, Failure> {
        Ok(Answer {
            value: "yes".into(),
            by: "the simulation".into(),
        })
    }

    fn given(&self, _: &Question) -> Option<Result<Answer, Failure>> {
        None
    }

    fn after_failure(&self, _: &ScopePath, _: &Failure) -> AfterFailure {
        AfterFailure::Stop
    }

    fn who(&self) -> String {
        "sim@lab".into()
    }
}

impl SecretSource for Yes {
    fn secret(&self, name: &str) -> Result<String, String> {
        Err(format!("there is no secret {name}"))
    }
}

/// A run with everything that outlives the engine: its directory, its targets, and what its script was told.
pub struct Life {
    pub lab: Arc<Lab>,
    pub seen: Arc<Seen>,
    directory: RunDirectory,
    run: RunId,
    text: String,
    each: Vec<(usize, usize)>,
    inventory: Arc<Inventory>,
}

impl Life {
    pub fn new(state: &StateDirectory, seed: u64, world: World, book: &super::book::Book) -> Self {
        let run = RunId::parse(&format!("20260302-030000-{seed:05x}")).expect("a name of a run");
        Self {
            lab: Lab::in_memory("sim", world),
            seen: Arc::default(),
            directory: state.run(&run),
            run,
            text: book.text(),
            each: book.parallel_blocks(),
            inventory: Arc::new(Inventory::of_lab(HOSTS)),
        }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Somebody edits the script behind the engine's back.
    pub fn edit(&mut self, book: &super::book::Book) {
        self.text = book.text();
        self.each = book.parallel_blocks();
    }

    /// The same with a text that no book gives.
    pub fn edit_text(&mut self, text: &str) {
        self.text = text.to_owned();
        self.each = Vec::new();
    }

    /// What the journal has.
    pub fn records(&self) -> Result<Vec<Stored>, JournalError> {
        Journal::read(&self.directory)
    }

    /// Starts the run, or goes on with it if it has `begun`.
    pub fn live(&self, fate: &Fate, begun: bool) -> Result<End, String> {
        let blackout = Blackout::at(fate.journal);
        let end = self.try_live(fate, &blackout, begun);
        match end {
            Err(Failure::Poisoned(_)) if blackout.has_fallen() => Ok(End::Dead),
            Err(failure) => Err(format!("a session could not begin: {failure}")),
            Ok(_) if blackout.has_fallen() => Ok(End::Dead),
            Ok(end) => Ok(end),
        }
    }

    fn try_live(&self, fate: &Fate, blackout: &Blackout, begun: bool) -> Result<End, Failure> {
        let secrets = Arc::new(Secrets::new());
        if !begun && self.path().exists() {
            // It died before its first record; the next try is a run of its own.
            std::fs::remove_dir_all(self.path()).expect("the directory of a dead run goes");
        }
        let (journal, mut records) = match begun {
            true => Journal::open_simulated(&self.directory, secrets.clone(), blackout.clone())?,
            false => {
                let journal =
                    Journal::create_simulated(&self.directory, secrets.clone(), blackout.clone())?;
                let started =
                    journal.commit(Record::RunStarted(Box::new(self.header(&journal))))?;
                (journal, vec![started])
            }
        };
        let epoch = History::from_records(&records)?.epoch() + 1;
        let kind = match begun {
            true => SessionKind::Resume,
            false => SessionKind::Run,
        };
        records.push(journal.commit(session_started(kind, epoch))?);
        let history = History::folded(&records)?;
        let failed = last_failed(&records);
        let ledger = Arc::new(Ledger::new(journal, history, secrets.clone()));
        let commands = retry_failed(&ledger, &failed)?;
        if !commands.is_empty() {
            return Ok(End::Asks(commands));
        }
        let end = self.evaluate(fate, blackout, &ledger, secrets);
        conclude(&ledger, end)
    }

    fn evaluate(
        &self,
        fate: &Fate,
        blackout: &Blackout,
        ledger: &Arc<Ledger>,
        secrets: Arc<Secrets>,
    ) -> ScriptEnd {
        let turns = Arc::new(Turns::new(fate.turns.clone(), self.each.clone()));
        self.seen.session_begins();
        let seen = self.seen.clone();
        let wire = Arc::new(Wire {
            turns: turns.clone(),
            blackout: blackout.clone(),
            last: fate.exchange,
            exchanges: AtomicUsize::new(0),
            before_effect: Box::new(move |_| seen.effect_begins()),
        });
        let no_cluster: ClusterHook = Arc::new(|_| Err(TransportError::Interrupted));
        let fleet = SimFleet {
            inner: LabFleet::acting(self.lab.clone(), no_cluster).expect("the lab can be written"),
            wire,
        };
        let announcer = Announcer::new(Arc::new(Fanout(Vec::new())), secrets.clone());
        let live = Live::new(
            ledger.clone(),
            Arc::new(fleet),
            announcer.clone(),
            Arc::new(Yes),
            Cancel::default(),
            HOSTS.len(),
        );
        let executor: Arc<dyn Executor> = Arc::new(Watched {
            inner: Replay::new(ledger.clone(), announcer, live),
            seen: self.seen.clone(),
            turns,
        });
        let session = Session::new(SessionParts {
            executor,
            script: "sim.rhai".into(),
            parameters: BTreeMap::new(),
            inventory: self.inventory.clone(),
            hosts: HOSTS
                .iter()
                .filter_map(|name| HostName::parse(name).ok())
                .collect(),
            secrets,
            secret_source: Arc::new(Yes),
            parallel: HOSTS.len(),
            undo: None,
        });
        let texts = BTreeMap::from([("sim.rhai".to_owned(), self.text.clone())]);
        let sources = Arc::new(SourceSet::pinned("sim.rhai".into(), texts));
        match Program::new(sources, session, false) {
            Ok(program) => {
                on_script_thread(|| program.evaluate()).expect("the script has a thread")
            }
            Err(report) => ScriptEnd::Failed(Box::new(Failure::Failed(report)), Vec::new()),
        }
    }

    /// A person says what became of an operation.
    pub fn resolve(&self, operation: &OperationId, decision: &str) -> Result<(), String> {
        let resolve = || -> Result<(), Failure> {
            let secrets = Arc::new(Secrets::new());
            let (journal, records) = Journal::open(&self.directory, secrets)?;
            let epoch = History::from_records(&records)?.epoch() + 1;
            journal.commit(session_started(SessionKind::Resume, epoch))?;
            journal.commit(Record::Resolved {
                operation: operation.clone(),
                decision: decision.into(),
                by: "sim@lab".into(),
                why: "looked there".into(),
            })?;
            journal.commit(Record::Ended {
                ending: Ending::Undecided,
                message: "resolved".into(),
                failed: Vec::new(),
            })?;
            Ok(())
        };
        resolve().map_err(|failure| format!("resolve {decision}: {failure}"))
    }

    fn header(&self, journal: &Journal) -> RunHeader {
        RunHeader {
            schema: runbook::journal::SCHEMA,
            engine: "0.0.0".into(),
            behaviour: 1,
            run: self.run.clone(),
            title: "simulated".into(),
            sources: vec![SourceText {
                name: "sim.rhai".into(),
                blob: journal.store_blob(self.text.as_bytes()),
            }],
            parameters: BTreeMap::new(),
            inventory: None,
            lab: Some("sim".into()),
            limit: None,
            context: None,
            kubeconfig: None,
            parallel: HOSTS.len(),
            scope: "lab sim".into(),
            seed: "0".into(),
            plan: None,
        }
    }
}

fn session_started(kind: SessionKind, epoch: u64) -> Record {
    Record::SessionStarted {
        kind,
        epoch,
        pid: 1,
        operator: "sim@lab".into(),
        engine: "0.0.0".into(),
    }
}

fn last_failed(records: &[Stored]) -> Vec<OperationId> {
    let ended = records
        .iter()
        .rev()
        .find_map(|stored| match &stored.record {
            Record::Ended { failed, .. } => Some(failed.clone()),
            _ => None,
        });
    ended.unwrap_or_default()
}

/// What failed is tried again, but for commands, which a person judges.
fn retry_failed(ledger: &Ledger, failed: &[OperationId]) -> Result<Vec<OperationId>, Failure> {
    let unsettled: Vec<Entry> = failed
        .iter()
        .filter_map(|id| ledger.entry_of(id).transpose())
        .collect::<Result<Vec<Entry>, Failure>>()?
        .into_iter()
        .filter(|entry| {
            matches!(
                &entry.state,
                EntryState::Finished {
                    result: OutcomeResult::Failed(_),
                    ..
                }
            )
        })
        .collect();
    let (commands, others): (Vec<_>, Vec<_>) = unsettled
        .into_iter()
        .partition(|entry| entry.intent.class == Class::Command);
    let ids = |entries: Vec<Entry>| entries.into_iter().map(|entry| entry.intent.id).collect();
    if commands.is_empty() && !others.is_empty() {
        ledger.commit(Record::Retried {
            operations: ids(others),
            by: "sim@lab".into(),
            why: "resume tries again what failed".into(),
        })?;
    }
    Ok(ids(commands))
}

/// Records how the session ended.
fn conclude(ledger: &Ledger, end: ScriptEnd) -> Result<End, Failure> {
    let ended = |ending, failed| {
        ledger.commit(Record::Ended {
            ending,
            message: String::new(),
            failed,
        })
    };
    let failure = match end {
        ScriptEnd::Done | ScriptEnd::Finished(_) => {
            ended(Ending::Done, Vec::new())?;
            return Ok(End::Done);
        }
        ScriptEnd::Failed(failure, _) => *failure,
    };
    let text = failure.to_string();
    match failure {
        Failure::Failed(report) | Failure::Unreachable(report) => {
            let failed = report
                .operation
                .iter()
                .chain(&report.related)
                .cloned()
                .collect();
            ended(Ending::Failed, failed)?;
        }
        Failure::Undecided(undecided) => {
            ended(Ending::Undecided, Vec::new())?;
            if undecided.way == Way::Resolve {
                return Ok(End::Asks(undecided.operation.into_iter().collect()));
            }
        }
        Failure::Lost(_) => ended(Ending::Unreachable, Vec::new())?,
        Failure::Interrupted => ended(Ending::Interrupted, Vec::new())?,
        Failure::Poisoned(_) => return Err(failure),
        other => return Err(Failure::failed(format!("the script stopped: {other}"))),
    }
    Ok(End::Stopped(text))
}
