//! What a journal is made of. Every record is one row; the order of rows is the order of events.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{
    ObjectRef, OperationId, OperationKey, RunId, ScopePath, SourcePosition, Subject, Target, Value,
};
use crate::operation::{Class, Report};

/// The hash by which a stored blob (an image, a script's text) is found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BlobId(pub String);

/// A record with its place and time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    /// Place in the journal, from 1, without gaps.
    pub seq: u64,
    /// When it was written (engine's clock).
    pub at: Timestamp,
    /// The record.
    pub record: Record,
}

/// One event of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Record {
    /// The first record: everything that the run was started with.
    RunStarted(Box<RunHeader>),
    /// A process began to work on the run.
    SessionStarted {
        /// What it does.
        kind: SessionKind,
        /// Counts sessions from 1: targets refuse a lower one than they have seen (M8).
        epoch: u64,
        /// Process id, for messages only.
        pid: u32,
        /// Who, as `user@machine`.
        operator: String,
        /// Version of the engine.
        engine: String,
    },
    /// A step was entered.
    StepStarted {
        /// Which.
        path: ScopePath,
        /// Where in the text.
        source: Option<SourcePosition>,
    },
    /// A step was left.
    StepEnded {
        /// Which.
        path: ScopePath,
        /// How.
        status: StepStatus,
    },
    /// An operation without effect, with its result, in one record.
    Observed {
        /// What was asked.
        intent: Box<Intent>,
        /// What it gave.
        result: OutcomeResult,
    },
    /// An effect is about to start.
    Intent(Box<Intent>),
    /// What became of an effect.
    Outcome(Box<Outcome>),
    /// These operations may be attempted again: their recorded outcome no longer answers.
    Retried {
        /// Which.
        operations: Vec<OperationId>,
        /// Who decided, or the rule that allows it.
        by: String,
        /// Why.
        why: String,
    },
    /// A person said what became of an operation.
    Resolved {
        /// Which.
        operation: OperationId,
        /// `done`, `retry` or `abort`.
        decision: String,
        /// Who.
        by: String,
        /// Why.
        why: String,
    },
    /// The run goes on with an edited script.
    Edited {
        /// Counts accepted edits, from 1.
        edition: u32,
        /// The new texts.
        sources: Vec<SourceText>,
        /// Operations whose result stays valid, under their key in the edited script.
        reused: BTreeMap<OperationKey, OperationId>,
        /// Recorded operations that the edited script no longer has.
        orphaned: Vec<OperationId>,
        /// Who accepted.
        by: String,
    },
    /// An object is about to be made that is there for a time only, such as a helper pod.
    Temporary {
        /// Which.
        object: ObjectRef,
        /// In words.
        what: String,
    },
    /// A temporary object is gone.
    TemporaryGone {
        /// Which.
        object: ObjectRef,
    },
    /// A session ended in an orderly way.
    Ended {
        /// How.
        ending: Ending,
        /// In words.
        message: String,
        /// The operations whose failure ended it.
        failed: Vec<OperationId>,
    },
}

/// What a session does with a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionKind {
    /// Starts it.
    Run,
    /// Goes on with it.
    Resume,
    /// Puts it back.
    Undo,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// To the end of the script.
    Done,
    /// The script said `finish`.
    Finished,
    /// An operation or assertion failed.
    Failed,
    /// A target could not be reached.
    Unreachable,
    /// A person must decide.
    Undecided,
    /// The user interrupted it.
    Interrupted,
    /// Given up by `resolve --abort`.
    Aborted,
    /// Everything that could be put back was.
    Undone,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// To its end.
    Done,
    /// With an error.
    Failed,
    /// A person chose to skip it after it failed.
    Skipped,
    /// Stopped before its end: interrupted, or a person must decide.
    Stopped,
}

/// A parameter as it was given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    /// Its value.
    pub value: Value,
    /// Where it came from: `default`, `-e`, a file, the environment.
    pub origin: String,
}

/// A pinned text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceText {
    /// The runbook's path, or a module's name as imported.
    pub name: String,
    /// The text.
    pub blob: BlobId,
}

/// Everything that a run was started with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunHeader {
    /// Version of the journal's format.
    pub schema: u32,
    /// Version of the engine that started it.
    pub engine: String,
    /// Rules of replay in force when it started; a newer engine replays under these.
    pub behaviour: u32,
    /// The run.
    pub run: RunId,
    /// The runbook's title.
    pub title: String,
    /// The script (first) and its modules, standard library included.
    pub sources: Vec<SourceText>,
    /// The parameters.
    pub parameters: BTreeMap<String, Parameter>,
    /// The inventory's text, where there is one, with its path.
    pub inventory: Option<SourceText>,
    /// The lab that it runs on, if any.
    pub lab: Option<String>,
    /// Hosts that `-l` left.
    pub limit: Option<String>,
    /// Kubernetes context, where one was named.
    pub context: Option<String>,
    /// Kubeconfig file, where one was named.
    pub kubeconfig: Option<String>,
    /// Bound on parallel connections.
    pub parallel: usize,
    /// Names what `M8` excludes: two runs on the same thing.
    pub scope: String,
    /// Key of the argument fingerprints, hexadecimal.
    pub seed: String,
}

/// What an operation is about to do, or (in [`Record::Observed`]) was asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// Its place in the script.
    pub key: OperationKey,
    /// Its name.
    pub id: OperationId,
    /// The same place, structured.
    pub scope: ScopePath,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// Its class.
    pub class: Class,
    /// The word.
    pub kind: String,
    /// Where.
    pub target: Target,
    /// One line for a reader.
    pub summary: String,
    /// Keyed hash of the canonical arguments (a plain hash would leak a weak secret).
    pub fingerprint: String,
    /// The arguments, for messages; a large one is cut.
    pub arguments: Value,
    /// Where in the text.
    pub source: Option<SourcePosition>,
    /// For a change: what it changes, from what to what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangeIntent>,
    /// For a command: how to undo it (a string for `sh -c`, or an argv).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Value>,
    /// For a wait: its absolute deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// For an operation of an undo: the operation that it puts back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<OperationId>,
}

/// A change's images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeIntent {
    /// What is changed.
    pub subject: Subject,
    /// The state that was found: a blob that holds an image.
    pub before: BlobId,
    /// Its fingerprint.
    pub before_fingerprint: String,
    /// The state that is wanted: a blob that holds an image.
    pub after: BlobId,
    /// Its fingerprint.
    pub after_fingerprint: String,
    /// Why undo cannot put it back, if it cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub irreversible: Option<String>,
}

/// What became of an operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Which.
    pub id: OperationId,
    /// Which attempt.
    pub attempt: u32,
    /// What it gave.
    pub result: OutcomeResult,
    /// How it was learnt, if not by simply waiting for it: `observed after a crash`, `exit status found on the host`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovered: Option<String>,
}

/// A value or an error, and whether anything changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeResult {
    /// It gave a value.
    Value {
        /// The value returned to the script.
        value: Value,
        /// Whether it changed anything.
        changed: bool,
    },
    /// It failed.
    Failed(RecordedFailure),
}

/// A failure that a script may see, and that replay gives again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedFailure {
    /// Whether the target could not be reached (else: it was done and failed).
    pub unreachable: bool,
    /// What a reader needs to know.
    pub report: Report,
}
