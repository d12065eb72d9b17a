//! How journals of older formats become journals of the newest.
//!
//! A step only adds: what an older engine wrote stays as it is, so that the chain over the records stays
//! whole. All steps are one transaction, after a copy of the database was put beside it.

use super::database::Database;
use super::private::sync_directory;
use super::{JournalError, RunDirectory, layout};

/// The SQL that takes a database from format `n` to `n + 1`, for `n` from 1: all that ever follows is
/// appended here, and the number of the format grows by itself.
pub(super) const STEPS: &[&str] = &[];

/// Brings the database to the format that `steps` lead to; gives back whether it had an older one.
pub(super) fn bring_up(
    directory: &RunDirectory,
    database: &mut Database,
    steps: &[&str],
) -> Result<bool, JournalError> {
    let format = database.format()?;
    let done = format.saturating_sub(1) as usize;
    let Some(open) = steps.get(done..).filter(|open| !open.is_empty()) else {
        return Ok(false);
    };
    back_up(directory, database, format)?;
    let newest = steps.len() as u32 + 1;
    database.write(|transaction| {
        open.iter()
            .try_for_each(|step| transaction.execute_batch(step))?;
        transaction.pragma_update(None, "user_version", newest)
    })?;
    Ok(true)
}

/// Copies the database to a file of its own, which is complete once it has its name.
fn back_up(directory: &RunDirectory, database: &Database, format: u32) -> Result<(), JournalError> {
    let backup = layout::backup(directory, format);
    if backup.exists() {
        // A process died between the copy and the steps.
        return Ok(());
    }
    let fresh = layout::fresh(directory);
    database.copy_to(&fresh)?;
    std::fs::rename(&fresh, &backup).map_err(JournalError::io("rename", &fresh))?;
    sync_directory(directory.path())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use super::super::testing::*;
    use super::super::{Journal, SCHEMA, verify};
    use super::*;
    use crate::model::Secrets;

    const ADDS: &[&str] = &[
        "ALTER TABLE record ADD COLUMN note TEXT;",
        "CREATE TABLE extra (id INTEGER PRIMARY KEY) STRICT; INSERT INTO extra VALUES (7);",
    ];

    fn written() -> (tempfile::TempDir, RunDirectory) {
        let temp = tempfile::tempdir().unwrap();
        let directory = directory(&temp);
        let journal = Journal::create(&directory, Arc::new(Secrets::new())).unwrap();
        journal.commit_all(vec![started(), session(1)]).unwrap();
        (temp, directory)
    }

    fn open(directory: &RunDirectory) -> Database {
        Database::open(&layout::database(directory)).unwrap()
    }

    #[test]
    fn an_older_journal_is_backed_up_and_brought_up_at_once() {
        let (_temp, directory) = written();
        let before = verify(&directory).unwrap();
        let mut database = open(&directory);
        assert!(bring_up(&directory, &mut database, ADDS).unwrap());
        assert_eq!(database.format().unwrap(), 3);
        assert_eq!(database.rows().unwrap().len(), 2);
        assert!(!bring_up(&directory, &mut database, ADDS).unwrap());
        drop(database);
        // The backup is a whole journal of the old format.
        fs::rename(layout::backup(&directory, 1), layout::database(&directory)).unwrap();
        assert_eq!(open(&directory).format().unwrap(), SCHEMA);
        assert_eq!(verify(&directory).unwrap(), before);
    }

    #[test]
    fn a_step_that_fails_leaves_the_old_format_whole() {
        let (_temp, directory) = written();
        let mut database = open(&directory);
        let broken = [ADDS[0], "CREATE TABLE record (a);"];
        bring_up(&directory, &mut database, &broken).unwrap_err();
        assert_eq!(database.format().unwrap(), 1);
        drop(database);
        verify(&directory).unwrap();
        // Mended, it goes through, though the backup is there already.
        let mut database = open(&directory);
        assert!(bring_up(&directory, &mut database, ADDS).unwrap());
    }
}
