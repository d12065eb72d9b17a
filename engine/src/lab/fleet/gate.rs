//! The gate of the lab (M4): commands that run at most once, whatever a fault does to the exchange.

use super::connection::{argv, output};
use super::exchange::{Disturbance, EXCHANGE};
use super::process::steps;
use super::{LabConnection, Request};
use crate::lab::definition::Reach;
use crate::lab::program::{Access, Outcome, Session};
use crate::lab::world::{
    Happening, Kubelet, LaunchRecord, LaunchState, Millis, Place, Process, World,
};
use crate::model::OperationId;
use crate::transport::{Cancel, Completion, InFlight, Launch, OutputSink, Stream, TransportError};

/// A connection that is cut: how long the command must outlive the kubelet for its answer to be lost.
const CUT_AFTER: Millis = 500;

impl LabConnection {
    pub(super) fn pass_gate(
        &self,
        launch: &Launch,
        sink: &dyn OutputSink,
    ) -> Result<Completion, TransportError> {
        let key = Self::key(&launch.marker, launch.attempt);
        let completion = self.change(|world| {
            let (disturbance, _) = self.arrive(world, &launch.command.program.display())?;
            let fails = matches!(disturbance, Disturbance::Failed);
            if world.unreachable(&self.place).is_some() {
                // It is rebooting under us: the command was never started.
                return Err(self.lost("the host went down (a fault of the lab)"));
            }
            let again = || Request::Launch(Box::new(launch.clone()));
            match disturbance {
                Disturbance::LosesRequest => return Err(self.given_up()),
                Disturbance::Delays(delay) => {
                    world.hold_back(delay, self.name(), again());
                    return Err(self.given_up());
                }
                Disturbance::RebootsAtStart => {
                    self.take_gate(world, launch, &key)?;
                    self.goes_down_with(world, launch, &key);
                    return Err(self.given_up());
                }
                _ => {}
            }
            let completion = self.start(world, launch, &key, fails)?;
            match disturbance {
                Disturbance::LosesAnswer => Err(self.given_up()),
                Disturbance::RebootsAtEnd => {
                    self.goes_down_with(world, launch, &key);
                    Err(self.given_up())
                }
                Disturbance::Repeats(delay) => {
                    world.hold_back(delay, self.name(), again());
                    Ok(completion)
                }
                _ => Ok(completion),
            }
        })?;
        show(&completion, (0, 0), sink);
        Ok(completion)
    }

    pub(super) fn ask_gate(
        &self,
        marker: &OperationId,
        attempt: u32,
    ) -> Result<InFlight, TransportError> {
        let key = Self::key(marker, attempt);
        self.change(|world| {
            let (disturbance, _) = self.arrive(world, "inquire")?;
            match disturbance {
                Disturbance::None | Disturbance::Repeats(_) => Ok(self.state_of(world, &key)),
                // The gate may be taken and nobody told.
                Disturbance::LosesAnswer => {
                    self.state_of(world, &key);
                    Err(self.given_up())
                }
                Disturbance::RebootsAtStart | Disturbance::RebootsAtEnd => {
                    self.reboot(world);
                    Err(self.given_up())
                }
                _ => Err(self.given_up()),
            }
        })
    }

