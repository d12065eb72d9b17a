//! Live changes: observe, compare, intent, apply, observe again, outcome (M1, M3).

use super::bound::Effect;
use super::ledger;
use super::live::Live;
use super::patience::{Absence, RECONNECT};
use crate::journal::{Entry, Record};
use crate::model::{Image, Target, Value};
use crate::operation::{Call, Change, Failure, Report, Undecided, Way, image_diff, still_is};
use crate::report::OperationOutcome;
use crate::transport::Temporary;

impl Live {
    /// Performs a change.
    pub(super) fn change(
        &self,
        call: &Call<'_>,
        change: &dyn Change,
        attempt: u32,
    ) -> Result<Value, Failure> {
        let observed = change.observe(&*self.fleet, &self.cancel);
        let images =
            observed.and_then(|before| change.wanted(&before).map(|after| (before, after)));
        let (before, after) = match images {
            Ok(images) => images,
            Err(failure) => {
                let intent = self.ledger.intent(call, attempt);
                let id = intent.id.clone();
                let result = self.ledger.observed(intent, Err(failure));
                return self.report(call, &id, result, |_| skipped());
            }
        };
        if change.reached(&after, &before) {
            let intent = self.ledger.intent(call, attempt);
            let id = intent.id.clone();
            let result = self.ledger.observed(intent, Ok(value_of(false)));
            return self.report(call, &id, result, |_| skipped());
        }
        self.apply(call, change, &before, &after, attempt)
    }

    fn apply(
        &self,
        call: &Call<'_>,
        change: &dyn Change,
        before: &Image,
        after: &Image,
        attempt: u32,
    ) -> Result<Value, Failure> {
        let mut intent = self.ledger.intent(call, attempt);
        let id = intent.id.clone();
        let effect = Effect::Change {
            change,
            before,
            after,
        };
        if let Err(failure) = self.permitted(call, effect) {
            return self.report(call, &id, Err(failure), |_| skipped());
        }
        intent.change = Some(self.ledger.change_intent(change, before, after));
        if let Some(Temporary { object, what }) = change.makes() {
            self.ledger.note(Record::Temporary { object, what })?;
        }
        self.ledger.commit(Record::Intent(Box::new(intent)))?;
        let applied = change.apply(&*self.fleet, before, after, &self.cancel);
        let result = match applied {
            // A broken connection says nothing about the effect; only looking does.
            Err(Failure::Unreachable(report)) => {
                self.after_loss(&call.target, change, before, after, report)
            }
            Err(failure) => Err(failure),
            Ok(()) => self.verify(change, after),
        };
        if result.is_ok() {
            self.note_removal(change)?;
        }
        let recovered = None;
        let result = self.ledger.finish(
            &id,
            attempt,
            result.map(|()| (value_of(true), true)),
            recovered,
        );
        self.report(call, &id, result, |_| changed(change, before, after, None))
    }

    /// An object that was there for a time only is off the list with the outcome of its removal.
    fn note_removal(&self, change: &dyn Change) -> Result<(), Failure> {
        match change.removes().cloned() {
            Some(object) => self.ledger.note(Record::TemporaryGone { object }),
            None => Ok(()),
        }
    }

    /// A change is done when the target says so.
    fn verify(&self, change: &dyn Change, after: &Image) -> Result<(), Failure> {
        let now = change.observe(&*self.fleet, &self.cancel)?;
        if change.reached(after, &now) {
            return Ok(());
        }
        let diff = image_diff(&change.subject(), after, &now)
            .unwrap_or_else(|| "(no textual difference)".into());
        Err(Failure::Failed(
            Report::new(format!(
                "{}: applied, but the target does not show it",
                change.summary()
            ))
            .detail(format!("wanted → found\n{diff}"))
            .hint("something on the target undoes or refuses it; look there, then resume"),
        ))
    }

    fn after_loss(
        &self,
        target: &Target,
        change: &dyn Change,
        before: &Image,
        after: &Image,
        report: Report,
    ) -> Result<(), Failure> {
        match self.look_again(target, change)? {
            None => Err(Failure::Lost(report.hint(
                "when the target is back, resume looks what became of the change",
            ))),
            Some(now) if change.reached(after, &now) => Ok(()),
            Some(now) if still_is(before, after, &now) => {
                change.apply(&*self.fleet, before, after, &self.cancel)?;
                self.verify(change, after)
            }
            Some(now) => Err(conflict(change, before, after, &now)),
        }
    }

