//! Live: every effect with its intent before it and its outcome after it in the journal (M1).

use std::sync::Arc;
use std::time::Duration;

use super::announce::Announcer;
use super::ask::{Asker, Foresight};
use super::bound::Bound;
use super::ledger::Ledger;
use super::steps::StepClock;
use super::{AfterFailure, Executor, Recover, command};
use crate::journal::{Entry, Record, StepStatus};
use crate::model::{OperationKey, ScopePath, SourcePosition, Target, Value};
use crate::operation::{
    Action, Assertion, Call, Failure, Observation, Question, Report, RunCommand, Telling, Wait,
};
use crate::report::{Event, OperationOutcome, PlanNote};
use crate::transport::{ActingFleet, Cancel};

/// The executor of a real run.
pub struct Live {
    pub(super) ledger: Arc<Ledger>,
    pub(super) fleet: Arc<dyn ActingFleet>,
    pub(super) announcer: Announcer,
    pub(super) cancel: Cancel,
    pub(super) asker: Arc<dyn Asker>,
    pub(super) bound: Option<Bound>,
    foresight: Option<Arc<dyn Foresight>>,
    steps: StepClock,
    parallel: usize,
}

impl Live {
    /// A live executor over these parts. `parallel` bounds the branches of one `each`.
    pub fn new(
        ledger: Arc<Ledger>,
        fleet: Arc<dyn ActingFleet>,
        announcer: Announcer,
        asker: Arc<dyn Asker>,
        cancel: Cancel,
        parallel: usize,
    ) -> Self {
        Self {
            ledger,
            fleet,
            announcer,
            cancel,
            asker,
            bound: None,
            foresight: None,
            steps: StepClock::default(),
            parallel,
        }
    }

    /// Holds the run to a plan.
    pub fn bound_to(mut self, plan: Bound) -> Self {
        self.bound = Some(plan);
        self
    }

    /// Shows, with a question, what would happen after its answer.
    pub fn foreseeing(mut self, foresight: Arc<dyn Foresight>) -> Self {
        self.foresight = Some(foresight);
        self
    }

    /// Performs an attempt of an operation from its beginning.
    pub(super) fn attempt(&self, call: &Call<'_>, attempt: u32) -> Result<Value, Failure> {
        if self.cancel.requested().is_some() {
            return Err(Failure::Interrupted);
        }
        self.announcer.started(call);
        match &call.action {
            Action::Observe(observation) => self.observe(call, *observation, attempt),
            Action::Change(change) => self.change(call, *change, attempt),
            Action::Command(command) => command::run(self, call, command, attempt),
            Action::Wait(wait) => self.wait(call, *wait, attempt, None),
            Action::Ask(question) => self.ask(call, question, attempt),
            Action::Assert(assertion) => self.assert(call, assertion, attempt),
            Action::Tell(telling) => self.tell(call, telling, attempt),
        }
    }

    fn observe(
        &self,
        call: &Call<'_>,
        observation: &dyn Observation,
        attempt: u32,
    ) -> Result<Value, Failure> {
        let result = observation.observe(&*self.fleet, &self.cancel);
        let intent = self.ledger.intent(call, attempt);
        let id = intent.id.clone();
        let result = self.ledger.observed(intent, result);
        self.report(call, &id, result, |value| OperationOutcome::Ok {
            value: value.clone(),
        })
    }

    /// Announces how an operation ended and gives its result on.
    pub(super) fn report(
        &self,
        call: &Call<'_>,
        id: &crate::model::OperationId,
        result: Result<Value, Failure>,
        outcome: impl FnOnce(&Value) -> OperationOutcome,
    ) -> Result<Value, Failure> {
        match &result {
            Ok(value) => self.announcer.ended(call, Some(id.clone()), outcome(value)),
            Err(failure) => self.announcer.failed(call, Some(id.clone()), failure),
        }
        result
    }

