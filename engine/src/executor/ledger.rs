//! The journal as executors use it: records written in the right order, and what is recorded found by key.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::journal::{
    BlobId, ChangeIntent, Entry, History, Intent, Journal, JournalError, Kept as _, Outcome,
    OutcomeResult, Record, RecordedFailure, Standing, Trace,
};
use crate::model::{Image, OperationId, OperationKey, RunId, Secrets, Subject, Value};
use crate::operation::{Action, Call, Change, Class, Failure, Report, kept};

/// The largest arguments that an intent repeats for messages, in bytes of JSON; the fingerprint covers them whole.
const ARGUMENTS_SHOWN: usize = 8 << 10;

/// Journal and history of one run, shared by all its branches.
pub struct Ledger {
    run: RunId,
    journal: Journal,
    history: Mutex<History<Trace>>,
    waiting: Mutex<std::collections::BTreeMap<u64, crate::journal::Stored>>,
    secrets: Arc<Secrets>,
    seed: [u8; 32],
    epoch: u64,
    within: AtomicU32,
}

impl From<JournalError> for Failure {
    /// Whatever the journal cannot write or read: no further effect (M7).
    fn from(error: JournalError) -> Self {
        Self::Poisoned(error.to_string())
    }
}

impl Ledger {
    /// The ledger of an open run.
    pub fn new(journal: Journal, history: History<Trace>, secrets: Arc<Secrets>) -> Self {
        let header = history.header();
        Self {
            run: header.run.clone(),
            seed: *blake3::hash(header.seed.as_bytes()).as_bytes(),
            epoch: history.epoch(),
            journal,
            secrets,
            within: AtomicU32::new(0),
            history: Mutex::new(history),
            waiting: Mutex::default(),
        }
    }

    /// The run.
    pub fn run(&self) -> &RunId {
        &self.run
    }

    /// The session's number.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The known secrets.
    pub fn secrets(&self) -> &Arc<Secrets> {
        &self.secrets
    }

    /// The journal.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The history, as it is now.
    pub fn history(&self) -> MutexGuard<'_, History<Trace>> {
        // History is changed by one call that checks before it changes, so a panic elsewhere leaves it whole.
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is recorded under a key.
    pub fn entry(&self, key: &OperationKey) -> Result<Option<Entry>, Failure> {
        let trace = self.trace(key);
        trace.map(|trace| self.recalled(&trace)).transpose()
    }

    /// What is kept of the operation under a key.
    pub fn trace(&self, key: &OperationKey) -> Option<Trace> {
        self.history().entry(key).cloned()
    }

    /// What an operation gave that was finished as what this call asks for; none if more must be known of it to say what
    /// it means for the call. A long replay reads no more than this.
    pub fn answer(&self, trace: &Trace, call: &Call<'_>) -> Result<Option<OutcomeResult>, Failure> {
        let fingerprint = self.fingerprint(&call.action);
        let place = trace.answer(call.action.kind(), &call.target, &fingerprint);
        Ok(place.map(|place| self.journal.result(place)).transpose()?)
    }

    /// What is recorded of an operation, by its name.
    pub fn entry_of(&self, id: &OperationId) -> Result<Option<Entry>, Failure> {
        let trace = self.history().by_id(id).cloned();
        trace.map(|trace| self.recalled(&trace)).transpose()
    }

    /// What is recorded of the operations that `wanted` picks, in the order of their first records, one at a time.
    pub fn each_entry(
        &self,
        wanted: impl Fn(&Trace) -> bool,
        mut take: impl FnMut(Entry),
    ) -> Result<(), Failure> {
        let picked = |trace: &&Trace| wanted(trace);
        // Not held while records are read: other branches go on.
        let traces: Vec<Trace> = self.history().entries().filter(picked).cloned().collect();
        for trace in traces {
            take(self.recalled(&trace)?);
        }
        Ok(())
    }

    /// What became of the operation under a key; none if it is new.
    pub fn standing(&self, key: &OperationKey) -> Option<Standing> {
        self.history().entry(key).map(Trace::standing)
    }

    /// Everything that is recorded of an operation.
    pub fn recalled(&self, trace: &Trace) -> Result<Entry, Failure> {
        Ok(trace.entry(&|seq| self.journal.record(seq))?)
    }

