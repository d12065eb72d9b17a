//! Probes: commands that only read.

use std::time::Duration;

use super::exchange::Body;
use super::{Question, ShellLink, ShellTarget, TOOLS_TO_RUN, seconds};
use crate::transport::{Cancel, Captured, Command, Exit, Output, Stream, TransportError};

/// The target kills a probe in time; if it says nothing for this much longer, the connection is dead.
const SILENCE: Duration = Duration::from_secs(20);

impl<L: ShellLink> ShellTarget<L> {
    pub(super) fn run_probe(
        &self,
        command: &Command,
        timeout: Duration,
        cancel: &Cancel,
    ) -> Result<Output, TransportError> {
        let (exact, whole) = seconds(Some(timeout));
        let exports = self.exports_of(command)?;
        let mut arguments = vec![exact.as_str(), whole.as_str()];
        arguments.extend(self.words_of(command)?);
        let question = Question::probe(&arguments)
            .tools(TOOLS_TO_RUN)
            .variables(&[("exports", &exports)])
            .input(&[command.stdin.as_deref().unwrap_or_default()])
            .deadline(Some(timeout + SILENCE));
        let mut both = Both::default();
        let words = self.ask(&question, &mut both, cancel)?;
        let exit = parse_exit(&words).ok_or_else(|| self.puzzled(&words))?;
        Ok(Output {
            exit,
            stdout: both.stdout,
            stderr: both.stderr,
        })
    }
}

/// `exit N`, `signal N` or `timeout`.
pub(super) fn parse_exit(words: &str) -> Option<Exit> {
    match words.trim().split_once(' ') {
        Some(("exit", code)) => code.parse().ok().map(Exit::Code),
        Some(("signal", signal)) => signal.parse().ok().map(Exit::Signal),
        None if words.trim() == "timeout" => Some(Exit::TimedOut),
        _ => None,
    }
}

/// Both streams, captured.
#[derive(Default)]
struct Both {
    stdout: Captured,
    stderr: Captured,
}

impl Body for Both {
    fn body(&mut self, stream: Stream, bytes: &[u8]) {
        match stream {
            Stream::Stdout => self.stdout.push(bytes),
            Stream::Stderr => self.stderr.push(bytes),
        }
    }
}
