//! Dry run: looks through the overlay, plans every effect, writes nothing anywhere (M5). It is handed observers
//! only; that it cannot write is a matter of types.

use std::sync::Arc;
use std::time::Duration;

use super::announce::Announcer;
use super::ask::Asker;
use super::live::judge;
use super::overlay::Overlay;
use super::seal::{Sealed, Sealer};
use super::steps::StepClock;
use super::{AfterFailure, Executor, Recover, change, command};
use crate::journal::{Entry, StepStatus};
use crate::model::{OperationKey, ScopePath, SourcePosition, Target, Unknown, Value};
use crate::operation::{
    Action, Affects, Assertion, Call, Change, Failure, Observation, Question, QuestionKind,
    RunCommand, Telling, Wait, image_diff,
};
use crate::report::{Event, OperationOutcome, PlanNote, Seal, WILL_BE_ASKED};
use crate::transport::{Cancel, ObservingFleet};

/// The executor of a dry run.
pub struct DryRun {
    overlay: Overlay,
    announcer: Announcer,
    asker: Arc<dyn Asker>,
    cancel: Cancel,
    steps: StepClock,
    sealer: Option<Sealer>,
}

impl DryRun {
    /// A dry run over a fleet that can only look.
    pub fn new(
        fleet: Arc<dyn ObservingFleet>,
        announcer: Announcer,
        asker: Arc<dyn Asker>,
        cancel: Cancel,
    ) -> Self {
        Self {
            overlay: Overlay::new(fleet),
            announcer,
            asker,
            cancel,
            steps: StepClock::default(),
            sealer: None,
        }
    }

    /// Seals what is planned, so that a run can be held to it.
    pub fn sealed_by(mut self, sealer: Sealer) -> Self {
        self.sealer = Some(sealer);
        self
    }

    fn ended(
        &self,
        call: &Call<'_>,
        outcome: OperationOutcome,
        value: Value,
    ) -> Result<Value, Failure> {
        self.announcer.ended(call, None, outcome);
        Ok(value)
    }

    fn failed(&self, call: &Call<'_>, failure: Failure) -> Result<Value, Failure> {
        if !matches!(failure, Failure::PlanEnds(_)) {
            self.announcer.failed(call, None, &failure);
        }
        Err(failure)
    }

    fn pending(&self, call: &Call<'_>, why: String, value: Value) -> Result<Value, Failure> {
        self.ended(call, OperationOutcome::Pending { why }, value)
    }

    fn observe(&self, call: &Call<'_>, observation: &dyn Observation) -> Result<Value, Failure> {
        match self.look(&call.target, observation) {
            Ok(Value::Unknown(unknown)) => {
                let why = format!("unknown until the run: {}", unknown.because);
                self.pending(call, why, Value::Unknown(unknown))
            }
            Ok(value) => self.ended(
                call,
                OperationOutcome::Ok {
                    value: value.clone(),
                },
                value,
            ),
            Err(failure) => self.failed(call, failure),
        }
    }

    fn change(&self, call: &Call<'_>, change: &dyn Change) -> Result<Value, Failure> {
        let subject = change.subject();
        let because = format!("`{}` on {}", change.summary(), call.target);
        let before = match self.overlay.scripted(&call.target, &subject) {
            Some(value) => Ok(crate::model::Image::Value(value)),
            None => change.observe(&self.overlay, &self.cancel),
        };
        let before = match before {
            Ok(before) => before,
            Err(Failure::PlanEnds(unknown)) => {
                let after = change.wanted(&crate::model::Image::Value(Value::Null));
                if let Ok(after) = after {
                    self.overlay.plan_change(
                        &call.target,
                        &subject,
                        &after,
                        &because,
                        &change.affects(),
                    );
                }
                let assuming = Some(format!(
                    "it is needed, which is not known before {}",
                    unknown.because
                ));
                let outcome = OperationOutcome::Planned {
                    diff: None,
                    assuming,
                    why: None,
                    seal: self.seal(call, Some((change, None))),
                };
                return self.ended(call, outcome, change::value_of(true));
            }
            Err(failure) => return self.failed(call, failure),
        };
        let after = match change.wanted(&before) {
            Ok(after) => after,
            Err(failure) => return self.failed(call, failure),
        };
        if change.reached(&after, &before) {
            let why = "already as wanted".to_owned();
            return self.ended(
                call,
                OperationOutcome::Skipped { why },
                change::value_of(false),
            );
        }
        let assuming = self.overlay.assumption(&call.target, &subject);
        let note = match change.rehearse(&self.overlay, &after) {
            Ok(note) => note,
            // What is planned before it may be what makes it acceptable.
            Err(failure) if self.overlay.anything() => {
                Some(format!("refused as things are now: {failure}"))
            }
            Err(failure) => return self.failed(call, failure),
        };
        self.overlay
            .plan_change(&call.target, &subject, &after, &because, &change.affects());
        let outcome = OperationOutcome::Planned {
            diff: image_diff(&subject, &before, &after),
            assuming,
            why: note,
            seal: self.seal(call, Some((change, Some((&before, &after))))),
        };
        self.ended(call, outcome, change::value_of(true))
    }

