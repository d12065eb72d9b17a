//! How much of a running command's output has been shown, so that a later session goes on where this one stopped.
//!
//! A small file beside the journal, and no part of it: it is written with every piece that is shown, and never synced.
//! Where it is missing, torn or cannot be written, output is shown once more from its beginning; what is recorded of
//! a command never depends on it.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::private::private_file;
use super::{Journal, layout};
use crate::model::OperationId;

/// The note of one attempt of an operation.
#[derive(Debug)]
pub struct Shown {
    path: PathBuf,
    /// Opened at the first piece: most commands say nothing, or end before anybody could ask again.
    file: OnceLock<Option<File>>,
}

impl Journal {
    /// The note of an attempt, whether there is one yet or not.
    pub fn shown(&self, id: &OperationId, attempt: u32) -> Shown {
        let name = format!("shown-{id}.{attempt}");
        Shown::at(layout::beside(self.directory(), &name))
    }
}

impl Shown {
    fn at(path: PathBuf) -> Self {
        Self {
            path,
            file: OnceLock::new(),
        }
    }

    /// How many bytes of standard output and standard error were shown.
    pub fn read(&self) -> (u64, u64) {
        read(&self.path).unwrap_or_default()
    }

    /// Notes how many there are by now.
    pub fn write(&self, shown: (u64, u64)) {
        let file = self.file.get_or_init(|| {
            let mut options = private_file();
            options.write(true).create(true).open(&self.path).ok()
        });
        if let Some(file) = file {
            // Always as long as before: a piece of the old and a piece of the new do not fit their check.
            let _ = file.write_all_at(line(shown).as_bytes(), 0);
        }
    }

    /// Nobody will ask any more: the outcome is recorded.
    pub fn remove(&self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn read(path: &Path) -> Option<(u64, u64)> {
    let text = std::fs::read_to_string(path).ok()?;
    let mut words = text.split_whitespace();
    let shown = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    (line(shown) == text).then_some(shown)
}

/// Both numbers and a hash of them.
fn line((stdout, stderr): (u64, u64)) -> String {
    let numbers = format!("{stdout:020} {stderr:020}");
    let check = blake3::hash(numbers.as_bytes()).to_hex();
    format!("{numbers} {}\n", &check[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_read_and_what_was_torn_is_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("shown");
        let shown = Shown::at(path.clone());
        assert_eq!(shown.read(), (0, 0));
        shown.write((1, u64::MAX));
        shown.write((7_000, 12));
        assert_eq!(Shown::at(path.clone()).read(), (7_000, 12));
        let whole = std::fs::read(&path).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut torn = whole.clone();
            torn[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, &torn).unwrap();
            assert_eq!(shown.read(), (0, 0), "bit {bit}");
        }
        std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert_eq!(shown.read(), (0, 0));
        shown.remove();
        assert_eq!(shown.read(), (0, 0));
        // Where it cannot be written, nothing else happens.
        Shown::at(directory.path().join("no/where")).write((1, 1));
    }
}
