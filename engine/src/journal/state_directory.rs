//! Where runs are kept: one directory each, beside the locks and the states of labs.

use std::fs;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;

use super::private::{check_local, check_private, create_directory};
use super::{JournalError, RunLock, lock};
use crate::model::RunId;

/// The directory that holds everything that outlives a process.
#[derive(Clone, Debug)]
pub struct StateDirectory {
    root: PathBuf,
}

/// The directory of one run. Naming it does not create it.
#[derive(Clone, Debug)]
pub struct RunDirectory {
    path: PathBuf,
    run: RunId,
}

impl StateDirectory {
    /// Opens the directory at `root`; creates it where it is missing.
    ///
    /// # Errors
    /// If others may use it, it is not the caller's, or it lies on a network file system.
    pub fn open(root: PathBuf) -> Result<Self, JournalError> {
        create_directory(&root)?;
        check_private(&root)?;
        check_local(&root)?;
        let state = Self { root };
        for path in [state.runs_path(), state.locks(), state.labs()] {
            create_directory(&path)?;
            check_private(&path)?;
        }
        Ok(state)
    }

    /// `RUNBOOK_STATE_DIR`, else `runbook` in the user's XDG state directory.
    pub fn default_root() -> Result<PathBuf, JournalError> {
        if let Some(named) = std::env::var_os("RUNBOOK_STATE_DIR").filter(|path| !path.is_empty()) {
            return std::path::absolute(&named)
                .map_err(JournalError::io("find", Path::new(&named)));
        }
        // The XDG convention on every system: what etcetera calls native has no state directory on macOS.
        let base = etcetera::base_strategy::Xdg::new()
            .map_err(|error| JournalError::NoStateDirectory(error.to_string()))?;
        let state = base
            .state_dir()
            .expect("the XDG convention always has a state directory");
        Ok(state.join("runbook"))
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The directory of a run.
    pub fn run(&self, run: &RunId) -> RunDirectory {
        RunDirectory {
            path: self.runs_path().join(run.as_str()),
            run: run.clone(),
        }
    }

    /// All runs, oldest first. Empty if the directory cannot be read, which [`StateDirectory::open`] checked.
    pub fn runs(&self) -> Vec<RunId> {
        self.list().unwrap_or_default()
    }

    /// The run that `text` names: its full name, or a beginning or end that no other run shares.
    pub fn find(&self, text: &str) -> Result<RunId, JournalError> {
        let runs = self.list()?;
        if let Some(exact) = runs.iter().find(|run| run.as_str() == text) {
            return Ok(exact.clone());
        }
        let matching: Vec<&RunId> = runs
            .iter()
            .filter(|run| {
                !text.is_empty() && (run.as_str().starts_with(text) || run.as_str().ends_with(text))
            })
            .collect();
        match matching[..] {
            [only] => Ok(only.clone()),
            [] => Err(JournalError::UnknownRun {
                text: text.to_owned(),
                nearest: nearest(text, &runs),
            }),
            _ => Err(JournalError::AmbiguousRun {
                text: text.to_owned(),
                candidates: names(&matching),
            }),
        }
    }

    /// Where labs keep their state.
    pub fn labs(&self) -> PathBuf {
        self.root.join("labs")
    }

    /// Locks `scope` against other processes for as long as the lock is held (M8). `holder` says to others
    /// which run holds it, and for whom; the process and the time are added.
    pub fn lock(&self, scope: &str, holder: &str) -> Result<RunLock, JournalError> {
        RunLock::acquire(&self.locks(), scope, holder)
    }

    /// Whether a process holds the lock on `scope`, without taking it from anybody who wants it.
    pub fn is_locked(&self, scope: &str) -> bool {
        lock::is_held(&self.locks(), scope)
    }

    /// Who holds the lock on `scope`, in words; none if nobody does.
    pub fn holder(&self, scope: &str) -> Option<String> {
        lock::holder(&self.locks(), scope)
    }

    fn list(&self) -> Result<Vec<RunId>, JournalError> {
        let path = self.runs_path();
        let mut runs = Vec::new();
        for entry in fs::read_dir(&path).map_err(JournalError::io("list", &path))? {
            let entry = entry.map_err(JournalError::io("list", &path))?;
            runs.extend(entry.file_name().to_str().and_then(RunId::parse));
        }
        // Names begin with the time.
        runs.sort();
        Ok(runs)
    }

    fn runs_path(&self) -> PathBuf {
        self.root.join("runs")
    }

    fn locks(&self) -> PathBuf {
        self.root.join("locks")
    }
}

impl RunDirectory {
    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whose it is.
    pub fn run(&self) -> &RunId {
        &self.run
    }
}

fn names(runs: &[&RunId]) -> String {
    let names: Vec<&str> = runs.iter().map(|run| run.as_str()).collect();
    names.join(", ")
}

/// A sentence that names the runs most like `text`.
fn nearest(text: &str, runs: &[RunId]) -> String {
    if runs.is_empty() {
        return "There are no runs yet: `runbook run` starts one".to_owned();
    }
    let likeness = |run: &RunId| {
        // People type the last part, which is random; compare with that and with the whole.
        let name = run.as_str();
        let tail = name.rsplit('-').next().unwrap_or(name);
        strsim::jaro_winkler(text, name).max(strsim::jaro_winkler(text, tail))
    };
    let mut ranked: Vec<&RunId> = runs.iter().rev().collect();
    ranked.sort_by(|a, b| likeness(b).total_cmp(&likeness(a)));
    ranked.truncate(3);
    format!("The nearest: {}. `runbook list` shows all", names(&ranked))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_runs(names: &[&str]) -> (tempfile::TempDir, StateDirectory) {
        let temp = tempfile::tempdir().unwrap();
        let state = StateDirectory::open(temp.path().join("state")).unwrap();
        for name in names {
            let run = state.run(&RunId::parse(name).unwrap());
            create_directory(run.path()).unwrap();
        }
        (temp, state)
    }

    #[test]
    fn finds_by_name_beginning_and_end() {
        let (_temp, state) = with_runs(&["20260102-100000-abcde", "20260101-100000-fghij"]);
        let found = |text: &str| state.find(text).map(|run| run.to_string());
        assert_eq!(found("fghij").unwrap(), "20260101-100000-fghij");
        assert_eq!(found("20260102").unwrap(), "20260102-100000-abcde");
        let unknown = found("abcdd").unwrap_err().to_string();
        assert!(
            unknown.contains("nearest: 20260102-100000-abcde"),
            "{unknown}"
        );
        assert!(matches!(
            found("2026"),
            Err(JournalError::AmbiguousRun { .. })
        ));
        assert!(matches!(found(""), Err(JournalError::UnknownRun { .. })));
        assert_eq!(state.runs()[0].as_str(), "20260101-100000-fghij");
    }

    #[test]
    fn a_lock_names_its_holder() {
        let (_temp, state) = with_runs(&[]);
        let held = state.lock("cluster x", "run r1 of ann@desk").unwrap();
        let _other = state.lock("cluster y", "run r2").unwrap();
        let refused = state
            .lock("cluster x", "run r3 of bob@desk")
            .unwrap_err()
            .to_string();
        let pid = std::process::id().to_string();
        for part in ["cluster x", "run r1 of ann@desk", &pid, "since"] {
            assert!(refused.contains(part), "{part} in {refused}");
        }
        assert!(state.is_locked("cluster x"));
        drop(held);
        assert!(!state.is_locked("cluster x") && !state.is_locked("cluster z"));
        state.lock("cluster x", "run r3 of bob@desk").unwrap();
    }

    #[test]
    fn looking_at_a_lock_refuses_nobody() {
        let (_temp, state) = with_runs(&[]);
        let over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !over.load(std::sync::atomic::Ordering::SeqCst) {
                        state.is_locked("cluster x");
                        std::thread::sleep(std::time::Duration::from_millis(1));
                    }
                });
            }
            let refused = (0..300)
                .filter(|_| state.lock("cluster x", "run r1").is_err())
                .count();
            over.store(true, std::sync::atomic::Ordering::SeqCst);
            assert_eq!(refused, 0);
        });
    }
}
