//! A place to run the real program: its own state directory, no terminal, no colours.
#![allow(dead_code)] // each test file uses a part of it

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use runbook::model::{OperationId, OperationKey, RunId};
use serde_json::Value as Json;

/// The lab that the tests run on.
pub const LAB: &str = "k3s-double-tunnel";

pub struct Bench {
    directory: tempfile::TempDir,
}

impl Bench {
    pub fn new() -> Self {
        // Memory, where there is some: these tests are about order, not about disks.
        let memory = Path::new("/dev/shm");
        let directory = match memory.is_dir() {
            true => tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir()),
            false => tempfile::tempdir(),
        };
        Self {
            directory: directory.unwrap(),
        }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn state(&self) -> PathBuf {
        self.path().join("state")
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runbook"));
        command
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path())
            .env("LANG", "C.UTF-8")
            .env("COLUMNS", "100")
            .env("RUNBOOK_STATE_DIR", self.state())
            .env("RUNBOOK_LAB_NO_SYNC", "1")
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs and wants this exit status.
    pub fn exits(&self, status: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}\n{text}");
        text
    }

    /// A library to start the program with, built from this source in `support`.
    pub fn preloaded(&self, source: &str) -> PathBuf {
        let library = self.path().join("preloaded.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/support")
            .join(source);
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([library.as_os_str(), source.as_os_str()])
            .arg("-ldl")
            .status()
            .unwrap();
        assert!(compiled.success());
        library
    }

    /// The names of the operations of these runs, as their journals have them, and of the commands inside changes.
    fn operations(&self) -> BTreeSet<String> {
        let runs = std::fs::read_dir(self.state().join("runs"));
        let runs = runs.into_iter().flatten().flatten();
        runs.flat_map(|run| {
            let name = run.file_name().into_string().unwrap_or_default();
            let text = std::fs::read_to_string(run.path().join("journal.jsonl"));
            let names = RunId::parse(&name).zip(text.ok());
            names.map(|(run, text)| operations_in(&run, &text))
        })
        .flatten()
        .collect()
    }

    /// What is left of these runs' commands on hosts that are this machine. It is named after their operations.
    pub fn markers(&self) -> Vec<PathBuf> {
        let operations = self.operations();
        assert!(!operations.is_empty(), "the journals name operations");
        self.markers_of(&operations)
    }

    fn markers_of(&self, operations: &BTreeSet<String>) -> Vec<PathBuf> {
        let homes = [Some(self.path().into()), std::env::var_os("HOME")];
        let users = homes.into_iter().flatten();
        let users = users.map(|home| Path::new(&home).join(".local/state/runbook/ops"));
        users
            .chain([PathBuf::from("/var/lib/runbook/ops")])
            .flat_map(|place| std::fs::read_dir(place).into_iter().flatten().flatten())
            .map(|entry| entry.path())
            .filter(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                operations.contains(name.split('.').next().unwrap_or_default())
            })
            .collect()
    }

    /// Everything that is in the lab.
    pub fn world(&self) -> Json {
        let labs = self.state().join("labs");
        let lab = runbook::lab::Lab::open(LAB, &labs, runbook::lab::LabAccess::ReadOnly).unwrap();
        lab.glance(|world| (serde_json::to_value(world).unwrap(), false))
            .unwrap()
    }

    /// The name of the newest run.
    pub fn newest(&self) -> String {
        let mut runs: Vec<String> = std::fs::read_dir(self.state().join("runs"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        runs.sort();
        runs.pop().unwrap()
    }

    /// What the lab is like: `hosts`, `pods`, `counts`.
    pub fn lab(&self) -> Json {
        let output = self.run(&["lab", "show", LAB]);
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// How many records the newest run has.
    pub fn records(&self) -> usize {
        let output = self.run(&["show", &self.newest(), "--json"]);
        output.stdout.iter().filter(|byte| **byte == b'\n').count()
    }
}

impl Drop for Bench {
    /// Markers lie outside, those of root in `/var/lib`: they go with the runs.
    fn drop(&mut self) {
        for marker in self.markers_of(&self.operations()) {
            let _ = std::fs::remove_file(marker);
        }
    }
}

fn operations_in(run: &RunId, journal: &str) -> BTreeSet<String> {
    let record = |line: &str| -> Option<Json> {
        let line: Json = serde_json::from_str(line).ok()?;
        serde_json::from_str(line["row"]["body"].as_str()?).ok()
    };
    let mut names = BTreeSet::new();
    for record in journal.lines().filter_map(record) {
        for intent in [&record, &record["intent"]] {
            if let (Some(id), Some(key)) = (intent["id"].as_str(), intent["key"].as_str()) {
                // No test edits a script more often.
                let within = OperationKey(format!("{key}/apply"));
                let within = (0..4).map(|edition| OperationId::derive(run, edition, &within));
                names.extend(within.map(|id| id.to_string()));
                names.insert(id.to_owned());
            }
        }
    }
    names
}

/// Everything that a process said.
pub fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Every file below a directory with its bytes.
pub fn tree(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => open.push(path),
                false => found.push((path.clone(), std::fs::read(&path).unwrap())),
            }
        }
    }
    found.sort();
    found
}
