//! An edited script against the record: replayed without effects, to say which recorded operations it reuses, which
//! are new, and which it no longer has (M2).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Executor;
use super::dry_run::DryRun;
use super::ledger::Ledger;
use super::replay::{compare, recorded};
use crate::journal::{Entry, EntryState, Kept as _, Trace};
use crate::model::{OperationId, OperationKey, RunId, ScopePath, Value};
use crate::operation::{Call, Class, Failure};
use crate::report::PlanNote;

/// How an edited script meets the record.
#[derive(Clone, Debug, Default)]
pub struct Alignment {
    /// Recorded operations that stay valid, under their key in the edited script.
    pub reused: BTreeMap<OperationKey, OperationId>,
    /// One line for each operation that the record does not have.
    pub new: Vec<String>,
}

/// Replays what matches and plans what is new.
pub struct Edited {
    ledger: Arc<Ledger>,
    plan: DryRun,
    state: Mutex<(Alignment, BTreeSet<OperationId>)>,
    /// Where the plan ended before its time.
    ended: Mutex<Vec<ScopePath>>,
    /// The recorded operations by their scopes, once they are asked for; the record does not grow meanwhile.
    scopes: Mutex<Option<HashMap<ScopePath, Vec<OperationId>>>>,
}

impl Edited {
    /// An alignment that begins; `plan` says what the new operations would do.
    pub fn new(ledger: Arc<Ledger>, plan: DryRun) -> Self {
        Self {
            ledger,
            plan,
            state: Mutex::default(),
            ended: Mutex::default(),
            scopes: Mutex::default(),
        }
    }

    /// What was found by now.
    pub fn alignment(&self) -> Alignment {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .0
            .clone()
    }

    /// Recorded operations that had an effect, or may have had, and that the edited script no longer has.
    pub fn orphans(&self) -> Result<Vec<Entry>, Failure> {
        let reused: BTreeSet<OperationId> = self.alignment().reused.into_values().collect();
        let effect = |trace: &Trace| {
            let effect = matches!(trace.class(), Class::Change | Class::Command | Class::Ask);
            effect && !reused.contains(trace.id())
        };
        let mut orphans = Vec::new();
        self.ledger
            .each_entry(effect, |entry| orphans.push(entry))?;
        Ok(orphans)
    }

    /// Recorded commands of which nobody can say whether the edited script still has them, because what comes before
    /// decides by a value that is not known yet. Going on would run them again.
    pub fn unseen(&self) -> Result<Vec<Entry>, Failure> {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let behind = |entry: &Entry| ended.iter().any(|path| path.contains(&entry.intent.scope));
        let mut orphans = self.orphans()?;
        orphans.retain(|entry| entry.intent.class == Class::Command && behind(entry));
        Ok(orphans)
    }

    /// The evaluation stopped before the script's end: everything behind is unseen.
    pub fn stopped(&self) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.push(ScopePath::default());
    }

    /// The recorded operation that is the same as this call: under the same key, else the next one in the same scope
    /// that nothing else has claimed. Changed arguments never match.
    fn matching(
        &self,
        call: &Call<'_>,
        used: &BTreeSet<OperationId>,
    ) -> Result<Option<Entry>, Failure> {
        let same = |entry: &Entry| {
            !used.contains(&entry.intent.id) && compare(&self.ledger, call, &entry.intent).is_ok()
        };
        if let Some(entry) = self.ledger.entry(&call.key)?.filter(same) {
            return Ok(Some(entry));
        }
        for id in self.recorded_in(&call.scope)? {
            if let Some(entry) = self.ledger.entry_of(&id)?.filter(same) {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// The recorded operations of a scope, in their order.
    fn recorded_in(&self, scope: &ScopePath) -> Result<Vec<OperationId>, Failure> {
        let mut scopes = self.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        if scopes.is_none() {
            let mut found: HashMap<ScopePath, Vec<OperationId>> = HashMap::new();
            self.ledger.each_entry(
                |_| true,
                |Entry { intent, .. }| found.entry(intent.scope).or_default().push(intent.id),
            )?;
            *scopes = Some(found);
        }
        let found = scopes.as_ref().and_then(|scopes| scopes.get(scope));
        Ok(found.cloned().unwrap_or_default())
    }
}

impl Executor for Edited {
    fn plan_ended(&self, note: PlanNote) -> Result<(), Failure> {
        self.ended
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(note.scope.clone());
        self.plan.plan_ended(note)
    }

    fn behind(&self) -> Option<&dyn Executor> {
        Some(&self.plan)
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
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(entry) = self.matching(call, &state.1)? else {
            let line = format!(
                "{} {} {}",
                call.action.kind(),
                call.target,
                call.action.summary()
            );
            state.0.new.push(self.ledger.secrets().redact(&line));
            drop(state);
            return self.plan.perform(call);
        };
        state.1.insert(entry.intent.id.clone());
        state
            .0
            .reused
            .insert(call.key.clone(), entry.intent.id.clone());
        drop(state);
        match &entry.state {
            EntryState::Finished { result, .. } => recorded(result.clone()),
            // Reused, and recovered when the run goes on; what it will give is not known yet.
            _ => self.plan.perform(call),
        }
    }

    fn parallel(&self, _: usize) -> usize {
        1
    }

    fn pause(&self, _: Duration) -> bool {
        true
    }
}
