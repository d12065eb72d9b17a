//! What the history of a run at work keeps of an operation: enough to say what may follow, and where in the journal
//! the rest stands. A run of many operations must not hold all their arguments and results in memory.

use super::kept::{Beginning, Kept, Place, Standing, Word};
use super::names::{Name, name_of};
use super::{Entry, EntryState, Intent, JournalError, Outcome, OutcomeResult, Record, Stored};
use crate::model::{OperationId, OperationKey, Target};
use crate::operation::Class;

/// One operation, by its places in the journal.
#[derive(Clone, Debug)]
pub struct Trace {
    id: OperationId,
    attempt: u32,
    class: Class,
    standing: Standing,
    undoes: bool,
    orphaned: bool,
    /// Its first record.
    first: u64,
    /// The intent of its latest attempt.
    intent: u64,
    /// What the latest attempt gave; 0 if there is none.
    result: u64,
    /// Whether that is still worth something: a decision may have taken its place.
    counts: bool,
    /// Names what the latest attempt was asked to do.
    asked: Name,
    /// Only of the few about which a person decided, or that an edit moved.
    rare: Option<Box<Rare>>,
}

#[derive(Clone, Debug, Default)]
struct Rare {
    word: Option<Word>,
    key: Option<OperationKey>,
}

/// Names what an operation is asked to do: replay takes a recorded result only for the same.
fn asked(kind: &str, target: &Target, fingerprint: &str) -> Name {
    name_of(&(kind, target, fingerprint))
}

impl Kept for Trace {
    fn begun(place: Place, intent: &Intent, result: Option<&OutcomeResult>) -> Self {
        Self::of(place, &Beginning::of(intent, result))
    }

    fn attempted(&mut self, place: Place, intent: &Intent, result: Option<&OutcomeResult>) {
        self.again(place, &Beginning::of(intent, result));
    }

    fn settled(&mut self, place: Place, result: &OutcomeResult, _: Option<&String>) {
        self.ended(place, Standing::after(result));
    }

    fn decided(&mut self, standing: Standing, word: Word) {
        let known = matches!(
            self.standing,
            Standing::Succeeded | Standing::Failed | Standing::Retryable
        );
        self.counts &= known;
        self.standing = standing;
        self.rare.get_or_insert_default().word = Some(word);
    }

    fn edited(&mut self, key: Option<&OperationKey>) {
        self.orphaned = key.is_none();
        if let Some(key) = key {
            self.rare.get_or_insert_default().key = Some(key.clone());
        }
    }

    fn id(&self) -> &OperationId {
        &self.id
    }

    fn attempt(&self) -> u32 {
        self.attempt
    }

    fn standing(&self) -> Standing {
        self.standing
    }

    fn undoes(&self) -> bool {
        self.undoes
    }
}

impl Trace {
    /// An operation that begins.
    pub(super) fn of(place: Place, beginning: &Beginning<'_>) -> Self {
        let mut trace = Self {
            id: beginning.id.clone(),
            attempt: 0,
            class: beginning.class,
            standing: Standing::InFlight,
            undoes: false,
            orphaned: false,
            first: place.seq,
            intent: 0,
            result: 0,
            counts: false,
            asked: Name::default(),
            rare: None,
        };
        trace.again(place, beginning);
        trace
    }

    /// Its next attempt.
    pub(super) fn again(&mut self, place: Place, beginning: &Beginning<'_>) {
        self.attempt = beginning.attempt;
        self.class = beginning.class;
        self.undoes = beginning.undoes.is_some();
        self.standing = Standing::InFlight;
        (self.intent, self.result, self.counts) = (place.seq, 0, false);
        self.asked = asked(beginning.kind, beginning.target, beginning.fingerprint);
        self.rare = None;
        if let Some(standing) = beginning.ended {
            self.ended(place, standing);
        }
    }

    /// What became of the attempt.
    pub(super) fn ended(&mut self, place: Place, standing: Standing) {
        (self.result, self.counts) = (place.seq, true);
        self.standing = standing;
    }

    /// Where the result stands that replay gives for what is asked now: none if that is something else, or if more must
    /// be known than a result.
    pub fn answer(&self, kind: &str, target: &Target, fingerprint: &str) -> Option<u64> {
        let settled = matches!(self.standing, Standing::Succeeded | Standing::Failed);
        let same = || self.asked == asked(kind, target, fingerprint);
        (settled && same()).then_some(self.result)
    }

    /// Its class.
    pub fn class(&self) -> Class {
        self.class
    }

    /// Everything about it, with the records that `recall` gives by their places.
    pub fn entry(
        &self,
        recall: &dyn Fn(u64) -> Result<Stored, JournalError>,
    ) -> Result<Entry, JournalError> {
        let stored = recall(self.intent)?;
        let place = Place {
            seq: stored.seq,
            at: stored.at,
        };
        let mut entry = match stored.record {
            Record::Intent(intent) => Entry::begun(place, &intent, None),
            Record::Observed { intent, result } => Entry::begun(place, &intent, Some(&result)),
            _ => return Err(place.illegal(format!("it is not where {} begins", self.id))),
        };
        entry.attempt = self.attempt;
        if self.result > self.intent {
            let Outcome {
                result, recovered, ..
            } = self.outcome(recall(self.result)?, &mut entry)?;
            entry.state = EntryState::Finished { result, recovered };
        }
        if !self.counts {
            entry.state = EntryState::InFlight;
        }
        if self.first != self.intent {
            let first = recall(self.first)?;
            (entry.seq, entry.at) = (first.seq, first.at);
        }
        self.add_rare(&mut entry);
        Ok(entry)
    }

