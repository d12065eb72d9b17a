//! The one stream that terminal, JSON and reports are made from, so that they can never disagree.

use jiff::Timestamp;
use serde::Serialize;

use crate::journal::{Ending, StepStatus};
use crate::model::{OperationId, OperationKey, RunId, ScopePath, SourcePosition, Target, Value};
use crate::operation::{Class, Report};
use crate::transport::Stream;

use super::plan::Seal;

/// Something happened. Texts in events are already redacted.
#[derive(Clone, Debug, Serialize)]
// Events are made, handed on and dropped; a box in each would cost more than the room it saves.
#[allow(clippy::large_enum_variant)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A session of a run begins.
    RunStarted {
        /// The run; none in a dry run, which leaves no journal.
        run: Option<RunId>,
        /// The runbook's title.
        title: String,
        /// `run`, `dry run`, `resume`, `undo`.
        mode: &'static str,
        /// `lab k3s-double-tunnel`, an inventory's path, or `local host`.
        on: String,
        /// When.
        at: Timestamp,
    },
    /// The cluster's API is away, and a call waits for it.
    ApiAway {
        /// `is restarting`, `is not reachable`, `is not ready` …
        state: String,
        /// What the last try met.
        why: String,
        /// For how many seconds it has been tried.
        waited_s: u64,
        /// For how many it will be.
        limit_s: u64,
    },
    /// The cluster's API answers again.
    ApiBack {
        /// After how many seconds.
        waited_s: u64,
    },
    /// A target does not answer any more, and is tried again.
    TargetAway {
        /// Which.
        target: Target,
        /// What the last try met.
        why: String,
        /// For how many seconds it has been tried.
        waited_s: u64,
        /// For how many it will be.
        limit_s: u64,
    },
    /// A target that was away answers again, or is given up.
    TargetBack {
        /// Which.
        target: Target,
        /// Whether it answers.
        answers: bool,
        /// After how many seconds.
        waited_s: u64,
    },
    /// An object is made that is there for a time only, such as a helper pod.
    Temporary {
        /// Which, such as `pod kube-system/runbook-…`.
        object: String,
        /// In words.
        what: String,
    },
    /// A step was entered.
    StepStarted {
        /// Which.
        path: ScopePath,
    },
    /// A step was left.
    StepEnded {
        /// Which.
        path: ScopePath,
        /// How.
        status: StepStatus,
        /// Milliseconds that it took in this session.
        elapsed_ms: u64,
    },
    /// An `each` begins: these branches are to come.
    EachStarted {
        /// Where it stands.
        path: ScopePath,
        /// Which `each` in this scope, from 1.
        nth: u32,
        /// The labels of its branches, in the order of its items.
        branches: Vec<String>,
    },
    /// A branch of `each` begins.
    BranchStarted {
        /// Which.
        path: ScopePath,
    },
    /// A branch of `each` ended.
    BranchEnded {
        /// Which.
        path: ScopePath,
        /// Whether it failed.
        failed: bool,
    },
    /// An operation begins.
    OperationStarted {
        /// Its key.
        key: OperationKey,
        /// Where it stands.
        scope: ScopePath,
        /// Its class.
        class: Class,
        /// The word.
        kind: String,
        /// Where it happens.
        target: Target,
        /// One line.
        summary: String,
    },
    /// An operation ended.
    OperationEnded {
        /// Its key.
        key: OperationKey,
        /// Its name on targets and in `resolve`; none in a dry run.
        id: Option<OperationId>,
        /// Where it stands.
        scope: ScopePath,
        /// Its class.
        class: Class,
        /// The word.
        kind: String,
        /// Where it happened.
        target: Target,
        /// One line.
        summary: String,
        /// Where in the text.
        source: Option<SourcePosition>,
        /// How: its fields stand beside these.
        #[serde(flatten)]
        outcome: OperationOutcome,
    },
    /// Output of a running command.
    Output {
        /// The operation.
        key: OperationKey,
        /// Where it runs.
        target: Target,
        /// Which stream.
        #[serde(serialize_with = "stream_name")]
        stream: Stream,
        /// The text as it came; escape sequences made visible.
        text: String,
    },
    /// A command that was begun before is taken up again: in a later session, or over a new connection.
    TakenUp {
        /// The operation.
        key: OperationKey,
        /// Where it stands.
        scope: ScopePath,
        /// Where it runs.
        target: Target,
        /// One line.
        summary: String,
        /// Whether it still runs; else it ended meanwhile, and what follows is the rest of its output.
        running: bool,
        /// How many bytes of its standard output were shown before: output goes on behind these.
        stdout_shown: u64,
        /// The same of its standard error.
        stderr_shown: u64,
    },
    /// Words for the reader.
    Note {
        /// Where they stand.
        scope: ScopePath,
        /// The words.
        text: String,
    },
    /// A table for the reader.
    Table {
        /// Where it stands.
        scope: ScopePath,
        /// Its title.
        title: String,
        /// A list of maps with the same keys.
        rows: Value,
    },
    /// A dry run could not plan on from here.
    PlanNote(PlanNote),
    /// Something that the operator should know but that stops nothing.
    Warning {
        /// The words.
        text: String,
    },
    /// What is being waited for.
    Waiting {
        /// The operation.
        key: OperationKey,
        /// For what.
        what: String,
        /// Until when at most.
        deadline: Timestamp,
    },
    /// A person may be asked from now on: the terminal is hers until [`Event::Answered`].
    Asking {
        /// Where the question stands.
        scope: ScopePath,
        /// The question.
        text: String,
    },
    /// The question was answered, or nobody was there.
    Answered {
        /// Where the question stands.
        scope: ScopePath,
    },
    /// The session ended.
    RunEnded {
        /// The run; none in a dry run.
        run: Option<RunId>,
        /// How.
        ending: Ending,
        /// In words.
        message: String,
        /// Exit status of the process.
        exit: u8,
        /// Milliseconds of this session.
        elapsed_ms: u64,
    },
}

