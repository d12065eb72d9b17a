//! What a history keeps in memory of each operation: all of it, or only where it stands in the journal.

use jiff::Timestamp;

use super::{Entry, EntryState, Intent, JournalError, OutcomeResult};
use crate::model::{OperationId, OperationKey, Target};
use crate::operation::Class;

/// Where and when a record stands.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Its place in the journal.
    pub seq: u64,
    /// Its time.
    pub at: Timestamp,
}

impl Place {
    /// The record cannot follow those before it.
    pub(super) fn illegal(self, what: impl Into<String>) -> JournalError {
        JournalError::Illegal {
            seq: self.seq,
            what: what.into(),
        }
    }
}

/// What became of the latest attempt, as far as the order of records depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nobody knows yet.
    InFlight,
    /// It gave a value.
    Succeeded,
    /// It failed.
    Failed,
    /// It may be attempted again.
    Retryable,
    /// A person said that it is done.
    Done,
    /// A person gave it up.
    Aborted,
}

/// What a person said about an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Who.
    pub by: String,
    /// Why.
    pub why: String,
}

/// What a history needs of a record with which an attempt begins, to say whether it may stand there.
pub(super) struct Beginning<'a> {
    pub key: &'a str,
    pub id: &'a OperationId,
    pub attempt: u32,
    pub class: Class,
    pub kind: &'a str,
    pub target: &'a Target,
    pub fingerprint: &'a str,
    pub undoes: Option<&'a OperationId>,
    /// What became of it, where the same record says so: an observation.
    pub ended: Option<Standing>,
}

impl<'a> Beginning<'a> {
    pub fn of(intent: &'a Intent, result: Option<&OutcomeResult>) -> Self {
        Self {
            key: &intent.key.0,
            id: &intent.id,
            attempt: intent.attempt,
            class: intent.class,
            kind: &intent.kind,
            target: &intent.target,
            fingerprint: &intent.fingerprint,
            undoes: intent.undoes.as_ref(),
            ended: result.map(Standing::after),
        }
    }
}

impl Standing {
    pub(super) fn after(result: &OutcomeResult) -> Self {
        match result {
            OutcomeResult::Value { .. } => Self::Succeeded,
            OutcomeResult::Failed(_) => Self::Failed,
        }
    }
}

/// What is kept of one operation. The history sees to it that only what may follow is told.
pub trait Kept {
    /// Its first record; with a result where it is an observation.
    fn begun(place: Place, intent: &Intent, result: Option<&OutcomeResult>) -> Self;
    /// Its next attempt.
    fn attempted(&mut self, place: Place, intent: &Intent, result: Option<&OutcomeResult>);
    /// What the attempt gave, and how that was learnt.
    fn settled(&mut self, place: Place, result: &OutcomeResult, recovered: Option<&String>);
    /// A decision that gives no result: [`Standing::Retryable`], [`Standing::Done`] or [`Standing::Aborted`].
    fn decided(&mut self, standing: Standing, word: Word);
    /// An edit of the script gave it this key, or has it no more.
    fn edited(&mut self, key: Option<&OperationKey>);

    /// Its name.
    fn id(&self) -> &OperationId;
    /// Its latest attempt.
    fn attempt(&self) -> u32;
    /// What became of that.
    fn standing(&self) -> Standing;
    /// Whether it puts another operation back.
    fn undoes(&self) -> bool;
}

impl Kept for Entry {
    fn begun(place: Place, intent: &Intent, result: Option<&OutcomeResult>) -> Self {
        Self {
            intent: intent.clone(),
            attempt: 1,
            state: begun(result),
            seq: place.seq,
            at: place.at,
            last_seq: place.seq,
            last_at: place.at,
            orphaned: false,
        }
    }

    fn attempted(&mut self, place: Place, intent: &Intent, result: Option<&OutcomeResult>) {
        self.intent = intent.clone();
        self.attempt = intent.attempt;
        self.state = begun(result);
        (self.last_seq, self.last_at) = (place.seq, place.at);
    }

    fn settled(&mut self, place: Place, result: &OutcomeResult, recovered: Option<&String>) {
        self.state = EntryState::Finished {
            result: result.clone(),
            recovered: recovered.cloned(),
        };
        (self.last_seq, self.last_at) = (place.seq, place.at);
    }

    fn decided(&mut self, standing: Standing, Word { by, why }: Word) {
        self.state = match standing {
            Standing::Done => EntryState::ResolvedDone { by, why },
            Standing::Aborted => EntryState::Aborted { by, why },
            _ => EntryState::Retryable {
                previous: match &self.state {
                    EntryState::Finished { result, .. } => Some(result.clone()),
                    EntryState::Retryable { previous, .. } => previous.clone(),
                    _ => None,
                },
                by,
                why,
            },
        };
    }

    fn edited(&mut self, key: Option<&OperationKey>) {
        self.orphaned = key.is_none();
        if let Some(key) = key {
            self.intent.key = key.clone();
        }
    }

    fn id(&self) -> &OperationId {
        &self.intent.id
    }

    fn attempt(&self) -> u32 {
        self.attempt
    }

    fn standing(&self) -> Standing {
        match &self.state {
            EntryState::InFlight => Standing::InFlight,
            EntryState::Finished { result, .. } => Standing::after(result),
            EntryState::Retryable { .. } => Standing::Retryable,
            EntryState::ResolvedDone { .. } => Standing::Done,
            EntryState::Aborted { .. } => Standing::Aborted,
        }
    }

    fn undoes(&self) -> bool {
        self.intent.undoes.is_some()
    }
}

fn begun(result: Option<&OutcomeResult>) -> EntryState {
    match result {
        None => EntryState::InFlight,
        Some(result) => EntryState::Finished {
            result: result.clone(),
            recovered: None,
        },
    }
}
