//! `runbook test`: runs the tests of runbooks, each on a lab and in a state directory of its own, with the real program.
//!
//! - [`file`]: which files, which tests are in them
//! - [`words`], [`claims`], [`faults`], [`run_book`]: what a test can say
//! - [`bench`]: the place where one test happens, and the engine as a process
//! - [`told`]: what a run told of itself, read from its events
//! - [`crash`]: kills at every record, and what must come of them
//! - [`show`], [`junit`]: how results are shown

mod bench;
mod claims;
mod crash;
mod faults;
mod file;
mod junit;
mod run_book;
mod show;
mod told;
mod words;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::args;
use super::console::Console;
use super::problem::{FAILED, Problem};
use crate::model::SourcePosition;
use crate::report::Diagnostic;
use crate::script::on_script_thread;
use bench::Bench;
use file::{Case, TestFile};

/// How one test ended.
pub struct Outcome {
    /// The file as the user named it.
    pub file: String,
    /// The test's name.
    pub name: String,
    /// Where it stands.
    pub line: u32,
    /// Why it failed; none if it passed.
    pub failure: Option<Failure>,
    /// What the kills did; none without `--crash`.
    pub kills: Option<crash::Kills>,
    /// Real time.
    pub took: Duration,
}

/// Why a test failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// In one sentence.
    pub message: String,
    /// More: a difference, what a run said.
    pub detail: Option<String>,
    /// Where in the file.
    pub position: Option<SourcePosition>,
}

/// Runs tests.
pub fn test(test: &args::Test, console: &Console) -> Result<u8, Problem> {
    let started = Instant::now();
    let files = file::load(&test.paths)?;
    let mut chosen: Vec<(&TestFile, &Case)> = Vec::new();
    for file in &files {
        let wanted = |case: &&Case| {
            let only = test.only.as_deref();
            only.is_none_or(|part| case.name.contains(part))
        };
        chosen.extend(file.cases.iter().filter(wanted).map(|case| (file, case)));
    }
    if chosen.is_empty() {
        let only = test.only.as_deref().unwrap_or_default();
        return Err(Problem::usage(
            Diagnostic::error(format!("no test has {only:?} in its name"))
                .help("leave out --only to run them all"),
        ));
    }
    let show = show::Show::new(console, test.output, files.len());
    let outcomes = run_all(&chosen, test, &show)?;
    let failed = outcomes.iter().filter(|one| one.failure.is_some()).count();
    if let Some(path) = &test.junit {
        let text = junit::report(&outcomes, started.elapsed());
        std::fs::write(path, text).map_err(|error| {
            Problem::failed(Diagnostic::error(format!(
                "{} cannot be written: {error}",
                path.display()
            )))
        })?;
    }
    show.ended(&outcomes, started.elapsed());
    Ok(if failed == 0 { 0 } else { FAILED })
}

/// Runs the chosen tests, several at once, and shows each when its turn has come.
fn run_all(
    chosen: &[(&TestFile, &Case)],
    test: &args::Test,
    show: &show::Show,
) -> Result<Vec<Outcome>, Problem> {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let workers = test.parallel.unwrap_or_else(cores);
    // With kills, the runs of one test are what is done side by side.
    let (tests, kills) = if test.crash {
        (1, Some(workers))
    } else {
        (workers.min(chosen.len()), None)
    };
    let next = AtomicUsize::new(0);
    let slots: Mutex<Vec<Option<Outcome>>> = Mutex::new(chosen.iter().map(|_| None).collect());
    let shown = Mutex::new(0);
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::SeqCst);
            let Some((file, case)) = chosen.get(at) else {
                return;
            };
            let outcome = on_script_thread(|| run(file, case, kills)).unwrap_or_else(|error| {
                let failure = Failure {
                    message: format!("the test's thread could not run: {error}"),
                    detail: None,
                    position: None,
                };
                ended(file, case, Instant::now(), Some(failure), None)
            });
            let mut slots = slots
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            slots[at] = Some(outcome);
            // In the order of the files, however long each takes.
            let mut shown = shown
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            while let Some(Some(outcome)) = slots.get(*shown) {
                show.outcome(outcome, chosen[*shown].0);
                *shown += 1;
            }
        }
    };
    std::thread::scope(|threads| {
        for _ in 0..tests {
            threads.spawn(work);
        }
    });
    let slots = slots
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    Ok(slots.into_iter().flatten().collect())
}

/// Runs one test; then kills each of its runs at every record, so many at once.
fn run(file: &TestFile, case: &Case, kills: Option<usize>) -> Outcome {
    let started = Instant::now();
    let bench = match Bench::new(file, kills.is_some()) {
        Ok(bench) => bench,
        Err(why) => {
            let failure = Failure {
                message: why,
                detail: None,
                position: None,
            };
            return ended(file, case, started, Some(failure), None);
        }
    };
    if let Err(failure) = words::evaluate(file, case, &bench) {
        return ended(file, case, started, Some(failure), None);
    }
    let Some(workers) = kills else {
        return ended(file, case, started, None, None);
    };
    let (kills, failure) = crash::kill_everywhere(&bench, &file.name, workers);
    ended(file, case, started, failure, Some(kills))
}

fn ended(
    file: &TestFile,
    case: &Case,
    started: Instant,
    failure: Option<Failure>,
    kills: Option<crash::Kills>,
) -> Outcome {
    Outcome {
        file: file.name.clone(),
        name: case.name.clone(),
        line: case.line,
        failure,
        kills,
        took: started.elapsed(),
    }
}
