//! Books through the real program: a lab in a file, a state directory that can be copied, kills by signal.

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use runbook::journal::{History, Journal, StateDirectory, Stored};
use runbook::lab::store::Store;
use runbook::lab::world::World;
use runbook::model::RunId;

use super::hosts::{lab_text, text_of};

/// A directory with the lab's file; states lie beside it.
pub struct Workshop {
    directory: tempfile::TempDir,
}

/// One state directory: runs, locks, and the lab's state.
#[derive(Clone)]
pub struct State {
    pub path: PathBuf,
    shop: PathBuf,
}

impl Workshop {
    pub fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let directory = match memory.is_dir() {
            true => tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir()),
            false => tempfile::tempdir(),
        }
        .unwrap();
        std::fs::write(directory.path().join("lab.yaml"), lab_text()).unwrap();
        Self { directory }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    /// A state that nothing has happened in.
    pub fn state(&self, name: &str) -> State {
        let path = self.path().join(name);
        let _ = std::fs::remove_dir_all(&path);
        State {
            path,
            shop: self.path().to_owned(),
        }
    }
}

impl State {
    /// A copy of everything, under another name.
    pub fn copy(&self, name: &str) -> Self {
        let to = Self {
            path: self.shop.join(name),
            shop: self.shop.clone(),
        };
        let _ = std::fs::remove_dir_all(&to.path);
        copy(&self.path, &to.path);
        to
    }

    pub fn remove(&self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }

    pub fn run(&self, arguments: &[&str], crash: Option<&str>) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runbook"));
        command
            .args(arguments)
            .current_dir(&self.shop)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.shop)
            .env("LANG", "C.UTF-8")
            .env("COLUMNS", "100")
            .env("RUNBOOK_STATE_DIR", &self.path)
            .env("RUNBOOK_LAB_NO_SYNC", "1")
            .stdin(Stdio::null());
        if let Some(point) = crash {
            command.env("RUNBOOK_CRASH_AT", point);
        }
        command.output().unwrap()
    }

    fn directory(&self) -> StateDirectory {
        StateDirectory::open(self.path.clone()).unwrap()
    }

    /// The newest run, if any was begun.
    pub fn newest(&self) -> Option<RunId> {
        self.directory().runs().pop()
    }

    pub fn records(&self, run: &RunId) -> Result<Vec<Stored>, String> {
        Journal::read(&self.directory().run(run)).map_err(|error| error.to_string())
    }

    pub fn history(&self, run: &RunId) -> Result<History, String> {
        History::from_records(&self.records(run)?).map_err(|error| error.to_string())
    }

    /// The lab's world as it is stored; none before anything was.
    pub fn world(&self) -> Option<World> {
        let labs = std::fs::read_dir(self.path.join("labs")).ok()?;
        let stored = labs
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "json")
            })?;
        let store = Store::new(stored.parent()?, stored.file_stem()?.to_str()?);
        let (world, _) = store.load().ok()??;
        Some(world)
    }

    /// The text of a file on a host.
    pub fn text(&self, host: &str, path: &str) -> Option<String> {
        text_of(&self.world()?, host, path)
    }
}

/// Whether it was killed, as it was asked to be.
pub fn killed(output: &Output) -> bool {
    output.status.signal() == Some(9)
}

/// Everything that a process said.
pub fn said(output: &Output) -> String {
    format!(
        "{:?}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    let mode = std::fs::metadata(from).unwrap().permissions();
    std::fs::set_permissions(to, mode).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => {
                std::fs::copy(entry.path(), &target).unwrap();
            }
        }
    }
}
