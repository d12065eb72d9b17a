//! A lab's state on disk: one JSON document, replaced whole. A killed process leaves the old or the new one.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::LabError;
use super::world::{FORMAT, World};

/// Set in tests on disks that need no sync: a killed process loses nothing by it, only a power failure would.
const NO_SYNC: &str = "RUNBOOK_LAB_NO_SYNC";

/// Where a lab's state is kept.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    sync: bool,
}

/// What every state says of itself.
#[derive(serde::Deserialize)]
struct Format {
    format: u32,
}

/// Tells one version of the state file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Store {
    /// The state of the lab `name` in a directory. Nothing is made yet.
    pub fn new(directory: &Path, name: &str) -> Self {
        Self {
            path: directory.join(format!("{name}.json")),
            sync: std::env::var_os(NO_SYNC).is_none(),
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

    /// Which version is stored; `None` if there is none.
    pub fn version(&self) -> Result<Option<Version>, LabError> {
        match std::fs::metadata(&self.path) {
            Ok(metadata) => Ok(Some(Version {
                inode: metadata.ino(),
                size: metadata.len(),
                modified: (metadata.mtime(), metadata.mtime_nsec()),
            })),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed("looking for", error)),
        }
    }

    /// Reads the stored world.
    pub fn load(&self) -> Result<Option<World>, LabError> {
        let bytes = match std::fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed("reading", error)),
        };
        let wrong = |why: String| LabError::State {
            path: self.path.clone(),
            why,
        };
        // Before the rest: what another format says need not be understood.
        match serde_json::from_slice::<Format>(&bytes) {
            Ok(stored) if stored.format != FORMAT => {
                let other = stored.format;
                return Err(wrong(format!(
                    "it has format {other}, this program writes {FORMAT}"
                )));
            }
            _ => {}
        }
        let world: World =
            serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
        Ok(Some(world))
    }

    /// Replaces the stored world. The caller holds the lock.
    pub fn save(&self, world: &World) -> Result<Version, LabError> {
        let bytes = serde_json::to_vec(world).map_err(|error| LabError::State {
            path: self.path.clone(),
            why: error.to_string(),
        })?;
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
        if self.sync
            && let Some(directory) = self.path.parent()
        {
            File::open(directory)
                .and_then(|directory| directory.sync_all())
                .map_err(|error| self.failed("syncing the directory of", error))?;
        }
        self.version()?
            .ok_or_else(|| self.failed("finding again", std::io::ErrorKind::NotFound.into()))
    }

    /// Removes the stored world. The caller holds the lock.
    pub fn remove(&self) -> Result<(), LabError> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(self.failed("removing", error))
            }
            _ => Ok(()),
        }
    }

    fn failed(&self, action: &'static str, source: std::io::Error) -> LabError {
        LabError::Io {
            action,
            path: self.path.clone(),
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_of_another_format_is_refused_as_such_whatever_it_says() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(directory.path(), "k3s-double-tunnel");
        std::fs::write(&store.path, r#"{"format": 1, "hosts": "of another kind"}"#).unwrap();
        let why = store.load().unwrap_err().to_string();
        assert!(
            why.contains("format 1") && why.contains("lab reset k3s-double-tunnel`"),
            "{why}"
        );
    }
}