fn stream_name<S: serde::Serializer>(stream: &Stream, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
    })
}

/// Where and why a dry run's plan is not complete.
#[derive(Clone, Debug, Serialize)]
pub struct PlanNote {
    /// The step or branch whose plan ends.
    pub scope: ScopePath,
    /// What it depends on.
    pub because: String,
    /// Where in the text.
    pub source: Option<SourcePosition>,
}

/// How an operation ended.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum OperationOutcome {
    /// It gave a value and changed nothing.
    Ok {
        /// The value, for those who look closer.
        value: Value,
    },
    /// It changed something.
    Changed {
        /// The change as a diff, where it can be shown as one.
        diff: Option<String>,
        /// How it was learnt, if not by simply waiting for it.
        recovered: Option<String>,
    },
    /// It was not needed: already as wanted, or a guard said so.
    Skipped {
        /// Why.
        why: String,
    },
    /// A dry run: it would change something.
    Planned {
        /// The change as a diff, where it can be shown as one.
        diff: Option<String>,
        /// What the plan assumes (for example that a command before leaves this file alone).
        assuming: Option<String>,
        /// Why it would happen, where something was asked first (a command's guard).
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<String>,
        /// What a run that is bound to this plan is held to. For plan files only.
        #[serde(skip)]
        seal: Option<Box<Seal>>,
    },
    /// A dry run: to be checked, waited for, asked or looked at in the run.
    Pending {
        /// Why not now.
        why: String,
    },
    /// Its recorded value was returned.
    Replayed,
    /// The operator stopped the run while it was in flight; what became of it is found out on resume.
    Interrupted,
    /// A question waits for its answer: nobody was there to give it, or it was not yes. Nothing has failed.
    Unanswered {
        /// The question.
        report: Report,
        /// The flag of `resume` that answers it; none where only a person at a terminal can.
        flag: Option<String>,
    },
    /// It failed.
    Failed {
        /// What happened.
        report: Report,
    },
}

/// Why a question is pending in a dry run.
pub const WILL_BE_ASKED: &str = "will be asked";

/// Receives events. Must not block for long: it is called from the branches.
pub trait EventSink: Send + Sync {
    /// Takes one event.
    fn emit(&self, event: Event);

    /// Whether it does anything with an event: others need not be copied for it.
    fn wants(&self, _: &Event) -> bool {
        true
    }
}
