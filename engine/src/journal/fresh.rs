//! Moving a journal to a fresh file after a process that did not close it.
//!
//! A process that failed to sync may have died before it could say so. What it wrote may then be in the
//! system's cache but not on the disk, and the system will not write it again: a failed sync marks pages
//! clean. Only a copy, synced itself, is sure to be on the disk.
//!
//! The copy takes the database's place in steps, each of which may be the last: `fresh` is being made;
//! renamed to `ready` it is complete and the newer truth; then the old log goes (it must never be applied to
//! the copy), and `ready` is renamed to the database.

use std::fs;
use std::io;
use std::path::Path;

use super::database::Database;
use super::private::sync_directory;
use super::{JournalError, RunDirectory, layout};

/// Ends what a process began that died while it moved the journal.
pub(super) fn settle(directory: &RunDirectory) -> Result<(), JournalError> {
    let fresh = layout::fresh(directory);
    // What SQLite keeps beside a file must never be applied to another file of that name.
    for path in [
        layout::rollback(&fresh),
        layout::log(&fresh),
        layout::log_index(&fresh),
        fresh,
    ] {
        remove(&path)?;
    }
    let (ready, database) = (layout::ready(directory), layout::database(directory));
    if !ready.exists() {
        return Ok(());
    }
    remove(&layout::log(&database))?;
    remove(&layout::log_index(&database))?;
    sync_directory(directory.path())?;
    fs::rename(&ready, &database).map_err(JournalError::io("replace", &database))?;
    sync_directory(directory.path())
}

/// Whether the last process did not close the journal.
pub(super) fn is_needed(directory: &RunDirectory) -> bool {
    let log = layout::log(&layout::database(directory));
    fs::metadata(log).is_ok_and(|metadata| metadata.len() > 0)
}

/// Moves the journal to a fresh file.
pub(super) fn copy(directory: &RunDirectory, database: Database) -> Result<(), JournalError> {
    database.copy_to(&layout::fresh(directory))?;
    drop(database);
    install(directory)
}

/// Puts the complete file `fresh` in the database's place.
pub(super) fn install(directory: &RunDirectory) -> Result<(), JournalError> {
    let (fresh, ready) = (layout::fresh(directory), layout::ready(directory));
    fs::rename(&fresh, &ready).map_err(JournalError::io("rename", &fresh))?;
    sync_directory(directory.path())?;
    settle(directory)
}

fn remove(path: &Path) -> Result<(), JournalError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(JournalError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}
