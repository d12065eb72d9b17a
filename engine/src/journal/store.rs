//! The journal of one run, as the rest of the engine uses it.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use jiff::Timestamp;

use super::ahead::Recalled;
use super::crash::{Blackout, Crash, CrashPoint};
use super::database::Database;
use super::fold::Fold;
use super::mirror::Mirror;
use super::private::{check_local, check_private, create_directory};
use super::reading::find_blob;
use super::recall::Recall;
use super::verify::{Checked, Content, chained};
use super::writer::{Message, NewRow, Shared, Writer};
use super::{
    BlobId, History, JournalError, OutcomeResult, Record, RunDirectory, Stored, Trace, encode,
    fresh, layout, migrate,
};
use crate::model::Secrets;

/// The durable record of one run, open for writing. Clones write to the same journal; when the last one is
/// dropped, everything noted is made durable and the journal is closed.
#[derive(Clone)]
pub struct Journal {
    inner: Arc<Inner>,
}

struct Inner {
    directory: RunDirectory,
    secrets: Arc<Secrets>,
    shared: Arc<Shared>,
    queue: Mutex<Queue>,
    recall: Mutex<Option<Recall<Stored>>>,
    results: Mutex<Option<Recall<OutcomeResult>>>,
    writer: Option<JoinHandle<()>>,
}

/// Numbers records in the very order in which they are sent.
struct Queue {
    next: u64,
    sender: Sender<Message>,
}

impl Journal {
    /// Begins the journal of a new run.
    pub fn create(directory: &RunDirectory, secrets: Arc<Secrets>) -> Result<Self, JournalError> {
        let crash = Crash::Kill(CrashPoint::from_environment());
        Self::create_until(directory, secrets, crash)
    }

    /// Like [`Journal::create`], for a simulated engine that may be switched off.
    pub fn create_simulated(
        directory: &RunDirectory,
        secrets: Arc<Secrets>,
        blackout: Blackout,
    ) -> Result<Self, JournalError> {
        Self::create_until(directory, secrets, Crash::Blackout(blackout))
    }

    fn create_until(
        directory: &RunDirectory,
        secrets: Arc<Secrets>,
        crash: Crash,
    ) -> Result<Self, JournalError> {
        create_directory(directory.path())?;
        check_private(directory.path())?;
        check_local(directory.path())?;
        let path = layout::database(directory);
        if path.exists() || layout::ready(directory).exists() {
            return Err(JournalError::Exists(path));
        }
        Database::create(directory, &[], &[])?;
        Self::start(directory, secrets, Database::open(&path)?, &[], crash)
    }

    /// Opens the journal of a run that was begun, and gives its records.
    ///
    /// # Errors
    /// If anything that was confirmed is missing or changed, or a newer engine wrote it.
    pub fn open(
        directory: &RunDirectory,
        secrets: Arc<Secrets>,
    ) -> Result<(Self, Vec<Stored>), JournalError> {
        let crash = Crash::Kill(CrashPoint::from_environment());
        Self::open_until(directory, secrets, crash)
    }

    /// The same, with the history of the records instead of them: for runs of any length.
    pub fn open_history(
        directory: &RunDirectory,
        secrets: Arc<Secrets>,
    ) -> Result<(Self, History<Trace>), JournalError> {
        let crash = Crash::Kill(CrashPoint::from_environment());
        let (journal, history) =
            Self::open_until::<Option<History<Trace>>>(directory, secrets, crash)?;
        Ok((
            journal,
            history.expect("a journal without records does not open"),
        ))
    }

    /// Like [`Journal::open`], for a simulated engine that may be switched off.
    pub fn open_simulated(
        directory: &RunDirectory,
        secrets: Arc<Secrets>,
        blackout: Blackout,
    ) -> Result<(Self, Vec<Stored>), JournalError> {
        Self::open_until(directory, secrets, Crash::Blackout(blackout))
    }

