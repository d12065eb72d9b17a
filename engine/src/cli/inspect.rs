//! `list`, `status`, `show`: runs seen from outside, also while they run.

use super::args::{Global, ReportFormat, ShowFormat};
use super::console::Console;
use super::problem::Problem;
use super::run::state;
use crate::journal::{Intent, Journal, RunDirectory, StateDirectory, Stored};
use crate::model::{Image, RunId};
use crate::operation::image_diff;
use crate::report::{Diagnostic, RunSummary, timeline};

fn zone() -> jiff::tz::TimeZone {
    jiff::tz::TimeZone::system()
}

/// Whether a process works on the run.
pub fn locked(state: &StateDirectory, run: &RunId) -> bool {
    state.is_locked(&format!("run {run}"))
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
    console.print(&crate::report::list(&summaries, &console.out, &zone()));
    Ok(0)
}

/// Shows where a run stands.
pub fn status(run: Option<&RunId>, global: &Global, console: &Console) -> Result<u8, Problem> {
    let state = state(global)?;
    let run = run_or_newest(&state, run)?;
    let records = begun(&state, &run)?;
    let summary = RunSummary::of(&records, locked(&state, &run))
        .ok_or_else(|| Problem::failed(Diagnostic::error(format!("run {run} has no beginning"))))?;
    console.print(&summary.status(&console.out, &zone()));
    Ok(0)
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
    console.print(&timeline(&records, &console.out, &zone(), &diff));
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
