//! The rows and blobs of a database one by one, so that nobody must hold all of them.

use std::ops::RangeInclusive;

use blake3::Hash;
use rusqlite::OptionalExtension as _;

use super::JournalError;
use super::chain::{ORIGIN, Row, RowRef, StoredBlob};
use super::database::Database;

/// Every place that a row can have.
pub(super) const ALL: RangeInclusive<u64> = 0..=u64::MAX;

impl Database {
    /// Every row in order, without a look at the chain.
    #[cfg(test)]
    pub fn rows(&self) -> Result<Vec<Row>, JournalError> {
        let mut rows = Vec::new();
        self.each_row(ALL, |row| {
            rows.push(row.to_row());
            Ok(())
        })?;
        Ok(rows)
    }

    /// Shows the rows of these places in order, where they lie, without a look at the chain.
    pub fn each_row(
        &self,
        places: RangeInclusive<u64>,
        mut take: impl FnMut(RowRef<'_>) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        let unreadable = |error| self.unreadable(error);
        let mut statement = self
            .connection
            .prepare_cached(
                "SELECT seq, at, body, hash FROM record WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq",
            )
            .map_err(unreadable)?;
        let from = match *places.start() {
            // A damaged one may have any number; then it is seen.
            0 => i64::MIN,
            start => i64::try_from(start).unwrap_or(i64::MAX),
        };
        let to = i64::try_from(*places.end()).unwrap_or(i64::MAX);
        let mut rows = statement.query([from, to]).map_err(unreadable)?;
        while let Some(row) = rows.next().map_err(unreadable)? {
            take(row_ref(row).map_err(unreadable)?)?;
        }
        Ok(())
    }

    /// Shows the bodies of records from the last on, as long as `more` says so.
    pub fn last_bodies(&self, mut more: impl FnMut(&str) -> bool) -> Result<(), JournalError> {
        let mut read = || {
            let mut statement = self
                .connection
                .prepare("SELECT body FROM record ORDER BY seq DESC")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                if !more(row.get_ref(0)?.as_str()?) {
                    break;
                }
            }
            Ok(())
        };
        read().map_err(|error| self.unreadable(error))
    }

    /// Place and hash of the last row.
    pub fn last_place(&self) -> Result<Option<(u64, Hash)>, JournalError> {
        self.connection
            .query_row(
                "SELECT seq, at, body, hash FROM record ORDER BY seq DESC LIMIT 1",
                [],
                |row| row_ref(row).map(|row| (row.seq, row.hash)),
            )
            .optional()
            .map_err(|error| self.unreadable(error))
    }

    /// Shows every blob, intact.
    pub fn each_blob(
        &self,
        mut take: impl FnMut(StoredBlob) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        let unreadable = |error| self.unreadable(error);
        let mut statement = self
            .connection
            .prepare("SELECT id, form, text FROM blob ORDER BY rowid")
            .map_err(unreadable)?;
        let mut blobs = statement.query([]).map_err(unreadable)?;
        while let Some(row) = blobs.next().map_err(unreadable)? {
            let parts = || Ok((row.get(0)?, row.get(1)?, row.get(2)?));
            take(self.intact(parts().map_err(unreadable)?)?)?;
        }
        Ok(())
    }

    /// How many blobs there are.
    pub fn count_blobs(&self) -> Result<u64, JournalError> {
        let count = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        self.connection
            .query_row("SELECT count(*) FROM blob", [], count)
            .map(i64::unsigned_abs)
            .map_err(|error| self.unreadable(error))
    }

    /// A row that does not follow the one before.
    pub fn not_as_written(&self, seq: u64) -> JournalError {
        JournalError::corrupt(&self.path, format!("record {seq} is not what was written"))
    }
}

/// A row as a query for `seq, at, body, hash` gives it.
pub(super) fn row_of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    row_ref(row).map(RowRef::to_row)
}

fn row_ref<'row>(row: &'row rusqlite::Row<'_>) -> rusqlite::Result<RowRef<'row>> {
    Ok(RowRef {
        seq: row.get::<_, i64>(0)?.unsigned_abs(),
        at: row.get_ref(1)?.as_str()?,
        body: row.get_ref(2)?.as_str()?,
        // A hash of another length equals none that is computed.
        hash: Hash::from_slice(row.get_ref(3)?.as_blob()?).unwrap_or(ORIGIN),
    })
}