    /// The operations below a step whose recorded result is a failure.
    pub fn failed_below(
        &self,
        path: &crate::model::ScopePath,
    ) -> Result<Vec<OperationId>, Failure> {
        let mut below = Vec::new();
        let failed = |trace: &Trace| trace.standing() == Standing::Failed;
        self.each_entry(failed, |entry| {
            if path.contains(&entry.intent.scope) {
                below.push(entry.intent.id);
            }
        })?;
        Ok(below)
    }

    /// A number for a command inside a change: unique among all sessions of the run.
    pub fn next_within(&self) -> u32 {
        let session = u32::try_from(self.epoch).unwrap_or(u32::MAX / 1_000_000);
        session.saturating_mul(10_000) + self.within.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// The name of the commands inside a change.
    pub fn marker_within(&self, change: &OperationKey) -> OperationId {
        self.id(&within(change))
    }

    /// The names that an operation may have left on its target: its own, and those of the commands inside it.
    pub fn markers(&self, entry: &Entry) -> Vec<OperationId> {
        match (entry.intent.class, &entry.intent.change) {
            (Class::Command, _) => vec![entry.intent.id.clone()],
            (Class::Change, Some(change)) if matches!(change.subject, Subject::Scripted(_)) => {
                let key = within(&entry.intent.key);
                let editions = 0..=self.history().edition();
                editions
                    .map(|edition| OperationId::derive(&self.run, edition, &key))
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    /// Writes a record that is durable no later than the next commit: for what has no effect.
    pub fn note(&self, record: Record) -> Result<(), Failure> {
        self.refuse_if_poisoned()?;
        let stored = self.journal.note(record)?;
        self.apply_in_order(stored)
    }

    /// Branches learn of their commits in any order; the history takes records in the order of the journal.
    fn apply_in_order(&self, stored: crate::journal::Stored) -> Result<(), Failure> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.insert(stored.seq, stored);
        let mut history = self.history();
        while let Some(next) = waiting.remove(&(history.last_seq() + 1)) {
            history.apply(&next)?;
        }
        Ok(())
    }

    /// Writes a record and returns when it is durable.
    pub fn commit(&self, record: Record) -> Result<(), Failure> {
        self.refuse_if_poisoned()?;
        // Not held across the commit: other branches join the same transaction.
        let stored = self.journal.commit(record)?;
        self.apply_in_order(stored)
    }

    fn refuse_if_poisoned(&self) -> Result<(), Failure> {
        self.journal
            .poisoned()
            .map_or(Ok(()), |why| Err(Failure::Poisoned(why)))
    }

    /// The intent of a call.
    pub fn intent(&self, call: &Call<'_>, attempt: u32) -> Intent {
        let arguments = call.action.arguments();
        let shown = if arguments.canonical().len() > ARGUMENTS_SHOWN {
            Value::from_entries([(
                "cut",
                Value::from("too long to repeat here; the fingerprint covers it"),
            )])
        } else {
            arguments
        };
        Intent {
            key: call.key.clone(),
            id: self.id(&call.key),
            scope: call.scope.clone(),
            attempt,
            class: call.action.class(),
            kind: call.action.kind().to_owned(),
            target: call.target.clone(),
            summary: call.action.summary(),
            fingerprint: self.fingerprint(&call.action),
            arguments: shown,
            source: call.source.clone(),
            change: None,
            undo: None,
            deadline: None,
            undoes: undoes(call),
        }
    }

    /// The name of an operation of this run: the recorded one, which survives an edit of the script, else a new one.
    pub fn id(&self, key: &OperationKey) -> OperationId {
        let history = self.history();
        match history.entry(key) {
            Some(trace) => trace.id().clone(),
            None => OperationId::derive(&self.run, history.edition(), key),
        }
    }

    /// A keyed hash of the whole arguments. Secrets in them stand as their marks: nothing that is derived from a
    /// secret's value is written down.
    pub fn fingerprint(&self, action: &Action<'_>) -> String {
        let canonical = self.secrets.redacted_json(action.canonical());
        blake3::keyed_hash(&self.seed, canonical.as_bytes()).to_hex()[..32].to_owned()
    }

    /// The attempt that comes next under a key.
    pub fn next_attempt(&self, key: &OperationKey) -> u32 {
        let history = self.history();
        history
            .entry(key)
            .map_or(1, |trace| match trace.standing() {
                Standing::InFlight => trace.attempt(),
                _ => trace.attempt() + 1,
            })
    }

    /// Stores both images of a change.
    pub fn change_intent(
        &self,
        change: &dyn Change,
        before: &Image,
        after: &Image,
    ) -> ChangeIntent {
        let (before, after) = (&kept(before), &kept(after));
        ChangeIntent {
            subject: change.subject(),
            before: self.store(before),
            before_fingerprint: before.fingerprint(),
            after: self.store(after),
            after_fingerprint: after.fingerprint(),
            irreversible: change.reversible().err(),
        }
    }

    fn store(&self, image: &Image) -> BlobId {
        let bytes = serde_json::to_vec(image).expect("an image always has a JSON form");
        self.journal.store_blob(&bytes)
    }

    /// Loads an image.
    pub fn image(&self, blob: &BlobId) -> Result<Image, Failure> {
        let bytes = self.journal.blob(blob)?;
        serde_json::from_slice(&bytes).map_err(|error| {
            Failure::Poisoned(format!("an image in the journal cannot be read: {error}"))
        })
    }

    /// Records a finished effect and gives its value or failure on.
    pub fn finish(
        &self,
        id: &OperationId,
        attempt: u32,
        result: Result<(Value, bool), Failure>,
        recovered: Option<String>,
    ) -> Result<Value, Failure> {
        let (result, given) = match result {
            Ok((value, changed)) => (
                OutcomeResult::Value {
                    value: value.clone(),
                    changed,
                },
                Ok(value),
            ),
            Err(failure) => {
                let failure = with_operation(failure, id);
                match recordable(&failure) {
                    Some(recorded) => (OutcomeResult::Failed(recorded), Err(failure)),
                    // What is not an outcome (interrupted, undecided, lost) leaves the operation in flight.
                    None => return Err(failure),
                }
            }
        };
        self.commit(Record::Outcome(Box::new(Outcome {
            id: id.clone(),
            attempt,
            result,
            recovered,
        })))?;
        given
    }

    /// Records an operation without effect, with its result, in one record.
    pub fn observed(
        &self,
        intent: Intent,
        result: Result<Value, Failure>,
    ) -> Result<Value, Failure> {
        let id = intent.id.clone();
        let (result, given) = match result {
            Ok(value) => (
                OutcomeResult::Value {
                    value: value.clone(),
                    changed: false,
                },
                Ok(value),
            ),
            Err(failure) => {
                let failure = with_operation(failure, &id);
                match recordable(&failure) {
                    Some(recorded) => (OutcomeResult::Failed(recorded), Err(failure)),
                    None => return Err(failure),
                }
            }
        };
        self.note(Record::Observed {
            intent: Box::new(intent),
            result,
        })?;
        given
    }
}

/// The key of the commands inside a change.
fn within(change: &OperationKey) -> OperationKey {
    OperationKey(format!("{change}/apply"))
}

/// The operation that an operation of an undo puts back, by its place.
fn undoes(call: &Call<'_>) -> Option<OperationId> {
    call.scope.0.iter().find_map(|segment| match segment {
        crate::model::Segment::Undo { of } => OperationId::parse(of),
        _ => None,
    })
}

/// A failure that knows its operation.
pub fn with_operation(failure: Failure, id: &OperationId) -> Failure {
    let named = |mut report: Report| {
        report.operation.get_or_insert_with(|| id.clone());
        report
    };
    match failure {
        Failure::Failed(report) => Failure::Failed(named(report)),
        Failure::Unreachable(report) => Failure::Unreachable(named(report)),
        Failure::Lost(report) => Failure::Lost(named(report)),
        Failure::Undecided(mut undecided) => {
            undecided.operation.get_or_insert_with(|| id.clone());
            Failure::Undecided(undecided)
        }
        other => other,
    }
}

fn recordable(failure: &Failure) -> Option<RecordedFailure> {
    match failure {
        Failure::Failed(report) => Some(RecordedFailure {
            unreachable: false,
            report: report.clone(),
        }),
        Failure::Unreachable(report) => Some(RecordedFailure {
            unreachable: true,
            report: report.clone(),
        }),
        _ => None,
    }
}

/// A recorded failure as it was.
pub fn again(recorded: &RecordedFailure) -> Failure {
    if recorded.unreachable {
        Failure::Unreachable(recorded.report.clone())
    } else {
        Failure::Failed(recorded.report.clone())
    }
}
