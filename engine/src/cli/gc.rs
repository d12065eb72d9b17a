//! `runbook gc`: what runs left behind that died or could not clean up. Lists it, and removes what is nobody's any
//! more: helper and test pods of runs that do not run now, and the markers of commands of runs that are over.

use std::sync::Arc;

use super::args::{self, Global};
use super::console::Console;
use super::context::RunContext;
use super::fleet::ClusterAccess;
use super::ground::Ground;
use super::inspect::has_begun;
use super::problem::Problem;
use super::resume::place;
use super::run::{forget_markers, history, labs, state};
use super::runtime::runtime;
use crate::executor::{Announcer, Ledger};
use crate::journal::{Ending, Journal, Record, StateDirectory};
use crate::model::{ObjectRef, RunId, Secrets};
use crate::operation::Failure;
use crate::report::{Diagnostic, Fanout};
use crate::transport::kube::helper::{OWNER, RUN_LABEL, leftovers, pod_reference};
use crate::transport::{ActingFleet, Cancel, ClusterActor};

/// What was found and done.
#[derive(Default)]
struct Found {
    lines: Vec<String>,
    failed: bool,
}

impl Found {
    fn say(&mut self, line: String) {
        self.lines.push(line);
    }
}

/// Lists and removes.
pub fn gc(gc: &args::Gc, global: &Global, console: &Console) -> Result<u8, Problem> {
    let state = state(global)?;
    let mut found = Found::default();
    let runs: Vec<RunId> = match &gc.run {
        None => state
            .runs()
            .into_iter()
            .filter(|run| has_begun(&state, run))
            .collect(),
        Some(run) => match state.find(run.as_str()) {
            Ok(run) => vec![run],
            // A run of another machine: its pods carry its name.
            Err(_) if gc.cluster_is_named() => Vec::new(),
            Err(error) => return Err(error.into()),
        },
    };
    for run in &runs {
        of_run(&state, run, gc, global, &mut found)?;
    }
    if gc.cluster_is_named() {
        in_cluster(&state, gc, &mut found)?;
    }
    if found.lines.is_empty() {
        found.say("nothing is left behind".into());
    }
    console.print(&format!("{}\n", found.lines.join("\n")));
    Ok(u8::from(found.failed))
}

/// One run of this state directory.
fn of_run(
    state: &StateDirectory,
    run: &RunId,
    gc: &args::Gc,
    global: &Global,
    found: &mut Found,
) -> Result<(), Problem> {
    let records = Journal::read(&state.run(run))?;
    let known = history(&records)?;
    let over = matches!(
        known.ending(),
        Some(Ending::Done | Ending::Finished | Ending::Aborted | Ending::Undone)
    );
    let named = gc.run.is_some();
    // An orderly end removes its markers; only what was given up, or is asked for by name, is looked at again.
    let markers = over && (named || known.ending() == Some(Ending::Aborted));
    if known.temporaries().is_empty() && !markers {
        return Ok(());
    }
    let Ok(_lock) = state.lock(&format!("run {run}"), "gc") else {
        found.say(format!("run {run} is running: left alone"));
        return Ok(());
    };
    if gc.dry_run {
        for (object, what) in known.temporaries() {
            found.say(format!("{object}: {what}, of run {run}"));
        }
        return Ok(());
    }
    let secrets = Arc::new(Secrets::new());
    let (journal, known) = Journal::open_history(&state.run(run), secrets.clone())?;
    let ground = Ground::survey(place(&journal, known.header())?, labs(global)?)?;
    // The Lease is given back as a session gives it back, when its fleet is closed: only if it is still this run's.
    let (leases, pods): (Vec<_>, Vec<_>) = known
        .temporaries()
        .iter()
        .map(|(object, what)| (object.clone(), what.clone()))
        .partition(|(object, _)| object.kind == "Lease");
    let ledger = Arc::new(Ledger::new(journal, known, secrets.clone()));
    let announcer = Announcer::new(Arc::new(Fanout(Vec::new())), secrets);
    let context = RunContext::recorded(&ledger, &announcer, &Cancel::default());
    let runtime = runtime()?;
    let fleet = ground.acting(&runtime, context)?;
    if markers {
        forget_markers(&*fleet, &ledger, &announcer);
    }
    let removed = remove_pods(&*fleet, pods, run, &ledger, found);
    let held = removed.and_then(|()| held(&*fleet, leases, run));
    fleet.close();
    for (object, what) in held? {
        found.say(format!("gave back {object}: {what}, of run {run}"));
    }
    Ok(())
}

