//! This machine as a target.

use std::process::Stdio;

use tokio::runtime::Handle;

use super::shell::ShellTarget;
use super::shell::link::{Exchange, LinkEnd, Pumped, Receiver, ShellLink, pump};
use super::{Cancel, TransportError};
use crate::model::Target;

/// A host whose transport is `local`.
pub type LocalTarget = ShellTarget<LocalLink>;

/// The shell of this machine.
#[derive(Debug)]
pub struct LocalLink {
    target: Target,
    runtime: Handle,
    variables: Vec<(String, String)>,
}

impl LocalLink {
    /// A link to this machine under the name `target`. The runtime needs its I/O and time drivers.
    pub fn new(target: Target, runtime: Handle) -> Self {
        Self {
            target,
            runtime,
            variables: Vec::new(),
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
}

impl LocalLink {
    async fn run(
        &self,
        exchange: &Exchange<'_>,
        receiver: &mut dyn Receiver,
        cancel: &Cancel,
    ) -> Result<LinkEnd, TransportError> {
        let lost = |why: String| TransportError::Lost {
            target: self.target.clone(),
            why,
        };
        let mut child = tokio::process::Command::new(exchange.words[0])
            .args(&exchange.words[1..])
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A Ctrl-C at the terminal is for the engine, which then decides; it must not reach the shell.
            .process_group(0)
            .spawn()
            .map_err(|error| TransportError::Unreachable {
                target: self.target.clone(),
                why: format!("{} cannot be started: {error}", exchange.words[0]),
            })?;
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(lost("the shell has no pipes".into()));
        };
        match pump(stdin, stdout, stderr, exchange, receiver, cancel).await {
            // The shell has nothing left to do but to exit; the runtime collects it.
            Pumped::Heard => Ok(LinkEnd::Heard),
            Pumped::Closed => match child.wait().await {
                Ok(status) => Ok(LinkEnd::Ended(status.code())),
                Err(error) => Err(lost(error.to_string())),
            },
            Pumped::Interrupted => Err(TransportError::Interrupted),
            Pumped::TimedOut => Err(lost("the shell gave no answer in time".into())),
            Pumped::Failed(error) => Err(lost(error.to_string())),
        }
    }
}
