//! What can still be read from a damaged database and its log.

use std::path::Path;

use super::chain::{Row, StoredBlob};
use super::database::Database;
use super::rows::row_of;
use super::{JournalError, layout, log_damage};

/// What can be read from a database, however damaged.
#[derive(Default)]
pub(super) struct Remains {
    pub rows: Vec<Row>,
    pub blobs: Vec<StoredBlob>,
    /// Whether all of it could be read.
    pub whole: bool,
    /// How many transactions, at least, its log has lost.
    pub dropped: u64,
}

/// Reads what can be read.
///
/// # Errors
/// If that says nothing about the file: a newer engine wrote it, or it may not be read.
pub(super) fn remains(path: &Path) -> Result<Remains, JournalError> {
    let log = std::fs::read(layout::log(path)).unwrap_or_default();
    let dropped = log_damage::found(&log).map_or(0, |damage| damage.transactions);
    let unread = Remains {
        dropped,
        ..Remains::default()
    };
    let database = match Database::open_read_only(path) {
        Ok(database) => database,
        // A newer engine's journal is not damaged; and without permission or space nothing is proven.
        Err(
            error @ (JournalError::NewerSchema { .. }
            | JournalError::OldSqlite { .. }
            | JournalError::Io { .. }),
        ) => return Err(error),
        Err(_) => return Ok(unread),
    };
    let (rows, rows_whole) = readable_rows(&database);
    let (blobs, blobs_whole) = readable_blobs(&database);
    Ok(Remains {
        rows,
        blobs,
        whole: rows_whole && blobs_whole && dropped == 0,
        dropped,
    })
}

/// Whatever rows can be read of a damaged database, from both ends, and whether that is all.
fn readable_rows(database: &Database) -> (Vec<Row>, bool) {
    readable(
        database,
        "SELECT seq, at, body, hash FROM record ORDER BY seq",
        row_of,
    )
}

/// Whatever intact blobs can be read of a damaged database, from both ends, and whether that is all.
fn readable_blobs(database: &Database) -> (Vec<StoredBlob>, bool) {
    let (parts, whole) = readable(
        database,
        "SELECT id, form, text FROM blob ORDER BY rowid",
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    );
    let count = parts.len();
    let intact = parts
        .into_iter()
        .filter_map(|parts| database.intact(parts).ok());
    let blobs: Vec<StoredBlob> = intact.collect();
    let whole = whole && blobs.len() == count;
    (blobs, whole)
}

fn readable<T>(
    database: &Database,
    select: &str,
    take: impl Fn(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> (Vec<T>, bool) {
    let mut found = Vec::new();
    let mut whole = true;
    for select in [select.to_owned(), format!("{select} DESC")] {
        let Ok(mut statement) = database.connection.prepare(&select) else {
            return (found, false);
        };
        let Ok(mut rows) = statement.query([]) else {
            return (found, false);
        };
        whole = true;
        loop {
            match rows.next() {
                Ok(None) => break,
                Ok(Some(row)) => match take(row) {
                    Ok(value) => found.push(value),
                    Err(_) => whole = false,
                },
                // What lies behind the damaged page is reached from the other end.
                Err(_) => {
                    whole = false;
                    break;
                }
            }
        }
        if whole {
            break;
        }
    }
    (found, whole)
}
