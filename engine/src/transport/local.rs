//! This machine as a target.

use std::process::Stdio;

use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use tokio::runtime::Handle;

use super::shell::ShellTarget;
use super::shell::kept::{KeptShell, Shelf};
use super::shell::link::{Conversation, Exchange, LinkEnd, Pumped, Receiver, ShellLink, pump};
use super::{Cancel, TransportError};
use crate::model::Target;

/// A host whose transport is `local`.
pub type LocalTarget = ShellTarget<LocalLink>;

/// The shell of this machine.
pub struct LocalLink {
    target: Target,
    runtime: Handle,
    variables: Vec<(String, String)>,
    kept: Shelf<Kept>,
}

type Kept = KeptShell<ChildStdin, ChildStdout, ChildStderr, Child>;

impl LocalLink {
    /// A link to this machine under the name `target`. The runtime needs its I/O and time drivers.
    pub fn new(target: Target, runtime: Handle) -> Self {
        Self {
            target,
            runtime,
            variables: Vec::new(),
            kept: Shelf::default(),
        }
    }

    /// Sets an environment variable for everything that runs through this link, such as `PATH`.
    #[must_use]
    pub fn with_variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }
}

impl ShellLink for LocalLink {
    fn target(&self) -> &Target {
        &self.target
    }

    fn exchange(
        &self,
        exchange: &Exchange<'_>,
        receiver: &mut dyn Receiver,
        cancel: &Cancel,
    ) -> Result<LinkEnd, TransportError> {
        self.runtime.block_on(self.run(exchange, receiver, cancel))
    }

    fn converse(
        &self,
        conversation: &Conversation<'_>,
        receiver: &mut dyn Receiver,
        cancel: &Cancel,
    ) -> Option<Result<LinkEnd, TransportError>> {
        Some(
            self.runtime
                .block_on(self.talk(conversation, receiver, cancel)),
        )
    }
}

impl LocalLink {
    async fn run(
        &self,
        exchange: &Exchange<'_>,
        receiver: &mut dyn Receiver,
        cancel: &Cancel,
    ) -> Result<LinkEnd, TransportError> {
        let (mut child, (stdin, stdout, stderr)) = self.spawn(exchange.words)?;
        match pump(stdin, stdout, stderr, exchange, receiver, cancel).await {
            // The shell has nothing left to do but to exit; the runtime collects it.
            Pumped::Heard => Ok(LinkEnd::Heard),
            Pumped::Closed => self.ended(&mut child).await,
            other => Err(self.failed(other)),
        }
    }

    async fn talk(
        &self,
        conversation: &Conversation<'_>,
        receiver: &mut dyn Receiver,
        cancel: &Cancel,
    ) -> Result<LinkEnd, TransportError> {
        let words = conversation.words;
        if let Some(mut shell) = self.kept.take(words).await {
            let line = conversation.line;
            return match shell.converse(line, conversation, receiver, cancel).await {
                Pumped::Heard => {
                    self.kept.put(shell);
                    Ok(LinkEnd::Heard)
                }
                Pumped::Closed => Ok(LinkEnd::Ended(None)),
                other => Err(self.failed(other)),
            };
        }
        let (child, streams) = self.spawn(words)?;
        let mut shell = KeptShell::new(words, streams, child);
        let lines = [conversation.greeting, conversation.line].concat();
        match shell.converse(&lines, conversation, receiver, cancel).await {
            Pumped::Heard => {
                self.kept.put(shell);
                Ok(LinkEnd::Heard)
            }
            Pumped::Closed => self.ended(&mut shell.holds).await,
            other => Err(self.failed(other)),
        }
    }

    fn spawn(
        &self,
        words: &[&str],
    ) -> Result<(Child, (ChildStdin, ChildStdout, ChildStderr)), TransportError> {
        let mut child = tokio::process::Command::new(words[0])
            .args(&words[1..])
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A Ctrl-C at the terminal is for the engine, which then decides; it must not reach the shell.
            .process_group(0)
            .spawn()
            .map_err(|error| TransportError::Unreachable {
                target: self.target.clone(),
                why: format!("{} cannot be started: {error}", words[0]),
            })?;
        match (child.stdin.take(), child.stdout.take(), child.stderr.take()) {
            (Some(stdin), Some(stdout), Some(stderr)) => Ok((child, (stdin, stdout, stderr))),
            _ => Err(self.lost("the shell has no pipes")),
        }
    }

    async fn ended(&self, child: &mut Child) -> Result<LinkEnd, TransportError> {
        match child.wait().await {
            Ok(status) => Ok(LinkEnd::Ended(status.code())),
            Err(error) => Err(self.lost(error.to_string())),
        }
    }

    fn failed(&self, pumped: Pumped) -> TransportError {
        match pumped {
            Pumped::Interrupted => TransportError::Interrupted,
            Pumped::TimedOut => self.lost("the shell gave no answer in time"),
            Pumped::Failed(error) => self.lost(error.to_string()),
            Pumped::Heard | Pumped::Closed => self.lost("the shell ended"),
        }
    }

    fn lost(&self, why: impl Into<String>) -> TransportError {
        TransportError::Lost {
            target: self.target.clone(),
            why: why.into(),
        }
    }
}
