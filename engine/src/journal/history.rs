//! What the records of a run add up to: a state machine that refuses records that cannot follow each other.

use std::collections::hash_map::Entry as MapEntry;
use std::collections::{BTreeMap, HashMap};

use super::kept::{Beginning, Kept, Place, Standing, Word};
use super::names::{Name, Named, name};
use super::sketch::Sketch;
use super::{
    Ending, Entry, Intent, JournalError, Outcome, OutcomeResult, Record, RunHeader, SessionEntry,
    SourceText, StepEntry, StepStatus, Stored, Trace,
};
use crate::model::{ObjectRef, OperationId, OperationKey, ScopePath, SourcePosition};

/// The state of a run, folded from its records. `K` is what is kept of each operation: all of it ([`Entry`]), or
/// only where it stands in the journal ([`Trace`](super::Trace)).
#[derive(Clone, Debug, PartialEq)]
pub struct History<K = Entry> {
    /// Every process that worked on the run, oldest first.
    pub sessions: Vec<SessionEntry>,
    /// Every step that was entered, in the order in which it first was.
    pub steps: Vec<StepEntry>,
    header: RunHeader,
    edition: u32,
    sources: Vec<SourceText>,
    entries: Vec<K>,
    by_id: Named<OperationId>,
    by_key: Named<Name>,
    by_path: HashMap<ScopePath, usize>,
    temporaries: BTreeMap<ObjectRef, String>,
    failed: Vec<OperationId>,
    last: u64,
}

impl History {
    /// Folds all records of a journal, and keeps everything.
    ///
    /// # Errors
    /// If a record cannot follow those before it, or the first is not the run's start.
    pub fn from_records(records: &[Stored]) -> Result<Self, JournalError> {
        Self::folded(records)
    }
}

impl History<Trace> {
    /// Adds the next record, of which no more was read than must be. On an error the history is as before.
    pub(super) fn follow(&mut self, sketch: &Sketch<'_>) -> Result<(), JournalError> {
        match sketch {
            Sketch::Begun(place, begun, ended) => {
                self.in_order(*place)?;
                let beginning = begun.beginning(*ended);
                match self.begins(*place, &beginning)? {
                    Some(index) => self.entries[index].again(*place, &beginning),
                    None => self.entries.push(Trace::of(*place, &beginning)),
                }
                self.last = place.seq;
            }
            Sketch::Ended(place, id, attempt, standing) => {
                self.in_order(*place)?;
                let index = self.ends(*place, id, *attempt)?;
                self.entries[index].ended(*place, *standing);
                self.last = place.seq;
            }
            Sketch::Whole(stored) => self.apply(stored)?,
        }
        Ok(())
    }
}

impl<K: Kept> History<K> {
    /// Folds all records of a journal.
    ///
    /// # Errors
    /// If a record cannot follow those before it, or the first is not the run's start.
    pub fn folded(records: &[Stored]) -> Result<Self, JournalError> {
        let (first, rest) = records.split_first().ok_or_else(|| JournalError::Illegal {
            seq: 1,
            what: "there are no records".to_owned(),
        })?;
        let mut history = Self::begun(first)?;
        rest.iter().try_for_each(|stored| history.apply(stored))?;
        Ok(history)
    }

    /// The history whose first record this is.
    ///
    /// # Errors
    /// If it is not the run's start.
    pub fn begun(first: &Stored) -> Result<Self, JournalError> {
        let Record::RunStarted(header) = &first.record else {
            return Err(JournalError::Illegal {
                seq: 1,
                what: "the first record must be the start of the run".to_owned(),
            });
        };
        Ok(Self {
            sessions: Vec::new(),
            steps: Vec::new(),
            header: (**header).clone(),
            edition: 0,
            sources: header.sources.clone(),
            entries: Vec::new(),
            by_id: Named::default(),
            by_key: Named::default(),
            by_path: HashMap::new(),
            temporaries: BTreeMap::new(),
            failed: Vec::new(),
            last: first.seq,
        })
    }

