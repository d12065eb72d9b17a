//! A lab's state on disk: a world as one JSON document, and a log of what has become of it since (`log.rs`). A killed
//! process leaves each change whole or not at all.
//!
//! Storing a change costs what has changed and not what there is; when the log has grown to a multiple of the world, the
//! world takes its place.

mod log;
mod stamp;

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::LabError;
use super::world::World;
use log::{Log, Mark};
use stamp::Stamp;

/// Set in tests on disks that need no sync: a killed process loses nothing by it, only a power failure would.
const NO_SYNC: &str = "RUNBOOK_LAB_NO_SYNC";

/// The format of a stored world. A state of another format is refused.
const FORMAT: u32 = 4;

/// A log that is shorter than this is never too long, in bytes.
const SHORT: u64 = 256 << 10;

/// A log is too long when it is so many times as long as the world that it continues.
const TIMES: u64 = 2;

/// Where a lab's state is kept.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    log: Log,
    sync: bool,
}

/// What every state says of itself.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

/// A stored world.
#[derive(Serialize, Deserialize)]
struct Stored<W> {
    format: u32,
    /// Its name, by which its log knows it.
    name: String,
    world: W,
}

/// Which state a world in memory is.
#[derive(Clone, Debug)]
pub struct Version {
    name: String,
    stamp: Stamp,
    mark: Mark,
}

impl Store {
    /// The state of the lab `name` in a directory. Nothing is made yet.
    pub fn new(directory: &Path, name: &str) -> Self {
        let sync = std::env::var_os(NO_SYNC).is_none();
        Self {
            path: directory.join(format!("{name}.json")),
            log: Log::new(directory.join(format!("{name}.log")), sync),
            sync,
        }
    }

    /// Takes the lock that keeps other processes away; makes the directory if it is not there.
    /// Released when the file is dropped.
    pub fn lock(&self) -> Result<File, LabError> {
        let path = self.path.with_extension("lock");
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)
                .map_err(|error| self.failed("making the directory of", error))?;
        }
        let file = File::options()
            .mode(0o600)
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|error| self.failed("opening the lock of", error))?;
        file.lock().map_err(|error| self.failed("locking", error))?;
        Ok(file)
    }

    /// Whether what is stored is this; none: nothing.
    pub fn is_at(&self, version: Option<&Version>) -> Result<bool, LabError> {
        let stamp = self.stamp()?;
        match version {
            Some(version) if stamp == Some(version.stamp) => self
                .log
                .is_as(&version.mark)
                .map_err(|error| self.failed("looking for the log of", error)),
            Some(_) => Ok(false),
            None => Ok(stamp.is_none()),
        }
    }

    /// Reads the stored world.
    pub fn load(&self) -> Result<Option<(World, Version)>, LabError> {
        loop {
            let loaded = self.load_once()?;
            // Without the lock, another process may have replaced the world before its log was read.
            let stamp = loaded.as_ref().map(|(_, version)| version.stamp);
            if self.stamp()? == stamp {
                return Ok(loaded);
            }
        }
    }

    fn load_once(&self) -> Result<Option<(World, Version)>, LabError> {
        let Some(stamp) = self.stamp()? else {
            return Ok(None);
        };
        let bytes = match std::fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed("reading", error)),
        };
        // Before the rest: what another format says need not be understood.
        match serde_json::from_slice::<Format>(&bytes) {
            Ok(stored) if stored.format != FORMAT => {
                let other = stored.format;
                return Err(self.wrong(format!(
                    "it has format {other}, this program writes {FORMAT}"
                )));
            }
            _ => {}
        }
        let Stored { name, world, .. }: Stored<World> =
            serde_json::from_slice(&bytes).map_err(|error| self.wrong(error.to_string()))?;
        let mut world = world;
        let mark = self.go_on(&mut world, &name, 0)?;
        Ok(Some((world, Version { name, stamp, mark })))
    }

    /// Takes over what others have added to the log since; none if the world is another, to be loaded.
    pub fn follow(
        &self,
        world: &mut World,
        version: &Version,
    ) -> Result<Option<Version>, LabError> {
        let from = version.mark.whole;
        let holds_it = |error| self.failed("looking for the log of", error);
        if self.log.length().map_err(holds_it)? < from {
            return Ok(None);
        }
        let mark = self.go_on(world, &version.name, from)?;
        let same = self.stamp()? == Some(version.stamp);
        Ok(same.then(|| Version {
            mark,
            ..version.clone()
        }))
    }

    fn go_on(&self, world: &mut World, name: &str, from: u64) -> Result<Mark, LabError> {
        let entries = self.log.read(name, from).map_err(|error| {
            if error.kind() == io::ErrorKind::InvalidData {
                self.wrong(error.to_string())
            } else {
                self.failed("reading the log of", error)
            }
        })?;
        for change in entries.changes {
            world.apply(change);
        }
        Ok(entries.mark)
    }

    /// Stores what has become of a world that is stored as `known`; all of it where nothing is, or where the log has
    /// become too long. The caller holds the lock.
    pub fn save(&self, world: &mut World, known: Option<&Version>) -> Result<Version, LabError> {
        match known {
            Some(known) if known.mark.whole < SHORT.max(TIMES * known.stamp.size) => {
                let change = world.take_change();
                let mark = self.log.append(&known.name, &known.mark, &change);
                Ok(Version {
                    mark: mark.map_err(|error| self.failed("adding to the log of", error))?,
                    ..known.clone()
                })
            }
            _ => self.replace(world),
        }
    }

    fn replace(&self, world: &mut World) -> Result<Version, LabError> {
        let name = uuid::Uuid::new_v4().simple().to_string();
        let stored = Stored {
            format: FORMAT,
            name: name.clone(),
            world: &*world,
        };
        let bytes = serde_json::to_vec(&stored).map_err(|error| self.wrong(error.to_string()))?;
        let temporary = self.path.with_extension("new");
        let mut file = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)
            .map_err(|error| self.failed("writing", error))?;
        file.write_all(&bytes)
            .map_err(|error| self.failed("writing", error))?;
        if self.sync {
            file.sync_all()
                .map_err(|error| self.failed("syncing", error))?;
        }
        std::fs::rename(&temporary, &self.path).map_err(|error| self.failed("replacing", error))?;
        if self.sync {
            sync_directory_of(&self.path)
                .map_err(|error| self.failed("syncing the directory of", error))?;
        }
        // One that stays goes on from another world, and is passed over.
        let mark = self
            .log
            .remove()
            .map_err(|error| self.failed("removing the log of", error))?;
        world.forget_changes();
        let stamp = self
            .stamp()?
            .ok_or_else(|| self.failed("finding again", io::ErrorKind::NotFound.into()))?;
        Ok(Version { name, stamp, mark })
    }

    /// Removes the stored world. The caller holds the lock.
    pub fn remove(&self) -> Result<(), LabError> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(self.failed("removing", error));
            }
            _ => {}
        }
        let removed = self.log.remove();
        removed.map_err(|error| self.failed("removing the log of", error))?;
        Ok(())
    }

    fn stamp(&self) -> Result<Option<Stamp>, LabError> {
        Stamp::of(&self.path).map_err(|error| self.failed("looking for", error))
    }

    fn wrong(&self, why: String) -> LabError {
        LabError::State {
            path: self.path.clone(),
            why,
        }
    }

    fn failed(&self, action: &'static str, source: io::Error) -> LabError {
        LabError::Io {
            action,
            path: self.path.clone(),
            source,
        }
    }
}

/// Puts the name of a file that was made on the disk.
fn sync_directory_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