    /// Waits until the condition holds or the deadline passes. The deadline is recorded, so a resume keeps it.
    pub(super) fn wait(
        &self,
        call: &Call<'_>,
        wait: &dyn Wait,
        attempt: u32,
        deadline: Option<jiff::Timestamp>,
    ) -> Result<Value, Failure> {
        let clock = self.fleet.clock();
        let mut intent = self.ledger.intent(call, attempt);
        let id = intent.id.clone();
        let deadline = match deadline {
            Some(deadline) => deadline,
            None => {
                let deadline = clock.now() + wait.timeout();
                intent.deadline = Some(deadline);
                self.ledger.note(Record::Intent(Box::new(intent)))?;
                deadline
            }
        };
        self.announcer.emit(Event::Waiting {
            key: call.key.clone(),
            what: wait.what().to_owned(),
            deadline,
        });
        let mut last_error: Option<String>;
        let result = loop {
            match wait.check() {
                Ok(Some(value)) => break Ok((value, false)),
                Ok(None) => last_error = None,
                // While it waits, a target that cannot be reached or answers with an error is only not there yet.
                Err(Failure::Failed(report) | Failure::Unreachable(report)) => {
                    last_error = Some(report.message)
                }
                Err(other) => return self.report(call, &id, Err(other), |_| unreachable_outcome()),
            }
            if clock.now() >= deadline {
                let report = Report::new(format!(
                    "waited {:?} in vain: {}",
                    wait.timeout(),
                    wait.what()
                ));
                let report = report.hint("look at the target; resume waits once more");
                break Err(Failure::Failed(match last_error {
                    Some(error) => report.detail(format!("the last try said: {error}")),
                    None => report,
                }));
            }
            if !clock.sleep(wait.every(), &self.cancel) {
                return self.report(call, &id, Err(Failure::Interrupted), |_| {
                    unreachable_outcome()
                });
            }
        };
        let result = self.ledger.finish(&id, attempt, result, None);
        self.report(call, &id, result, |value| OperationOutcome::Ok {
            value: value.clone(),
        })
    }

    fn ask(&self, call: &Call<'_>, question: &Question, attempt: u32) -> Result<Value, Failure> {
        let intent = self.ledger.intent(call, attempt);
        let id = intent.id.clone();
        if self
            .ledger
            .standing(&call.key)
            .is_none_or(|standing| standing != crate::journal::Standing::InFlight)
        {
            self.ledger.commit(Record::Intent(Box::new(intent)))?;
        }
        let ahead = || self.foresight.as_ref()?.foresee(&call.key, &call.scope);
        // A prompt is output like any other: no secret in it.
        let shown = Question {
            text: self.announcer.redact(&question.text),
            ..question.clone()
        };
        let asked = self
            .announcer
            .asking(&call.scope, &shown.text, || self.asker.ask(&shown, &ahead));
        let result = match asked {
            Ok(answer) => {
                let value = match question.kind {
                    crate::operation::QuestionKind::Confirm
                    | crate::operation::QuestionKind::Manual
                    | crate::operation::QuestionKind::Deviation => true.into(),
                    _ => Value::from(answer.value),
                };
                self.ledger.finish(
                    &id,
                    attempt,
                    Ok((value, false)),
                    Some(format!("answered by {}", answer.by)),
                )
            }
            Err(failure) => Err(super::ledger::with_operation(failure, &id)),
        };
        self.report(call, &id, result, |value| OperationOutcome::Ok {
            value: value.clone(),
        })
    }

    fn assert(
        &self,
        call: &Call<'_>,
        assertion: &Assertion,
        attempt: u32,
    ) -> Result<Value, Failure> {
        let intent = self.ledger.intent(call, attempt);
        let id = intent.id.clone();
        let result = self.ledger.observed(intent, judge(assertion));
        self.report(call, &id, result, |_| OperationOutcome::Ok {
            value: Value::Null,
        })
    }

    fn tell(&self, call: &Call<'_>, telling: &Telling, attempt: u32) -> Result<Value, Failure> {
        let intent = self.ledger.intent(call, attempt);
        self.ledger.observed(intent, Ok(Value::Null))?;
        if telling.word != "on_undo" {
            self.announcer
                .told(call, &telling.text, &telling.rows, telling.word == "table");
        }
        Ok(Value::Null)
    }
}

/// A claim's result: nothing, or what was found instead of what was wanted.
pub(super) fn judge(assertion: &Assertion) -> Result<Value, Failure> {
    if assertion.holds() {
        return Ok(Value::Null);
    }
    let message = match assertion.word {
        "expect" => format!(
            "{}: expected {}, found {}",
            assertion.claim, assertion.wanted, assertion.actual
        ),
        _ => assertion.claim.clone(),
    };
    Err(Failure::Failed(Report::new(message)))
}