    /// Adds the next record. On an error the history is as before.
    pub fn apply(&mut self, stored: &Stored) -> Result<(), JournalError> {
        let place = Place {
            seq: stored.seq,
            at: stored.at,
        };
        self.in_order(place)?;
        match &stored.record {
            Record::RunStarted(_) => Err(place.illegal("the run started already")),
            Record::SessionStarted { epoch, .. } => self.session(place, *epoch, &stored.record),
            Record::StepStarted { path, source } => {
                self.step_started(place, path, source.as_ref());
                Ok(())
            }
            Record::StepEnded { path, status } => self.step_ended(place, path, *status),
            Record::Observed { intent, result } => self.intent(place, intent, Some(result)),
            Record::Intent(intent) => self.intent(place, intent, None),
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
            Record::Ended { ending, failed, .. } => self.ended(place, *ending, failed),
        }?;
        self.last = stored.seq;
        Ok(())
    }

    fn in_order(&self, place: Place) -> Result<(), JournalError> {
        match place.seq > self.last {
            true => Ok(()),
            false => Err(place.illegal(format!("record {} came before it", self.last))),
        }
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
    pub fn entry(&self, key: &OperationKey) -> Option<&K> {
        let index = self.by_key.get(&name(&key.0))?;
        Some(&self.entries[*index as usize])
    }

    /// Every operation, orphaned ones too, in the order of their first records.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.entries.iter()
    }

    /// The operation with this name, orphaned or not.
    pub fn by_id(&self, id: &OperationId) -> Option<&K> {
        let index = self.by_id.get(id)?;
        Some(&self.entries[*index as usize])
    }

    /// How the latest session ended; none if it still runs or died.
    pub fn ending(&self) -> Option<Ending> {
        self.sessions
            .last()
            .and_then(|session| session.ended.map(|(ending, _)| ending))
    }

    /// The operations whose failure ended the latest session that ended in an orderly way.
    pub fn failed(&self) -> &[OperationId] {
        &self.failed
    }

    /// Whether something of it was put back, or may have been: what is recorded of it is then no longer so.
    pub fn undo_began(&self) -> bool {
        self.entries.iter().any(K::undoes)
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
        if let Some(index) = self.by_path.get(path) {
            // A resumed run walks through its steps again.
            let step = &mut self.steps[*index];
            step.ended = None;
            step.source = source.cloned();
            return;
        }
        self.by_path.insert(path.clone(), self.steps.len());
        self.steps.push(StepEntry {
            path: path.clone(),
            source: source.cloned(),
            started: place.at,
            ended: None,
        });
    }

    fn step_ended(
        &mut self,
        place: Place,
        path: &ScopePath,
        status: StepStatus,
    ) -> Result<(), JournalError> {
        let index = self.by_path.get(path).copied();
        let index = index
            .ok_or_else(|| place.illegal(format!("step {path} is left, but was never entered")))?;
        self.steps[index].ended = Some((status, place.at));
        Ok(())
    }

    fn intent(
        &mut self,
        place: Place,
        intent: &Intent,
        result: Option<&OutcomeResult>,
    ) -> Result<(), JournalError> {
        match self.begins(place, &Beginning::of(intent, result))? {
            Some(index) => self.entries[index].attempted(place, intent, result),
            None => self.entries.push(K::begun(place, intent, result)),
        }
        Ok(())
    }

