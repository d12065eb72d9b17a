//! Modes are compositions of one interface, never flags (design 5):
//! live = journal(perform) · dry run = overlay(observe only) · resume = replay then live · undo = the journal
//! backwards through the same transports.

mod announce;
mod ask;
mod bound;
mod change;
mod command;
mod dry_run;
mod edited;
mod ledger;
mod live;
mod output;
mod overlay;
mod patience;
mod replay;
mod seal;
mod steps;
pub mod undo;

pub use announce::Announcer;
pub use ask::{Ahead, Asker, Foresight, NextEffect};
pub use bound::Bound;
pub use command::STOPPED;
pub use dry_run::DryRun;
pub use edited::{Alignment, Edited};
pub use ledger::Ledger;
pub use live::Live;
pub use replay::Replay;
pub use seal::Sealer;

use crate::journal::Entry;
use crate::journal::StepStatus;
use crate::model::{OperationId, OperationKey, RunId, ScopePath, SourcePosition, Target, Value};
use crate::operation::{Call, Failure, Observation, RunCommand};
use crate::report::PlanNote;

/// What to do after a step failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterFailure {
    /// The failure goes on upwards.
    Stop,
    /// The step's block runs again; what is done in it is not done twice.
    Retry,
    /// The run goes on after the step.
    Skip,
}

/// Performs operations, in whatever way its mode means that. Called from the threads of the script's branches.
///
/// Modes stand one behind the other: what a mode does not do itself, the mode [behind](Executor::behind) it does.
/// Where none is behind, nothing is done.
pub trait Executor: Send + Sync {
    /// The mode that does what this one leaves to it.
    fn behind(&self) -> Option<&dyn Executor> {
        None
    }

    /// The name that the operation under a key has, or will have, in this run; none where there is no journal.
    fn name_of(&self, key: &OperationKey) -> Option<OperationId> {
        self.behind().and_then(|behind| behind.name_of(key))
    }

    /// The run; none in a dry run.
    fn run_id(&self) -> Option<RunId> {
        self.behind().and_then(|behind| behind.run_id())
    }

    /// Performs one operation and returns its value.
    fn perform(&self, call: &Call<'_>) -> Result<Value, Failure>;

    /// Looks, as part of another operation: inside the condition of a wait or the `observe` of a change.
    fn look(&self, target: &Target, observation: &dyn Observation) -> Result<Value, Failure> {
        let behind = self.behind().ok_or(Failure::Interrupted)?;
        behind.look(target, observation)
    }

    /// Runs a command as part of the change `of`; it is repeated when the change is applied again.
    fn run_within(
        &self,
        of: &OperationKey,
        target: &Target,
        command: &RunCommand,
    ) -> Result<Value, Failure> {
        let behind = self.behind().ok_or(Failure::Interrupted)?;
        behind.run_within(of, target, command)
    }

    /// A step is entered.
    fn step_started(
        &self,
        path: &ScopePath,
        source: Option<&SourcePosition>,
    ) -> Result<(), Failure> {
        self.behind()
            .map_or(Ok(()), |behind| behind.step_started(path, source))
    }

    /// A step is left.
    fn step_ended(&self, path: &ScopePath, status: StepStatus) -> Result<(), Failure> {
        self.behind()
            .map_or(Ok(()), |behind| behind.step_ended(path, status))
    }

    /// A step failed: what now?
    fn step_failed(&self, path: &ScopePath, failure: &Failure) -> Result<AfterFailure, Failure> {
        self.behind().map_or(Ok(AfterFailure::Stop), |behind| {
            behind.step_failed(path, failure)
        })
    }

    /// The `nth` call of `each` in a scope begins, with these branches.
    fn each_started(&self, path: &ScopePath, nth: u32, branches: &[String]) {
        if let Some(behind) = self.behind() {
            behind.each_started(path, nth, branches);
        }
    }

    /// A branch of `each` begins.
    fn branch_started(&self, path: &ScopePath) {
        if let Some(behind) = self.behind() {
            behind.branch_started(path);
        }
    }

    /// A branch of `each` ended.
    fn branch_ended(&self, path: &ScopePath, failed: bool) {
        if let Some(behind) = self.behind() {
            behind.branch_ended(path, failed);
        }
    }

    /// The plan of a step or branch ends because it depends on an unknown value. Only a dry run allows this;
    /// the others give the failure back.
    fn plan_ended(&self, note: PlanNote) -> Result<(), Failure> {
        let behind = self.behind().ok_or(Failure::Interrupted)?;
        behind.plan_ended(note)
    }

    /// How many branches may run at once when the script asks for `asked`.
    fn parallel(&self, asked: usize) -> usize {
        self.behind().map_or(1, |behind| behind.parallel(asked))
    }

    /// Branches on these targets come next.
    fn expect(&self, targets: &mut dyn Iterator<Item = Target>) {
        if let Some(behind) = self.behind() {
            behind.expect(targets);
        }
    }

    /// The cluster's API, to look up what a script's words mean.
    fn cluster(&self) -> Result<std::sync::Arc<dyn crate::transport::ClusterObserver>, Failure> {
        let behind = self.behind().ok_or(Failure::Interrupted)?;
        behind.cluster()
    }

    /// Lets time pass between batches; `false` if interrupted.
    fn pause(&self, duration: std::time::Duration) -> bool {
        self.behind().is_none_or(|behind| behind.pause(duration))
    }
}

/// A mode that knows what to do with an operation that was in flight when the engine died (M3).
pub trait Recover {
    /// Finds out what became of the operation and goes on from there.
    fn recover(&self, call: &Call<'_>, entry: &Entry) -> Result<Value, Failure>;
}