    fn open_until<F: Fold>(
        directory: &RunDirectory,
        secrets: Arc<Secrets>,
        crash: Crash,
    ) -> Result<(Self, F), JournalError> {
        let path = layout::database(directory);
        check_private(directory.path())?;
        check_local(directory.path())?;
        // Everything is checked before anything is moved.
        let (checked, copied) = checked::<F>(directory, &secrets)?;
        let mending = checked.mending();
        let content = checked.content;
        let mut database = Database::open(&path)?;
        let old = migrate::bring_up(directory, &mut database, migrate::STEPS)?;
        let same = match old {
            // What was made anew is read once more: it is what the run goes on with.
            true => {
                chained(&path, &database, |_| Ok(()))? == content.hashes
                    && database.count_blobs()? == content.blobs.len() as u64
            }
            false => last_is(&database, &content)?,
        };
        if !same {
            return Err(JournalError::corrupt(
                &path,
                "it changed while it was opened; another process writes to it",
            ));
        }
        mending.carry_out(directory, &database, copied)?;
        if content.hashes.is_empty() {
            return Err(JournalError::NeverStarted(path));
        }
        Ok((
            Self::start(directory, secrets, database, &content.hashes, crash)?,
            content.folded,
        ))
    }

    /// The record at a place, as it was written.
    pub fn record(&self, seq: u64) -> Result<Stored, JournalError> {
        self.recalled(&self.inner.recall, seq)
    }

    /// What the record at a place says that an operation gave.
    pub fn result(&self, seq: u64) -> Result<OutcomeResult, JournalError> {
        self.recalled(&self.inner.results, seq)
    }

    fn recalled<T: Recalled>(
        &self,
        recall: &Mutex<Option<Recall<T>>>,
        seq: u64,
    ) -> Result<T, JournalError> {
        if let Some(found) = self.recall(recall, seq)? {
            return Ok(found);
        }
        // It may not have been written yet.
        self.flush()?;
        self.recall(recall, seq)?
            .ok_or_else(|| JournalError::Illegal {
                seq,
                what: "it is not there any more".to_owned(),
            })
    }

    fn recall<T: Recalled>(
        &self,
        recall: &Mutex<Option<Recall<T>>>,
        seq: u64,
    ) -> Result<Option<T>, JournalError> {
        let mut recall = recall.lock().unwrap_or_else(PoisonError::into_inner);
        if recall.is_none() {
            *recall = Some(Recall::of(&self.inner.directory)?);
        }
        let recall = recall.as_mut().expect("it was just put there");
        recall.recall(seq, &self.inner.secrets)
    }

    /// Stores a blob; durable no later than the next committed record.
    pub fn store_blob(&self, bytes: &[u8]) -> BlobId {
        let blob = encode::blob(bytes, &self.inner.secrets);
        let id = blob.id.clone();
        // A writer that is gone has poisoned the journal, which the record that needs the blob will say.
        let _ = self.inner.queue().sender.send(Message::Blob(blob));
        id
    }

    /// A blob's bytes.
    pub fn blob(&self, id: &BlobId) -> Result<Vec<u8>, JournalError> {
        // It may not have been written yet.
        self.flush()?;
        find_blob(&self.inner.directory, id, &self.inner.secrets)
    }

    /// Adds a record without waiting: it is durable no later than the next committed one.
    pub fn note(&self, record: Record) -> Result<Stored, JournalError> {
        let stored = self.send(vec![record], None)?;
        Ok(stored.into_iter().next().expect("one record in, one out"))
    }

    /// Adds a record and waits until it, and everything before it, is durable.
    pub fn commit(&self, record: Record) -> Result<Stored, JournalError> {
        let stored = self.commit_all(vec![record])?;
        Ok(stored.into_iter().next().expect("one record in, one out"))
    }

    /// Adds records that follow each other directly, and waits until they are durable.
    pub fn commit_all(&self, records: Vec<Record>) -> Result<Vec<Stored>, JournalError> {
        self.send_and_wait(records)
    }

    /// Waits until everything noted so far is durable.
    pub fn flush(&self) -> Result<(), JournalError> {
        self.send_and_wait(Vec::new()).map(|_| ())
    }

    /// Why nothing more can be written, if a write or sync failed.
    pub fn poisoned(&self) -> Option<String> {
        self.inner.shared.poison.get().cloned()
    }

    pub(super) fn directory(&self) -> &RunDirectory {
        &self.inner.directory
    }

    /// Transactions written since the journal was opened: what a run pays for durability.
    pub fn commits(&self) -> u64 {
        self.inner.shared.commits.load(Ordering::Relaxed)
    }

