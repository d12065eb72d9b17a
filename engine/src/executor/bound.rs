//! A run that is held to a plan: it does what the plan says and nothing else. What differs is named and asked about;
//! only a person's own answer to that one question lets it pass (`--yes` does not).

use std::collections::HashMap;
use std::sync::Arc;

use crate::journal::{Record, Standing};
use crate::model::{Image, OperationKey, ScopePath, Secrets, Target, Unknown, Value};
use crate::operation::{
    Action, Call, Change, Failure, Question, QuestionKind, Report, Undecided, Way, image_diff,
};
use crate::report::{OperationOutcome, Plan, PlanEntry, PlanKind, both};

use super::ask::NextEffect;
use super::live::Live;
use super::seal::Sealer;

/// An effect that is about to happen.
pub(super) enum Effect<'a> {
    /// A command.
    Command,
    /// A change from one state to another.
    Change {
        /// Which.
        change: &'a dyn Change,
        /// The state that was found.
        before: &'a Image,
        /// The state that is wanted.
        after: &'a Image,
    },
}

/// The plan that a run is held to.
pub struct Bound {
    effects: HashMap<OperationKey, PlanEntry>,
    /// Where the plan ended, and because of what.
    ends: Vec<(ScopePath, String)>,
    sealer: Sealer,
}

impl Bound {
    /// Holds to this plan, whose hashes were made with this seed.
    pub fn new(plan: &Plan, seed: &str, secrets: Arc<Secrets>) -> Self {
        let ends = |entry: &&PlanEntry| entry.kind == PlanKind::Ends;
        Self {
            effects: plan
                .effects()
                .map(|(key, entry)| (key.clone(), entry.clone()))
                .collect(),
            ends: plan
                .entries
                .iter()
                .filter(ends)
                .map(|entry| (entry.scope.clone(), entry.summary.clone()))
                .collect(),
            sealer: Sealer::new(seed, secrets),
        }
    }

    /// In what an effect is not what the plan says; none if it is.
    fn objection(&self, call: &Call<'_>, effect: &Effect<'_>) -> Option<Report> {
        let told = self
            .sealer
            .redact(&format!("{}: {}", call.target, call.action.summary()));
        let diff = match effect {
            Effect::Command => None,
            Effect::Change {
                change,
                before,
                after,
            } => image_diff(&change.subject(), before, after).map(|diff| self.sealer.redact(&diff)),
        };
        let Some(planned) = self.effects.get(&call.key) else {
            let mut covering = self
                .ends
                .iter()
                .filter(|(path, _)| path.contains(&call.scope));
            let why = match covering.next() {
                Some((_, because)) => {
                    format!("not in the plan, which ends here (not known before {because}): {told}")
                }
                None => format!("not in the plan: {told}"),
            };
            return Some(with_detail(Report::new(why), diff));
        };
        if (&*planned.word, &planned.target) != (call.action.kind(), &call.target.to_string())
            || !fits(
                &planned.summary,
                &self.sealer.redact(&call.action.summary()),
            )
        {
            let plan = format!("{}: {}", planned.target, planned.summary);
            return Some(Report::new(format!(
                "the plan has something else here: planned {plan}; now {told}"
            )));
        }
        self.sealed(call, effect, planned, &told, diff)
    }

    fn sealed(
        &self,
        call: &Call<'_>,
        effect: &Effect<'_>,
        planned: &PlanEntry,
        told: &str,
        diff: Option<String>,
    ) -> Option<Report> {
        let seal = planned.seal.as_ref()?;
        if seal.arguments.is_some() && seal.arguments != self.sealer.arguments(&call.action) {
            let what = format!("{told}: asked for with other arguments than in the plan");
            return Some(Report::new(what));
        }
        let Effect::Change { before, after, .. } = effect else {
            return None;
        };
        let other = |sealed: &Option<String>, image: &Image| {
            sealed.is_some() && *sealed != self.sealer.file(image)
        };
        let shown = planned
            .diff
            .as_deref()
            .filter(|diff| !diff.contains(Unknown::MARK));
        let differs = other(&seal.before, before)
            || other(&seal.after, after)
            || shown.is_some() && shown != diff.as_deref();
        differs.then(|| {
            let what = format!("{told}: the target is no longer what the plan saw");
            with_detail(Report::new(what), Some(both(shown, diff.as_deref())))
        })
    }

    /// The planned effects that `done` does not have, one line each.
    pub fn left_out(&self, done: impl Fn(&OperationKey) -> bool) -> Vec<String> {
        let mut left: Vec<String> = self
            .effects
            .iter()
            .filter(|(key, _)| !done(key))
            .map(|(_, entry)| format!("{}: {}", entry.target, entry.summary))
            .collect();
        left.sort();
        left
    }
}