    fn seal(&self, call: &Call<'_>, change: Option<Sealed<'_>>) -> Option<Box<Seal>> {
        let sealer = self.sealer.as_ref()?;
        Some(Box::new(sealer.seal(call, change)))
    }

    fn command(&self, call: &Call<'_>, command: &RunCommand) -> Result<Value, Failure> {
        let unsettled = self.overlay.unknown(&call.target, None);
        let assuming = match (&unsettled, command.guards.is_empty()) {
            (Some(unknown), false) => Some(format!(
                "it is needed, which is not known before {}",
                unknown.because
            )),
            _ => match command::guarded(&self.overlay, &call.target, command, &self.cancel) {
                Ok(None) => None,
                Ok(Some(why)) => {
                    return self.ended(
                        call,
                        OperationOutcome::Skipped { why },
                        command::skipped_value(),
                    );
                }
                Err(Failure::PlanEnds(unknown)) => Some(format!(
                    "it is needed, which is not known before {}",
                    unknown.because
                )),
                Err(failure) => return self.failed(call, failure),
            },
        };
        let because = format!("`{}` on {}", command.summary(), call.target);
        self.overlay
            .plan_effect(&call.target, &because, &command.affects);
        let value = match &command.planned {
            Some(output) => command::output_value(output),
            None => Value::Unknown(Unknown::because(because)),
        };
        let outcome = OperationOutcome::Planned {
            diff: None,
            why: match assuming {
                Some(_) => None,
                None => command::why_needed(command),
            },
            assuming,
            seal: self.seal(call, None),
        };
        self.ended(call, outcome, value)
    }

    fn wait(&self, call: &Call<'_>, wait: &dyn Wait) -> Result<Value, Failure> {
        let limit = format!("at most {}", crate::text::duration::format(wait.timeout()));
        match wait.check() {
            Ok(Some(value)) => self.ended(
                call,
                OperationOutcome::Ok {
                    value: value.clone(),
                },
                value,
            ),
            Err(Failure::Misuse(message)) => self.failed(call, Failure::Misuse(message)),
            // Not yet, not known, or not reachable now: what is planned before it may be what makes it true.
            _ => self.pending(
                call,
                limit,
                Value::Unknown(Unknown::because(format!("waiting for {}", wait.what()))),
            ),
        }
    }

    fn ask(&self, call: &Call<'_>, question: &Question) -> Result<Value, Failure> {
        let why = WILL_BE_ASKED.to_owned();
        match &question.kind {
            QuestionKind::Confirm | QuestionKind::Manual | QuestionKind::Deviation => {
                self.pending(call, why, true.into())
            }
            QuestionKind::Choose(_) | QuestionKind::Input { .. } => {
                match self.asker.given(question) {
                    Some(Ok(answer)) => self.pending(
                        call,
                        format!("answered by {}", answer.by),
                        answer.value.into(),
                    ),
                    Some(Err(failure)) => self.failed(call, failure),
                    None => {
                        let unknown = Unknown::because(format!("the answer to: {}", question.text));
                        self.pending(call, why, Value::Unknown(unknown))
                    }
                }
            }
        }
    }

    fn assert(&self, call: &Call<'_>, assertion: &Assertion) -> Result<Value, Failure> {
        if let Some(unknown) = assertion
            .actual
            .unknown()
            .or_else(|| assertion.wanted.unknown())
        {
            return self.pending(
                call,
                format!("not known before {}", unknown.because),
                Value::Null,
            );
        }
        match judge(assertion) {
            Ok(value) => self.ended(call, OperationOutcome::Ok { value: Value::Null }, value),
            // What is planned before it may be what makes it hold.
            Err(failure) if self.overlay.anything() => {
                self.pending(call, format!("not yet: {failure}"), Value::Null)
            }
            Err(failure) => self.failed(call, failure),
        }
    }

