//! `list` and `status`: where runs stand, computed from their records.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::journal::{Ending, Intent, OutcomeResult, Record, RunHeader, StepStatus, Stored};
use crate::model::{OperationId, ScopePath};
use crate::operation::Class;

use super::closing::{Course, ending_word, next_lines};
use super::look::{Look, Tone};

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

    /// On what it runs.
    pub fn on(&self) -> String {
        match (&self.header.lab, &self.header.inventory) {
            (Some(lab), _) => format!("lab {lab}"),
            (None, Some(inventory)) => inventory.name.clone(),
            (None, None) => "local host".to_owned(),
        }
    }

    /// `status RUN`.
    pub fn status(&self, look: &Look, zone: &TimeZone) -> String {
        let run = &self.header.run;
        let mut out = vec![
            look.paint(Tone::Strong, &look.line(&self.header.title)),
            format!("run     {run} on {}", look.line(&self.on())),
            format!("since   {}", clock(self.at, zone)),
            format!("state   {}", self.state.word()),
        ];
        out.extend(
            look.lines(self.message)
                .iter()
                .map(|line| format!("        {line}")),
        );
        out.push("steps:".to_owned());
        for (path, status) in &self.steps {
            let pad = "  ".repeat(path.steps().len());
            let branch = path.branches().join("/");
            let branch = if branch.is_empty() {
                branch
            } else {
                format!("{branch}: ")
            };
            let title = path.steps().last().copied().unwrap_or_default();
            let line = look.line(&format!("{branch}{title}"));
            out.push(format!("{pad}{:<8}{line}", step_word(*status)));
        }
        let (asked, flying): (Vec<&Intent>, Vec<&Intent>) = self
            .in_flight
            .iter()
            .copied()
            .partition(|intent| intent.class == Class::Ask);
        for (title, intents) in [("asked:", asked), ("in flight:", flying)] {
            if !intents.is_empty() {
                out.push(title.to_owned());
            }
            for intent in intents {
                let line = format!("{}  {}: {}", intent.id, intent.target, intent.summary);
                out.push(format!("  {}", look.line(&line)));
            }
        }
        match self.state {
            RunState::Running => out.push(format!("next:\n  runbook show {run}")),
            RunState::Crashed => {
                out.extend(next_lines(look, run, Ending::Interrupted, self.course))
            }
            RunState::Ended(ending) => out.extend(next_lines(look, run, ending, self.course)),
        }
        out.join("\n") + "\n"
    }
}

fn step_word(status: Option<StepStatus>) -> &'static str {
    match status {
        None => "open",
        Some(StepStatus::Done) => "done",
        Some(StepStatus::Failed) => "FAILED",
        Some(StepStatus::Skipped) => "skipped",
        Some(StepStatus::Stopped) => "stopped",
    }
}

pub(super) fn clock(at: Timestamp, zone: &TimeZone) -> String {
    let at = at.to_zoned(zone.clone());
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `list`: the runs, newest first.
pub fn list(runs: &[RunSummary<'_>], look: &Look, zone: &TimeZone) -> String {
    if runs.is_empty() {
        return "No runs yet.\n".to_owned();
    }
    let mut runs: Vec<_> = runs.iter().collect();
    runs.sort_by_key(|run| std::cmp::Reverse(run.at));
    let mut out = String::new();
    for run in runs {
        let header = run.header;
        let id = &header.run;
        out.push_str(&format!(
            "{id}  {}  {}\n",
            clock(run.at, zone),
            run.state.word()
        ));
        let what = format!("{} on {}", header.title, run.on());
        out.push_str(&format!("    {}\n", look.line(&what)));
        if let Some(path) = run.failed_step() {
            let steps = look.line(&path.steps().join(" / "));
            out.push_str(&format!("    failed in: {steps}\n"));
        }
    }
    out
}

/// `show RUN`: everything in order. `diff` gives a change's diff from its recorded images.
pub fn timeline(
    records: &[Stored],
    look: &Look,
    zone: &TimeZone,
    diff: &dyn Fn(&Intent) -> Option<String>,
) -> String {
    let mut intents = std::collections::HashMap::new();
    let mut out = String::new();
    for stored in records {
        let (line, more) = match &stored.record {
            Record::RunStarted(header) => (format!("run {}: {}", header.run, header.title), None),
            Record::SessionStarted { kind, operator, .. } => (
                format!("session: {kind:?} by {operator}").to_lowercase(),
                None,
            ),
            Record::StepStarted { path, .. } => (format!("> {}", path.steps().join(" / ")), None),
            Record::StepEnded { path, status } => {
                let word = step_word(Some(*status));
                (format!("{word} {}", path.steps().join(" / ")), None)
            }
            Record::Observed { intent, result } => (told("looked", intent, result), None),
            Record::Intent(intent) => {
                intents.insert(&intent.id, intent);
                let line = format!(
                    "start   {}: {}  [{}]",
                    intent.target, intent.summary, intent.id
                );
                (line, diff(intent))
            }
            Record::Outcome(outcome) => match intents.get(&outcome.id) {
                Some(intent) => (told("end", intent, &outcome.result), None),
                None => (format!("end     {}", outcome.id), None),
            },
            Record::Retried { by, why, .. } => (format!("retry by {by}: {why}"), None),
            Record::Resolved {
                operation,
                decision,
                by,
                why,
            } => (
                format!("resolved {operation}: {decision} by {by}: {why}"),
                None,
            ),
            Record::Edited { edition, by, .. } => {
                (format!("script edited ({edition}) by {by}"), None)
            }
            Record::Temporary { object, what } => (format!("makes {object}: {what}"), None),
            Record::TemporaryGone { object } => (format!("removed {object}"), None),
            Record::Ended {
                ending, message, ..
            } => (format!("{}: {message}", ending_word(*ending).1), None),
        };
        out.push_str(&format!(
            "{}  {}\n",
            clock(stored.at, zone),
            look.line(&line)
        ));
        for line in more.iter().flat_map(|diff| look.diff(23, diff)) {
            out.push_str(&line);
            out.push('\n');
        }
    }
    out
}

fn told(word: &str, intent: &Intent, result: &OutcomeResult) -> String {
    let place = format!("{}: {}", intent.target, intent.summary);
    match result {
        OutcomeResult::Value { value, changed } => {
            let word = if *changed { "changed" } else { word };
            let value: String = value.to_string().chars().take(200).collect();
            let value = if value.is_empty() {
                value
            } else {
                format!(" = {value}")
            };
            format!("{word:<8}{place}{value}")
        }
        OutcomeResult::Failed(failure) => format!("FAILED  {place}: {}", failure.report.message),
    }
}
