//! What stands behind the words while a text is only checked: nothing.

use std::sync::Arc;
use std::time::Duration;

use super::session::SecretSource;
use crate::executor::{AfterFailure, Executor};
use crate::journal::StepStatus;
use crate::model::{OperationKey, ScopePath, SourcePosition, Target, Value};
use crate::operation::{Call, Failure, Observation, RunCommand};
use crate::report::PlanNote;
use crate::transport::ClusterObserver;

/// Refuses everything.
pub struct NotRunning;

fn refuse<T>() -> Result<T, Failure> {
    Err(Failure::Misuse("this text is only being checked".into()))
}

impl Executor for NotRunning {
    fn perform(&self, _: &Call<'_>) -> Result<Value, Failure> {
        refuse()
    }
    fn look(&self, _: &Target, _: &dyn Observation) -> Result<Value, Failure> {
        refuse()
    }
    fn run_within(&self, _: &OperationKey, _: &Target, _: &RunCommand) -> Result<Value, Failure> {
        refuse()
    }
    fn step_started(&self, _: &ScopePath, _: Option<&SourcePosition>) -> Result<(), Failure> {
        refuse()
    }
    fn step_ended(&self, _: &ScopePath, _: StepStatus) -> Result<(), Failure> {
        refuse()
    }
    fn step_failed(&self, _: &ScopePath, _: &Failure) -> Result<AfterFailure, Failure> {
        refuse()
    }
    fn branch_started(&self, _: &ScopePath) {}
    fn branch_ended(&self, _: &ScopePath, _: bool) {}
    fn plan_ended(&self, _: PlanNote) -> Result<(), Failure> {
        refuse()
    }
    fn cluster(&self) -> Result<Arc<dyn ClusterObserver>, Failure> {
        refuse()
    }
    fn parallel(&self, _: usize) -> usize {
        1
    }
    fn pause(&self, _: Duration) -> bool {
        false
    }
}

impl SecretSource for NotRunning {
    fn secret(&self, _: &str) -> Result<String, String> {
        Err("this text is only being checked".into())
    }
}
