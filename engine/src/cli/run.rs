//! `runbook run`: look at everything, then either plan (dry run) or do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::answers::{Answers, who};
use super::args::{self, Global};
use super::console::Console;
use super::context::RunContext;
use super::foresight::LookAhead;
use super::ground::{Ground, Place};
use super::plan_file::BoundPlan;
use super::problem::{Problem, USAGE};
use super::runtime::{listen_for_interrupts, runtime};
use super::secrets::SecretsOfUser;
use super::session::{self, Opening};
use super::{answers, plan, prepare};
use crate::executor::{Announcer, Asker, Executor, Ledger, Live, Replay};
use crate::inventory::Inventory;
use crate::journal::{
    BlobId, History, Journal, Kept as _, Parameter, Record, RunHeader, SessionKind, SourceText,
    Standing, StateDirectory, Stored, Trace,
};
use crate::model::{HostName, RunId, Secrets};
use crate::operation::Class;
use crate::report::Diagnostic;
use crate::script::{Header, Program, ScriptEnd, Session, SessionParts, SourceSet};
use crate::transport::{ActingFleet, Cancel};

/// The version of the rules of replay: a journal is replayed under the rules that it was written under.
pub const BEHAVIOUR: u32 = 1;

/// Everything that was looked at before anything is touched.
pub struct Prepared {
    /// The texts.
    pub sources: Arc<SourceSet>,
    /// The header.
    pub header: Header,
    /// The parameters.
    pub parameters: BTreeMap<String, Parameter>,
    /// Where it happens.
    pub ground: Ground,
}

/// Opens the state directory.
pub fn state(global: &Global) -> Result<StateDirectory, Problem> {
    let root = match &global.state_dir {
        Some(root) => root.clone(),
        None => StateDirectory::default_root()?,
    };
    Ok(StateDirectory::open(root)?)
}

/// Runs or dry-runs a runbook.
pub fn run(run: &args::Run, global: &Global, console: &Console) -> Result<u8, Problem> {
    if run.dry_run && run.talk.step {
        let what = "--step asks before each effect, and a dry run has none";
        return Err(Problem::usage(Diagnostic::error(what)));
    }
    answers::can_walk(&run.talk, console)?;
    if let Some(path) = &run.plan {
        return plan::carry_out(path, run, global, console);
    }
    let place = Place {
        lab: run.lab.clone(),
        inventory: run
            .inventory
            .clone()
            .filter(|_| run.lab.is_none() || !inherited(run))
            .map(|path| (path, None)),
        limit: run.limit.clone(),
        context: run.context.clone(),
        kubeconfig: run.kubeconfig.clone(),
        parallel: run.parallel.unwrap_or_default(),
    };
    let sources = prepare::load(run.runbook.as_deref().unwrap_or_default())?;
    let labs = labs(global)?;
    let ground = Ground::survey(place, labs)?;
    let header = prepare::checked(&sources, &ground.names(), console)?;
    let parameters = prepare::parameters(&header, run)?;
    let prepared = Prepared {
        sources: Arc::new(sources),
        header,
        parameters,
        ground,
    };
    if run.dry_run {
        plan::dry_run(run, &prepared, console)
    } else {
        live(&run.talk, prepared, None, global, console)
    }
}

/// Whether the inventory comes from the environment only: a lab named on the command line wins over that.
pub fn inherited(run: &args::Run) -> bool {
    run.inventory.is_some()
        && std::env::var_os("RUNBOOK_INVENTORY").is_some_and(|path| {
            Some(path.as_os_str()) == run.inventory.as_deref().map(std::path::Path::as_os_str)
        })
}

/// Where labs keep their state, without making anything: a dry run writes nothing.
pub fn labs(global: &Global) -> Result<std::path::PathBuf, Problem> {
    let root = match &global.state_dir {
        Some(root) => root.clone(),
        None => StateDirectory::default_root()?,
    };
    Ok(root.join("labs"))
}

/// Shows why a session failed.
pub fn conclude(
    verdict: &super::ending::Verdict,
    sources: &SourceSet,
    secrets: &Secrets,
    console: &Console,
) {
    if let Some(diagnostic) = verdict.diagnostic(sources, secrets) {
        eprint!("\n{}", diagnostic.render(&console.err));
    }
}

