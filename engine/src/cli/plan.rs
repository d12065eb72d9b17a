//! Dry runs and their plans: made, kept in a file, shown again, carried out as they were reviewed.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::answers::Answers;
use super::args::{self, Global, Output, ShowFormat, Talk};
use super::console::Console;
use super::context::RunContext;
use super::ending::Verdict;
use super::ground::Ground;
use super::plan_file::{BoundPlan, PlanFile};
use super::prepare;
use super::problem::{Problem, UNDECIDED};
use super::run::{Prepared, conclude, inherited, labs, live, program, session_of};
use super::runtime::{listen_for_interrupts, runtime};
use super::session::{self, Opening};
use crate::executor::{Announcer, DryRun, Ledger, Sealer};
use crate::journal::{EntryState, OutcomeResult};
use crate::model::Secrets;
use crate::report::{Diagnostic, Difference, EventSink, Fanout, Plan, PlanCollector};
use crate::transport::Cancel;

/// Differences that are named; more are counted.
const NAMED: usize = 12;

/// A dry run that came to its end.
struct Rehearsal {
    plan: Plan,
    verdict: Verdict,
    secrets: Arc<Secrets>,
}

/// Plans what a run would do, sealed with `seed`; `events` gets what is to be seen of it.
fn rehearse(
    prepared: &Prepared,
    talk: &Talk,
    observer_pods: bool,
    seed: &str,
    events: impl FnOnce(Arc<dyn EventSink>) -> Arc<dyn EventSink>,
    console: &Console,
) -> Result<Rehearsal, Problem> {
    let started = Instant::now();
    let runtime = runtime()?;
    let cancel = Cancel::default();
    let secrets = Arc::new(Secrets::new());
    let plan = Arc::new(PlanCollector::default());
    let events = events(plan.clone());
    listen_for_interrupts(&runtime, cancel.clone(), events.clone());
    let announcer = Announcer::new(events, secrets.clone());
    let asker = Arc::new(Answers::new(talk, console));
    let mut context = RunContext::unrecorded(&announcer, &cancel);
    context.observer_pods = observer_pods;
    let fleet = prepared.ground.observing(&runtime, context)?;
    let sealer = Sealer::new(seed, secrets.clone());
    let executor = DryRun::new(fleet, announcer.clone(), asker, cancel).sealed_by(sealer);
    let interactive = console.interactive();
    let session = session_of(prepared, Arc::new(executor), &announcer, interactive);
    let program = program(prepared.sources.clone(), session, true)?;
    let opening = Opening {
        title: prepared.header.title.clone(),
        mode: "dry run",
        on: prepared.ground.title(),
    };
    session::begin(&announcer, None, opening);
    let end = session::evaluate(&program);
    let verdict = session::finish(&announcer, None, end, started);
    Ok(Rehearsal {
        plan: plan.plan(),
        verdict,
        secrets,
    })
}

/// `run --dry-run`.
pub fn dry_run(run: &args::Run, prepared: &Prepared, console: &Console) -> Result<u8, Problem> {
    let seed = uuid::Uuid::new_v4().simple().to_string();
    let shown = |plan| console.events(run.talk.output, true, vec![plan]);
    let Rehearsal {
        plan,
        verdict,
        secrets,
    } = rehearse(
        prepared,
        &run.talk,
        !run.no_observer_pods,
        &seed,
        shown,
        console,
    )?;
    if run.talk.output == Output::Text {
        console.print(&plan.render(&console.out));
    }
    conclude(&verdict, &prepared.sources, &secrets, console);
    let exit = match (verdict.exit, run.detailed_exitcode && !plan.is_empty()) {
        (0, true) => 2,
        (exit, _) => exit,
    };
    if let Some(path) = &run.out {
        if verdict.exit != 0 {
            let what = format!(
                "no plan was written to {}: the dry run did not come to its end",
                path.display()
            );
            let mut problem = Problem::failed(Diagnostic::error(what));
            problem.exit = verdict.exit;
            return Err(problem);
        }
        PlanFile::new(prepared, !run.no_observer_pods, BoundPlan { seed, plan })
            .write(path, &secrets)?;
        let path = path.display();
        eprintln!(
            "The plan is in {path}. To read it again: runbook show {path}. To do exactly that: runbook run --plan {path}"
        );
    }
    Ok(exit)
}

