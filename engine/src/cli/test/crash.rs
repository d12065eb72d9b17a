//! `--crash`: each run of a test once more for every record of its journal and both sides of it, killed there by
//! SIGKILL, resumed, and compared with the run that nobody killed.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::Failure;
use super::bench::{Bench, Call, Taken, copy_labs};
use super::told::{KILLED, Told};
use crate::cli::problem::USAGE;
use crate::lab::{Lab, LabAccess};
use crate::model::SourcePosition;
use crate::text::diff;

/// What the kills did.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Kills {
    /// Runs that were killed and resumed.
    pub kills: usize,
    /// Runs of the test that could not be compared, because a fault was waiting.
    pub left_out: usize,
}

/// Kills every run of a test everywhere, with this many runs at once.
pub fn kill_everywhere(bench: &Arc<Bench>, file: &str, workers: usize) -> (Kills, Option<Failure>) {
    let mut kills = Kills::default();
    for taken in bench.taken() {
        if taken.faults {
            kills.left_out += 1;
            continue;
        }
        let sweep = Sweep {
            bench,
            taken: &taken,
            next: AtomicUsize::new(1),
            kills: AtomicUsize::new(0),
            failure: Mutex::new(None),
        };
        std::thread::scope(|threads| {
            for _ in 0..workers.max(1) {
                threads.spawn(|| sweep.work());
            }
        });
        let struck = sweep.kills.load(Ordering::SeqCst);
        kills.kills += struck;
        let failure = sweep
            .failure
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((point, why)) = failure {
            return (kills, Some(failed(file, &taken, &point, why)));
        }
        // Without kills this would prove nothing. A run refused for its usage has no records to be killed at.
        if struck == 0 && taken.exit != i32::from(USAGE) {
            let why = wrong("the run has no record to be killed at", "");
            return (kills, Some(failed(file, &taken, "1", why)));
        }
    }
    (kills, None)
}

/// All kills of one run, shared by the threads that do them.
struct Sweep<'a> {
    bench: &'a Bench,
    taken: &'a Taken,
    /// The record that is next to be killed at.
    next: AtomicUsize,
    kills: AtomicUsize,
    failure: Mutex<Option<(String, Wrong)>>,
}

/// What came out wrong after a kill.
struct Wrong {
    message: String,
    detail: String,
}

impl Sweep<'_> {
    fn work(&self) {
        loop {
            if self.failure().is_some() {
                return;
            }
            let record = self.next.fetch_add(1, Ordering::SeqCst);
            let mut killed = false;
            // Before the record is durable (what it tells of has happened) and after it (what it announces has not).
            for point in [format!("{record}-"), record.to_string()] {
                match self.killed_at(&point) {
                    Ok(struck) => killed |= struck,
                    Err(wrong) => {
                        self.failure().get_or_insert((point, wrong));
                        return;
                    }
                }
            }
            // Neither side was ever reached: the run is shorter than that.
            if !killed {
                return;
            }
        }
    }

    fn failure(&self) -> MutexGuard<'_, Option<(String, Wrong)>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Killed there, resumed, compared. Whether there was such a point.
    fn killed_at(&self, point: &str) -> Result<bool, Wrong> {
        let folder = tempfile::Builder::new()
            .prefix("killed-")
            .tempdir_in(self.bench.path())
            .map_err(|error| wrong("no temporary folder", &error.to_string()))?;
        let state = &folder.path().join("state");
        copy_labs(&self.taken.before, state)
            .map_err(|error| wrong("the lab's state cannot be copied", &error.to_string()))?;
        let mut call = self.taken.call.clone();
        call.env.push(("RUNBOOK_CRASH_AT".into(), point.to_owned()));
        let killed = self.engine(&call, state)?;
        if killed.exit != KILLED {
            let same = killed.exit == self.taken.exit;
            return match same {
                true => Ok(false),
                false => Err(self.exit_differs("without being killed it", &killed)),
            };
        }
        self.kills.fetch_add(1, Ordering::SeqCst);
        let resumed = self.engine(&self.taken.resume, state)?;
        let mut differs = self.differs(state)?;
        if resumed.exit == i32::from(USAGE) && (differs.is_some() || self.taken.exit != 0) {
            // Killed before its first record: nothing was begun, so the operator begins.
            let begun = self.engine(&self.taken.call, state)?;
            if begun.exit != self.taken.exit {
                return Err(self.exit_differs("begun again it", &begun));
            }
            differs = self.differs(state)?;
        } else if !self.fits(resumed.exit) && resumed.exit != i32::from(USAGE) {
            return Err(self.exit_differs("resumed it", &resumed));
        }
        match differs {
            None => Ok(true),
            Some(wrong) => Err(wrong),
        }
    }

    /// Whether a resumed run may end so. A command that has failed is never run again by itself, so that where the whole
    /// run failed, the resumed one may ask a person instead.
    fn fits(&self, exit: i32) -> bool {
        exit == self.taken.exit || (self.taken.exit != 0 && exit != 0)
    }

    fn engine(&self, call: &Call, state: &Path) -> Result<Told, Wrong> {
        self.bench
            .engine(call, state)
            .map_err(|why| wrong("the engine does not run", &why))
    }

    fn exit_differs(&self, what: &str, told: &Told) -> Wrong {
        wrong(
            &format!(
                "{what} ended with exit status {}, the run that nobody killed with {}",
                told.exit, self.taken.exit
            ),
            told.text.trim_end(),
        )
    }

    /// What is different in the lab from what the run that nobody killed has left.
    fn differs(&self, state: &Path) -> Result<Option<Wrong>, Wrong> {
        let unread = |why: String| wrong("the lab cannot be read", &why);
        let name = self.bench.lab_name().map_err(unread)?;
        let lab = Lab::open(&name, &state.join("labs"), LabAccess::ReadOnly)
            .map_err(|error| unread(error.to_string()))?;
        let (outcome, markers) = lab
            .glance(|world| ((world.outcome(), world.counts.markers.clone()), false))
            .map_err(|error| unread(error.to_string()))?;
        let known = |marker: &String| self.taken.markers.get(marker).copied().unwrap_or(0);
        let twice: Vec<_> = markers
            .iter()
            .filter(|(marker, count)| known(marker) + 1 < **count)
            .map(|(marker, _)| marker.as_str())
            .collect();
        if !twice.is_empty() {
            let text = twice.join(", ");
            return Ok(Some(wrong("commands ran more than once", &text)));
        }
        if outcome == self.taken.outcome {
            return Ok(None);
        }
        let text = diff::fields(&self.taken.outcome, &outcome);
        Ok(Some(wrong(
            "it came to another end (whole run → killed run)",
            &text,
        )))
    }
}

fn wrong(message: &str, detail: &str) -> Wrong {
    Wrong {
        message: message.to_owned(),
        detail: detail.to_owned(),
    }
}

fn failed(file: &str, taken: &Taken, point: &str, wrong: Wrong) -> Failure {
    let when = match point.strip_suffix('-') {
        Some(record) => format!("right before record {record} was durable"),
        None => format!("right after record {point} was durable"),
    };
    Failure {
        message: format!("{}, killed {when}: {}", taken.title, wrong.message),
        detail: Some(wrong.detail),
        position: taken.place.map(|(line, column)| SourcePosition {
            file: file.to_owned(),
            line,
            column,
        }),
    }
}
