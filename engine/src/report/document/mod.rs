//! The report of a run: one model, made from the journal's records alone, and its forms.
//!
//! - [`RunReport`]: the model; serialised it is the JSON form
//! - [`markdown`]: for a ticket or a pull request
//! - [`html`]: one file that needs nothing else
//! - [`text`]: for a terminal or a pipe

mod axis;
mod collect;
mod decisions;
pub mod html;
pub mod markdown;
mod sessions;
#[cfg(test)]
mod tests;
pub mod text;
mod timeline;

use jiff::Timestamp;
use serde::Serialize;

use crate::model::Value;
use crate::operation::Class;

pub use collect::collect;

/// The version of the JSON form; it grows when a field changes its meaning or goes.
pub const SCHEMA: u32 = 1;

/// Everything that a report tells of a run. All texts are as the journal has them: without secrets.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunReport {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The run's name.
    pub run: String,
    /// The runbook's title.
    pub title: String,
    /// On what it ran: a lab, an inventory's path, or `local host`.
    pub on: String,
    /// Where it stands, in a word or two.
    pub state: String,
    /// Why its last session ended, in words; may be empty.
    pub message: String,
    /// When it was started.
    pub started: Timestamp,
    /// When its last record was written.
    pub last: Timestamp,
    /// How many operations of each kind.
    pub counts: Counts,
    /// What it was started with.
    pub environment: Environment,
    /// The processes that worked on it.
    pub sessions: Vec<SessionReport>,
    /// Questions with their answers, and decisions of people, in order.
    pub decisions: Vec<DecisionReport>,
    /// Its tables, in order.
    pub tables: Vec<TableReport>,
    /// Its steps in order; operations outside of all steps stand in one without a title.
    pub steps: Vec<StepReport>,
}

/// How many operations of each kind a run has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Changes that changed something.
    pub changed: usize,
    /// Changes that found everything as wanted.
    pub already: usize,
    /// Commands that ran.
    pub commands: usize,
    /// Looks.
    pub looked: usize,
    /// Operations that failed.
    pub failed: usize,
    /// Operations of which nobody knows what became of them.
    pub open: usize,
}

impl Counts {
    /// Counts operations.
    pub fn of<'a>(operations: impl IntoIterator<Item = &'a OperationReport>) -> Self {
        let mut counts = Self::default();
        operations.into_iter().for_each(|one| counts.add(one));
        counts
    }

    fn add(&mut self, operation: &OperationReport) {
        match operation.outcome {
            OutcomeWord::Changed => self.changed += 1,
            OutcomeWord::Already => self.already += 1,
            OutcomeWord::Ran => self.commands += 1,
            OutcomeWord::Failed | OutcomeWord::Aborted => self.failed += 1,
            OutcomeWord::Open | OutcomeWord::Again => self.open += 1,
            OutcomeWord::Good if operation.class == Class::Observe => self.looked += 1,
            OutcomeWord::Good | OutcomeWord::Resolved => {}
        }
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let command = if self.commands == 1 {
            "command"
        } else {
            "commands"
        };
        let parts: Vec<String> = [
            (self.changed, "changed"),
            (self.already, "already right"),
            (self.commands, command),
            (self.looked, "looked"),
            (self.failed, "failed"),
            (self.open, "open"),
        ]
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, word)| format!("{number} {word}"))
        .collect();
        f.write_str(&parts.join(", "))
    }
}

/// What a run was started with.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Environment {
    /// Version of the engine that started it.
    pub engine: String,
    /// The script and its own modules.
    pub sources: Vec<String>,
    /// Name, value and origin of each parameter.
    pub parameters: Vec<(String, String, String)>,
    /// What `-l` left, where it was given.
    pub limit: Option<String>,
    /// The Kubernetes context, where one was named.
    pub context: Option<String>,
}

/// A process that worked on the run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SessionReport {
    /// `run`, `resume` or `undo`.
    pub kind: String,
    /// Who, as `user@machine`.
    pub operator: String,
    /// When it began.
    pub started: Timestamp,
    /// When it ended; none if it still runs or died.
    pub ended: Option<Timestamp>,
    /// When its last record was written: until then it surely worked.
    pub last: Timestamp,
    /// How it ended.
    pub ending: String,
    /// Why, in words; may be empty.
    pub message: String,
}

/// Something that a person decided.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DecisionReport {
    /// When.
    pub at: Timestamp,
    /// What was asked, or what it was about.
    pub what: String,
    /// The answer.
    pub answer: String,
    /// Who gave it: a person, or the flag that stood for one.
    pub by: String,
    /// Whose session it was.
    pub operator: String,
}

impl DecisionReport {
    /// Who gave it; behind a flag, who gave the flag.
    pub fn who(&self) -> String {
        match self.by.starts_with('-') && !self.operator.is_empty() {
            true => format!("{} of {}", self.by, self.operator),
            false => self.by.clone(),
        }
    }
}

