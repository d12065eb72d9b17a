//! Commands through the gate of a place.

use std::time::{Duration, Instant};

use runbook::model::{OperationId, OperationKey, RunId};
use runbook::transport::{
    Actor, Cancel, Command, Completion, InFlight, Launch, Output, Program, SilentSink,
    TransportError,
};

use super::shells::Place;

/// The operation of this name.
pub fn marker(name: &str) -> OperationId {
    let run = RunId::parse("run").unwrap();
    OperationId::derive(&run, 1, &OperationKey(name.into()))
}

/// A command that is waited for.
pub fn launch(name: &str, text: &str) -> Launch {
    Launch {
        marker: marker(name),
        attempt: 1,
        epoch: 1,
        command: Command {
            program: Program::Shell(text.into()),
            ..Command::argv([""])
        },
        timeout: Some(Duration::from_secs(60)),
        detach: false,
    }
}

/// A command that goes on by itself.
pub fn detached(name: &str, text: &str) -> Launch {
    Launch {
        detach: true,
        ..launch(name, text)
    }
}

/// Launches it through a connection of its own.
pub fn start(place: &Place, launch: &Launch) -> Result<Completion, TransportError> {
    place
        .connect()
        .launch(launch, &SilentSink, &Cancel::default())
}

/// Launches it and waits for its end.
pub fn run(place: &Place, launch: &Launch) -> Output {
    match start(place, launch).unwrap() {
        Completion::Ended(output) => output,
        Completion::Started => panic!("not detached"),
    }
}

/// What another engine is told of it.
pub fn inquire(place: &Place, launch: &Launch) -> InFlight {
    place
        .connect()
        .inquire(&launch.marker, launch.attempt)
        .unwrap()
}

/// Waits for this, not for ever.
pub fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(
            begin.elapsed() < Duration::from_secs(20),
            "waited in vain: {what}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whether this process runs.
pub fn alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z")
}
