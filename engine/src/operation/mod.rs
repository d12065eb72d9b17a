//! Operations: one call of a host primitive inside a step, the unit of journaling.
//!
//! A primitive is written once, as what it observes, what it would change and how it applies it; which of
//! these happen, and in what order with the journal, is the executor's business (design M1–M5).

mod ask;
mod assert;
mod change;
pub mod cluster;
mod command;
mod failure;
mod file;
mod image;
mod observe;
mod probe;
mod recorded;
mod wait;

pub use ask::{Answer, Question, QuestionKind, flag};
pub use assert::{Assertion, Telling};
pub use change::Change;
pub use command::{Affects, Guard, RunCommand};
pub use failure::{Divergence, Failure, Report, Side, Undecided, Way};
pub use file::{ChangeFile, EditClosure, FileEdit, FileQuestion, LookAtFile};
pub use image::{apply_image, image_diff, kept, observe_subject, still_is, taken_back};
pub use observe::Observation;
pub use probe::{ProbeCommand, judged};
pub use recorded::{ReadClock, SecretUse};
pub use wait::Wait;

use serde::{Deserialize, Serialize};

use crate::model::{OperationKey, ScopePath, SourcePosition, Target, Value};

/// What kind of promise an operation makes; decides what resume does with one found in flight (M3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Only looks: can be repeated.
    Observe,
    /// Convergent: observe, compare with the wanted state, apply, observe again.
    Change,
    /// Opaque: at most once; the target is asked what became of it.
    Command,
    /// Until a condition holds or an absolute deadline passes.
    Wait,
    /// A person's answer.
    Ask,
    /// A checked claim.
    Assert,
    /// Words for the reader.
    Tell,
}

/// What an operation does, by class.
pub enum Action<'a> {
    /// See [`Class::Observe`].
    Observe(&'a dyn Observation),
    /// See [`Class::Change`].
    Change(&'a dyn Change),
    /// See [`Class::Command`].
    Command(&'a RunCommand),
    /// See [`Class::Wait`].
    Wait(&'a dyn Wait),
    /// See [`Class::Ask`].
    Ask(&'a Question),
    /// See [`Class::Assert`].
    Assert(&'a Assertion),
    /// See [`Class::Tell`].
    Tell(&'a Telling),
}

impl Action<'_> {
    /// The class.
    pub fn class(&self) -> Class {
        match self {
            Self::Observe(_) => Class::Observe,
            Self::Change(_) => Class::Change,
            Self::Command(_) => Class::Command,
            Self::Wait(_) => Class::Wait,
            Self::Ask(_) => Class::Ask,
            Self::Assert(_) => Class::Assert,
            Self::Tell(_) => Class::Tell,
        }
    }

    /// The word that made it, such as `file.set_yaml`. Compared by replay.
    pub fn kind(&self) -> &str {
        match self {
            Self::Observe(observation) => observation.kind(),
            Self::Change(change) => change.kind(),
            Self::Command(_) => "host.run",
            Self::Wait(_) => "wait_until",
            Self::Ask(question) => question.kind.word(),
            Self::Assert(assertion) => assertion.word,
            Self::Tell(telling) => telling.word,
        }
    }

    /// The arguments as plain data, whole: what the fingerprint is made of. Compared by replay.
    pub fn arguments(&self) -> Value {
        match self {
            Self::Observe(observation) => observation.arguments(),
            Self::Change(change) => change.arguments(),
            Self::Command(command) => command.arguments(),
            Self::Wait(wait) => wait.arguments(),
            Self::Ask(question) => question.arguments(),
            Self::Assert(assertion) => assertion.arguments(),
            Self::Tell(telling) => telling.arguments(),
        }
    }

    /// [`Self::arguments`] in their canonical form.
    pub fn canonical(&self) -> String {
        match self {
            Self::Command(command) => command.canonical(),
            other => other.arguments().canonical(),
        }
    }

    /// One line for a reader, without the target.
    pub fn summary(&self) -> String {
        match self {
            Self::Observe(observation) => observation.summary(),
            Self::Change(change) => change.summary(),
            Self::Command(command) => command.summary(),
            Self::Wait(wait) => wait.what().to_owned(),
            Self::Ask(question) => question.text.clone(),
            Self::Assert(assertion) => assertion.claim.clone(),
            Self::Tell(telling) => telling.text.clone(),
        }
    }
}

/// One operation as the script asks for it.
pub struct Call<'a> {
    /// Its name within the run.
    pub key: OperationKey,
    /// Where it stands.
    pub scope: ScopePath,
    /// Where in the text.
    pub source: Option<SourcePosition>,
    /// Where it happens.
    pub target: Target,
    /// What it does.
    pub action: Action<'a>,
}
