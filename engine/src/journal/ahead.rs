//! Records read ahead of the script: while it replays some, a thread of its own reads and decodes those that follow.
//!
//! Half of what replaying an operation costs is to read it; done beside the script, a long replay takes the time of
//! the script alone.

use std::ops::Range;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use blake3::Hash;

use super::chain::{ORIGIN, Row, RowRef};
use super::database::Database;
use super::sketch::kind;
use super::{JournalError, OutcomeResult, RunDirectory, Stored, encode, layout};
use crate::model::Secrets;

/// So many rows are read at once.
pub(super) const WINDOW: u64 = 64;
/// So many windows wait at most to be replayed: enough to keep both sides busy, bounded in memory.
const WAITING: usize = 4;

/// What is made of a row that is read again.
pub(super) trait Recalled: Sized + Send + 'static {
    /// Whether a row with this body is ever asked for; others are passed over.
    fn is_in(body: &str) -> bool;
    /// What is made of it.
    fn of(row: RowRef<'_>, secrets: &Secrets) -> Result<Self, JournalError>;
}

impl Recalled for Stored {
    fn is_in(_: &str) -> bool {
        true
    }

    fn of(row: RowRef<'_>, secrets: &Secrets) -> Result<Self, JournalError> {
        encode::read(row, secrets)
    }
}

/// What was asked for is known without its record, by its name in the history.
impl Recalled for OutcomeResult {
    fn is_in(body: &str) -> bool {
        matches!(kind(body), Some("outcome" | "observed"))
    }

    fn of(row: RowRef<'_>, secrets: &Secrets) -> Result<Self, JournalError> {
        encode::result(row, secrets)
    }
}

/// Some rows that follow each other, checked.
pub(super) struct Window<T> {
    first: u64,
    slots: Vec<Option<Slot<T>>>,
}

/// A row of a window.
pub(super) enum Slot<T> {
    /// Decoded already: it holds no secret.
    Decoded(T),
    /// To be decoded when it is asked for, with the secrets that are known by then.
    Row(Row),
}

impl<T: Recalled> Slot<T> {
    /// Decodes what does not depend on secrets.
    fn of(row: RowRef<'_>) -> Result<Self, JournalError> {
        match Secrets::are_marked(row.body) {
            true => Ok(Self::Row(row.to_row())),
            false => T::of(row, &Secrets::new()).map(Self::Decoded),
        }
    }

    /// What is made of it.
    pub fn recalled(self, secrets: &Secrets) -> Result<T, JournalError> {
        match self {
            Self::Decoded(recalled) => Ok(recalled),
            Self::Row(row) => T::of(row.borrowed(), secrets),
        }
    }
}

impl<T: Recalled> Window<T> {
    /// The rows at these places, each to be decoded when it is asked for.
    pub fn undecoded(database: &Database, places: Range<u64>) -> Result<Self, JournalError> {
        Self::read(database, places, |row| Ok(Slot::Row(row.to_row())))
    }

    fn decoded(database: &Database, places: Range<u64>) -> Result<Self, JournalError> {
        Self::read(database, places, Slot::of)
    }

    fn read(
        database: &Database,
        places: Range<u64>,
        slot: impl Fn(RowRef<'_>) -> Result<Slot<T>, JournalError>,
    ) -> Result<Self, JournalError> {
        let first = places.start;
        let mut slots = Vec::with_capacity((places.end - first) as usize);
        each_following(database, places, T::is_in, |row, wanted| {
            slots.push(wanted.then(|| slot(row)).transpose()?);
            Ok(())
        })?;
        Ok(Self { first, slots })
    }

    /// Takes a row out.
    pub fn take(&mut self, seq: u64) -> Option<Slot<T>> {
        let place = seq.checked_sub(self.first)? as usize;
        self.slots.get_mut(place)?.take()
    }
}

/// A thread that reads on until the last record that was there when it began.
pub(super) struct Ahead<T> {
    windows: Option<Receiver<Result<Window<T>, JournalError>>>,
    thread: Option<JoinHandle<()>>,
    next: u64,
    last: u64,
}

impl<T: Recalled> Ahead<T> {
    /// Begins to read at a place.
    pub fn from(directory: &RunDirectory, first: u64) -> Result<Self, JournalError> {
        let database = Database::open_read_only(&layout::database(directory))?;
        let last = database.last_place()?.map_or(0, |(seq, _)| seq);
        let (sender, windows) = sync_channel(WAITING);
        let work = move || {
            for from in (first..=last).step_by(WINDOW as usize) {
                let window = Window::decoded(&database, from..(from + WINDOW).min(last + 1));
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
    pub fn window(&mut self) -> Result<Option<Window<T>>, JournalError> {
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
            let here = |slot: &&Slot<T>| matches!(slot, Slot::Decoded(_));
            let read = window.slots.iter().flatten().filter(here).count();
            encode::READ.set(encode::READ.get() + read);
        }
        window
    }
}

impl<T> Drop for Ahead<T> {
    fn drop(&mut self) {
        // Without a receiver its next window is refused, and it ends.
        self.windows = None;
        if let Some(thread) = self.thread.take() {
            // What it could not read is read again, and said, by who needs it.
            let _ = thread.join();
        }
    }
}

/// Shows the rows at these places, and whether they are wanted; those that are follow the one before.
fn each_following(
    database: &Database,
    places: Range<u64>,
    wanted: fn(&str) -> bool,
    mut take: impl FnMut(RowRef<'_>, bool) -> Result<(), JournalError>,
) -> Result<(), JournalError> {
    let seq = places.start;
    let mut before: Option<Hash> = (seq == 1).then_some(ORIGIN);
    let from = seq.saturating_sub(1).max(1);
    database.each_row(from..=places.end - 1, |row| {
        let before = before.replace(row.hash);
        if row.seq < seq {
            return Ok(());
        }
        let wanted = wanted(row.body);
        // What nobody reads need not be what was written; what stands behind it is chained to its hash all the same.
        if wanted && before.is_some_and(|before| !row.follows(before)) {
            return Err(database.not_as_written(row.seq));
        }
        take(row, wanted)
    })
}

/// One row alone, which follows the one before; none if it has not been written yet.
pub(super) fn row(database: &Database, seq: u64) -> Result<Option<Row>, JournalError> {
    let mut found = None;
    each_following(
        database,
        seq..seq + 1,
        |_| true,
        |row, _| {
            found = Some(row.to_row());
            Ok(())
        },
    )?;
    Ok(found)
}
