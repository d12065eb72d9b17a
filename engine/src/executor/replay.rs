//! Replay: a recorded operation gives its recorded value, errors too; what was in flight is recovered; what is new
//! goes on to the mode behind (M2).

use std::sync::Arc;

use super::announce::Announcer;
use super::ledger::{Ledger, again};
use super::{Executor, Recover, command};
use crate::journal::{EntryState, Intent, Kept as _, OutcomeResult};
use crate::model::{OperationId, Value};
use crate::operation::{Action, Call, Divergence, Failure, Side};
use crate::report::OperationOutcome;

/// Replay in front of another mode.
pub struct Replay<E> {
    ledger: Arc<Ledger>,
    announcer: Announcer,
    inner: E,
}

impl<E: Executor + Recover> Replay<E> {
    /// Replays from the ledger, then goes on with `inner`.
    pub fn new(ledger: Arc<Ledger>, announcer: Announcer, inner: E) -> Self {
        Self {
            ledger,
            announcer,
            inner,
        }
    }

    fn replayed(
        &self,
        call: &Call<'_>,
        id: OperationId,
        result: Result<Value, Failure>,
    ) -> Result<Value, Failure> {
        self.announcer
            .ended(call, Some(id), OperationOutcome::Replayed);
        result
    }

    fn resolved(&self, call: &Call<'_>) -> Value {
        match &call.action {
            Action::Command(_) => command::output_value(""),
            Action::Change(_) => super::change::value_of(true),
            _ => Value::Null,
        }
    }
}

/// The recorded value or failure: the journal gives it with the secrets of this session in place of their marks.
pub(super) fn recorded(result: OutcomeResult) -> Result<Value, Failure> {
    match result {
        OutcomeResult::Value { value, .. } => Ok(value),
        OutcomeResult::Failed(recorded) => Err(again(&recorded)),
    }
}

/// Stops where the script asks for something else than what is recorded under the same key.
pub(super) fn compare(ledger: &Ledger, call: &Call<'_>, intent: &Intent) -> Result<(), Failure> {
    let first_difference = if intent.kind != call.action.kind() {
        "kind"
    } else if intent.target != call.target {
        "target"
    } else if intent.fingerprint != ledger.fingerprint(&call.action) {
        "arguments"
    } else {
        return Ok(());
    };
    let redact = |text: String| ledger.secrets().redact(&text);
    Err(Failure::Diverged(Box::new(Divergence {
        place: call.key.to_string(),
        recorded: Side {
            kind: intent.kind.clone(),
            target: intent.target.clone(),
            summary: redact(intent.summary.clone()),
            source: intent.source.clone(),
            arguments: redact(intent.arguments.canonical()),
        },
        now: Side {
            kind: call.action.kind().to_owned(),
            target: call.target.clone(),
            summary: redact(call.action.summary()),
            source: call.source.clone(),
            arguments: redact(call.action.arguments().canonical()),
        },
        first_difference,
    })))
}

impl<E: Executor + Recover> Executor for Replay<E> {
    fn behind(&self) -> Option<&dyn Executor> {
        Some(&self.inner)
    }

    fn perform(&self, call: &Call<'_>) -> Result<Value, Failure> {
        let Some(trace) = self.ledger.trace(&call.key) else {
            return self.inner.perform(call);
        };
        let id = trace.id().clone();
        if let Some(result) = self.ledger.answer(&trace, call)? {
            return self.replayed(call, id, recorded(result));
        }
        let entry = self.ledger.recalled(&trace)?;
        compare(&self.ledger, call, &entry.intent)?;
        match &entry.state {
            // A secret in a name of its target has its mark there until the session knows it.
            EntryState::Finished { result, .. } => {
                self.replayed(call, id, recorded(result.clone()))
            }
            EntryState::Aborted { why, .. } => {
                Err(Failure::failed(format!("the run was given up here: {why}")))
            }
            EntryState::ResolvedDone { .. } => self.replayed(call, id, Ok(self.resolved(call))),
            EntryState::InFlight => self.inner.recover(call, &entry),
            EntryState::Retryable { .. } => self.inner.perform(call),
        }
    }
}