/// For results that are known to be failures, whose outcome is never asked for.
fn unreachable_outcome() -> OperationOutcome {
    OperationOutcome::Ok { value: Value::Null }
}

impl Executor for Live {
    fn perform(&self, call: &Call<'_>) -> Result<Value, Failure> {
        self.attempt(call, self.ledger.next_attempt(&call.key))
    }

    fn run_id(&self) -> Option<crate::model::RunId> {
        Some(self.ledger.run().clone())
    }

    fn name_of(&self, key: &OperationKey) -> Option<crate::model::OperationId> {
        Some(self.ledger.id(key))
    }

    fn look(&self, _: &Target, observation: &dyn Observation) -> Result<Value, Failure> {
        observation.observe(&*self.fleet, &self.cancel)
    }

    fn run_within(
        &self,
        of: &OperationKey,
        target: &Target,
        command: &RunCommand,
    ) -> Result<Value, Failure> {
        command::run_within(self, of, target, command)
    }

    fn step_started(
        &self,
        path: &ScopePath,
        source: Option<&SourcePosition>,
    ) -> Result<(), Failure> {
        self.steps.start(path);
        self.announcer
            .emit(Event::StepStarted { path: path.clone() });
        self.ledger.note(Record::StepStarted {
            path: path.clone(),
            source: source.cloned(),
        })
    }

    fn step_ended(&self, path: &ScopePath, status: StepStatus) -> Result<(), Failure> {
        let elapsed_ms = self.steps.end(path);
        self.announcer.emit(Event::StepEnded {
            path: path.clone(),
            status,
            elapsed_ms,
        });
        match self.ledger.note(Record::StepEnded {
            path: path.clone(),
            status,
        }) {
            // The journal's failure is already on its way up when a step stops because of it.
            Err(Failure::Poisoned(_)) if status == StepStatus::Stopped => Ok(()),
            result => result,
        }
    }

    fn step_failed(&self, path: &ScopePath, failure: &Failure) -> Result<AfterFailure, Failure> {
        let decision = self.announcer.asking(path, &failure.to_string(), || {
            self.asker.after_failure(path, failure)
        });
        if decision == AfterFailure::Retry {
            let operations = self.ledger.failed_below(path)?;
            let (by, why) = (self.asker.who(), "retry of a failed step".to_owned());
            self.ledger.commit(Record::Retried {
                operations,
                by,
                why,
            })?;
        }
        Ok(decision)
    }

    fn each_started(&self, path: &ScopePath, nth: u32, branches: &[String]) {
        self.announcer.each(path, nth, branches);
    }

    fn branch_started(&self, path: &ScopePath) {
        self.announcer
            .emit(Event::BranchStarted { path: path.clone() });
    }

    fn branch_ended(&self, path: &ScopePath, failed: bool) {
        self.announcer.emit(Event::BranchEnded {
            path: path.clone(),
            failed,
        });
    }

    fn plan_ended(&self, note: PlanNote) -> Result<(), Failure> {
        // Only a dry run has values that are unknown.
        Err(Failure::Misuse(format!(
            "a value is unknown in a live run: {}",
            note.because
        )))
    }

    fn cluster(&self) -> Result<Arc<dyn crate::transport::ClusterObserver>, Failure> {
        Ok(self.fleet.cluster_observer()?)
    }

    fn parallel(&self, asked: usize) -> usize {
        asked.min(self.parallel).max(1)
    }

    fn pause(&self, duration: Duration) -> bool {
        duration.is_zero() || self.fleet.clock().sleep(duration, &self.cancel)
    }
}

impl Recover for Live {
    fn recover(&self, call: &Call<'_>, entry: &Entry) -> Result<Value, Failure> {
        if self.cancel.requested().is_some() {
            return Err(Failure::Interrupted);
        }
        self.announcer.started(call);
        match &call.action {
            Action::Change(change) => self.recover_change(call, *change, entry),
            Action::Command(command) => command::recover(self, call, command, entry),
            Action::Wait(wait) => self.wait(call, *wait, entry.attempt, entry.intent.deadline),
            Action::Ask(question) => self.ask(call, question, entry.attempt),
            // These are one record; they are never in flight.
            _ => self.attempt(call, entry.attempt),
        }
    }
}
