//! Records read again by their places: replay asks for them in nearly the order in which they stand.

use std::collections::VecDeque;

use super::ahead::{self, Ahead, Recalled, Slot, WINDOW, Window};
use super::database::Database;
use super::{JournalError, RunDirectory, layout};
use crate::model::Secrets;

/// How far behind the last window a row may stand to be the next in order: other branches' rows stand between.
const NEAR: u64 = 16;
/// So many windows are kept: branches that ran at once are replayed at once, not quite at the same pace.
const WINDOWS: usize = 16;

/// Reads a journal beside its writer.
pub(super) struct Recall<T> {
    directory: RunDirectory,
    database: Database,
    windows: VecDeque<Window<T>>,
    /// Reads on by itself once the order is seen.
    ahead: Option<Ahead<T>>,
    /// Whether there was one: it stops where new records begin, which nobody replays.
    read_ahead: bool,
    /// Behind the last window.
    next: u64,
}

impl<T: Recalled> Recall<T> {
    /// A reader of the journal of a run.
    pub fn of(directory: &RunDirectory) -> Result<Self, JournalError> {
        Ok(Self {
            directory: directory.clone(),
            database: Database::open_read_only(&layout::database(directory))?,
            windows: VecDeque::new(),
            ahead: None,
            read_ahead: false,
            next: 1,
        })
    }

    /// What stands at a place; none if it has not been written yet.
    ///
    /// # Errors
    /// Also if what is there now does not follow what stands before it.
    pub fn recall(&mut self, seq: u64, secrets: &Secrets) -> Result<Option<T>, JournalError> {
        if let Some(slot) = self.kept(seq) {
            return slot.recalled(secrets).map(Some);
        }
        if !(self.next..self.next + NEAR).contains(&seq) {
            return self.alone(seq, secrets);
        }
        self.read_on(seq)?;
        match self.kept(seq) {
            Some(slot) => slot.recalled(secrets).map(Some),
            None => self.alone(seq, secrets),
        }
    }

    /// Takes a row out of the windows: nobody replays an operation twice, and who looks again reads it alone.
    fn kept(&mut self, seq: u64) -> Option<Slot<T>> {
        let mut windows = self.windows.iter_mut();
        windows.find_map(|window| window.take(seq))
    }

    fn alone(&self, seq: u64, secrets: &Secrets) -> Result<Option<T>, JournalError> {
        let row = ahead::row(&self.database, seq)?;
        row.map(|row| T::of(row.borrowed(), secrets)).transpose()
    }

    /// Adds windows until one reaches the place.
    fn read_on(&mut self, seq: u64) -> Result<(), JournalError> {
        // The first window is read here: most runs have no more, and start no thread.
        if self.windows.is_empty() {
            let window = Window::undecoded(&self.database, seq..seq + WINDOW)?;
            self.next = seq + WINDOW;
            self.keep(window);
            return Ok(());
        }
        if !self.read_ahead {
            self.ahead = Some(Ahead::from(&self.directory, self.next)?);
            self.read_ahead = true;
        }
        while let Some(ahead) = self.ahead.as_mut().filter(|_| seq >= self.next) {
            match ahead.window()? {
                Some(window) => {
                    self.next = ahead.next();
                    self.keep(window);
                }
                None => self.ahead = None,
            }
        }
        Ok(())
    }

    fn keep(&mut self, window: Window<T>) {
        self.windows.truncate(WINDOWS - 1);
        self.windows.push_front(window);
    }
}
