//! Commands that run at most once: their records are part of the world, so that a marker and the effect
//! of its command become durable together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Millis;

/// What became of one attempt of a launch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LaunchRecord {
    /// The target, for readers.
    pub target: String,
    /// The command, for readers.
    pub command: String,
    /// The state of its gate.
    pub state: LaunchState,
}

/// The gate of a launch.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LaunchState {
    /// Taken by whoever asked: the command never ran and never will.
    Revoked,
    /// The command runs.
    Running(Process),
    /// The command ended.
    Ended {
        /// Exit status; `None`: killed when its time was up.
        status: Option<i32>,
        /// Standard output.
        stdout: String,
        /// Standard error.
        stderr: String,
    },
    /// The command is gone without an exit status.
    Gone(String),
}

/// A command that goes on by itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Process {
    /// On which host, or in which pod.
    pub place: String,
    /// Whether that is a pod.
    pub in_pod: bool,
    /// What is left of it to do: commands as shell text, each run when the one before has ended.
    pub left: Vec<Vec<String>>,
    /// Environment.
    pub env: BTreeMap<String, String>,
    /// Standard input.
    pub stdin: String,
    /// Killed then.
    pub deadline: Option<Millis>,
    /// Output so far.
    pub stdout: String,
    /// Errors so far.
    pub stderr: String,
}
