//! Undo: the journal walked backwards through the same transports. What was changed is restored if it still is as
//! the run left it, else a person decides; undo is itself journaled, so it can be resumed (M6).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Executor;
use super::ledger::Ledger;
use super::replay::{compare, recorded};
use crate::journal::{ChangeIntent, Entry, EntryState, Kept as _, OutcomeResult};
use crate::model::{
    Image, OperationId, OperationKey, RunId, ScopePath, Segment, Subject, Target, Value,
};
use crate::operation::{
    Call, Change, Class, Failure, Observation, Report, Undecided, Way, apply_image, image_diff,
    observe_subject, still_is, taken_back,
};
use crate::report::PlanNote;
use crate::transport::{ActingFleet, Cancel, ObservingFleet, Program};

/// One thing to put back, or to leave.
#[derive(Clone, Debug)]
pub struct UndoItem {
    /// The operation of the run.
    pub id: OperationId,
    /// Its key.
    pub key: OperationKey,
    /// Where.
    pub target: Target,
    /// One line about what it did.
    pub summary: String,
    /// What is to be done about it.
    pub step: UndoStep,
}

/// What undo does about an operation.
#[derive(Clone, Debug)]
pub enum UndoStep {
    /// Puts the before-image back.
    Restore(Box<ChangeIntent>),
    /// Runs the command that undoes it.
    Command(Program),
    /// Runs what the runbook registered with `on_undo`.
    Hook,
    /// Leaves it, and says why.
    Leave(String),
}

/// What there is to undo, last effect first. `from` is the journal's place from which on things are undone.
pub fn plan(entries: &[Entry], from: u64) -> Vec<UndoItem> {
    let mut entries: Vec<&Entry> = entries.iter().filter(|entry| entry.seq >= from).collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.seq));
    entries
        .into_iter()
        .filter(|entry| {
            !entry
                .intent
                .scope
                .0
                .iter()
                .any(|segment| matches!(segment, Segment::Undo { .. }))
        })
        .filter_map(item)
        .collect()
}

fn item(entry: &Entry) -> Option<UndoItem> {
    let intent = &entry.intent;
    let step = match (intent.class, &intent.change) {
        (Class::Change, Some(change)) => match &change.irreversible {
            Some(why) => UndoStep::Leave(why.clone()),
            None => UndoStep::Restore(Box::new(change.clone())),
        },
        (Class::Command, _) if began(entry) => match intent.undo.as_ref().and_then(program) {
            Some(undo) => UndoStep::Command(undo),
            None => UndoStep::Leave(match intent.undo.as_ref().and_then(|undo| undo.get("by")) {
                Some(by) => by.to_string(),
                None => "a command without `undo:`".into(),
            }),
        },
        (Class::Tell, _) if intent.kind == "on_undo" => UndoStep::Hook,
        _ => return None,
    };
    Some(UndoItem {
        id: intent.id.clone(),
        key: intent.key.clone(),
        target: intent.target.clone(),
        summary: intent.summary.clone(),
        step,
    })
}

/// Whether a command may have had an effect: a guard that stopped it leaves a record of another kind.
fn began(entry: &Entry) -> bool {
    match &entry.state {
        EntryState::Finished {
            result: OutcomeResult::Value { changed, .. },
            ..
        } => *changed,
        _ => true,
    }
}

fn program(value: &Value) -> Option<Program> {
    match value {
        Value::Text(text) => Some(Program::Shell(text.clone())),
        Value::List(words) => words
            .iter()
            .map(|word| word.as_text().map(str::to_owned))
            .collect::<Option<_>>()
            .map(Program::Argv),
        _ => None,
    }
}

/// The path under which the operations that undo `id` are journaled.
pub fn scope(id: &OperationId) -> ScopePath {
    ScopePath(vec![Segment::Undo { of: id.to_string() }])
}

/// The part of a script that puts back what only the script can observe and apply.
pub trait ScriptedUndo {
    /// The state as it is; nothing if the script kept no way to look.
    fn observe(&self) -> Result<Option<Image>, Failure>;
    /// Goes back to a state.
    fn apply(&self, key: &OperationKey, to: &Image) -> Result<(), Failure>;
}

/// Puts a before-image back, if the after-state is still there.
pub struct Restore<'a> {
    /// Where.
    pub target: Target,
    /// What was changed, from what to what.
    pub change: &'a ChangeIntent,
    /// The state that the run found.
    pub before: Image,
    /// The state that the run left.
    pub after: Image,
    /// Whether to put it back over what somebody else has done since.
    pub force: bool,
    /// For what only the script can observe and apply.
    pub scripted: Option<&'a dyn ScriptedUndo>,
    /// The key of this restoration.
    pub key: OperationKey,
}

