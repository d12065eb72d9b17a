//! `list`, `status`, `show`: runs seen from outside, also while they run.

use std::io::IsTerminal as _;

use super::args::{Global, ReportFormat, ShowFormat};
use super::console::Console;
use super::problem::Problem;
use super::run::state;
use crate::journal::{Intent, Journal, RunDirectory, StateDirectory, Stored};
use crate::model::{Image, RunId};
use crate::operation::image_diff;
use crate::report::document::text::{self, Reading};
use crate::report::document::{RunReport, collect};
use crate::report::{Diagnostic, Glance, RunSummary};

fn zone() -> jiff::tz::TimeZone {
    jiff::tz::TimeZone::system()
}

/// Whether a process works on the run.
pub fn locked(state: &StateDirectory, run: &RunId) -> bool {
    state.is_locked(&lock_of(run))
}

/// What a run's lock is called.
fn lock_of(run: &RunId) -> String {
    format!("run {run}")
}

/// The records of a run that has begun.
pub fn begun(state: &StateDirectory, run: &RunId) -> Result<Vec<Stored>, Problem> {
    // Asked first: whoever holds the lock now may have written its first record by the time that we read.
    let at_work = locked(state, run);
    match Journal::read_begun(&state.run(run)) {
        Err(error) if at_work && error.is_without_beginning() => {
            let problem = format!("run {run} is just being started: nothing is recorded yet");
            Err(Problem::failed(
                Diagnostic::error(problem).help("look again in a moment"),
            ))
        }
        result => Ok(result?),
    }
}

/// Whether the run has a journal with records, be it damaged; without one, nothing was done and nothing is to be shown.
pub fn has_begun(state: &StateDirectory, run: &RunId) -> bool {
    !matches!(Journal::read_first(&state.run(run)), Err(error) if error.is_without_beginning())
}

/// Lists the runs.
pub fn list(global: &Global, console: &Console) -> Result<u8, Problem> {
    let state = state(global)?;
    let mut read: Vec<(Vec<Stored>, bool)> = Vec::new();
    for run in state.runs().iter().rev() {
        match Journal::read(&state.run(run)) {
            Ok(records) => read.push((records, locked(&state, run))),
            Err(error) => eprintln!("{run}: {error}"),
        }
    }
    let summaries: Vec<RunSummary<'_>> = read
        .iter()
        .filter_map(|(records, locked)| RunSummary::of(records, *locked))
        .collect();
    let now = jiff::Timestamp::now();
    console.print(&crate::report::list(&summaries, &console.out, now));
    Ok(0)
}

/// Shows where a run stands.
pub fn status(run: Option<&RunId>, global: &Global, console: &Console) -> Result<u8, Problem> {
    let state = state(global)?;
    let run = run_or_newest(&state, run)?;
    let records = begun(&state, &run)?;
    let holder = state.holder(&lock_of(&run));
    // No diff is shown at a glance.
    let (summary, report) = told(&run, &records, locked(&state, &run), &|_| None)?;
    let glance = Glance {
        summary: &summary,
        report: &report,
        holder: holder.as_deref(),
        now: jiff::Timestamp::now(),
    };
    console.print(&crate::report::status(&glance, &console.out, &zone()));
    Ok(0)
}

/// A run's records as people are told of them.
fn told<'a>(
    run: &RunId,
    records: &'a [Stored],
    locked: bool,
    diff: &dyn Fn(&Intent) -> Option<String>,
) -> Result<(RunSummary<'a>, RunReport), Problem> {
    let report = collect(records, locked, diff)?;
    let summary = RunSummary::of(records, locked).ok_or_else(|| {
        let problem = format!("run {run} has no beginning");
        Problem::failed(Diagnostic::error(problem))
    })?;
    Ok((summary, report))
}

/// Shows everything that a run did.
pub fn show(
    run: &RunId,
    format: ShowFormat,
    json: bool,
    global: &Global,
    console: &Console,
) -> Result<u8, Problem> {
    if format == ShowFormat::Md {
        return super::report::report(Some(run), ReportFormat::Md, None, global, console);
    }
    let state = state(global)?;
    let run = state.find(run.as_str())?;
    let directory = state.run(&run);
    let records = begun(&state, &run)?;
    if json || format == ShowFormat::Json {
        for stored in &records {
            let line = serde_json::to_string(stored)
                .map_err(|error| Problem::failed(Diagnostic::error(error.to_string())))?;
            console.print(&format!("{}\n", crate::report::safe::json(&line)));
        }
        return Ok(0);
    }
    let diff = |intent: &Intent| recorded_diff(&directory, intent);
    let (summary, report) = told(&run, &records, locked(&state, &run), &diff)?;
    let reading = Reading {
        look: &console.out,
        wrap: std::io::stdout().is_terminal(),
        whole: global.verbose > 0,
        zone: &zone(),
    };
    let next = summary.next(&console.out).join("\n");
    console.print(&format!("{}{next}\n", text::render(&report, &reading)));
    Ok(0)
}

/// The diff of a change, from the images in the journal.
pub fn recorded_diff(directory: &RunDirectory, intent: &Intent) -> Option<String> {
    let change = intent.change.as_ref()?;
    let image = |blob| -> Option<Image> {
        serde_json::from_slice(&Journal::read_blob(directory, blob).ok()?).ok()
    };
    image_diff(
        &change.subject,
        &image(&change.before)?,
        &image(&change.after)?,
    )
}

/// The run that is named, or the newest.
pub fn run_or_newest(state: &StateDirectory, run: Option<&RunId>) -> Result<RunId, Problem> {
    match run {
        Some(run) => Ok(state.find(run.as_str())?),
        None => {
            let mut newest_first = state.runs().into_iter().rev();
            newest_first
                .find(|run| has_begun(state, run))
                .ok_or_else(|| {
                    Problem::usage(
                        Diagnostic::error("there is no run yet").help("runbook run FILE"),
                    )
                })
        }
    }
}
