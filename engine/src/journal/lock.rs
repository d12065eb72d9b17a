//! One run at a time on the same thing (M8): an advisory lock that the system releases when its holder dies.

use std::fs::{self, File, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::JournalError;
use super::private::private_file;

/// A look at a lock takes microseconds; who finds a lock taken so often in a row has met its holder.
const LOOKS: u32 = 10;
const LOOK: Duration = Duration::from_millis(10);

/// A held lock; dropping it releases it. Files that the standard library opens are closed on exec, so no
/// child (such as an ssh master that outlives the run) keeps it.
#[derive(Debug)]
pub struct RunLock {
    file: File,
}

impl Drop for RunLock {
    fn drop(&mut self) {
        // Closing would not do while a child that another thread has begun is about to exec: it has the file too.
        let _ = self.file.unlock();
    }
}

impl RunLock {
    pub(super) fn acquire(
        directory: &Path,
        scope: &str,
        holder: &str,
    ) -> Result<Self, JournalError> {
        let path = path_of(directory, scope);
        let mut options = private_file();
        // Not truncated: until the lock is ours, the text is the holder's.
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options
            .open(&path)
            .map_err(JournalError::io("open the lock", &path))?;
        match wait_for_lookers(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(JournalError::Locked {
                    scope: scope.to_owned(),
                    holder: holder_of(&path),
                });
            }
            Err(TryLockError::Error(error)) => {
                return Err(JournalError::io("take the lock", &path)(error));
            }
        }
        let since = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M:%S UTC");
        let text = format!("{holder}, process {}, since {since}", std::process::id());
        file.set_len(0)
            .and_then(|()| file.write_all(text.as_bytes()))
            .map_err(JournalError::io("write the lock", &path))?;
        Ok(Self { file })
    }
}

/// Whether a process holds the lock. Looking takes it for a moment, shared with others who look, writes
/// nothing, and needs no right to write.
pub(super) fn is_held(directory: &Path, scope: &str) -> bool {
    File::open(path_of(directory, scope))
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Who holds the lock, in words; none if nobody does.
pub(super) fn holder(directory: &Path, scope: &str) -> Option<String> {
    is_held(directory, scope).then(|| holder_of(&path_of(directory, scope)))
}

/// Takes the lock; waits for those who only look at it, not for a holder.
fn wait_for_lookers(file: &File) -> Result<(), TryLockError> {
    for _ in 1..LOOKS {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOOK),
            result => return result,
        }
    }
    file.try_lock()
}

fn path_of(directory: &Path, scope: &str) -> PathBuf {
    let name = blake3::hash(scope.as_bytes()).to_hex();
    directory.join(format!("{}.lock", &name[..32]))
}

fn holder_of(path: &Path) -> String {
    match fs::read_to_string(path) {
        Ok(text) if !text.is_empty() => text,
        // Between its lock and its text, or unreadable: the refusal stands all the same.
        _ => "a process that has not yet written who it is".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_released_though_a_child_that_begins_has_its_file_too() {
        let directory = tempfile::tempdir().unwrap();
        let held = RunLock::acquire(directory.path(), "cluster x", "run r1").unwrap();
        // What a fork makes, until it is another program.
        let _of_child = held.file.try_clone().unwrap();
        assert!(is_held(directory.path(), "cluster x"));
        drop(held);
        assert!(!is_held(directory.path(), "cluster x"));
    }
}
