//! What has become of a stored world, a line for each change, in a file beside it.
//!
//! The first line names the world that it goes on from, so that one that is left from another is passed over. A line that
//! was not written to its end, or is no change, was never confirmed to anybody if it is the last: it does not count, and
//! the next takes its place.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::stamp::Stamp;
use crate::lab::world::Change;

/// The first line.
#[derive(Serialize, Deserialize)]
struct Head {
    continues: String,
}

/// How much of a log was understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The file as it was then; none if there was none.
    stamp: Option<Stamp>,
    /// So many of its bytes count.
    pub whole: u64,
}

/// Changes that were read.
pub struct Entries {
    pub changes: Vec<Change>,
    pub mark: Mark,
}

/// A log by its path.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    sync: bool,
}

impl Log {
    pub fn new(path: PathBuf, sync: bool) -> Self {
        Self { path, sync }
    }

    /// Whether the file is still as it was.
    pub fn is_as(&self, mark: &Mark) -> io::Result<bool> {
        Ok(Stamp::of(&self.path)? == mark.stamp)
    }

    /// Its bytes; none if it is not there.
    pub fn length(&self) -> io::Result<u64> {
        Ok(Stamp::of(&self.path)?.map_or(0, |stamp| stamp.size))
    }

    /// Reads the changes of this world from a place on.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] where a line that others follow is no change.
    pub fn read(&self, world: &str, from: u64) -> io::Result<Entries> {
        let stamp = Stamp::of(&self.path)?;
        let nothing = |stamp| Entries {
            changes: Vec::new(),
            mark: Mark { stamp, whole: 0 },
        };
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(nothing(None)),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(from))?;
        file.read_to_end(&mut bytes)?;
        let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
        let mut whole = from;
        if from == 0 {
            let head = lines.next().unwrap_or_default();
            match serde_json::from_slice::<Head>(head) {
                Ok(found) if found.continues == world && head.ends_with(b"\n") => {
                    whole = head.len() as u64;
                }
                _ => return Ok(nothing(stamp)),
            }
        }
        let mut changes = Vec::new();
        while let Some(line) = lines.next() {
            match serde_json::from_slice(line) {
                Ok(change) if line.ends_with(b"\n") => {
                    changes.push(change);
                    whole += line.len() as u64;
                }
                Err(error) if lines.next().is_some() => {
                    let why = format!("the change at byte {whole} is none: {error}");
                    return Err(io::Error::new(io::ErrorKind::InvalidData, why));
                }
                _ => break,
            }
        }
        let mark = Mark { stamp, whole };
        Ok(Entries { changes, mark })
    }

    /// Adds a change behind what counts; it is on the disk when this returns, unless nothing is to be synced.
    pub fn append(&self, world: &str, mark: &Mark, change: &Change) -> io::Result<Mark> {
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&self.path)?;
        let mut bytes = Vec::new();
        if mark.whole == 0 {
            let continues = world.to_owned();
            serde_json::to_writer(&mut bytes, &Head { continues })?;
            bytes.push(b'\n');
        }
        serde_json::to_writer(&mut bytes, change)?;
        bytes.push(b'\n');
        self.put(&file, mark, &bytes).inspect_err(|_| {
            // Whoever asked is told that it was not stored: nobody else is to find it.
            let _ = file.set_len(mark.whole);
        })?;
        Ok(Mark {
            stamp: Some(Stamp::from(&file.metadata()?)),
            whole: mark.whole + bytes.len() as u64,
        })
    }

    fn put(&self, mut file: &File, mark: &Mark, bytes: &[u8]) -> io::Result<()> {
        file.set_len(mark.whole)?;
        file.seek(SeekFrom::Start(mark.whole))?;
        file.write_all(bytes)?;
        if self.sync {
            file.sync_data()?;
            if mark.whole == 0 {
                super::sync_directory_of(&self.path)?;
            }
        }
        Ok(())
    }

    /// Removes it.
    pub fn remove(&self) -> io::Result<Mark> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(Mark {
                stamp: None,
                whole: 0,
            }),
        }
    }
}
