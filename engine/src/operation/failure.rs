//! Why an operation did not give a value, typed by who has to do something about it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::{OperationId, SourcePosition, Target, Unknown};
use crate::transport::TransportError;

/// Why an operation gave no value.
#[derive(Clone, Debug)]
pub enum Failure {
    /// It was done and failed, or a claim does not hold. A script can catch it. Exit 1.
    Failed(Report),
    /// The target could not be reached, after retries. A script can catch it. Exit 4.
    Unreachable(Report),
    /// The connection was lost in the middle of an effect and the target cannot be asked now: the operation stays in
    /// flight, and resume asks. Exit 4.
    Lost(Report),
    /// A person has to decide. Exit 3.
    Undecided(Undecided),
    /// The user asked to stop. Exit 130.
    Interrupted,
    /// The journal cannot be written: no further effect in this run (M7). Exit 1.
    Poisoned(String),
    /// The script asks for something else than what is recorded (M2). Exit 3.
    Diverged(Box<Divergence>),
    /// A dry run cannot go on here: what follows depends on a value unknown until the run.
    PlanEnds(Unknown),
    /// The script uses a word wrongly. A bug of the runbook, not of the target. Exit 1.
    Misuse(String),
}

/// What a reader needs to know about a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// What happened, in one sentence.
    pub message: String,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// More lines: the end of a command's output, a diff.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The operation, once the executor knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<OperationId>,
    /// Other operations that failed at the same time, in other branches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<OperationId>,
}

impl Report {
    /// A report of one sentence.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            target: None,
            detail: None,
            hint: None,
            operation: None,
            related: Vec::new(),
        }
    }

    /// With the place.
    #[must_use]
    pub fn on(mut self, target: &Target) -> Self {
        self.target = Some(target.clone());
        self
    }

    /// With more lines.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// With what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// What a person has to decide.
#[derive(Clone, Debug)]
pub struct Undecided {
    /// The operation.
    pub operation: Option<OperationId>,
    /// What is not known, or what was asked.
    pub report: Box<Report>,
    /// How a person decides.
    pub way: Way,
}

/// How a person decides what only a person can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// `resolve RUN OP --done|--retry|--abort`.
    Resolve,
    /// The answer to a question, at a terminal when the run is resumed, or by this flag of `resume`.
    Answer(Option<String>),
    /// She looks at the target herself.
    Look,
}

impl Undecided {
    /// Whether it is a question that waits for its answer: nothing has gone wrong.
    pub fn is_question(&self) -> bool {
        matches!(self.way, Way::Answer(_))
    }
}

/// One side of a divergence.
#[derive(Clone, Debug)]
pub struct Side {
    /// The word, such as `host.run`.
    pub kind: String,
    /// Where.
    pub target: Target,
    /// One line.
    pub summary: String,
    /// Where in the text.
    pub source: Option<SourcePosition>,
    /// The arguments, canonical.
    pub arguments: String,
}

/// The script asks for something else than what the journal has under the same key.
#[derive(Clone, Debug)]
pub struct Divergence {
    /// The key, for a reader.
    pub place: String,
    /// What is recorded.
    pub recorded: Side,
    /// What the script asks for now.
    pub now: Side,
    /// `kind`, `target` or `arguments`.
    pub first_difference: &'static str,
}

impl Failure {
    /// A failed operation, in one sentence.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::Failed(Report::new(message))
    }
}

impl From<TransportError> for Failure {
    fn from(error: TransportError) -> Self {
        let report = |target: &Target| Report::new(error.to_string()).on(target);
        match &error {
            TransportError::Unreachable { target, .. } | TransportError::Lost { target, .. } => {
                Self::Unreachable(report(target))
            }
            TransportError::Refused { target, .. } => Self::Failed(report(target)),
            TransportError::Changed { target, .. } => {
                Self::Failed(report(target).hint(
                    "something else writes it; see who, then resume to compare and write again",
                ))
            }
            TransportError::Declined { target, why } => {
                Self::PlanEnds(Unknown::because(format!("looking at {target} ({why})")))
            }
            TransportError::Interrupted => Self::Interrupted,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(report) | Self::Unreachable(report) | Self::Lost(report) => {
                f.write_str(&report.message)
            }
            Self::Undecided(undecided) => f.write_str(&undecided.report.message),
            Self::Interrupted => f.write_str("interrupted"),
            Self::Poisoned(why) => write!(f, "the journal cannot be written: {why}"),
            Self::Diverged(divergence) => {
                write!(
                    f,
                    "replay diverged at {} ({})",
                    divergence.place, divergence.first_difference
                )
            }
            Self::PlanEnds(unknown) => write!(
                f,
                "depends on a value unknown until the run: {}",
                unknown.because
            ),
            Self::Misuse(message) => f.write_str(message),
        }
    }
}
