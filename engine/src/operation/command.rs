//! Commands: opaque, run at most once.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{TargetPath, Value};
use crate::transport::{Command, Program};

/// What may be different after an effect, as far as its author has said. A dry run takes later observations of
/// these as unknown until the run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Affects {
    /// The author has not said: everything that is observed on the same target.
    #[default]
    WholeTarget,
    /// Only these files of the same target; `[]` for nothing that anyone observes.
    Files(Vec<TargetPath>),
    /// The same target and the cluster's objects.
    TargetAndCluster,
}

/// A reason not to run a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Guard {
    /// Not if this command exits with 0.
    Unless(Program),
    /// Not if this path exists.
    Creates(TargetPath),
}

/// `host.run(…)`: a command with everything that was said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunCommand {
    /// The command.
    pub command: Command,
    /// Reasons not to run it.
    pub guards: Vec<Guard>,
    /// The command that puts back what this one did.
    pub undo: Option<Program>,
    /// In words, what puts it back where no command does.
    pub undone_by: Option<String>,
    /// Return as soon as it has started.
    pub detach: bool,
    /// After this long it is killed on the target.
    pub timeout: Option<Duration>,
    /// The exit statuses that count as success; others fail the operation.
    pub expect_exit: Vec<i32>,
    /// The value that a dry run assumes (the command's output); none makes it unknown.
    pub planned: Option<ValueText>,
    /// What later observations it may alter.
    pub affects: Affects,
}

/// Output that the author says to expect.
pub type ValueText = String;

impl RunCommand {
    /// The arguments as plain data.
    pub fn arguments(&self) -> Value {
        let program = |program: &Program| match program {
            Program::Argv(words) => Value::from(words.clone()),
            Program::Shell(text) => Value::from(text.clone()),
        };
        let guards = self.guards.iter().map(|guard| match guard {
            Guard::Unless(command) => Value::from_entries([("unless", program(command))]),
            Guard::Creates(path) => Value::from_entries([("creates", Value::from(path.as_str()))]),
        });
        Value::from_entries([
            ("program", program(&self.command.program)),
            (
                "stdin",
                self.command
                    .stdin
                    .as_ref()
                    .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
                    .into(),
            ),
            (
                "env",
                Value::from_entries(
                    self.command
                        .env
                        .iter()
                        .map(|(name, value)| (name.clone(), Value::from(value.clone()))),
                ),
            ),
            ("guards", Value::List(guards.collect())),
            ("undo", self.undo.as_ref().map(program).into()),
            ("detach", self.detach.into()),
            (
                "timeout_ms",
                self.timeout
                    .map(|timeout| timeout.as_millis() as i64)
                    .into(),
            ),
            (
                "expect_exit",
                Value::List(
                    self.expect_exit
                        .iter()
                        .map(|code| Value::Int((*code).into()))
                        .collect(),
                ),
            ),
        ])
    }

    /// The command as a reader would type it.
    pub fn summary(&self) -> String {
        self.command.program.display()
    }
}