/// A table of the runbook.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TableReport {
    /// Its title.
    pub title: String,
    /// The names of its columns.
    pub columns: Vec<String>,
    /// Its cells, row by row.
    pub rows: Vec<Vec<String>>,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepReport {
    /// The titles from the outermost step inwards; empty for what stands outside of all steps.
    pub title: Vec<String>,
    /// `done`, `failed`, `skipped`, `stopped` or `open`.
    pub status: String,
    /// When it was entered.
    pub started: Option<Timestamp>,
    /// When it was left.
    pub ended: Option<Timestamp>,
    /// Milliseconds of work in it: without pauses between sessions, without replays. None while it is open.
    pub worked_ms: Option<u64>,
    /// What was done in it, in order.
    pub operations: Vec<OperationReport>,
}

/// An operation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OperationReport {
    /// Its name on targets and in `resolve`.
    pub id: String,
    /// Its class.
    pub class: Class,
    /// The word.
    pub kind: String,
    /// Where it happened; empty for the run itself.
    pub target: String,
    /// The branch of `each` in which it stands; may be empty.
    pub branch: String,
    /// One line.
    pub summary: String,
    /// Where in the text, as `file:line:column`; may be empty.
    pub source: String,
    /// Which attempt it was, from 1.
    pub attempt: u32,
    /// When it was first recorded: for what has an effect, before it.
    pub at: Timestamp,
    /// When its latest outcome was recorded.
    pub ended: Timestamp,
    /// For a wait: until when it goes on at most.
    pub deadline: Option<Timestamp>,
    /// How it ended.
    pub outcome: OutcomeWord,
    /// More about how it ended: how it was learnt, who decided.
    pub note: String,
    /// The change as a diff.
    pub diff: Option<String>,
    /// What a command wrote to its standard output and its standard error.
    pub output: Option<(String, String)>,
    /// Message, detail and hint of a failure.
    pub failure: Option<(String, String, String)>,
    /// Whether it belongs to an undo.
    pub undo: bool,
}

impl OperationReport {
    /// Whether it only looked, told, held, or found everything right.
    pub fn is_quiet(&self) -> bool {
        match self.outcome {
            OutcomeWord::Already => true,
            OutcomeWord::Good => matches!(self.class, Class::Observe | Class::Tell | Class::Assert),
            _ => false,
        }
    }

    /// The branch and the target, once where they are the same; empty for the run itself.
    pub fn place(&self, between: &str) -> String {
        match (self.branch.as_str(), self.target.as_str()) {
            ("", target) => target.to_owned(),
            (branch, target) if branch == target || target.is_empty() => branch.to_owned(),
            (branch, target) => format!("{branch}{between}{target}"),
        }
    }
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeWord {
    /// It changed something.
    Changed,
    /// Everything was as wanted.
    Already,
    /// It ran.
    Ran,
    /// It gave a value.
    Good,
    /// It failed.
    Failed,
    /// Nobody knows yet.
    Open,
    /// It may be attempted again.
    Again,
    /// A person said that it is done.
    Resolved,
    /// A person gave it up.
    Aborted,
}

impl OutcomeWord {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Already => "already",
            Self::Ran => "ran",
            Self::Good => "ok",
            Self::Failed => "FAILED",
            Self::Open => "open",
            Self::Again => "again",
            Self::Resolved => "resolved",
            Self::Aborted => "aborted",
        }
    }
}

impl RunReport {
    /// The JSON form, indented.
    pub fn json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self)
            .expect("texts, numbers and times always have a JSON form");
        text.push('\n');
        text
    }

    /// All operations in order.
    pub fn operations(&self) -> impl Iterator<Item = &OperationReport> {
        self.steps.iter().flat_map(|step| &step.operations)
    }

    /// Milliseconds in which a process worked on it: without the pauses between its sessions.
    pub fn worked(&self) -> u64 {
        worked(&self.sessions, self.started, self.last)
    }

    /// One line that counts: `9 changed, 6 commands, 214 looked`.
    pub fn counted(&self) -> String {
        match self.counts.to_string() {
            nothing if nothing.is_empty() => "nothing was done".into(),
            counts => counts,
        }
    }
}

/// Milliseconds of sessions between two moments.
fn worked(sessions: &[SessionReport], from: Timestamp, to: Timestamp) -> u64 {
    let spans = sessions.iter().map(|session| {
        let (from, to) = (from.max(session.started), to.min(session.last));
        let span = to.as_millisecond() - from.as_millisecond();
        u64::try_from(span).unwrap_or_default()
    });
    spans.sum()
}

/// A value in a table's cell.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// A span of time for people.
fn span(from: Timestamp, to: Timestamp) -> String {
    let milliseconds = (to.as_millisecond() - from.as_millisecond()).max(0);
    super::look::elapsed(milliseconds.unsigned_abs())
}

/// A time in UTC, as everybody who reads a report in another place understands it.
fn clock(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}
