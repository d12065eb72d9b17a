//! Records read again by their places, some at once: replay asks for them in nearly the order in which they stand.

use std::collections::{HashMap, VecDeque};

use blake3::Hash;

use super::chain::{ORIGIN, Row};
use super::database::Database;
use super::{JournalError, RunDirectory, Stored, encode, layout};
use crate::model::Secrets;

/// So many rows are read at once where they are asked for in their order.
const WINDOW: u64 = 64;
/// How far behind the last window a row may stand to be the next in order: other branches' rows stand between.
const NEAR: u64 = 16;
/// So many windows are kept: branches that ran at once are replayed at once, not quite at the same pace.
const WINDOWS: usize = 16;

/// Reads a journal beside its writer.
pub(super) struct Recall {
    database: Database,
    windows: VecDeque<HashMap<u64, Row>>,
    /// Behind the last window.
    next: u64,
}

impl Recall {
    /// A reader of the journal of a run.
    pub fn of(directory: &RunDirectory) -> Result<Self, JournalError> {
        Ok(Self {
            database: Database::open_read_only(&layout::database(directory))?,
            windows: VecDeque::new(),
            next: 1,
        })
    }

    /// The record at a place; none if it has not been written yet.
    ///
    /// # Errors
    /// Also if what is there now does not follow what stands before it.
    pub fn record(&mut self, seq: u64, secrets: &Secrets) -> Result<Option<Stored>, JournalError> {
        if let Some(row) = self.windows.iter().find_map(|window| window.get(&seq)) {
            return encode::stored(row, secrets).map(Some);
        }
        let in_order = (self.next..self.next + NEAR).contains(&seq);
        let window = self.window(seq, if in_order { WINDOW } else { 1 })?;
        let stored = window.get(&seq).map(|row| encode::stored(row, secrets));
        if in_order {
            self.next = seq + WINDOW;
            self.windows.truncate(WINDOWS - 1);
            self.windows.push_front(window);
        }
        stored.transpose()
    }

    /// So many rows from `seq` on, each of which follows the one before.
    fn window(&self, seq: u64, rows: u64) -> Result<HashMap<u64, Row>, JournalError> {
        let mut before: Option<Hash> = (seq == 1).then_some(ORIGIN);
        let mut window = HashMap::with_capacity(rows as usize);
        let from = seq.saturating_sub(1).max(1);
        self.database.each_row(from..=seq + rows - 1, |row| {
            if before.is_some_and(|hash| !row.follows(hash)) {
                return Err(self.database.not_as_written(row.seq));
            }
            before = Some(row.hash);
            if row.seq >= seq {
                window.insert(row.seq, row.to_row());
            }
            Ok(())
        })?;
        Ok(window)
    }
}