    /// Which operation attempts its work again; none if this is a new one, which has its place then.
    pub(super) fn begins(
        &mut self,
        place: Place,
        beginning: &Beginning<'_>,
    ) -> Result<Option<usize>, JournalError> {
        let Beginning { id, attempt, .. } = *beginning;
        let Some(index) = self.by_id.get(id).map(|index| *index as usize) else {
            return self.begins_first(place, beginning).map(|()| None);
        };
        let entry = &self.entries[index];
        // An attempt without outcome may be followed by the next: the target has proven that it never ran.
        let open = matches!(entry.standing(), Standing::Retryable | Standing::InFlight);
        if !open {
            let what = format!(
                "{id} is started again after attempt {} was settled, and nobody said retry",
                entry.attempt()
            );
            return Err(place.illegal(what));
        }
        if attempt != entry.attempt().saturating_add(1) {
            let what = format!(
                "attempt {attempt} of {id} does not follow attempt {}",
                entry.attempt()
            );
            return Err(place.illegal(what));
        }
        Ok(Some(index))
    }

    fn begins_first(
        &mut self,
        place: Place,
        beginning: &Beginning<'_>,
    ) -> Result<(), JournalError> {
        let Beginning { id, attempt, .. } = *beginning;
        if attempt != 1 {
            return Err(place.illegal(format!("the first attempt of {id} is called {attempt}")));
        }
        if let Some(undone) = beginning.undoes {
            self.index(place, undone)?;
        }
        let index = u32::try_from(self.entries.len())
            .map_err(|_| place.illegal("a run has at most 4,294,967,295 operations"))?;
        match self.by_key.entry(name(beginning.key)) {
            MapEntry::Vacant(free) => free.insert(index),
            MapEntry::Occupied(taken) => {
                let other = self.entries[*taken.get() as usize].id();
                return Err(place.illegal(format!("{id} and {other} have one key")));
            }
        };
        self.by_id.insert(id.clone(), index);
        Ok(())
    }

    fn outcome(&mut self, place: Place, outcome: &Outcome) -> Result<(), JournalError> {
        let index = self.ends(place, &outcome.id, outcome.attempt)?;
        self.entries[index].settled(place, &outcome.result, outcome.recovered.as_ref());
        Ok(())
    }

    /// Which operation this attempt is one of, whose outcome is told.
    pub(super) fn ends(
        &self,
        place: Place,
        id: &OperationId,
        attempt: u32,
    ) -> Result<usize, JournalError> {
        let index = self.index(place, id)?;
        let entry = &self.entries[index];
        if attempt != entry.attempt() || entry.standing() != Standing::InFlight {
            let what = format!("an outcome of attempt {attempt} of {id}, which has none open");
            return Err(place.illegal(what));
        }
        Ok(index)
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
            self.entries[index].decided(Standing::Retryable, word(by, why));
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
        if entry.standing() == Standing::Succeeded {
            return Err(place.illegal(format!("{id} is decided, but it finished")));
        }
        let standing = match decision {
            "done" => Standing::Done,
            "retry" => Standing::Retryable,
            "abort" => Standing::Aborted,
            other => return Err(place.illegal(format!("there is no decision {other:?}"))),
        };
        entry.decided(standing, word(by, why));
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
            .retain(|_, index| entries[*index as usize].undoes());
        for (key, index) in kept {
            self.entries[index].edited(Some(key));
            self.by_key.insert(name(&key.0), index as u32);
        }
        for index in gone {
            self.entries[index].edited(None);
        }
        self.edition = edition;
        self.sources = sources.to_vec();
        Ok(())
    }

    fn ended(
        &mut self,
        place: Place,
        ending: Ending,
        failed: &[OperationId],
    ) -> Result<(), JournalError> {
        let session = self.sessions.last_mut();
        let session = session.ok_or_else(|| place.illegal("it ends, but nobody began"))?;
        session.ended = Some((ending, place.at));
        self.failed = failed.to_vec();
        Ok(())
    }

    fn index(&self, place: Place, id: &OperationId) -> Result<usize, JournalError> {
        let index = self.by_id.get(id).copied();
        index
            .map(|index| index as usize)
            .ok_or_else(|| place.illegal(format!("operation {id} was never started")))
    }
}

fn word(by: &str, why: &str) -> Word {
    Word {
        by: by.to_owned(),
        why: why.to_owned(),
    }
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