    fn tell(&self, call: &Call<'_>, telling: &Telling) -> Result<Value, Failure> {
        if telling.word != "on_undo" {
            self.announcer
                .told(call, &telling.text, &telling.rows, telling.word == "table");
        }
        Ok(Value::Null)
    }
}

impl Executor for DryRun {
    fn perform(&self, call: &Call<'_>) -> Result<Value, Failure> {
        if self.cancel.requested().is_some() {
            return Err(Failure::Interrupted);
        }
        self.announcer.started(call);
        match &call.action {
            Action::Observe(observation) => self.observe(call, *observation),
            Action::Change(change) => self.change(call, *change),
            Action::Command(command) => self.command(call, command),
            Action::Wait(wait) => self.wait(call, *wait),
            Action::Ask(question) => self.ask(call, question),
            Action::Assert(assertion) => self.assert(call, assertion),
            Action::Tell(telling) => self.tell(call, telling),
        }
    }

    fn look(&self, target: &Target, observation: &dyn Observation) -> Result<Value, Failure> {
        let unknown = match observation.listed() {
            Some((kind, namespace)) => self.overlay.unknown_list(&kind, namespace.as_deref()),
            None => None,
        };
        let unknown = unknown
            .or_else(|| self.overlay.unknown(target, observation.file()))
            .or_else(|| {
                let command = observation.command()?;
                self.overlay.named_file(target, &command)
            });
        if let Some(unknown) = unknown {
            return Ok(Value::Unknown(unknown));
        }
        match observation.observe(&self.overlay, &self.cancel) {
            // A command may fail now for want of what is planned before it.
            Err(Failure::Failed(report)) if observation.may_come_too_early() => {
                match self.overlay.latest(target) {
                    Some(unknown) => Ok(Value::Unknown(unknown)),
                    None => Err(Failure::Failed(report)),
                }
            }
            // A target that the user does not want looked at.
            Err(Failure::PlanEnds(unknown)) => Ok(Value::Unknown(unknown)),
            result => result,
        }
    }

    fn run_within(
        &self,
        _: &OperationKey,
        target: &Target,
        command: &RunCommand,
    ) -> Result<Value, Failure> {
        // `apply` is never called in a dry run; if it were, this would plan and not act.
        let because = format!("`{}` on {target}", command.summary());
        self.overlay
            .plan_effect(target, &because, &Affects::WholeTarget);
        Ok(Value::Unknown(Unknown::because(because)))
    }

    fn step_started(&self, path: &ScopePath, _: Option<&SourcePosition>) -> Result<(), Failure> {
        self.steps.start(path);
        self.announcer
            .emit(Event::StepStarted { path: path.clone() });
        Ok(())
    }

    fn step_ended(&self, path: &ScopePath, status: StepStatus) -> Result<(), Failure> {
        let elapsed_ms = self.steps.end(path);
        self.announcer.emit(Event::StepEnded {
            path: path.clone(),
            status,
            elapsed_ms,
        });
        Ok(())
    }

    fn step_failed(&self, _: &ScopePath, _: &Failure) -> Result<AfterFailure, Failure> {
        Ok(AfterFailure::Stop)
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
        self.announcer.emit(Event::PlanNote(note));
        Ok(())
    }

    fn cluster(&self) -> Result<Arc<dyn crate::transport::ClusterObserver>, Failure> {
        Ok(self.overlay.cluster_observer()?)
    }

    fn parallel(&self, _: usize) -> usize {
        // In item order: what one branch plans, the next sees, in the same way every time.
        1
    }

    fn expect(&self, targets: &mut dyn Iterator<Item = Target>) {
        self.overlay.expect(targets);
    }

    fn pause(&self, _: Duration) -> bool {
        true
    }
}

impl Recover for DryRun {
    /// Asked only when a resume is looked at beforehand: what was in flight is planned again.
    fn recover(&self, call: &Call<'_>, _: &Entry) -> Result<Value, Failure> {
        self.perform(call)
    }
}
