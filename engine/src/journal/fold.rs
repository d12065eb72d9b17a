//! What becomes of records while they are read: so that nobody must hold a whole journal in memory to check it.

use super::kept::Kept;
use super::{History, JournalError, Stored};

/// Takes the records of a journal in their order, one at a time.
pub trait Fold {
    /// The next record.
    ///
    /// # Errors
    /// If it cannot follow those before it.
    fn take(&mut self, stored: Stored) -> Result<(), JournalError>;
}

/// All of them.
impl Fold for Vec<Stored> {
    fn take(&mut self, stored: Stored) -> Result<(), JournalError> {
        self.push(stored);
        Ok(())
    }
}

/// None of them: the journal is only checked.
impl Fold for () {
    fn take(&mut self, _: Stored) -> Result<(), JournalError> {
        Ok(())
    }
}

/// Their history; none as long as there are no records.
impl<K: Kept> Fold for Option<History<K>> {
    fn take(&mut self, stored: Stored) -> Result<(), JournalError> {
        match self {
            Some(history) => history.apply(&stored),
            None => {
                *self = Some(History::begun(&stored)?);
                Ok(())
            }
        }
    }
}
