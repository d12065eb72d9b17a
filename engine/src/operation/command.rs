//! Commands: opaque, run at most once.

use std::borrow::Cow;
use std::collections::BTreeMap;
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

/// [`RunCommand::arguments`], sorted by name.
#[derive(Serialize)]
struct Canonical<'a> {
    detach: bool,
    env: &'a BTreeMap<String, String>,
    expect_exit: &'a [i32],
    guards: Vec<CanonicalGuard<'a>>,
    program: CanonicalProgram<'a>,
    stdin: Option<Cow<'a, str>>,
    timeout_ms: Option<i64>,
    undo: Option<CanonicalProgram<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum CanonicalGuard<'a> {
    Unless(CanonicalProgram<'a>),
    Creates(&'a str),
}

#[derive(Serialize)]
#[serde(untagged)]
enum CanonicalProgram<'a> {
    Argv(&'a [String]),
    Shell(&'a str),
}

impl<'a> CanonicalGuard<'a> {
    fn of(guard: &'a Guard) -> Self {
        match guard {
            Guard::Unless(program) => Self::Unless(CanonicalProgram::of(program)),
            Guard::Creates(path) => Self::Creates(path.as_str()),
        }
    }
}

impl<'a> CanonicalProgram<'a> {
    fn of(program: &'a Program) -> Self {
        match program {
            Program::Argv(words) => Self::Argv(words),
            Program::Shell(text) => Self::Shell(text),
        }
    }
}

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

    /// The arguments as [`Value::canonical`] writes them, without making them first: a long replay compares them for each
    /// command.
    pub fn canonical(&self) -> String {
        let timeout = self.timeout.map(|timeout| timeout.as_millis() as i64);
        let arguments = Canonical {
            detach: self.detach,
            env: &self.command.env,
            expect_exit: &self.expect_exit,
            guards: self.guards.iter().map(CanonicalGuard::of).collect(),
            program: CanonicalProgram::of(&self.command.program),
            stdin: self.command.stdin.as_deref().map(String::from_utf8_lossy),
            timeout_ms: timeout,
            undo: self.undo.as_ref().map(CanonicalProgram::of),
        };
        serde_json::to_string(&arguments).expect("texts and numbers always have a JSON form")
    }

    /// The command as a reader would type it.
    pub fn summary(&self) -> String {
        self.command.program.display()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn program() -> impl Strategy<Value = Program> {
        prop_oneof![
            any::<Vec<String>>().prop_map(Program::Argv),
            any::<String>().prop_map(Program::Shell),
        ]
    }

    fn guard() -> impl Strategy<Value = Guard> {
        prop_oneof![
            program().prop_map(Guard::Unless),
            "/[a-z\"\\\\ä]{1,5}".prop_map(|path| Guard::Creates(TargetPath::parse(&path).unwrap())),
        ]
    }

    proptest! {
        // Recorded fingerprints are made of this text: another one would find every recorded command changed.
        #[test]
        fn the_canonical_arguments_are_the_arguments(
            program in program(),
            stdin in any::<Option<Vec<u8>>>(),
            env in any::<BTreeMap<String, String>>(),
            guards in prop::collection::vec(guard(), 0..3),
            undo in prop::option::of(program()),
            detach in any::<bool>(),
            timeout in any::<Option<u32>>(),
            expect_exit in any::<Vec<i32>>(),
        ) {
            let command = RunCommand {
                command: Command { program, stdin, env },
                guards,
                undo,
                undone_by: None,
                detach,
                timeout: timeout.map(|ms| Duration::from_millis(ms.into())),
                expect_exit,
                planned: None,
                affects: Affects::WholeTarget,
            };
            prop_assert_eq!(command.canonical(), command.arguments().canonical());
        }
    }
}
