//! The files of a run's journal.

use std::path::{Path, PathBuf};

use super::RunDirectory;

pub(super) fn database(directory: &RunDirectory) -> PathBuf {
    directory.path().join("journal.db")
}

pub(super) fn mirror(directory: &RunDirectory) -> PathBuf {
    directory.path().join("journal.jsonl")
}

/// A mirror that is being written anew.
pub(super) fn fresh_mirror(directory: &RunDirectory) -> PathBuf {
    directory.path().join("journal.jsonl.fresh")
}

/// A file of this name beside the journal.
pub(super) fn beside(directory: &RunDirectory, name: &str) -> PathBuf {
    directory.path().join(name)
}

/// A complete copy that takes the database's place; see `fresh.rs`.
pub(super) fn ready(directory: &RunDirectory) -> PathBuf {
    directory.path().join("journal.db.ready")
}

/// A copy that is being made.
pub(super) fn fresh(directory: &RunDirectory) -> PathBuf {
    directory.path().join("journal.db.fresh")
}

/// What a database of an older format is kept as when it is brought up to the newest.
pub(super) fn backup(directory: &RunDirectory, format: u32) -> PathBuf {
    directory.path().join(format!("journal.db.format-{format}"))
}

/// The database's write-ahead log. It stays behind only where a process did not close the journal.
pub(super) fn log(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// The index of the write-ahead log.
pub(super) fn log_index(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-shm");
    name.into()
}

/// The journal that SQLite writes while it switches a database to a write-ahead log.
pub(super) fn rollback(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-journal");
    name.into()
}

/// The database to read: the copy, while it is taking the other's place.
pub(super) fn readable_database(directory: &RunDirectory) -> PathBuf {
    let ready = ready(directory);
    if ready.exists() {
        ready
    } else {
        database(directory)
    }
}
