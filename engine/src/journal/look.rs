//! Looking at a journal from outside, while another process may be writing it or moving it to a fresh file,
//! and also where nothing can be written.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::Duration;

use super::database::Database;
use super::{JournalError, RunDirectory, layout, log_damage};

/// A journal is moved once in a session; whoever sees it moved twice has seen enough of it.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(20);

/// Reads from the database; again, if it was moved meanwhile.
pub(super) fn steady<T>(
    directory: &RunDirectory,
    read: impl Fn(&Database) -> Result<T, JournalError>,
) -> Result<T, JournalError> {
    let mut tries = 1;
    loop {
        let before = identity(directory);
        let result = open(directory).and_then(|database| read(&database));
        if tries == TRIES || before == identity(directory) {
            return result;
        }
        tries += 1;
        std::thread::sleep(PAUSE);
    }
}

/// Refuses a write-ahead log that proves that confirmed records are damaged.
pub(super) fn check_log(directory: &RunDirectory) -> Result<(), JournalError> {
    let mut seen = None;
    loop {
        let database = layout::readable_database(directory);
        // Where there is none, there is nothing to say about it.
        let log = fs::read(layout::log(&database)).unwrap_or_default();
        let Some(damage) = log_damage::found(&log) else {
            return Ok(());
        };
        // A writer that starts its log anew may have been seen in the midst of it.
        if seen.as_ref() == Some(&log) {
            return Err(JournalError::corrupt(&database, damage.what));
        }
        seen = Some(log);
        std::thread::sleep(PAUSE);
    }
}

/// Tells one database file from the next in its place.
fn identity(directory: &RunDirectory) -> (PathBuf, Option<u64>) {
    let path = layout::readable_database(directory);
    let inode = fs::metadata(&path).ok().map(|metadata| metadata.ino());
    (path, inode)
}

fn open(directory: &RunDirectory) -> Result<Database, JournalError> {
    let path = layout::readable_database(directory);
    match Database::open_read_only(&path) {
        Err(error @ (JournalError::Missing(_) | JournalError::NeverStarted(_))) => {
            if !mirror_has_content(directory) {
                return Err(error);
            }
            let what = "the database is gone, though journal.jsonl has content";
            Err(JournalError::corrupt(&path, what))
        }
        // SQLite cannot read beside a log without writing an index for it.
        Err(error) if error.is_for_want_of_writing() => Database::open_copy(&path).or(Err(error)),
        result => result,
    }
}

/// Whether anything is in the mirror.
pub(super) fn mirror_has_content(directory: &RunDirectory) -> bool {
    fs::metadata(layout::mirror(directory)).is_ok_and(|mirror| mirror.len() > 0)
}