fn with_detail(report: Report, detail: Option<String>) -> Report {
    match detail {
        Some(detail) => report.detail(detail),
        None => report,
    }
}

/// Whether a text is what was planned, where what was not known stood as a mark.
fn fits(planned: &str, text: &str) -> bool {
    let mut parts = planned.split(Unknown::MARK);
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut ends_open = false;
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
        ends_open = part.is_empty();
    }
    // The last part must end the text, wherever it was found first.
    let last = planned.rsplit(Unknown::MARK).next().unwrap_or_default();
    ends_open || rest.is_empty() || (planned.contains(Unknown::MARK) && text.ends_with(last))
}

impl Live {
    /// Whether an effect may happen: anything, unless the run is held to a plan.
    pub(super) fn permitted(&self, call: &Call<'_>, effect: Effect<'_>) -> Result<(), Failure> {
        let objection = self.bound.as_ref();
        let objection = objection.and_then(|bound| bound.objection(call, &effect));
        if let Some(objection) = objection {
            self.ask_beyond(call, objection)?;
        }
        self.walked(call, &effect)
    }

    /// Asks whoever walks through the run; everybody else goes on.
    fn walked(&self, call: &Call<'_>, effect: &Effect<'_>) -> Result<(), Failure> {
        if !self.asker.walks() {
            return Ok(());
        }
        let diff = match effect {
            Effect::Command => None,
            Effect::Change {
                change,
                before,
                after,
            } => image_diff(&change.subject(), before, after),
        };
        let next = NextEffect {
            target: call.target.to_string(),
            summary: self.announcer.redact(&call.action.summary()),
            diff: diff.map(|diff| self.announcer.redact(&diff)),
        };
        self.announcer
            .asking(&call.scope, &next.summary, || self.asker.walk(&next))
    }

    /// Asks about one effect that is not in the plan. The answer is an operation of its own in the journal.
    fn ask_beyond(&self, call: &Call<'_>, objection: Report) -> Result<(), Failure> {
        let name = format!("beyond-{}", self.ledger.id(&call.key));
        let question = Question {
            text: format!("{}. Do it all the same?", objection.message),
            name,
            kind: QuestionKind::Deviation,
        };
        let asked = Call {
            key: OperationKey(format!("{}/beyond", call.key)),
            scope: call.scope.clone(),
            source: call.source.clone(),
            target: Target::Run,
            action: Action::Ask(&question),
        };
        let standing = self.ledger.standing(&asked.key);
        if standing == Some(Standing::Succeeded) {
            return Ok(());
        }
        let attempt = self.ledger.next_attempt(&asked.key);
        let intent = self.ledger.intent(&asked, attempt);
        let id = intent.id.clone();
        if standing.is_none_or(|standing| standing != Standing::InFlight) {
            self.ledger.commit(Record::Intent(Box::new(intent)))?;
        }
        if let Some(detail) = &objection.detail {
            self.announcer
                .warn(&format!("{}\n{detail}", objection.message));
        }
        let answer = self.announcer.asking(&call.scope, &question.text, || {
            self.asker.ask(&question, &|| None)
        });
        let answer = match answer {
            Ok(answer) => answer,
            Err(Failure::Interrupted) => return Err(Failure::Interrupted),
            Err(_) => {
                return Err(Failure::Undecided(Undecided {
                    operation: Some(id),
                    report: Box::new(objection),
                    way: Way::Answer(Some(question.flag())),
                }));
            }
        };
        let by = format!("answered by {}", answer.by);
        let result = Ok((Value::from(true), false));
        self.ledger.finish(&id, attempt, result, Some(by))?;
        self.announcer.ended(
            &asked,
            Some(id),
            OperationOutcome::Ok { value: true.into() },
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_known_may_be_anything() {
        let mark = Unknown::MARK;
        for (planned, text, wanted) in [
            ("restart a".to_owned(), "restart a", true),
            ("restart a".to_owned(), "restart ab", false),
            (format!("set {mark} on b"), "set 1450 on b", true),
            (format!("set {mark} on b"), "set 1450 on c", false),
            (format!("set {mark} on b"), "set  on b on b", true),
            (format!("set {mark}"), "set 1450", true),
            (format!("set {mark}"), "put 1450", false),
            (format!("{mark}{mark}x"), "x", true),
        ] {
            assert_eq!(fits(&planned, text), wanted, "{planned} / {text}");
        }
    }
}
