//! Records read ahead of the script: while it replays some, a thread of its own reads and decodes those that follow.
//!
//! Half of what replaying an operation costs is to read it; done beside the script, a long replay takes the time of
//! the script alone.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use blake3::Hash;

use super::chain::{ORIGIN, Row};
use super::database::Database;
use super::{JournalError, RunDirectory, Stored, encode, layout};
use crate::model::Secrets;

/// So many rows are read at once.
pub(super) const WINDOW: u64 = 64;
/// So many windows wait at most to be replayed: enough to keep both sides busy, bounded in memory.
const WAITING: usize = 4;

/// Some rows that follow each other, checked, by their places.
pub(super) type Window = HashMap<u64, Slot>;

/// A row of a window.
pub(super) enum Slot {
    /// Decoded already: it holds no secret.
    Decoded(Stored),
    /// To be decoded when it is asked for, with the secrets that are known by then.
    Row(Row),
}

impl Slot {
    /// Decodes what does not depend on secrets.
    fn of(row: Row) -> Result<Self, JournalError> {
        match Secrets::are_marked(&row.body) {
            true => Ok(Self::Row(row)),
            false => encode::stored(&row, &Secrets::new()).map(Self::Decoded),
        }
    }

    /// The record.
    pub fn stored(self, secrets: &Secrets) -> Result<Stored, JournalError> {
        match self {
            Self::Decoded(stored) => Ok(stored),
            Self::Row(row) => encode::stored(&row, secrets),
        }
    }
}

/// A thread that reads on until the last record that was there when it began.
pub(super) struct Ahead {
    windows: Option<Receiver<Result<Window, JournalError>>>,
    thread: Option<JoinHandle<()>>,
    next: u64,
    last: u64,
}

impl Ahead {
    /// Begins to read at a place.
    pub fn from(directory: &RunDirectory, first: u64) -> Result<Self, JournalError> {
        let database = Database::open_read_only(&layout::database(directory))?;
        let last = database.last_place()?.map_or(0, |(seq, _)| seq);
        let (sender, windows) = sync_channel(WAITING);
        let work = move || {
            for from in (first..=last).step_by(WINDOW as usize) {
                let window = rows(&database, from..(from + WINDOW).min(last + 1));
                let window = window.and_then(decoded);
                let failed = window.is_err();
                if sender.send(window).is_err() || failed {
                    break;
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("replay".to_owned())
            .spawn(work)
            .map_err(JournalError::io("read ahead in", directory.path()))?;
        Ok(Self {
            windows: Some(windows),
            thread: Some(thread),
            next: first,
            last,
        })
    }

    /// Behind the places of the windows that it has given.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The next window; none at the end.
    pub fn window(&mut self) -> Result<Option<Window>, JournalError> {
        let received = self
            .windows
            .as_ref()
            .and_then(|windows| windows.recv().ok());
        if received.is_some() {
            self.next = (self.next + WINDOW).min(self.last + 1);
        }
        let window = received.transpose();
        #[cfg(test)]
        if let Ok(Some(window)) = &window {
            let here = |slot: &&Slot| matches!(slot, Slot::Decoded(_));
            encode::READ.set(encode::READ.get() + window.values().filter(here).count());
        }
        window
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        // Without a receiver its next window is refused, and it ends.
        self.windows = None;
        if let Some(thread) = self.thread.take() {
            // What it could not read is read again, and said, by who needs it.
            let _ = thread.join();
        }
    }
}

fn decoded(rows: Vec<Row>) -> Result<Window, JournalError> {
    let slots = rows.into_iter();
    slots.map(|row| Ok((row.seq, Slot::of(row)?))).collect()
}

/// The rows at these places, each of which follows the one before.
pub(super) fn rows(database: &Database, places: Range<u64>) -> Result<Vec<Row>, JournalError> {
    let seq = places.start;
    let mut before: Option<Hash> = (seq == 1).then_some(ORIGIN);
    let mut rows = Vec::with_capacity((places.end - seq) as usize);
    let from = seq.saturating_sub(1).max(1);
    database.each_row(from..=places.end - 1, |row| {
        if before.is_some_and(|hash| !row.follows(hash)) {
            return Err(database.not_as_written(row.seq));
        }
        before = Some(row.hash);
        if row.seq >= seq {
            rows.push(row.to_row());
        }
        Ok(())
    })?;
    Ok(rows)
}
