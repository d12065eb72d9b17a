//! `list`: where runs stand, computed from their records.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::journal::{Ending, Intent, Record, RunHeader, StepStatus, Stored};
use crate::model::{OperationId, ScopePath, Value};
use crate::operation::{Class, flag};

use super::closing::{Course, ending_word, next_lines};
use super::look::{Look, Tone};
use super::progress::clipped;

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// A process holds its lock.
    Running,
    /// Its last session ended without a word: killed, or the machine went down.
    Crashed,
    /// Its last session ended like this.
    Ended(Ending),
}

impl RunState {
    /// One short word, with what it means.
    fn short(self) -> (Tone, &'static str) {
        match self {
            Self::Running => (Tone::Cool, "running"),
            Self::Crashed => (Tone::Bad, "crashed"),
            Self::Ended(Ending::Finished) => (Tone::Good, "finished"),
            Self::Ended(Ending::Undecided) => (Tone::Warn, "to decide"),
            Self::Ended(ending) => ending_word(ending),
        }
    }

    /// One word or two.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Crashed => "crashed",
            Self::Ended(ending) => ending_word(ending).1,
        }
    }
}

/// A run in a few words.
#[derive(Clone, Debug)]
pub struct RunSummary<'a> {
    /// What it was started with.
    pub header: &'a RunHeader,
    /// When it was started.
    pub at: Timestamp,
    /// Where it stands.
    pub state: RunState,
    /// The steps in order, with how each ended; none while it is open.
    pub steps: Vec<(&'a ScopePath, Option<StepStatus>)>,
    /// Effects, waits and questions without an outcome.
    pub in_flight: Vec<&'a Intent>,
    /// Why the last session ended, in words.
    pub message: &'a str,
    /// Whether something of it was put back.
    pub course: Course,
}

impl<'a> RunSummary<'a> {
    /// Reads a run's records; `locked` says whether a process holds its lock. None without a header.
    pub fn of(records: &'a [Stored], locked: bool) -> Option<Self> {
        let (first, header) = records.iter().find_map(|stored| match &stored.record {
            Record::RunStarted(header) => Some((stored, header)),
            _ => None,
        })?;
        let mut summary = Self {
            header,
            at: first.at,
            state: RunState::Crashed,
            steps: Vec::new(),
            in_flight: Vec::new(),
            message: "",
            course: Course::Onward,
        };
        for stored in records {
            summary.read(&stored.record);
        }
        if locked {
            summary.state = RunState::Running;
        }
        Some(summary)
    }

    fn read(&mut self, record: &'a Record) {
        match record {
            Record::SessionStarted { .. } => {
                self.state = RunState::Crashed;
                self.message = "";
            }
            Record::Ended {
                ending, message, ..
            } => {
                self.state = RunState::Ended(*ending);
                self.message = message;
            }
            Record::StepStarted { path, .. } => self.step(path, None),
            Record::StepEnded { path, status } => self.step(path, Some(*status)),
            Record::Intent(intent) => {
                if intent.undoes.is_some() {
                    self.course = Course::Back;
                }
                self.forget(&intent.id);
                self.in_flight.push(intent);
            }
            Record::Outcome(outcome) => self.forget(&outcome.id),
            Record::Resolved { operation, .. } => self.forget(operation),
            _ => {}
        }
    }

    fn step(&mut self, path: &'a ScopePath, status: Option<StepStatus>) {
        match self.steps.iter_mut().find(|(known, _)| *known == path) {
            Some(step) => step.1 = status,
            None => self.steps.push((path, status)),
        }
    }

    fn forget(&mut self, id: &OperationId) {
        self.in_flight.retain(|intent| intent.id != *id);
    }

    /// The innermost step that failed last.
    pub fn failed_step(&self) -> Option<&ScopePath> {
        let failed = |status: &Option<StepStatus>| *status == Some(StepStatus::Failed);
        let mut steps = self.steps.iter().rev().filter(|(_, status)| failed(status));
        steps.next().map(|(path, _)| *path)
    }

    /// The commands that make sense next, as lines.
    pub fn next(&self, look: &Look) -> Vec<String> {
        let run = &self.header.run;
        match self.state {
            RunState::Running => vec![
                "next:".to_owned(),
                format!("  runbook status {run}    look again"),
            ],
            RunState::Crashed => {
                next_lines(look, run, Ending::Interrupted, self.course, &self.flags())
            }
            RunState::Ended(ending) => next_lines(look, run, ending, self.course, &self.flags()),
        }
    }

    /// The flags that answer the questions that wait.
    fn flags(&self) -> Vec<String> {
        let asked = self.in_flight.iter();
        asked
            .filter(|intent| intent.class == Class::Ask)
            .map(|intent| flag_of(intent))
            .collect()
    }

    /// On what it runs.
    pub fn on(&self) -> String {
        match (&self.header.lab, &self.header.inventory) {
            (Some(lab), _) => format!("lab {lab}"),
            (None, Some(inventory)) => inventory.name.clone(),
            (None, None) => "local host".to_owned(),
        }
    }
}

pub(super) fn clock(at: Timestamp, zone: &TimeZone) -> String {
    let at = at.to_zoned(zone.clone());
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `list`: the runs, newest first, each on a line that fits the terminal: its name, its age, where it stands, what it
/// is, on what, and the step in which it failed.
pub fn list(runs: &[RunSummary<'_>], look: &Look, now: Timestamp) -> String {
    if runs.is_empty() {
        return "No runs yet.\n".to_owned();
    }
    let mut runs: Vec<_> = runs.iter().collect();
    runs.sort_by_key(|run| std::cmp::Reverse(run.at));
    let name = |run: &&RunSummary<'_>| run.header.run.as_str().len();
    let longest = runs.iter().map(name).max().unwrap_or_default();
    let mut out = String::new();
    for run in runs {
        let id = run.header.run.as_str();
        let (tone, state) = run.state.short();
        let head = format!("{id:<longest$}  {:<7} ", age(run.at, now));
        let mut what = format!("{} on {}", run.header.title, run.on());
        if let Some(path) = run.failed_step() {
            what.push_str(&format!(", in {}", path.steps().join(" / ")));
        }
        let room = look.width.saturating_sub(head.len() + STATE + 1);
        let what = clipped(look, &look.line(&what), room);
        let state = look.paint(tone, &format!("{state:<STATE$}"));
        out.push_str(format!("{head}{state} {what}").trim_end());
        out.push('\n');
    }
    out
}

/// Columns of the word that says where a run stands.
const STATE: usize = 11;

/// How long ago something was, in its largest unit: `now`, `12 min`, `3 h`, `40 d`.
fn age(at: Timestamp, now: Timestamp) -> String {
    let minutes = now.duration_since(at).as_secs().max(0) / 60;
    match minutes {
        0 => "now".to_owned(),
        1..60 => format!("{minutes} min"),
        60..1440 => format!("{} h", minutes / 60),
        _ => format!("{} d", minutes / 1440),
    }
}

/// The flag that answers a question that waits.
fn flag_of(intent: &Intent) -> String {
    let name = intent.arguments.get("name").map(Value::to_string);
    flag(&intent.kind, &name.unwrap_or_default())
}
