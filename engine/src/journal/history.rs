//! What the records of a run add up to: a state machine that refuses records that cannot follow each other.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::{
    Ending, Entry, EntryState, Intent, JournalError, Outcome, OutcomeResult, Record, RunHeader,
    SessionEntry, SourceText, StepEntry, StepStatus, Stored,
};
use crate::model::{ObjectRef, OperationId, OperationKey, ScopePath, SourcePosition};

/// The state of a run, folded from its records.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// Every process that worked on the run, oldest first.
    pub sessions: Vec<SessionEntry>,
    /// Every step that was entered, in the order in which it first was.
    pub steps: Vec<StepEntry>,
    header: RunHeader,
    edition: u32,
    sources: Vec<SourceText>,
    entries: Vec<Entry>,
    by_id: HashMap<OperationId, usize>,
    by_key: HashMap<OperationKey, usize>,
    temporaries: BTreeMap<ObjectRef, String>,
    last: u64,
}

/// Where and when a record stands.
#[derive(Clone, Copy)]
struct Place {
    seq: u64,
    at: Timestamp,
}

impl History {
    /// Folds all records of a journal.
    ///
    /// # Errors
    /// If a record cannot follow those before it, or the first is not the run's start.
    pub fn from_records(records: &[Stored]) -> Result<Self, JournalError> {
        let illegal = |what: &str| JournalError::Illegal {
            seq: 1,
            what: what.to_owned(),
        };
        let (first, rest) = records
            .split_first()
            .ok_or_else(|| illegal("there are no records"))?;
        let Record::RunStarted(header) = &first.record else {
            return Err(illegal("the first record must be the start of the run"));
        };
        let mut history = Self {
            sessions: Vec::new(),
            steps: Vec::new(),
            header: (**header).clone(),
            edition: 0,
            sources: header.sources.clone(),
            entries: Vec::new(),
            by_id: HashMap::new(),
            by_key: HashMap::new(),
            temporaries: BTreeMap::new(),
            last: first.seq,
        };
        rest.iter().try_for_each(|stored| history.apply(stored))?;
        Ok(history)
    }

    /// Adds the next record. On an error the history is as before.
    pub fn apply(&mut self, stored: &Stored) -> Result<(), JournalError> {
        let place = Place {
            seq: stored.seq,
            at: stored.at,
        };
        if stored.seq <= self.last {
            return Err(place.illegal(format!("record {} came before it", self.last)));
        }
        match &stored.record {
            Record::RunStarted(_) => Err(place.illegal("the run started already")),
            Record::SessionStarted { epoch, .. } => self.session(place, *epoch, &stored.record),
            Record::StepStarted { path, source } => {
                self.step_started(place, path, source.as_ref());
                Ok(())
            }
            Record::StepEnded { path, status } => self.step_ended(place, path, *status),
            Record::Observed { intent, result } => self.intent(
                place,
                intent,
                EntryState::Finished {
                    result: result.clone(),
                    recovered: None,
                },
            ),
            Record::Intent(intent) => self.intent(place, intent, EntryState::InFlight),
            Record::Outcome(outcome) => self.outcome(place, outcome),
            Record::Retried {
                operations,
                by,
                why,
            } => self.retried(place, operations, by, why),
            Record::Resolved {
                operation,
                decision,
                by,
                why,
            } => self.resolved(place, operation, decision, by, why),
            Record::Edited {
                edition,
                sources,
                reused,
                orphaned,
                ..
            } => self.edited(place, *edition, sources, reused, orphaned),
            Record::Temporary { object, what } => {
                self.temporaries.insert(object.clone(), what.clone());
                Ok(())
            }
            Record::TemporaryGone { object } => {
                self.temporaries.remove(object);
                Ok(())
            }
            Record::Ended { ending, .. } => self.ended(place, *ending),
        }?;
        self.last = stored.seq;
        Ok(())
    }

    /// What the run was started with.
    pub fn header(&self) -> &RunHeader {
        &self.header
    }

    /// Number of the latest session; 0 before the first.
    pub fn epoch(&self) -> u64 {
        self.sessions.last().map_or(0, |session| session.epoch)
    }

    /// How many edits of the script were accepted.
    pub fn edition(&self) -> u32 {
        self.edition
    }

    /// The texts that the run goes on with: pinned, or those of the last accepted edit.
    pub fn sources(&self) -> &[SourceText] {
        &self.sources
    }

