//! Who answers questions: flags, the person at the terminal, or nobody (M5, exit 3).

use crate::model::{OperationKey, ScopePath};
use crate::operation::{Answer, Failure, Question};
use crate::report::Foreseen;

use super::AfterFailure;

/// Answers questions for an executor.
pub trait Asker: Send + Sync {
    /// The answer, or why there is none: undecided where nobody can answer now, interrupted where a person said no.
    /// `ahead` finds out what would happen after the answer; it looks at targets, so it is called only if that is shown.
    fn ask(&self, question: &Question, ahead: Ahead<'_>) -> Result<Answer, Failure>;

    /// Whether somebody wants to be asked before each effect.
    fn walks(&self) -> bool {
        false
    }

    /// Lets an effect happen, or stops the run before it.
    fn walk(&self, _: &NextEffect) -> Result<(), Failure> {
        Ok(())
    }

    /// An answer that was given beforehand, by a flag; nobody is asked.
    fn given(&self, question: &Question) -> Option<Result<Answer, Failure>>;

    /// What to do after a step failed. Never asks when not interactive: then the answer is to stop.
    fn after_failure(&self, path: &ScopePath, failure: &Failure) -> AfterFailure;

    /// Who answers, as `user@machine`.
    fn who(&self) -> String;
}

/// Finds out what would happen after an answer; none where that is not known.
pub type Ahead<'a> = &'a dyn Fn() -> Option<Foreseen>;

/// Looks ahead from a question.
pub trait Foresight: Send + Sync {
    /// What would happen between the question with this key, which stands in this scope, and the next one.
    fn foresee(&self, key: &OperationKey, scope: &ScopePath) -> Option<Foreseen>;
}

/// An effect that is about to happen, to somebody who walks through the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextEffect {
    /// Where.
    pub target: String,
    /// What, in one line.
    pub summary: String,
    /// As a diff, where it can be shown as one.
    pub diff: Option<String>,
}