impl Change for Restore<'_> {
    fn kind(&self) -> &str {
        "undo"
    }

    fn arguments(&self) -> Value {
        Value::from_entries([
            ("subject", Value::from(self.change.subject.to_string())),
            ("to", Value::from(self.change.before_fingerprint.clone())),
        ])
    }

    fn summary(&self) -> String {
        format!("put back {}", self.change.subject)
    }

    fn subject(&self) -> Subject {
        self.change.subject.clone()
    }

    fn observe(&self, fleet: &dyn ObservingFleet, _: &Cancel) -> Result<Image, Failure> {
        match &self.scripted {
            Some(script) => script.observe()?.ok_or_else(|| {
                Failure::Misuse(format!("{}: nothing to observe", self.change.subject))
            }),
            None => observe_subject(fleet, &self.target, &self.change.subject),
        }
    }

    fn wanted(&self, now: &Image) -> Result<Image, Failure> {
        if still_is(&self.before, &self.after, now) {
            return Ok(now.clone());
        }
        if still_is(&self.after, &self.before, now) || self.force {
            return Ok(taken_back(&self.before, &self.after, now));
        }
        let subject = &self.change.subject;
        let part = |title: &str, from: &Image, to: &Image| {
            let diff = image_diff(subject, from, to).unwrap_or_else(|| "(the same)".into());
            format!("{title}\n{diff}")
        };
        let report = Report::new(format!(
            "{subject} is no longer as the run left it: somebody else changed it since"
        ))
        .on(&self.target)
        .detail(format!(
            "{}\n{}",
            part(
                "what the run changed (before → after):",
                &self.before,
                &self.after
            ),
            part("what was changed since (after → now):", &self.after, now)
        ))
        .hint(
            "put it right by hand and undo again, or put the old state back over it with --force",
        );
        Err(Failure::Undecided(Undecided {
            operation: None,
            report: Box::new(report),
            way: Way::Look,
        }))
    }

    fn apply(
        &self,
        fleet: &dyn ActingFleet,
        before: &Image,
        after: &Image,
        _: &Cancel,
    ) -> Result<(), Failure> {
        match &self.scripted {
            Some(script) => script.apply(&self.key, after),
            None => apply_image(fleet, &self.target, &self.change.subject, before, after),
        }
    }

    fn reached(&self, _: &Image, now: &Image) -> bool {
        still_is(&self.before, &self.after, now)
    }
}

/// First answers the script from the record alone, so that its closures can be collected without any effect; then
/// lets the closures that undo act.
pub struct UndoMode<E> {
    ledger: Arc<Ledger>,
    acting: AtomicBool,
    inner: E,
}

impl<E: Executor> UndoMode<E> {
    /// Collecting at first.
    pub fn new(ledger: Arc<Ledger>, inner: E) -> Self {
        Self {
            ledger,
            acting: AtomicBool::new(false),
            inner,
        }
    }

    /// From now on operations are performed.
    pub fn act(&self) {
        self.acting.store(true, Ordering::SeqCst);
    }

    fn acting(&self) -> Option<&E> {
        self.acting.load(Ordering::SeqCst).then_some(&self.inner)
    }

    /// The script has come to where the run ended.
    fn end_of_record() -> Failure {
        Failure::Interrupted
    }
}

impl<E: Executor> Executor for UndoMode<E> {
    // While the record is read, nothing is done.
    fn behind(&self) -> Option<&dyn Executor> {
        self.acting().map(|inner| inner as &dyn Executor)
    }

    // Names of what is recorded: a word whose object is named by its operation must ask for the same one again.
    fn name_of(&self, key: &OperationKey) -> Option<OperationId> {
        let history = self.ledger.history();
        history.entry(key).map(|trace| trace.id().clone())
    }

    fn run_id(&self) -> Option<RunId> {
        Some(self.ledger.run().clone())
    }

    fn perform(&self, call: &Call<'_>) -> Result<Value, Failure> {
        if let Some(inner) = self.acting() {
            return inner.perform(call);
        }
        let entry = self
            .ledger
            .entry(&call.key)?
            .ok_or_else(Self::end_of_record)?;
        compare(&self.ledger, call, &entry.intent)?;
        match &entry.state {
            EntryState::Finished { result, .. } => recorded(result.clone()),
            EntryState::ResolvedDone { .. } => Ok(Value::Null),
            // A change in flight may have happened: its closures are needed, its value is not.
            EntryState::InFlight if entry.intent.class == Class::Change => Ok(Value::Null),
            _ => Err(Self::end_of_record()),
        }
    }

    fn look(&self, target: &Target, observation: &dyn Observation) -> Result<Value, Failure> {
        self.inner.look(target, observation)
    }

    fn plan_ended(&self, note: PlanNote) -> Result<(), Failure> {
        self.inner.plan_ended(note)
    }

    fn cluster(&self) -> Result<Arc<dyn crate::transport::ClusterObserver>, Failure> {
        self.inner.cluster()
    }
}
