//! A connection to a simulated host or pod: what it answers.

use std::sync::Arc;
use std::time::Duration;

use crate::lab::Lab;
use crate::lab::program::{Access, Outcome, Session};
use crate::lab::world::{Millis, Place};
use crate::model::{FileState, OperationId, Target, TargetPath};
use crate::transport::{
    Actor, Cancel, Captured, Command, Completion, Exit, FileStat, InFlight, Launch, Observer,
    Output, OutputSink, Program, TransportError,
};

/// A connection to a place of a lab.
#[derive(Debug)]
pub struct LabConnection {
    pub(super) lab: Arc<Lab>,
    pub(super) target: Target,
    pub(super) place: Place,
}

impl LabConnection {
    pub(super) fn refused(&self, why: impl Into<String>) -> TransportError {
        TransportError::Refused {
            target: self.target.clone(),
            why: why.into(),
        }
    }

    pub(super) fn lost(&self, why: impl Into<String>) -> TransportError {
        TransportError::Lost {
            target: self.target.clone(),
            why: why.into(),
        }
    }

    pub(super) fn name(&self) -> &str {
        match &self.place {
            Place::Host(name) | Place::Pod(name) => name,
        }
    }
}

impl Observer for LabConnection {
    fn probe(
        &self,
        command: &Command,
        timeout: Duration,
        cancel: &Cancel,
    ) -> Result<Output, TransportError> {
        if cancel.requested() == Some(crate::transport::Interruption::Now) {
            return Err(TransportError::Interrupted);
        }
        self.look(&command.program.display(), |world| {
            let deadline = world.now + timeout.as_millis() as Millis;
            let mut session = Session::new(world, self.place.clone(), Access::Look)
                .with_env(command.env.clone())
                .until(Some(deadline));
            let stdin = command.stdin.as_deref().unwrap_or_default();
            let outcome = session.run_argv(&argv(&command.program), stdin);
            let happened = session.happened;
            Ok((output(outcome), happened))
        })
    }

    fn read_file(&self, path: &TargetPath) -> Result<FileState, TransportError> {
        self.look(&format!("read {path}"), |world| {
            Ok((self.file(world, path)?, false))
        })
    }

    fn stat(&self, path: &TargetPath) -> Result<Option<FileStat>, TransportError> {
        self.look(&format!("stat {path}"), |world| {
            let session = Session::new(world, self.place.clone(), Access::Look);
            Ok((session.stat(path.as_str()), false))
        })
    }
}

impl Actor for LabConnection {
    fn replace_file(
        &self,
        path: &TargetPath,
        expected: &FileState,
        wanted: &FileState,
    ) -> Result<(), TransportError> {
        self.write(path, expected, wanted)
    }

    fn launch(
        &self,
        launch: &Launch,
        sink: &dyn OutputSink,
        _cancel: &Cancel,
    ) -> Result<Completion, TransportError> {
        self.pass_gate(launch, sink)
    }

    fn inquire(&self, marker: &OperationId, attempt: u32) -> Result<InFlight, TransportError> {
        self.ask_gate(marker, attempt)
    }

    /// What somebody waits for in a lab has ended when its exchange has.
    fn stop(
        &self,
        marker: &OperationId,
        attempt: u32,
        _: &Cancel,
    ) -> Result<InFlight, TransportError> {
        self.ask_gate(marker, attempt)
    }

    fn attach(
        &self,
        launch: &Launch,
        seen: (u64, u64),
        sink: &dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<Completion, TransportError> {
        self.follow_gate(launch, seen, sink, cancel)
    }

    fn forget(&self, markers: &[OperationId]) -> Result<(), TransportError> {
        self.forget_markers(markers)
    }
}

pub(super) fn argv(program: &Program) -> Vec<String> {
    match program {
        Program::Argv(words) => words.clone(),
        Program::Shell(text) => vec!["sh".into(), "-c".into(), text.clone()],
    }
}

pub(super) fn output(outcome: Outcome) -> Output {
    let captured = |bytes: Vec<u8>| {
        let mut captured = Captured::default();
        captured.push(&bytes);
        captured
    };
    Output {
        exit: outcome.status.map_or(Exit::TimedOut, Exit::Code),
        stdout: captured(outcome.stdout),
        stderr: captured(outcome.stderr),
    }
}
