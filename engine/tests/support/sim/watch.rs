//! What the script was told, against what the journal says when the engine is dead.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;

use runbook::executor::Executor;
use runbook::journal::{EntryState, History, OutcomeResult};
use runbook::model::{OperationKey, ScopePath, Value};
use runbook::operation::{Call, Class, Failure};

use super::turns::Turns;

/// How sure the journal must be of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// It may be forgotten: nothing has come of it yet.
    Seen,
    /// An effect began after it, or it is the outcome of one: it must survive (M1).
    Settled,
}

/// Everything that the script was told in all sessions of a run.
#[derive(Default)]
pub struct Seen {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    values: BTreeMap<OperationKey, (String, Standing)>,
    /// What the branch on a thread has been told.
    by_thread: HashMap<ThreadId, Vec<OperationKey>>,
    /// What the script outside of branches has been told.
    main: Vec<OperationKey>,
    /// What branches that have ended were told.
    ended: Vec<OperationKey>,
    violations: Vec<String>,
}

impl Seen {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new session begins: its threads know nothing yet.
    pub fn session_begins(&self) {
        let mut state = self.state();
        state.by_thread.clear();
        state.main.clear();
        state.ended.clear();
    }

    /// What was found wrong so far.
    pub fn violations(&self) -> Vec<String> {
        self.state().violations.clone()
    }

    /// An effect begins on this thread: what the script knows there must survive from now on.
    pub fn effect_begins(&self) {
        let mut state = self.state();
        let me = std::thread::current().id();
        let mut known = state.main.clone();
        match state.by_thread.get(&me) {
            Some(own) => known.extend(own.iter().cloned()),
            None => known.extend(state.ended.iter().cloned()),
        }
        for key in known {
            if let Some((_, standing)) = state.values.get_mut(&key) {
                *standing = Standing::Settled;
            }
        }
    }

    fn told(&self, call: &Call<'_>, value: &Value) {
        let mut state = self.state();
        let text = value.canonical();
        let standing = match call.action.class() {
            Class::Change | Class::Command | Class::Wait | Class::Ask => Standing::Settled,
            _ => Standing::Seen,
        };
        if let Some((before, _)) = state.values.get(&call.key)
            && *before != text
        {
            let message = format!("{}: told {before}, and later {text}", call.key);
            state.violations.push(message);
        }
        // A change that found nothing to do is an observation.
        let standing = match value.get("changed") {
            Some(Value::Bool(false)) => Standing::Seen,
            _ if text.contains("\"stdout\":\"\"") => Standing::Seen,
            _ => standing,
        };
        state
            .values
            .entry(call.key.clone())
            .and_modify(|(_, known)| *known = standing.max(*known))
            .or_insert((text, standing));
        if call.scope.branches().is_empty() {
            let ended = std::mem::take(&mut state.ended);
            state.main.extend(ended);
            state.main.push(call.key.clone());
        } else {
            let me = std::thread::current().id();
            state
                .by_thread
                .entry(me)
                .or_default()
                .push(call.key.clone());
        }
    }

    fn branch_began(&self) {
        let me = std::thread::current().id();
        self.state().by_thread.insert(me, Vec::new());
    }

    fn branch_ended(&self) {
        let mut state = self.state();
        let me = std::thread::current().id();
        let told = state.by_thread.remove(&me).unwrap_or_default();
        state.ended.extend(told);
    }

    /// The engine is dead or done: what it told the script must be what the journal has.
    pub fn compare(&self, history: &History) {
        let mut state = self.state();
        let mut forgotten = Vec::new();
        let mut wrong = Vec::new();
        for (key, (told, standing)) in &state.values {
            let recorded = history.entry(key).and_then(|entry| match &entry.state {
                EntryState::Finished {
                    result: OutcomeResult::Value { value, .. },
                    ..
                } => Some(value.canonical()),
                EntryState::ResolvedDone { .. } => Some(told.clone()),
                _ => None,
            });
            match recorded {
                Some(recorded) if recorded == *told => {}
                Some(recorded) => {
                    wrong.push(format!("{key}: told {told}, recorded {recorded}"));
                }
                None if *standing == Standing::Settled => wrong.push(format!(
                    "{key}: told {told}, acknowledged, and the journal has lost it"
                )),
                None => forgotten.push(key.clone()),
            }
        }
        for key in forgotten {
            state.values.remove(&key);
        }
        state.violations.extend(wrong);
    }
}

/// An executor under observation.
pub struct Watched<E> {
    pub inner: E,
    pub seen: Arc<Seen>,
    pub turns: Arc<Turns>,
}

impl<E: Executor> Executor for Watched<E> {
    fn behind(&self) -> Option<&dyn Executor> {
        Some(&self.inner)
    }

    fn perform(&self, call: &Call<'_>) -> Result<Value, Failure> {
        let result = self.inner.perform(call);
        if let Ok(value) = &result {
            self.seen.told(call, value);
        }
        result
    }

    fn branch_started(&self, path: &ScopePath) {
        self.seen.branch_began();
        self.turns.branch_begins(&path.to_string());
        self.inner.branch_started(path);
    }

    fn branch_ended(&self, path: &ScopePath, failed: bool) {
        self.inner.branch_ended(path, failed);
        self.seen.branch_ended();
        self.turns.branch_ends(&path.to_string(), failed);
    }

    fn parallel(&self, asked: usize) -> usize {
        self.turns.each_begins();
        self.inner.parallel(asked)
    }
}