/// `show PLAN`.
pub fn show(path: &Path, format: ShowFormat, json: bool, console: &Console) -> Result<u8, Problem> {
    let file = super::plan_file::read(path)?;
    let format = if json { ShowFormat::Json } else { format };
    console.print(&file.shown(format, &console.out));
    Ok(0)
}

/// `run --plan PLAN`.
pub fn carry_out(
    path: &Path,
    run: &args::Run,
    global: &Global,
    console: &Console,
) -> Result<u8, Problem> {
    if run.inventory.is_some() && !inherited(run) {
        let what = "a plan has its own inventory; make another plan for other hosts";
        return Err(Problem::usage(Diagnostic::error(what)));
    }
    let file = super::plan_file::read(path)?;
    let mut place = file.place();
    if let Some(parallel) = run.parallel {
        place.parallel = parallel;
    }
    let sources = file.sources();
    let ground = Ground::survey(place, labs(global)?)?;
    let header = prepare::checked(&sources, &ground.names(), console)?;
    let prepared = Prepared {
        sources: Arc::new(sources),
        header,
        parameters: file.parameters.clone(),
        ground,
    };
    // Before anything is touched: would a dry run still say the same?
    let silent = |plan| -> Arc<dyn EventSink> { Arc::new(Fanout(vec![plan])) };
    let now = rehearse(
        &prepared,
        &run.talk,
        file.observer_pods(),
        &file.bound.seed,
        silent,
        console,
    )?;
    if now.verdict.exit != 0 {
        conclude(&now.verdict, &prepared.sources, &now.secrets, console);
        let what = format!(
            "{}: refused, the plan no longer comes to its end",
            path.display()
        );
        let mut problem = Problem::failed(Diagnostic::error(what).note("nothing was touched"));
        problem.exit = now.verdict.exit;
        return Err(problem);
    }
    let differences = file.bound.plan.differences(&now.plan);
    if !differences.is_empty() {
        return Err(refused(path, &differences));
    }
    live(&run.talk, prepared, Some(file.bound), global, console)
}

fn refused(path: &Path, differences: &[Difference]) -> Problem {
    let what = format!(
        "{}: refused, the targets are no longer what the plan saw; nothing was touched",
        path.display()
    );
    let mut diagnostic = Diagnostic::error(what);
    for difference in differences.iter().take(NAMED) {
        let note = match &difference.detail {
            Some(detail) => format!("{}\n{detail}", difference.what),
            None => difference.what.clone(),
        };
        diagnostic = diagnostic.note(note);
    }
    if differences.len() > NAMED {
        diagnostic = diagnostic.note(format!("and {} more", differences.len() - NAMED));
    }
    Problem {
        diagnostics: vec![
            diagnostic.help("make a new plan, have it reviewed, and carry that one out"),
        ],
        exit: UNDECIDED,
    }
}

/// Says what the plan had and the run, come to its end, did not do.
pub fn left_out(plan: &BoundPlan, ledger: &Ledger, announcer: &Announcer) {
    let done = |key: &crate::model::OperationKey| {
        // What cannot be read is not claimed to be left out.
        let Ok(entry) = ledger.entry(key) else {
            return true;
        };
        entry.is_some_and(|entry| match &entry.state {
            EntryState::Finished { result, .. } => {
                matches!(result, OutcomeResult::Value { changed: true, .. })
            }
            EntryState::ResolvedDone { .. } => true,
            _ => false,
        })
    };
    let left = plan.bound(ledger.secrets()).left_out(done);
    if left.is_empty() {
        return;
    }
    let mut text = format!(
        "{} of the plan turned out not to be needed:",
        crate::report::counted(left.len(), "effect", "effects")
    );
    for line in left.iter().take(NAMED) {
        text.push_str(&format!("\n  {line}"));
    }
    if left.len() > NAMED {
        text.push_str(&format!("\n  and {} more", left.len() - NAMED));
    }
    announcer.warn(&text);
}
