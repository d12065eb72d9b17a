//! The one thread that writes: it groups what all branches send into transactions, so that many branches
//! share a sync, and it is the only place where a write can fail.

use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use blake3::Hash;
use jiff::Timestamp;

use super::JournalError;
use super::chain::{Row, StoredBlob};
use super::crash::{Crash, CrashPoint};
use super::database::{Database, insert_blob, insert_row};
use super::mirror::{self, Mirror};

/// Notes wait for a commit to ride along with, but no longer than this, so that readers see them.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// Bounds the memory that waiting notes take.
const MOST_WAITING: usize = 4096;
/// After so many bytes of records and blobs the write-ahead log is moved into the database.
const LONGEST_LOG: usize = 512 << 10;

/// What is sent to the writer; the order of messages is the order of rows.
pub(super) enum Message {
    /// To be stored with the next row.
    Blob(StoredBlob),
    /// The next record.
    Record(NewRow),
    /// Asks for an answer once everything before it is durable.
    Barrier(SyncSender<Result<(), String>>),
    /// The journal is closed; everything before it is made durable.
    Close,
}

/// A record on its way.
pub(super) struct NewRow {
    pub seq: u64,
    pub at: Timestamp,
    pub body: String,
    /// Whether the mirror is synced after it.
    pub sync_mirror: bool,
}

/// What the writer shares with the journal's handles.
#[derive(Default)]
pub(super) struct Shared {
    /// Why nothing more may be written.
    pub poison: OnceLock<String>,
    /// Transactions so far.
    pub commits: AtomicU64,
}

pub(super) struct Writer {
    pub database: Database,
    pub mirror: Mirror,
    pub head: Hash,
    pub crash: Crash,
    pub shared: Arc<Shared>,
    /// Bytes written since the log was last moved into the database.
    pub logged: usize,
}

/// What is written in one transaction.
#[derive(Default)]
struct Batch {
    blobs: Vec<StoredBlob>,
    rows: Vec<NewRow>,
}

impl Writer {
    /// Serves messages until the journal is closed.
    pub fn run(mut self, messages: &Receiver<Message>) {
        let mut waiting = Vec::new();
        loop {
            let (closing, barriers) = collect(messages, &mut waiting);
            let result = self.write_all(mem::take(&mut waiting));
            for barrier in barriers {
                // A caller that no longer waits needs no answer.
                let _ = barrier.send(result.clone());
            }
            if closing {
                if self.shared.poison.get().is_none()
                    && let Err(error) = self.database.checkpoint()
                {
                    // All of it is durable in the log, which stays for the next process.
                    self.poison(&error);
                }
                return;
            }
        }
    }

    fn write_all(&mut self, messages: Vec<Message>) -> Result<(), String> {
        for batch in batches(messages, self.crash.point()) {
            if let Some(reason) = self.shared.poison.get() {
                return Err(reason.clone());
            }
            if let Err(error) = self.write(batch) {
                return Err(self.poison(&error));
            }
        }
        self.shared.poison.get().cloned().map_or(Ok(()), Err)
    }

    fn write(&mut self, batch: Batch) -> Result<(), JournalError> {
        self.crash.before(batch.rows.first().map(|row| row.seq))?;
        let sync_mirror = batch.rows.iter().any(|row| row.sync_mirror);
        let last = batch.rows.last().map(|row| row.seq);
        let mut lines: String = batch.blobs.iter().map(mirror::blob_line).collect();
        let mut head = self.head;
        let mut rows = Vec::with_capacity(batch.rows.len());
        for new in batch.rows {
            let row = Row::chained(head, new.seq, new.at, new.body);
            lines.push_str(&mirror::row_line(head, row.borrowed()));
            head = row.hash;
            rows.push(row);
        }
        self.database.write(|transaction| {
            for blob in &batch.blobs {
                insert_blob(transaction, blob)?;
            }
            rows.iter().try_for_each(|row| insert_row(transaction, row))
        })?;
        self.head = head;
        self.shared.commits.fetch_add(1, Ordering::Relaxed);
        self.crash.after(last)?;
        self.mirror.append(&lines)?;
        if sync_mirror {
            self.mirror.sync()?;
        }
        self.logged += lines.len();
        if self.logged > LONGEST_LOG {
            self.database.checkpoint()?;
            self.logged = 0;
        }
        Ok(())
    }

    fn poison(&self, error: &JournalError) -> String {
        // Closing must not tidy up: the log left behind is what makes the next process copy the journal.
        self.database.keep_log();
        let reason = error.to_string();
        self.shared.poison.get_or_init(|| reason).clone()
    }
}

/// Waits until something must be written; says whether the journal is closed, and who waits.
fn collect(
    messages: &Receiver<Message>,
    waiting: &mut Vec<Message>,
) -> (bool, Vec<SyncSender<Result<(), String>>>) {
    let mut barriers = Vec::new();
    while barriers.is_empty() && waiting.len() < MOST_WAITING {
        let received = if waiting.is_empty() {
            messages.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            messages.recv_timeout(LONGEST_WAIT)
        };
        match received {
            Ok(Message::Barrier(barrier)) => barriers.push(barrier),
            Ok(Message::Close) | Err(RecvTimeoutError::Disconnected) => return (true, barriers),
            Ok(message) => waiting.push(message),
            Err(RecvTimeoutError::Timeout) => break,
        }
    }
    // Everyone who has come meanwhile shares the sync.
    while let Ok(message) = messages.try_recv() {
        match message {
            Message::Barrier(barrier) => barriers.push(barrier),
            Message::Close => return (true, barriers),
            message => waiting.push(message),
        }
    }
    (false, barriers)
}

/// One transaction for everything, cut where a test wants to crash.
fn batches(messages: Vec<Message>, crash: Option<CrashPoint>) -> Vec<Batch> {
    let mut batches = Vec::new();
    let mut batch = Batch::default();
    for message in messages {
        match message {
            Message::Blob(blob) => batch.blobs.push(blob),
            Message::Record(row) => {
                let cut = crash.is_some_and(|point| point.cuts_before(row.seq));
                if cut && !batch.rows.is_empty() {
                    // Blobs sent since the last row belong to this one; earlier is harmless.
                    batches.push(mem::take(&mut batch));
                }
                batch.rows.push(row);
            }
            Message::Barrier(_) | Message::Close => {}
        }
    }
    if !batch.rows.is_empty() || !batch.blobs.is_empty() {
        batches.push(batch);
    }
    batches
}