    pub(super) fn follow_gate(
        &self,
        launch: &Launch,
        seen: (u64, u64),
        sink: &dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<Completion, TransportError> {
        let key = Self::key(&launch.marker, launch.attempt);
        loop {
            if cancel.requested() == Some(crate::transport::Interruption::Now) {
                return Err(TransportError::Interrupted);
            }
            let state = self.change(|world| {
                let (disturbance, _) = self.arrive(world, "attach")?;
                match disturbance {
                    Disturbance::None | Disturbance::Repeats(_) => {}
                    Disturbance::RebootsAtStart | Disturbance::RebootsAtEnd => {
                        self.reboot(world);
                        return Err(self.given_up());
                    }
                    _ => return Err(self.given_up()),
                }
                let state = self.state_of(world, &key);
                if state == InFlight::Running {
                    world.advance(1_000);
                }
                Ok(state)
            })?;
            match state {
                InFlight::Running => {}
                InFlight::Ended(output) => {
                    let completion = Completion::Ended(output);
                    show(&completion, seen, sink);
                    return Ok(completion);
                }
                InFlight::NeverRan => {
                    return Err(self.refused(format!("operation {key} was never started")));
                }
                InFlight::Unknown(why) => return Err(self.lost(why)),
            }
        }
    }

    pub(super) fn forget_markers(&self, markers: &[OperationId]) -> Result<(), TransportError> {
        self.change(|world| {
            for marker in markers {
                // `marker/attempt`: they stand side by side.
                let of_marker = format!("{marker}/");
                let attempts = world.launches.range(of_marker.clone()..);
                let attempts: Vec<String> = attempts
                    .map(|(key, _)| key)
                    .take_while(|key| key.starts_with(&of_marker))
                    .cloned()
                    .collect();
                for key in attempts {
                    world.launches.remove(&key);
                }
            }
            Ok(())
        })
    }

    pub(super) fn key(marker: &OperationId, attempt: u32) -> String {
        format!("{}/{attempt}", marker.as_str())
    }

    pub(super) fn start(
        &self,
        world: &mut World,
        launch: &Launch,
        key: &str,
        fails: bool,
    ) -> Result<Completion, TransportError> {
        self.take_gate(world, launch, key)?;
        let deadline = launch
            .timeout
            .map(|timeout| world.now + timeout.as_millis() as Millis);
        let mut process = Process {
            place: self.name().to_owned(),
            in_pod: matches!(self.place, Place::Pod(_)),
            left: steps(&launch.command.program),
            env: launch.command.env.clone(),
            stdin: String::from_utf8_lossy(launch.command.stdin.as_deref().unwrap_or_default())
                .into_owned(),
            deadline,
            stdout: String::new(),
            stderr: String::new(),
        };
        if fails {
            process.left = vec![vec![
                "sh".into(),
                "-c".into(),
                "echo 'a fault of the lab: not executed' >&2; exit 1".into(),
            ]];
        }
        let record = |state| LaunchRecord {
            target: self.target.to_string(),
            command: launch.command.program.display(),
            state,
        };
        if launch.detach {
            world
                .launches
                .insert(key.to_owned(), record(LaunchState::Running(process)));
            let launch = key.to_owned();
            world.plan(EXCHANGE, Happening::Process { launch });
            return Ok(Completion::started());
        }
        let words = if fails {
            process.left.remove(0)
        } else {
            argv(&launch.command.program)
        };
        let outcome = Session::new(world, self.place.clone(), Access::Change)
            .with_env(process.env)
            .until(deadline)
            .run_argv(&words, process.stdin.as_bytes());
        world.launches.insert(
            key.to_owned(),
            record(LaunchState::Ended {
                status: outcome.status,
                stdout: String::from_utf8_lossy(&outcome.stdout).into_owned(),
                stderr: String::from_utf8_lossy(&outcome.stderr).into_owned(),
            }),
        );
        if self.was_cut(world) {
            return Err(
                self.lost("unexpected EOF: the kubelet that carries the connection went away")
            );
        }
        Ok(Completion::Ended(output(outcome)))
    }

    /// Takes the gate: at most one start for each attempt, none for an epoch that is over.
    fn take_gate(
        &self,
        world: &mut World,
        launch: &Launch,
        key: &str,
    ) -> Result<(), TransportError> {
        match world.launches.get(key).map(|record| &record.state) {
            None => {}
            Some(LaunchState::Revoked) => {
                return Err(self.refused(format!("the gate of operation {key} was revoked")));
            }
            Some(_) => {
                return Err(self.refused(format!(
                    "operation {key} was started before: a command runs at most once"
                )));
            }
        }
        if let Place::Host(name) = &self.place
            && let Some(host) = world.hosts.get_mut(name)
        {
            if launch.epoch < host.epoch {
                return Err(self.refused(format!(
                    "this run has epoch {}, but the host has seen {}: another process has taken the run over",
                    launch.epoch, host.epoch
                )));
            }
            host.epoch = launch.epoch;
        }
        *world.counts.markers.slot(launch.marker.as_str()) += 1;
        let commands = world.counts.commands.slot(&self.target.to_string());
        *commands
            .entry(launch.command.program.display())
            .or_default() += 1;
        Ok(())
    }

    /// The host goes down under a command that has passed its gate: there will be no exit status.
    fn goes_down_with(&self, world: &mut World, launch: &Launch, key: &str) {
        let record = LaunchRecord {
            target: self.target.to_string(),
            command: launch.command.program.display(),
            state: LaunchState::Gone(format!(
                "{} rebooted while it ran: the boot id has changed and there is no exit status",
                self.name()
            )),
        };
        world.launches.insert(key.to_owned(), record);
        self.reboot(world);
    }

    /// Whether the kubelet went away under a command that went on.
    fn was_cut(&self, world: &World) -> bool {
        let node = match &self.place {
            Place::Host(name) => name,
            Place::Pod(key) => match world.sandboxes.get(key) {
                Some(sandbox) => &sandbox.node,
                None => return true,
            },
        };
        world.hosts.get(node).is_some_and(|host| {
            let carried = matches!(self.place, Place::Pod(_)) || host.reach == Reach::Kubelet;
            let gone =
                matches!(host.kubelet, Kubelet::Down(since) if world.now - since > CUT_AFTER);
            host.down_until.is_some() || carried && gone
        })
    }

    fn state_of(&self, world: &mut World, key: &str) -> InFlight {
        match world.launches.get(key).map(|record| &record.state) {
            None => {
                world.launches.insert(
                    key.to_owned(),
                    LaunchRecord {
                        target: self.target.to_string(),
                        command: String::new(),
                        state: LaunchState::Revoked,
                    },
                );
                InFlight::NeverRan
            }
            Some(LaunchState::Revoked) => InFlight::NeverRan,
            Some(LaunchState::Running(_)) => InFlight::Running,
            Some(LaunchState::Gone(why)) => InFlight::Unknown(why.clone()),
            Some(LaunchState::Ended {
                status,
                stdout,
                stderr,
            }) => InFlight::Ended(output(Outcome {
                status: *status,
                stdout: stdout.clone().into_bytes(),
                stderr: stderr.clone().into_bytes(),
            })),
        }
    }
}

fn show(completion: &Completion, seen: (u64, u64), sink: &dyn OutputSink) {
    let Completion::Ended(output) = completion else {
        return;
    };
    for (stream, bytes, seen) in [
        (Stream::Stdout, &output.stdout.bytes, seen.0),
        (Stream::Stderr, &output.stderr.bytes, seen.1),
    ] {
        let from = usize::try_from(seen).unwrap_or(usize::MAX);
        if let Some(rest) = bytes.get(from..).filter(|rest| !rest.is_empty()) {
            sink.output(stream, rest);
        }
    }
}
