//! Local targets on each shell that this machine has.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::sync::OnceLock;

use runbook::model::{HostName, Target};
use runbook::transport::{LocalLink, LocalTarget};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// The runtime of all tests of a binary.
pub fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap()
    })
}

/// A scratch directory with a local target in it.
pub struct Place {
    /// Name of the shell.
    pub shell: &'static str,
    /// Everything of the test is in here; its markers in `markers/`.
    pub directory: TempDir,
    /// What its processes have as PATH: the shell is `sh` there.
    pub path: String,
}

impl Place {
    /// A new connection, as another engine would have it.
    pub fn connect(&self) -> LocalTarget {
        let target = Target::Host(HostName::parse("here").unwrap());
        let link =
            LocalLink::new(target, runtime().handle().clone()).with_variable("PATH", &self.path);
        LocalTarget::new(link, None).with_marker_directory(self.file("markers").to_str().unwrap())
    }

    /// A path in the scratch directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

/// One place for each of dash, bash and busybox that is installed. For busybox there is nothing but its applets.
pub fn places() -> Vec<Place> {
    let places: Vec<Place> = ["dash", "bash", "busybox"]
        .into_iter()
        .filter_map(place)
        .collect();
    assert!(!places.is_empty(), "no POSIX shell is installed");
    places
}

/// A place for one shell; none, with a word, where it is not installed.
pub fn place(shell: &'static str) -> Option<Place> {
    let program = std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|directory| directory.join(shell))
        .find(|program| program.exists());
    let Some(program) = program else {
        eprintln!("skipped: {shell} is not installed");
        return None;
    };
    let directory = TempDir::new().unwrap();
    let tools = directory.path().join("tools");
    std::fs::create_dir(&tools).unwrap();
    let path = if shell == "busybox" {
        install_applets(&program, &tools);
        tools.display().to_string()
    } else {
        symlink(&program, tools.join("sh")).unwrap();
        format!("{}:{}", tools.display(), std::env::var("PATH").unwrap())
    };
    Some(Place {
        shell,
        directory,
        path,
    })
}

fn install_applets(busybox: &Path, tools: &Path) {
    let list = Process::new(busybox).arg("--list").output().unwrap();
    for applet in String::from_utf8(list.stdout).unwrap().lines() {
        symlink(busybox, tools.join(applet)).unwrap();
    }
}