/// Those of the leases that are there and carry the run's name.
fn held(
    fleet: &dyn ActingFleet,
    leases: Vec<(ObjectRef, String)>,
    run: &RunId,
) -> Result<Vec<(ObjectRef, String)>, Problem> {
    let mut held = Vec::new();
    for (object, what) in leases {
        let cluster = fleet.cluster_observer().map_err(failed)?;
        let now = cluster.get(&object).map_err(failed)?;
        if now.is_some_and(|now| now["metadata"]["labels"][RUN_LABEL] == run.as_str()) {
            held.push((object, what));
        }
    }
    Ok(held)
}

fn remove_pods(
    fleet: &dyn ActingFleet,
    pods: Vec<(ObjectRef, String)>,
    run: &RunId,
    ledger: &Ledger,
    found: &mut Found,
) -> Result<(), Problem> {
    if pods.is_empty() {
        return Ok(());
    }
    let cluster = fleet.cluster_actor().map_err(failed)?;
    for (object, what) in pods {
        match removed(&*cluster, &object, run.as_str()) {
            Ok(was_there) => {
                if was_there {
                    found.say(format!("removed {object}: {what}, of run {run}"));
                }
                ledger
                    .commit(Record::TemporaryGone { object })
                    .map_err(failed)?;
            }
            Err(failure) => {
                found.failed = true;
                found.say(format!("{object} stays: {failure}"));
            }
        }
    }
    Ok(())
}

/// Removes a pod if it is that run's; tells whether it was there.
fn removed(cluster: &dyn ClusterActor, object: &ObjectRef, run: &str) -> Result<bool, Failure> {
    let Some(now) = cluster.get(object)? else {
        return Ok(false);
    };
    if now["metadata"]["labels"][RUN_LABEL] != run {
        return Err(Failure::failed("it belongs to another run by now"));
    }
    let uid = now["metadata"]["uid"].as_str().unwrap_or_default();
    cluster.delete(object, uid)?;
    Ok(true)
}

/// What the cluster itself shows, by its labels.
fn in_cluster(state: &StateDirectory, gc: &args::Gc, found: &mut Found) -> Result<(), Problem> {
    let announcer = Announcer::new(Arc::new(Fanout(Vec::new())), Arc::new(Secrets::new()));
    let context = RunContext::unrecorded(&announcer, &Cancel::default());
    let runtime = runtime()?;
    let access = ClusterAccess {
        kubeconfig: gc.kubeconfig.clone(),
        context: gc.context.clone(),
        ..ClusterAccess::default()
    };
    let cluster = access.connect(runtime.handle(), &context).map_err(failed)?;
    let wanted = gc.run.as_ref().map(RunId::as_str);
    for pod in leftovers(&cluster, wanted).map_err(failed)? {
        let text = |value: &serde_json::Value| value.as_str().unwrap_or("?").to_owned();
        let run = text(&pod["metadata"]["labels"][RUN_LABEL]);
        let owner = text(&pod["metadata"]["annotations"][OWNER]);
        let object = pod_reference(
            &text(&pod["metadata"]["namespace"]),
            &text(&pod["metadata"]["name"]),
        );
        if !pod["metadata"]["deletionTimestamp"].is_null() {
            continue;
        }
        // Whether somebody else's run still runs cannot be seen from here: it takes its name to remove its pods.
        let ours = RunId::parse(&run).is_some_and(|run| state.find(run.as_str()).is_ok());
        if wanted.is_none() && !ours {
            found.say(format!(
                "{object} of run {run} by {owner}: left alone; `runbook gc {run}` with the same options removes it"
            ));
            continue;
        }
        let running = ours && state.lock(&format!("run {run}"), "gc").is_err();
        if running {
            found.say(format!("run {run} is running: left alone"));
        } else if gc.dry_run {
            found.say(format!("{object} of run {run} by {owner}"));
        } else {
            match removed(&cluster, &object, &run) {
                Ok(_) => found.say(format!("removed {object} of run {run} by {owner}")),
                Err(failure) => {
                    found.failed = true;
                    found.say(format!("{object} stays: {failure}"));
                }
            }
        }
    }
    Ok(())
}

fn failed(error: impl std::fmt::Display) -> Problem {
    Problem::failed(Diagnostic::error(error.to_string()))
}