/// Starts a run, held to a plan where there is one.
pub fn live(
    talk: &args::Talk,
    prepared: Prepared,
    plan: Option<BoundPlan>,
    global: &Global,
    console: &Console,
) -> Result<u8, Problem> {
    super::preflight::before_run(&prepared, talk, console)?;
    let state = state(global)?;
    let id = RunId::generate();
    let scope = prepared.ground.scope();
    let _lock = state.lock(&scope, &format!("run {id} by {}", who()))?;
    let _own = state.lock(&format!("run {id}"), &format!("run {id} by {}", who()))?;
    let secrets = Arc::new(Secrets::new());
    let journal = Journal::create(&state.run(&id), secrets.clone())?;
    let mut header = header(&id, &prepared, &journal, scope);
    header.plan = plan.as_ref().map(|plan| plan.store(&journal));
    let mut records = vec![journal.commit(Record::RunStarted(Box::new(header)))?];
    records.push(journal.commit(session_started(SessionKind::Run, 1))?);
    let history = History::folded(&records)?;
    let ledger = Arc::new(Ledger::new(journal, history, secrets));
    let work = Work {
        prepared,
        ledger,
        mode: "run",
        plan,
    };
    work.go(talk, console)
}

/// A run with its journal open, ready to be evaluated live.
pub struct Work {
    /// What was prepared.
    pub prepared: Prepared,
    /// The journal.
    pub ledger: Arc<Ledger>,
    /// `run` or `resume`.
    pub mode: &'static str,
    /// The plan that it is held to.
    pub plan: Option<BoundPlan>,
}

impl Work {
    /// Evaluates the script: what is recorded is replayed, the rest is done.
    pub fn go(self, talk: &args::Talk, console: &Console) -> Result<u8, Problem> {
        let started = Instant::now();
        let runtime = runtime()?;
        let cancel = Cancel::default();
        let events = console.events(talk.output, talk.diff, Vec::new());
        listen_for_interrupts(&runtime, cancel.clone(), events.clone());
        let announcer = Announcer::new(events, self.ledger.secrets().clone());
        let asker: Arc<dyn Asker> = Arc::new(Answers::new(talk, console));
        let context = RunContext::recorded(&self.ledger, &announcer, &cancel);
        let fleet = self.prepared.ground.acting(&runtime, context)?;
        let parallel = self.prepared.ground.parallel();
        let mut live = Live::new(
            self.ledger.clone(),
            fleet.clone(),
            announcer.clone(),
            asker.clone(),
            cancel.clone(),
            parallel,
        );
        live = live.foreseeing(Arc::new(LookAhead {
            sources: self.prepared.sources.clone(),
            parts: Parts::of(&self.prepared),
            ledger: self.ledger.clone(),
            fleet: fleet.clone(),
            asker,
            cancel,
        }));
        if let Some(plan) = &self.plan {
            live = live.bound_to(plan.bound(self.ledger.secrets()));
        }
        let executor = Arc::new(Replay::new(self.ledger.clone(), announcer.clone(), live));
        let session = session_of(&self.prepared, executor, &announcer, console.interactive());
        let program = program(self.prepared.sources.clone(), session, false)?;
        let opening = Opening {
            title: self.prepared.header.title.clone(),
            mode: self.mode,
            on: self.prepared.ground.title(),
        };
        session::begin(&announcer, Some(self.ledger.run()), opening);
        let end = session::evaluate(&program);
        if matches!(end, ScriptEnd::Done | ScriptEnd::Finished(_)) {
            forget_markers(&*fleet, &self.ledger, &announcer);
            if let Some(plan) = &self.plan {
                plan::left_out(plan, &self.ledger, &announcer);
            }
        }
        // Before the record that ends the session: what is removed is part of it.
        fleet.close();
        let verdict = session::finish(&announcer, Some(&self.ledger), end, started);
        conclude(
            &verdict,
            &self.prepared.sources,
            self.ledger.secrets(),
            console,
        );
        Ok(verdict.exit)
    }
}

/// Removes what commands left on their targets. Every outcome is durable, so nobody will ask any more. Before the
/// record that closes the run: a kill in between repeats this on resume, while a closed run is never resumed.
pub fn forget_markers(fleet: &dyn ActingFleet, ledger: &Ledger, announcer: &Announcer) {
    let mut by_target: BTreeMap<_, Vec<_>> = BTreeMap::new();
    // What nobody knows the outcome of keeps its markers: without them the target would say that it never ran.
    let settled = |trace: &Trace| {
        matches!(trace.class(), Class::Command | Class::Change)
            && trace.standing() != Standing::InFlight
    };
    let read = ledger.each_entry(settled, |entry| {
        let markers = ledger.markers(&entry);
        if !markers.is_empty() {
            by_target
                .entry(entry.intent.target)
                .or_default()
                .extend(markers);
        }
    });
    if let Err(failure) = read {
        announcer.warn(&format!("the markers of finished commands stay: {failure}"));
        return;
    }
    for (target, markers) in by_target {
        if let Err(error) = fleet
            .actor(&target)
            .and_then(|actor| actor.forget(&markers))
        {
            announcer.warn(&format!(
                "the markers of finished commands stay on {target}: {error}"
            ));
        }
    }
}