    /// Observes, trying again for a while; none if the target stays out of reach.
    fn look_again(&self, target: &Target, change: &dyn Change) -> Result<Option<Image>, Failure> {
        let clock = self.fleet.clock();
        let until = clock.now() + RECONNECT;
        let mut absence = Absence::of(self, target);
        loop {
            match change.observe(&*self.fleet, &self.cancel) {
                Ok(image) => {
                    absence.over = true;
                    return Ok(Some(image));
                }
                Err(Failure::Unreachable(report)) => absence.goes_on(&report.message),
                Err(failure) => return Err(failure),
            }
            if clock.now() >= until || !clock.sleep(std::time::Duration::from_secs(1), &self.cancel)
            {
                return Ok(None);
            }
        }
    }

    /// A change found in flight: equal to after → done; equal to before → apply; else a person decides (M3).
    pub(super) fn recover_change(
        &self,
        call: &Call<'_>,
        change: &dyn Change,
        entry: &Entry,
    ) -> Result<Value, Failure> {
        let id = entry.intent.id.clone();
        let Some(recorded) = &entry.intent.change else {
            return Err(Failure::Poisoned(format!(
                "the journal has no images for {}",
                entry.intent.key
            )));
        };
        let (before, after) = (
            self.ledger.image(&recorded.before)?,
            self.ledger.image(&recorded.after)?,
        );
        let now = match change.observe(&*self.fleet, &self.cancel) {
            Ok(now) => now,
            // Still in flight: nothing is recorded, so that the next resume looks again.
            Err(Failure::Unreachable(report)) => {
                let failure = ledger::with_operation(Failure::Lost(report), &id);
                return self.report(call, &id, Err(failure), |_| skipped());
            }
            Err(failure) => {
                let failure = ledger::with_operation(failure, &id);
                return self.report(call, &id, Err(failure), |_| skipped());
            }
        };
        if change.reached(&after, &now) {
            self.note_removal(change)?;
            let found = "found done on the target".to_owned();
            let result = self.ledger.finish(
                &id,
                entry.attempt,
                Ok((value_of(true), true)),
                Some(found.clone()),
            );
            return self.report(call, &id, result, |_| {
                changed(change, &before, &after, Some(found))
            });
        }
        if still_is(&before, &after, &now) {
            let result = match change.apply(&*self.fleet, &before, &after, &self.cancel) {
                Err(Failure::Unreachable(report)) => {
                    self.after_loss(&call.target, change, &before, &after, report)
                }
                Err(failure) => Err(failure),
                Ok(()) => self.verify(change, &after),
            };
            let found = "applied on resume".to_owned();
            let result = result.map(|()| (value_of(true), true));
            let result = self
                .ledger
                .finish(&id, entry.attempt, result, Some(found.clone()));
            return self.report(call, &id, result, |_| {
                changed(change, &before, &after, Some(found))
            });
        }
        let failure = ledger::with_operation(conflict(change, &before, &after, &now), &id);
        self.report(call, &id, Err(failure), |_| skipped())
    }
}

fn conflict(change: &dyn Change, before: &Image, after: &Image, now: &Image) -> Failure {
    let subject = change.subject();
    let part = |title: &str, from: &Image, to: &Image| {
        let diff = image_diff(&subject, from, to).unwrap_or_else(|| "(the same)".into());
        format!("{title}\n{diff}")
    };
    let report = Report::new(format!("{subject} is neither as it was nor as it shall be: somebody else changed it"))
        .detail(format!(
            "{}\n{}",
            part("what the run meant to do:", before, after),
            part("what is there now, against what was there before:", before, now)
        ))
        .hint("look at it; then `runbook resolve RUN OP --done` to keep it as it is, or `--retry` to apply the change to it");
    Failure::Undecided(Undecided {
        operation: None,
        report: Box::new(report),
        way: Way::Resolve,
    })
}

/// What a script gets from a change.
pub(super) fn value_of(changed: bool) -> Value {
    Value::from_entries([("changed", changed.into())])
}

fn skipped() -> OperationOutcome {
    OperationOutcome::Skipped {
        why: "already as wanted".into(),
    }
}

fn changed(
    change: &dyn Change,
    before: &Image,
    after: &Image,
    recovered: Option<String>,
) -> OperationOutcome {
    OperationOutcome::Changed {
        diff: image_diff(&change.subject(), before, after),
        recovered,
    }
}