    /// The operation that has this key in the accepted script.
    pub fn entry(&self, key: &OperationKey) -> Option<&Entry> {
        self.by_key.get(key).map(|place| &self.entries[*place])
    }

    /// Every operation, orphaned ones too, in the order of their first records.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.iter()
    }

    /// The operation with this name, orphaned or not.
    pub fn by_id(&self, id: &OperationId) -> Option<&Entry> {
        self.by_id.get(id).map(|place| &self.entries[*place])
    }

    /// How the latest session ended; none if it still runs or died.
    pub fn ending(&self) -> Option<Ending> {
        self.sessions
            .last()
            .and_then(|session| session.ended.map(|(ending, _)| ending))
    }

    /// Whether something of it was put back, or may have been: what is recorded of it is then no longer so.
    pub fn undo_began(&self) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.intent.undoes.is_some())
    }

    /// Temporary objects that may still be there, with what they are.
    pub fn temporaries(&self) -> &BTreeMap<ObjectRef, String> {
        &self.temporaries
    }

    /// Place of the latest record.
    pub fn last_seq(&self) -> u64 {
        self.last
    }

    fn session(&mut self, place: Place, epoch: u64, record: &Record) -> Result<(), JournalError> {
        let Record::SessionStarted {
            kind,
            pid,
            operator,
            engine,
            ..
        } = record
        else {
            return Ok(());
        };
        if epoch <= self.epoch() {
            let what = format!("epoch {epoch} does not follow epoch {}", self.epoch());
            return Err(place.illegal(what));
        }
        self.sessions.push(SessionEntry {
            kind: *kind,
            epoch,
            pid: *pid,
            operator: operator.clone(),
            engine: engine.clone(),
            started: place.at,
            ended: None,
        });
        Ok(())
    }

    fn step_started(&mut self, place: Place, path: &ScopePath, source: Option<&SourcePosition>) {
        match self.steps.iter_mut().find(|step| step.path == *path) {
            // A resumed run walks through its steps again.
            Some(step) => {
                step.ended = None;
                step.source = source.cloned();
            }
            None => self.steps.push(StepEntry {
                path: path.clone(),
                source: source.cloned(),
                started: place.at,
                ended: None,
            }),
        }
    }

    fn step_ended(
        &mut self,
        place: Place,
        path: &ScopePath,
        status: StepStatus,
    ) -> Result<(), JournalError> {
        let step = self.steps.iter_mut().find(|step| step.path == *path);
        let step = step
            .ok_or_else(|| place.illegal(format!("step {path} is left, but was never entered")))?;
        step.ended = Some((status, place.at));
        Ok(())
    }

    fn intent(
        &mut self,
        place: Place,
        intent: &Intent,
        state: EntryState,
    ) -> Result<(), JournalError> {
        let Some(index) = self.by_id.get(&intent.id).copied() else {
            return self.first_intent(place, intent, state);
        };
        let entry = &mut self.entries[index];
        // An attempt without outcome may be followed by the next: the target has proven that it never ran.
        let open = matches!(
            entry.state,
            EntryState::Retryable { .. } | EntryState::InFlight
        );
        if !open {
            let what = format!(
                "{} is started again after attempt {} was settled, and nobody said retry",
                intent.id, entry.attempt
            );
            return Err(place.illegal(what));
        }
        if intent.attempt != entry.attempt.saturating_add(1) {
            let what = format!(
                "attempt {} of {} does not follow attempt {}",
                intent.attempt, intent.id, entry.attempt
            );
            return Err(place.illegal(what));
        }
        entry.intent = intent.clone();
        entry.attempt = intent.attempt;
        entry.state = state;
        entry.touch(place);
        Ok(())
    }

    fn first_intent(
        &mut self,
        place: Place,
        intent: &Intent,
        state: EntryState,
    ) -> Result<(), JournalError> {
        if intent.attempt != 1 {
            let what = format!(
                "the first attempt of {} is called {}",
                intent.id, intent.attempt
            );
            return Err(place.illegal(what));
        }
        if let Some(other) = self.entry(&intent.key) {
            let what = format!("{} and {} have one key", intent.id, other.intent.id);
            return Err(place.illegal(what));
        }
        if let Some(undone) = &intent.undoes {
            self.index(place, undone)?;
        }
        let index = self.entries.len();
        self.by_id.insert(intent.id.clone(), index);
        self.by_key.insert(intent.key.clone(), index);
        self.entries.push(Entry {
            intent: intent.clone(),
            attempt: 1,
            state,
            seq: place.seq,
            at: place.at,
            last_seq: place.seq,
            last_at: place.at,
            orphaned: false,
        });
        Ok(())
    }

    fn outcome(&mut self, place: Place, outcome: &Outcome) -> Result<(), JournalError> {
        let index = self.index(place, &outcome.id)?;
        let entry = &mut self.entries[index];
        if outcome.attempt != entry.attempt || entry.state != EntryState::InFlight {
            let what = format!(
                "an outcome of attempt {} of {}, which has none open",
                outcome.attempt, outcome.id
            );
            return Err(place.illegal(what));
        }
        entry.state = EntryState::Finished {
            result: outcome.result.clone(),
            recovered: outcome.recovered.clone(),
        };
        entry.touch(place);
        Ok(())
    }

    fn retried(
        &mut self,
        place: Place,
        operations: &[OperationId],
        by: &str,
        why: &str,
    ) -> Result<(), JournalError> {
        let indexes = operations.iter().map(|id| self.index(place, id));
        for index in indexes.collect::<Result<Vec<_>, _>>()? {
            self.entries[index].retry(by, why);
        }
        Ok(())
    }

    fn resolved(
        &mut self,
        place: Place,
        id: &OperationId,
        decision: &str,
        by: &str,
        why: &str,
    ) -> Result<(), JournalError> {
        let index = self.index(place, id)?;
        let entry = &mut self.entries[index];
        if matches!(
            entry.state,
            EntryState::Finished {
                result: OutcomeResult::Value { .. },
                ..
            }
        ) {
            return Err(place.illegal(format!("{id} is decided, but it finished")));
        }
        let (by, why) = (by.to_owned(), why.to_owned());
        match decision {
            "done" => entry.state = EntryState::ResolvedDone { by, why },
            "retry" => entry.retry(&by, &why),
            "abort" => entry.state = EntryState::Aborted { by, why },
            other => return Err(place.illegal(format!("there is no decision {other:?}"))),
        }
        Ok(())
    }

    fn edited(
        &mut self,
        place: Place,
        edition: u32,
        sources: &[SourceText],
        reused: &BTreeMap<OperationKey, OperationId>,
        orphaned: &[OperationId],
    ) -> Result<(), JournalError> {
        if edition != self.edition.saturating_add(1) {
            let what = format!("edit {edition} does not follow edit {}", self.edition);
            return Err(place.illegal(what));
        }
        let find = |id: &OperationId| self.index(place, id);
        let gone = orphaned.iter().map(find).collect::<Result<Vec<_>, _>>()?;
        let kept = reused.iter().map(|(key, id)| Ok((key, find(id)?)));
        let kept = kept.collect::<Result<Vec<_>, JournalError>>()?;
        // Undo operations belong to no script: an edit leaves their keys alone.
        let entries = &self.entries;
        self.by_key
            .retain(|_, index| entries[*index].intent.undoes.is_some());
        for (key, index) in kept {
            self.entries[index].intent.key = key.clone();
            self.entries[index].orphaned = false;
            self.by_key.insert(key.clone(), index);
        }
        for index in gone {
            self.entries[index].orphaned = true;
        }
        self.edition = edition;
        self.sources = sources.to_vec();
        Ok(())
    }

    fn ended(&mut self, place: Place, ending: Ending) -> Result<(), JournalError> {
        let session = self.sessions.last_mut();
        let session = session.ok_or_else(|| place.illegal("it ends, but nobody began"))?;
        session.ended = Some((ending, place.at));
        Ok(())
    }

    fn index(&self, place: Place, id: &OperationId) -> Result<usize, JournalError> {
        let index = self.by_id.get(id).copied();
        index.ok_or_else(|| place.illegal(format!("operation {id} was never started")))
    }
}

impl Entry {
    fn touch(&mut self, place: Place) {
        self.last_seq = place.seq;
        self.last_at = place.at;
    }

    fn retry(&mut self, by: &str, why: &str) {
        let previous = match &self.state {
            EntryState::Finished { result, .. } => Some(result.clone()),
            EntryState::Retryable { previous, .. } => previous.clone(),
            _ => None,
        };
        self.state = EntryState::Retryable {
            previous,
            by: by.to_owned(),
            why: why.to_owned(),
        };
    }
}

impl Place {
    fn illegal(self, what: impl Into<String>) -> JournalError {
        JournalError::Illegal {
            seq: self.seq,
            what: what.into(),
        }
    }
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