/// What the words of a session know beside its executor; the same for everything that evaluates the script.
#[derive(Clone)]
pub struct Parts {
    script: String,
    parameters: BTreeMap<String, Parameter>,
    inventory: Arc<Inventory>,
    hosts: Vec<HostName>,
    parallel: usize,
}

impl Parts {
    /// Those of what was prepared.
    pub fn of(prepared: &Prepared) -> Self {
        Self {
            script: prepared.sources.main.clone(),
            parameters: prepared.parameters.clone(),
            inventory: prepared.ground.inventory.clone(),
            hosts: prepared.ground.hosts.clone(),
            parallel: prepared.ground.parallel(),
        }
    }

    /// The words over an executor.
    pub fn session(
        self,
        executor: Arc<dyn Executor>,
        announcer: &Announcer,
        interactive: bool,
    ) -> Arc<Session> {
        Session::new(SessionParts {
            executor,
            script: self.script,
            parameters: self.parameters,
            inventory: self.inventory,
            hosts: self.hosts,
            secrets: announcer.secrets().clone(),
            secret_source: Arc::new(SecretsOfUser {
                interactive,
                announcer: announcer.clone(),
            }),
            parallel: self.parallel,
            undo: None,
        })
    }
}

/// The words of a session over its executor.
pub fn session_of(
    prepared: &Prepared,
    executor: Arc<dyn Executor>,
    announcer: &Announcer,
    interactive: bool,
) -> Arc<Session> {
    Parts::of(prepared).session(executor, announcer, interactive)
}

/// The program of a session.
pub fn program(
    sources: Arc<SourceSet>,
    session: Arc<Session>,
    dry_run: bool,
) -> Result<Program, Problem> {
    Program::new(sources, session, dry_run).map_err(|report| Problem {
        diagnostics: vec![Diagnostic::error(report.message)],
        exit: USAGE,
    })
}

/// The record of a session that begins.
pub fn session_started(kind: SessionKind, epoch: u64) -> Record {
    Record::SessionStarted {
        kind,
        epoch,
        pid: std::process::id(),
        operator: answers::who(),
        engine: env!("CARGO_PKG_VERSION").into(),
    }
}

fn header(id: &RunId, prepared: &Prepared, journal: &Journal, scope: String) -> RunHeader {
    let pin = |name: &str, text: &str| SourceText {
        name: name.to_owned(),
        blob: journal.store_blob(text.as_bytes()),
    };
    let place = prepared.ground.place();
    RunHeader {
        schema: crate::journal::SCHEMA,
        engine: env!("CARGO_PKG_VERSION").into(),
        behaviour: BEHAVIOUR,
        run: id.clone(),
        title: prepared.header.title.clone(),
        sources: prepared
            .sources
            .iter()
            .map(|(name, text)| pin(name, text))
            .collect(),
        parameters: prepared.parameters.clone(),
        inventory: prepared
            .ground
            .text
            .as_deref()
            .zip(place.inventory.as_ref())
            .map(|(text, (path, _))| pin(&path.display().to_string(), text)),
        lab: place.lab.clone(),
        limit: place.limit.clone(),
        context: place.context.clone(),
        kubeconfig: place
            .kubeconfig
            .as_ref()
            .map(|path| path.display().to_string()),
        parallel: prepared.ground.parallel(),
        scope,
        seed: uuid::Uuid::new_v4().simple().to_string(),
        plan: None,
    }
}

/// The pinned texts of a run.
pub fn pinned(journal: &Journal, texts: &[SourceText]) -> Result<SourceSet, Problem> {
    let read = |blob: &BlobId| -> Result<String, Problem> {
        let bytes = journal.blob(blob)?;
        String::from_utf8(bytes).map_err(|_| {
            Problem::failed(Diagnostic::error(
                "a pinned text in the journal is not UTF-8",
            ))
        })
    };
    let mut set = BTreeMap::new();
    for text in texts {
        set.insert(text.name.clone(), read(&text.blob)?);
    }
    let main = texts
        .first()
        .map(|text| text.name.clone())
        .unwrap_or_default();
    Ok(SourceSet::pinned(main, set))
}

/// All records so far, as a history.
pub fn history(records: &[Stored]) -> Result<History, Problem> {
    Ok(History::from_records(records)?)
}