    fn start(
        directory: &RunDirectory,
        secrets: Arc<Secrets>,
        database: Database,
        hashes: &[blake3::Hash],
        crash: Crash,
    ) -> Result<Self, JournalError> {
        let shared = Arc::new(Shared::default());
        let writer = Writer {
            database,
            mirror: Mirror::open(&layout::mirror(directory))?,
            head: hashes.last().copied().unwrap_or(super::chain::ORIGIN),
            crash,
            shared: Arc::clone(&shared),
            logged: 0,
        };
        super::private::sync_directory(directory.path())?;
        let (sender, messages) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer.run(&messages))
            .map_err(JournalError::io("start the writer of", directory.path()))?;
        let next = hashes.len() as u64 + 1;
        Ok(Self {
            inner: Arc::new(Inner {
                directory: directory.clone(),
                secrets,
                shared,
                queue: Mutex::new(Queue { next, sender }),
                recall: Mutex::default(),
                results: Mutex::default(),
                writer: Some(thread),
            }),
        })
    }

    fn send_and_wait(&self, records: Vec<Record>) -> Result<Vec<Stored>, JournalError> {
        let (answer, answered) = mpsc::sync_channel(1);
        let stored = self.send(records, Some(answer))?;
        match answered.recv() {
            Ok(Ok(())) => Ok(stored),
            Ok(Err(reason)) => Err(JournalError::Poisoned(reason)),
            Err(_) => Err(self.gone()),
        }
    }

    fn send(
        &self,
        records: Vec<Record>,
        barrier: Option<mpsc::SyncSender<Result<(), String>>>,
    ) -> Result<Vec<Stored>, JournalError> {
        if let Some(reason) = self.poisoned() {
            return Err(JournalError::Poisoned(reason));
        }
        // Serialised and redacted before the lock, which orders the branches.
        let secrets = &self.inner.secrets;
        let bodies: Vec<String> = records
            .iter()
            .map(|record| encode::record_text(record, secrets))
            .collect();
        let mut queue = self.inner.queue();
        let mut stored = Vec::with_capacity(records.len());
        for (record, body) in records.into_iter().zip(bodies) {
            let (seq, at) = (queue.next, Timestamp::now());
            let sync_mirror = matches!(record, Record::StepEnded { .. } | Record::Ended { .. });
            let row = NewRow {
                seq,
                at,
                body,
                sync_mirror,
            };
            let sent = queue.sender.send(Message::Record(row));
            sent.map_err(|_| self.gone())?;
            queue.next += 1;
            stored.push(Stored { seq, at, record });
        }
        if let Some(barrier) = barrier {
            let sent = queue.sender.send(Message::Barrier(barrier));
            sent.map_err(|_| self.gone())?;
        }
        Ok(stored)
    }

    fn gone(&self) -> JournalError {
        let reason = self.poisoned();
        JournalError::Poisoned(reason.unwrap_or_else(|| "its writer stopped".to_owned()))
    }
}

impl Inner {
    fn queue(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The writer is to be the last: only then SQLite ends the log, which else looks like that of a dead process.
        drop(self.recall.get_mut().map(Option::take));
        drop(self.results.get_mut().map(Option::take));
        let _ = self.queue().sender.send(Message::Close);
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has closed nothing; the next process copies the journal.
            let _ = writer.join();
        }
    }
}

/// The checked journal, with its database in its place; and whether that is a copy that was made of it, as its mirror
/// has one beside it then.
fn checked<F: Fold>(
    directory: &RunDirectory,
    secrets: &Secrets,
) -> Result<(Checked<F>, bool), JournalError> {
    let path = layout::database(directory);
    let unclosed = fresh::is_needed(directory) && !layout::ready(directory).exists();
    if !unclosed {
        let checked = Checked::of(directory, secrets)?;
        fresh::settle(directory)?;
        check_private(&path)?;
        return Ok((checked, false));
    }
    check_private(&path)?;
    match Checked::copied(directory, secrets) {
        Ok((checked, copy)) => {
            copy.install()?;
            Ok((checked, true))
        }
        // What is wrong with the journal itself is told before why it cannot be copied.
        Err(error) => Err(Checked::<F>::of(directory, secrets).err().unwrap_or(error)),
    }
}

/// Whether the database still ends where it ended when it was checked.
fn last_is<F>(database: &Database, content: &Content<F>) -> Result<bool, JournalError> {
    let last = database.last_place()?;
    Ok(last
        == content
            .hashes
            .last()
            .map(|hash| (content.hashes.len() as u64, *hash)))
}
