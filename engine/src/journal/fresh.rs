//! Moving a journal to a fresh file after a process that did not close it.
//!
//! A process that failed to sync may have died before it could say so. What it wrote may then be in the
//! system's cache but not on the disk, and the system will not write it again: a failed sync marks pages
//! clean. Only a copy, synced itself, is sure to be on the disk.
//!
//! The copy is what is checked, so that the journal is gone through once; it is synced meanwhile.
//!
//! The copy takes the database's place in steps, each of which may be the last: `fresh` is being made;
//! renamed to `ready` it is complete and the newer truth; then the old log goes (it must never be applied to
//! the copy), and `ready` is renamed to the database.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use super::database::Database;
use super::private::{private_file, sync_directory};
use super::{JournalError, RunDirectory, layout};

/// Ends what a process began that died while it moved the journal.
pub(super) fn settle(directory: &RunDirectory) -> Result<(), JournalError> {
    discard(directory)?;
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

/// Removes a copy that was not completed, or did not stand the check.
fn discard(directory: &RunDirectory) -> Result<(), JournalError> {
    let fresh = layout::fresh(directory);
    // What SQLite keeps beside a file must never be applied to another file of that name.
    let beside = [
        layout::rollback(&fresh),
        layout::log(&fresh),
        layout::log_index(&fresh),
        fresh,
    ];
    beside.iter().try_for_each(|path| remove(path))
}

/// Whether the last process did not close the journal.
pub(super) fn is_needed(directory: &RunDirectory) -> bool {
    let log = layout::log(&layout::database(directory));
    fs::metadata(log).is_ok_and(|metadata| metadata.len() > 0)
}

/// A copy beside the database that has not taken its place yet; removed unless it does.
pub(super) struct Copy<'run> {
    directory: &'run RunDirectory,
    syncing: Option<JoinHandle<io::Result<()>>>,
}

impl<'run> Copy<'run> {
    /// Copies the database with what its log holds, and begins to sync the copy.
    pub fn of(directory: &'run RunDirectory) -> Result<Self, JournalError> {
        settle(directory)?;
        let mut copy = Self {
            directory,
            syncing: None,
        };
        let (database, fresh) = (layout::database(directory), layout::fresh(directory));
        // Until it is copied nobody may move the log into the database: half of it would be missing here.
        let held = Database::open_read_only(&database)?;
        held.hold()?;
        let file = copied(&database, &fresh)?;
        copied(&layout::log(&database), &layout::log(&fresh))?;
        drop(held);
        Database::take_log_in(&fresh)?;
        let syncing = std::thread::Builder::new()
            .name("copy".to_owned())
            .spawn(move || file.sync_all())
            .map_err(JournalError::io("sync", &fresh))?;
        copy.syncing = Some(syncing);
        Ok(copy)
    }

    /// Where it lies.
    pub fn path(&self) -> PathBuf {
        layout::fresh(self.directory)
    }

    /// Takes the database's place.
    pub fn install(mut self) -> Result<(), JournalError> {
        let synced = self.synced();
        synced.map_err(JournalError::io("sync", &self.path()))?;
        install(self.directory)
    }

    fn synced(&mut self) -> io::Result<()> {
        let lost = |_| Err(io::Error::other("its thread stopped"));
        let syncing = self.syncing.take();
        syncing.map_or(Ok(()), |syncing| syncing.join().unwrap_or_else(lost))
    }
}

impl Drop for Copy<'_> {
    fn drop(&mut self) {
        let _ = self.synced();
        // What stays is removed by the next session.
        let _ = discard(self.directory);
    }
}

/// Copies a file through memory: what a file system shares between copies, it loses for both.
pub(super) fn copied(from: &Path, to: &Path) -> Result<File, JournalError> {
    let mut options = private_file();
    let mut source = File::open(from).map_err(JournalError::io("copy", from))?;
    // What is there was left by a copy that was cut short.
    remove(to)?;
    let copy = options.write(true).create_new(true).open(to);
    let mut copy = copy.map_err(JournalError::io("create", to))?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return Ok(copy),
            Ok(length) => copy
                .write_all(&buffer[..length])
                .map_err(JournalError::io("write", to))?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(JournalError::io("copy", from)(error)),
        }
    }
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
