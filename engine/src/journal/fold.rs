//! What becomes of records while they are read: so that nobody must hold a whole journal in memory to check it.

use super::chain::RowRef;
use super::sketch::Sketch;
use super::verify::references;
use super::{BlobId, History, JournalError, Stored, Trace, encode};
use crate::model::Secrets;

/// Takes the records of a journal in their order, one at a time.
pub(super) trait Fold: Default {
    /// Reads the next record and takes it in; tells the blobs that it needs to `needs`.
    ///
    /// # Errors
    /// The outer one if it cannot be read, the inner one if it cannot follow those before it.
    fn take(
        &mut self,
        row: RowRef<'_>,
        secrets: &Secrets,
        needs: &mut dyn FnMut(&BlobId),
    ) -> Result<Result<(), JournalError>, JournalError>;
}

/// All of them.
impl Fold for Vec<Stored> {
    fn take(
        &mut self,
        row: RowRef<'_>,
        secrets: &Secrets,
        needs: &mut dyn FnMut(&BlobId),
    ) -> Result<Result<(), JournalError>, JournalError> {
        let stored = encode::read(row, secrets)?;
        references(&stored.record).iter().for_each(needs);
        self.push(stored);
        Ok(Ok(()))
    }
}

/// None of them: the journal is only checked.
impl Fold for () {
    fn take(
        &mut self,
        row: RowRef<'_>,
        secrets: &Secrets,
        needs: &mut dyn FnMut(&BlobId),
    ) -> Result<Result<(), JournalError>, JournalError> {
        encode::sketch(row, secrets, |sketch| tell(&sketch, needs)).map(Ok)
    }
}

/// Their history; none as long as there are no records.
impl Fold for Option<History<Trace>> {
    fn take(
        &mut self,
        row: RowRef<'_>,
        secrets: &Secrets,
        needs: &mut dyn FnMut(&BlobId),
    ) -> Result<Result<(), JournalError>, JournalError> {
        encode::sketch(row, secrets, |sketch| {
            tell(&sketch, needs);
            match self {
                Some(history) => history.follow(&sketch),
                None => {
                    *self = Some(History::begun(sketch.whole()?)?);
                    Ok(())
                }
            }
        })
    }
}

fn tell(sketch: &Sketch<'_>, needs: &mut dyn FnMut(&BlobId)) {
    match sketch {
        Sketch::Begun(_, begun, _) => begun.references().for_each(needs),
        Sketch::Ended(..) => {}
        Sketch::Whole(stored) => references(&stored.record).iter().for_each(needs),
    }
}
