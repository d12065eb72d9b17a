//! Where one test happens: a folder of its own with a state directory, its lab, and the engine as a process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value as Json;

use super::file::TestFile;
use super::told::Told;
use crate::lab::words::WorldAccess;
use crate::lab::world::World;
use crate::lab::{Lab, LabAccess};

/// The place of one test.
pub struct Bench {
    directory: tempfile::TempDir,
    /// The folder of the file of tests.
    pub folder: PathBuf,
    lab: Mutex<Option<OpenLab>>,
    /// The runs so far, for `--crash`; none are kept without it.
    taken: Option<Mutex<Vec<Taken>>>,
}

struct OpenLab {
    /// As `--lab` gets it.
    name: String,
    lab: Arc<Lab>,
}

/// How the engine is called.
#[derive(Clone, Debug)]
pub struct Call {
    /// Arguments, the command first.
    pub arguments: Vec<String>,
    /// Further environment.
    pub env: Vec<(String, String)>,
}

/// A run of a test that can be had again from the same beginning.
pub struct Taken {
    /// How it was called, without `--lab`.
    pub call: Call,
    /// How it is resumed.
    pub resume: Call,
    /// The lab as it was before.
    pub before: PathBuf,
    /// Whether a fault was waiting: then a killed run meets it elsewhere, and the ends cannot be compared.
    pub faults: bool,
    /// How it ended.
    pub exit: i32,
    /// What the lab had come to.
    pub outcome: Json,
    /// How often which marker had run before.
    pub markers: BTreeMap<String, u32>,
    /// What the test calls, for readers.
    pub title: String,
    /// Line and column of the call.
    pub place: Option<(u32, u32)>,
}

impl Bench {
    /// A place for a test of this file.
    pub fn new(file: &TestFile, crash: bool) -> Result<Arc<Self>, String> {
        let missing = |error: std::io::Error| format!("no temporary folder: {error}");
        let directory = folder().map_err(missing)?;
        private(&directory.path().join("state").join("labs")).map_err(missing)?;
        Ok(Arc::new(Self {
            directory,
            folder: file.folder.clone(),
            lab: Mutex::new(None),
            taken: crash.then(|| Mutex::new(Vec::new())),
        }))
    }

    fn lab(&self) -> MutexGuard<'_, Option<OpenLab>> {
        self.lab.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The runs that can be had again.
    pub fn taken(&self) -> Vec<Taken> {
        self.taken
            .as_ref()
            .map(|taken| std::mem::take(&mut *taken.lock().unwrap_or_else(PoisonError::into_inner)))
            .unwrap_or_default()
    }

    /// The state directory.
    pub fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    /// The test's own folder.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A new folder beside it.
    pub fn fresh(&self, name: &str) -> std::io::Result<PathBuf> {
        let path = self.directory.path().join(name);
        std::fs::create_dir(&path)?;
        Ok(path)
    }

    /// Opens the test's lab: a built-in one, or a file or folder beside the file of tests, with changes laid over it.
    pub fn open_lab(&self, name: &str, changes: Option<Json>) -> Result<(), String> {
        let mut open = self.lab();
        if open.is_some() {
            return Err("a test has one lab, and this is a second".into());
        }
        let local = self.folder.join(name);
        let base = if local.exists() {
            local.display().to_string()
        } else {
            name.to_owned()
        };
        let name = match changes {
            None => base,
            Some(mut changes) => {
                changes["extends"] = base.into();
                let path = self.directory.path().join("lab.yaml");
                std::fs::write(&path, changes.to_string())
                    .map_err(|error| format!("{}: {error}", path.display()))?;
                path.display().to_string()
            }
        };
        let lab = Lab::open(&name, &self.state().join("labs"), LabAccess::ReadWrite)
            .map_err(|error| error.to_string())?;
        *open = Some(OpenLab { name, lab });
        Ok(())
    }

    /// The name of the lab for `--lab`.
    pub fn lab_name(&self) -> Result<String, String> {
        let open = self.lab();
        let open = open
            .as_ref()
            .ok_or("the test has no lab yet: lab(\"k3s-double-tunnel\");")?;
        Ok(open.name.clone())
    }

    fn handle(&self) -> Result<Arc<Lab>, String> {
        let open = self.lab();
        let open = open
            .as_ref()
            .ok_or("the test has no lab yet: lab(\"k3s-double-tunnel\");")?;
        Ok(open.lab.clone())
    }

    /// Calls the engine in a state directory and reads what it tells.
    pub fn engine(&self, call: &Call, state: &Path) -> Result<Told, String> {
        let program = std::env::current_exe()
            .map_err(|error| format!("the program does not find itself: {error}"))?;
        let mut command = Command::new(program);
        command.args(&call.arguments).current_dir(&self.folder);
        // What the caller has set for her own runs is not the test's.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("RUNBOOK_") {
                command.env_remove(name);
            }
        }
        let output = command
            .env("RUNBOOK_STATE_DIR", state)
            // A test that a power failure ends has nothing to lose.
            .env("RUNBOOK_LAB_NO_SYNC", "1")
            .env("NO_COLOR", "1")
            .envs(call.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("the engine cannot be started: {error}"))?;
        Ok(Told::read(&output))
    }

    /// Does a run and, for `--crash`, keeps what is needed to have it again.
    pub fn run(
        &self,
        call: Call,
        resume: Call,
        title: String,
        place: Option<(u32, u32)>,
    ) -> Result<Told, String> {
        let Some(taken) = &self.taken else {
            return self.engine(&call, &self.state());
        };
        let nth = taken.lock().unwrap_or_else(PoisonError::into_inner).len() + 1;
        let copied = |error: std::io::Error| format!("the lab's state cannot be copied: {error}");
        let before = self.fresh(&format!("before-{nth}")).map_err(copied)?;
        copy_labs(&self.state(), &before).map_err(copied)?;
        let (mut faults, mut markers) = (false, BTreeMap::new());
        self.work(&mut |world| {
            faults = world.faults.iter().any(|fault| !fault.done);
            markers = BTreeMap::clone(&world.counts.markers);
        })?;
        let told = self.engine(&call, &self.state())?;
        let mut outcome = Json::Null;
        self.work(&mut |world| outcome = world.outcome())?;
        taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Taken {
                call,
                resume,
                before,
                faults,
                exit: told.exit,
                outcome,
                markers,
                title,
                place,
            });
        Ok(told)
    }
}

impl WorldAccess for Bench {
    fn work(&self, work: &mut dyn FnMut(&mut World)) -> Result<(), String> {
        let lab = self.handle()?;
        lab.change(work).map_err(|error| error.to_string())
    }
}

/// Copies the labs of one state directory into another.
pub fn copy_labs(from: &Path, to: &Path) -> std::io::Result<()> {
    let labs = to.join("labs");
    private(&labs)?;
    for entry in std::fs::read_dir(from.join("labs"))? {
        let entry = entry?;
        if entry
            .path()
            .extension()
            .is_some_and(|ending| ending == "json" || ending == "log")
        {
            std::fs::copy(entry.path(), labs.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// Makes a folder as private as a state directory has to be.
fn private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

/// In memory, where there is some: tests are about order, not about disks.
fn folder() -> std::io::Result<tempfile::TempDir> {
    let memory = Path::new("/dev/shm");
    let mut builder = tempfile::Builder::new();
    builder.prefix("runbook-test-");
    if memory.is_dir()
        && let Ok(folder) = builder.tempdir_in(memory)
    {
        return Ok(folder);
    }
    builder.tempdir()
}
