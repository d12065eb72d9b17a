//! `probe`: a command that its author promises only reads.

use std::time::Duration;

use crate::model::{Target, Value};
use crate::transport::{Cancel, Command, Exit, ObservingFleet, Output, Program};

use super::{Failure, Observation, Report};

/// A probe of a host or pod.
#[derive(Clone, Debug)]
pub struct ProbeCommand {
    /// Where.
    pub target: Target,
    /// What.
    pub command: Command,
    /// After this long it is killed.
    pub timeout: Duration,
    /// The exit statuses that count as an answer; empty for any.
    pub expect_exit: Vec<i32>,
}

impl Observation for ProbeCommand {
    fn kind(&self) -> &str {
        "probe"
    }

    fn arguments(&self) -> Value {
        let program = match &self.command.program {
            Program::Argv(words) => Value::from(words.clone()),
            Program::Shell(text) => Value::from(text.clone()),
        };
        let stdin = self
            .command
            .stdin
            .as_ref()
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        Value::from_entries([
            ("program", program),
            ("stdin", stdin.into()),
            (
                "env",
                Value::from_entries(
                    self.command
                        .env
                        .iter()
                        .map(|(k, v)| (k.clone(), Value::from(v.clone()))),
                ),
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

    fn summary(&self) -> String {
        self.command.program.display()
    }

    fn command(&self) -> Option<String> {
        Some(match &self.command.program {
            Program::Argv(words) => words.join(" "),
            Program::Shell(text) => text.clone(),
        })
    }

    fn observe(&self, fleet: &dyn ObservingFleet, cancel: &Cancel) -> Result<Value, Failure> {
        let output = fleet
            .observer(&self.target)?
            .probe(&self.command, self.timeout, cancel)?;
        judged(
            &output,
            &self.expect_exit,
            &self.command.program,
            &self.target,
            Some(self.timeout),
        )
    }
}

/// What a script gets for a command's output, if its exit status is one of those expected.
pub fn judged(
    output: &Output,
    expect_exit: &[i32],
    program: &Program,
    target: &Target,
    timeout: Option<Duration>,
) -> Result<Value, Failure> {
    let code = match output.exit {
        Exit::Code(code) => code,
        // As a shell would report it.
        Exit::Signal(signal) => 128 + signal,
        Exit::TimedOut => {
            let limit = timeout
                .map(|limit| format!(" after {limit:?}"))
                .unwrap_or_default();
            let message = format!("`{}` was killed{limit}: its time was up", program.display());
            let report = Report::new(message)
                .on(target)
                .hint("give it more time with #{ timeout: \"5m\" }");
            return Err(Failure::Failed(with_output(report, output)));
        }
    };
    if !expect_exit.is_empty() && !expect_exit.contains(&code) {
        let how = match output.exit {
            Exit::Signal(signal) => format!("was killed by signal {signal}"),
            _ => format!("exited with {code}"),
        };
        let report = Report::new(format!("`{}` {how}", program.display())).on(target);
        return Err(Failure::Failed(with_output(report, output)));
    }
    Ok(Value::from_entries([
        ("exit", Value::Int(code.into())),
        ("ok", (code == 0).into()),
        ("stdout", output.stdout.text().into()),
        ("stderr", output.stderr.text().into()),
    ]))
}

/// The end of what a command said, as the detail of a failure.
fn with_output(report: Report, output: &Output) -> Report {
    let said = if output.stderr.bytes.is_empty() {
        &output.stdout
    } else {
        &output.stderr
    };
    let text = said.text();
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines[lines.len().saturating_sub(12)..].join("\n");
    if tail.is_empty() {
        report
    } else {
        report.detail(tail)
    }
}
