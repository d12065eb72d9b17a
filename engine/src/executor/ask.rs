//! Who answers questions: flags, the person at the terminal, or nobody (M5, exit 3).

use crate::model::ScopePath;
use crate::operation::{Answer, Failure, Question};

use super::AfterFailure;

/// Answers questions for an executor.
pub trait Asker: Send + Sync {
    /// The answer, or why there is none: undecided where nobody can answer now, interrupted where a person said no.
    fn ask(&self, question: &Question) -> Result<Answer, Failure>;

    /// An answer that was given beforehand, by a flag; nobody is asked.
    fn given(&self, question: &Question) -> Option<Result<Answer, Failure>>;

    /// What to do after a step failed. Never asks when not interactive: then the answer is to stop.
    fn after_failure(&self, path: &ScopePath, failure: &Failure) -> AfterFailure;

    /// Who answers, as `user@machine`.
    fn who(&self) -> String;
}