    fn outcome(&self, stored: Stored, entry: &mut Entry) -> Result<Outcome, JournalError> {
        (entry.last_seq, entry.last_at) = (stored.seq, stored.at);
        match stored.record {
            Record::Outcome(outcome) => Ok(*outcome),
            _ => Err(JournalError::Illegal {
                seq: stored.seq,
                what: format!("it is not the outcome of {}", self.id),
            }),
        }
    }

    fn add_rare(&self, entry: &mut Entry) {
        let rare = self.rare.as_deref();
        if let Some(key) = rare.and_then(|rare| rare.key.as_ref()) {
            entry.edited(Some(key));
        }
        entry.orphaned = self.orphaned;
        let decided = matches!(
            self.standing,
            Standing::Retryable | Standing::Done | Standing::Aborted
        );
        if let (true, Some(word)) = (decided, rare.and_then(|rare| rare.word.clone())) {
            entry.decided(self.standing, word);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::super::testing::*;
    use super::super::{History, Journal, SourceText};
    use super::*;
    use crate::model::Secrets;

    fn decided(nth: u32, decision: &str) -> Record {
        Record::Resolved {
            operation: id(nth),
            decision: decision.into(),
            by: "ann".into(),
            why: "looked".into(),
        }
    }

    fn retried(nth: u32) -> Record {
        Record::Retried {
            operations: vec![id(nth)],
            by: "ann".into(),
            why: "because".into(),
        }
    }

    /// Everything that can become of operations.
    fn records() -> Vec<Stored> {
        let begun = |nth, attempt| Record::Intent(Box::new(intent(nth, attempt)));
        let observed = |nth, attempt, result| Record::Observed {
            intent: Box::new(intent(nth, attempt)),
            result,
        };
        let edited = Record::Edited {
            edition: 1,
            sources: Vec::<SourceText>::new(),
            reused: [(key("/moved#1"), id(1))].into(),
            orphaned: vec![id(2), id(3)],
            by: "ann".into(),
        };
        let records = vec![
            started(),
            session(1),
            begun(1, 1),
            outcome(1, 1, failed()),
            retried(1),
            begun(1, 2),
            outcome(1, 2, value("x")),
            observed(2, 1, failed()),
            retried(2),
            observed(2, 2, value("y")),
            begun(3, 1),
            decided(3, "done"),
            decided(3, "retry"),
            begun(3, 2),
            outcome(3, 2, failed()),
            decided(3, "done"),
            decided(3, "retry"),
            begun(3, 3),
            decided(3, "abort"),
            observed(4, 1, failed()),
            decided(4, "done"),
            decided(4, "retry"),
            edited,
        ];
        let stored = |(place, record)| Stored {
            seq: place as u64 + 1,
            at: Timestamp::from_second(place as i64).unwrap(),
            record,
        };
        records.into_iter().enumerate().map(stored).collect()
    }

    #[test]
    fn what_is_read_to_open_a_journal_is_what_the_whole_records_say() {
        let temp = tempfile::tempdir().unwrap();
        let directory = directory(&temp);
        let journal = Journal::create(&directory, Arc::new(Secrets::new())).unwrap();
        let records: Vec<Record> = records().into_iter().map(|stored| stored.record).collect();
        let stored = journal.commit_all(records).unwrap();
        drop(journal);
        let (_journal, read) = Journal::open_history(&directory, Arc::new(Secrets::new())).unwrap();
        let whole: History<Trace> = History::folded(&stored).unwrap();
        let entries = |history: &History<Trace>| {
            let entries: Vec<Trace> = history.entries().cloned().collect();
            format!("{entries:#?}")
        };
        assert_eq!(entries(&read), entries(&whole));
        assert_eq!(read.last_seq(), whole.last_seq());
    }

    #[test]
    fn a_trace_and_the_journal_say_what_the_whole_history_says() {
        let records = records();
        for length in 1..=records.len() {
            let records = &records[..length];
            let whole = History::from_records(records).unwrap();
            let traces: History<Trace> = History::folded(records).unwrap();
            let recall = |seq: u64| Ok(records[seq as usize - 1].clone());
            let recalled: Vec<Entry> = traces
                .entries()
                .map(|trace| trace.entry(&recall).unwrap())
                .collect();
            let entries: Vec<Entry> = whole.entries().cloned().collect();
            assert_eq!(recalled, entries, "after {length} records");
            for (trace, entry) in traces.entries().zip(&entries) {
                assert_eq!(trace.standing(), entry.standing(), "after {length} records");
            }
        }
    }
}
