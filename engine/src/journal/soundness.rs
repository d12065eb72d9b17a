//! Whether a journal whose content is whole can also be gone on with.
//!
//! Reading every record and blob passes over the index of blobs and over free pages: damage there loses nothing, but the
//! first write would meet it, in the middle of a run, when nothing could be done about it any more.

use super::JournalError;
use super::database::Database;

/// Refuses a database in which SQLite could not write.
pub(super) fn check(database: &Database) -> Result<(), JournalError> {
    let unreadable = |error| database.unreadable(error);
    let connection = &database.connection;
    let free: i64 = connection
        .pragma_query_value(None, "freelist_count", |row| row.get(0))
        .map_err(unreadable)?;
    // The rows of `record` and all pages above them have just been read; of long journals they are nearly everything.
    // Nothing is ever deleted, so that free pages are rare: they are looked at only by the whole check.
    let question = match free {
        0 => "PRAGMA integrity_check('blob')",
        _ => "PRAGMA integrity_check",
    };
    let found: String = connection
        .query_row(question, [], |row| row.get(0))
        .map_err(unreadable)?;
    if found == "ok" {
        return Ok(());
    }
    let first = found.lines().last().unwrap_or(&found);
    let what = format!("its records are whole, but nothing can be added to it ({first})");
    Err(JournalError::corrupt(&database.path, what))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt as _;
    use std::sync::Arc;

    use super::super::testing::*;
    use super::super::*;
    use crate::model::Secrets;

    fn none() -> Arc<Secrets> {
        Arc::new(Secrets::new())
    }

    /// A closed journal with blobs; its records.
    fn closed(directory: &RunDirectory) -> Vec<Stored> {
        let journal = Journal::create(directory, none()).unwrap();
        let mut records = vec![journal.note(started()).unwrap()];
        records.push(journal.note(session(1)).unwrap());
        for nth in 1..=40 {
            let before = journal.store_blob(format!("before {nth}").as_bytes());
            let after = journal.store_blob(format!("after {nth}").as_bytes());
            let intent = Record::Intent(Box::new(change(nth, before, after)));
            records.push(journal.note(intent).unwrap());
            records.push(journal.note(outcome(nth, 1, value("x"))).unwrap());
        }
        journal.flush().unwrap();
        records
    }

    /// Overwrites a part of the page where the index of blobs begins.
    fn damage_index(directory: &RunDirectory) {
        let path = directory.path().join("journal.db");
        let connection = rusqlite::Connection::open(&path).unwrap();
        let number = |question: &str| -> u64 {
            let number: i64 = connection
                .query_row(question, [], |row| row.get(0))
                .unwrap();
            number.unsigned_abs()
        };
        let page =
            number("SELECT rootpage FROM sqlite_master WHERE type = 'index' AND tbl_name = 'blob'");
        let size = number("PRAGMA page_size");
        drop(connection);
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.write_all_at(&[0xa5; 64], (page - 1) * size).unwrap();
    }

    #[test]
    fn damage_that_only_a_write_would_meet_is_found_before_and_repaired() {
        let temp = tempfile::tempdir().unwrap();
        let directory = directory(&temp);
        let records = closed(&directory);
        damage_index(&directory);
        assert!(matches!(
            verify(&directory),
            Err(JournalError::Corrupt { .. })
        ));
        let error = Journal::open(&directory, none()).err().unwrap().to_string();
        assert!(error.contains("nothing can be added"), "{error}");
        assert!(matches!(
            repair(&directory, "ann@desk"),
            Ok(Repair::Restored { .. })
        ));
        let (journal, found) = Journal::open(&directory, none()).unwrap();
        assert_eq!(found[..records.len()], records);
        journal.store_blob(b"one more");
        journal.flush().unwrap();
    }

    #[test]
    fn a_database_that_lost_its_tables_is_damaged_and_restored_from_the_copy() {
        let temp = tempfile::tempdir().unwrap();
        let directory = directory(&temp);
        let records = closed(&directory);
        rusqlite::Connection::open(directory.path().join("journal.db"))
            .unwrap()
            .execute_batch("DROP TABLE record; DROP TABLE blob;")
            .unwrap();
        assert!(matches!(
            verify(&directory),
            Err(JournalError::Corrupt { .. })
        ));
        assert!(matches!(
            repair(&directory, "ann@desk"),
            Ok(Repair::Restored { .. })
        ));
        let (_, found) = Journal::open(&directory, none()).unwrap();
        assert_eq!(found[..records.len()], records);
    }
}
