//! A connection to a simulated host or pod.

use std::sync::Arc;
use std::time::Duration;

use super::{FaultKind, Request};
use crate::lab::definition::Reach;
use crate::lab::program::{Access, Outcome, Session};
use crate::lab::world::{
    Entry, Happening, Kubelet, LaunchRecord, LaunchState, Millis, Place, Process, World,
};
use crate::lab::{Lab, world};
use crate::model::{FileState, OperationId, Target, TargetPath};
use crate::transport::{
    Actor, Cancel, Captured, Command, Completion, Exit, FILE_LIMIT, FileKind, FileStat, InFlight,
    Launch, Observer, Output, OutputSink, Program, Stream, TransportError,
};

/// How long one exchange with a target takes.
const EXCHANGE: Millis = 20;

/// A connection that is cut: how long the command must outlive the kubelet for its answer to be lost.
const CUT_AFTER: Millis = 500;

/// A connection to a place of a lab.
#[derive(Debug)]
pub struct LabConnection {
    pub(super) lab: Arc<Lab>,
    pub(super) target: Target,
    pub(super) place: Place,
}

/// What a fault did to an exchange.
enum Disturbance {
    None,
    Failed,
    LosesAnswer,
    LosesRequest,
    Delays(Millis),
    Repeats(Millis),
    RebootsAtStart,
    RebootsAtEnd,
}

impl LabConnection {
    fn refused(&self, why: impl Into<String>) -> TransportError {
        TransportError::Refused {
            target: self.target.clone(),
            why: why.into(),
        }
    }

    fn lost(&self, why: impl Into<String>) -> TransportError {
        TransportError::Lost {
            target: self.target.clone(),
            why: why.into(),
        }
    }

    fn name(&self) -> &str {
        match &self.place {
            Place::Host(name) | Place::Pod(name) => name,
        }
    }

    /// Time passes; the target is reached or not; a fault strikes or not.
    /// `what` is what the exchange asks for, in words.
    fn arrive(&self, world: &mut World, what: &str) -> Result<(Disturbance, bool), TransportError> {
        let mut happened = world.advance(EXCHANGE);
        if let Some(why) = world.unreachable(&self.place) {
            return Err(TransportError::Unreachable {
                target: self.target.clone(),
                why,
            });
        }
        if world.machine(&self.place).is_none() {
            return Err(self.refused(format!(
                "it is not there (any more); the lab has {}",
                match self.place {
                    Place::Host(_) => "no such host",
                    Place::Pod(_) => "no running pod of this name",
                }
            )));
        }
        let contacts = world
            .counts
            .contacts
            .entry(self.name().to_owned())
            .or_default();
        *contacts += 1;
        let nth = *contacts;
        happened |= self.deliver(world);
        let planned = world
            .faults
            .iter_mut()
            .find_map(|fault| fault.strikes(self.name(), nth, what).then_some(fault.kind));
        let by_chance = |world: &mut World| world.chance.as_mut()?.strike(self.name(), nth);
        let Some(kind) = planned.or_else(|| by_chance(world)) else {
            // Faults count commands, so the count is kept while any is still to come.
            let counting = world.chance.is_some() || world.faults.iter().any(|fault| !fault.done);
            return Ok((Disturbance::None, happened || counting));
        };
        let struck = world.counts.faults.entry(kind.name().to_owned());
        *struck.or_default() += 1;
        let millis = |seconds: u32| Millis::from(seconds) * 1000;
        let disturbance = match kind {
            FaultKind::LoseConnection => Disturbance::LosesAnswer,
            FaultKind::LoseRequest => Disturbance::LosesRequest,
            FaultKind::Delay(seconds) => Disturbance::Delays(millis(seconds)),
            FaultKind::Twice(seconds) => Disturbance::Repeats(millis(seconds)),
            FaultKind::Fail => Disturbance::Failed,
            FaultKind::Late(seconds) => {
                world.advance(millis(seconds));
                Disturbance::None
            }
            FaultKind::Reboot => {
                self.reboot(world);
                Disturbance::LosesAnswer
            }
            FaultKind::RebootAtStart => Disturbance::RebootsAtStart,
            FaultKind::RebootAtEnd => Disturbance::RebootsAtEnd,
        };
        Ok((disturbance, true))
    }

    fn reboot(&self, world: &mut World) {
        world.lose_requests(self.name());
        if let Place::Host(name) = &self.place {
            world::reboot(world, name);
        }
    }

    /// Executes the requests that were held back and have arrived by now. Nobody waits for their answers.
    fn deliver(&self, world: &mut World) -> bool {
        let arrived = world.arrived(self.name());
        let any = !arrived.is_empty();
        for request in arrived {
            let done = match request {
                Request::Launch(launch) => {
                    let key = Self::key(&launch.marker, launch.attempt);
                    self.start(world, &launch, &key, false).map(|_| ())
                }
                Request::Replace {
                    path,
                    expected,
                    wanted,
                } => self.replace(world, &path, &expected, &wanted),
            };
            world.counts.refused += u32::from(done.is_err());
        }
        any
    }

    /// What became of a request of which nobody will hear.
    fn given_up(&self) -> TransportError {
        self.lost("connection reset by peer (a fault of the lab)")
    }

    /// Looks at the target; what a fault did is stored even so.
    fn look<T>(
        &self,
        what: &str,
        look: impl FnOnce(&mut World) -> Result<(T, bool), TransportError>,
    ) -> Result<T, TransportError> {
        self.lab
            .glance(|world| {
                let (disturbance, happened) = match self.arrive(world, what) {
                    Ok(arrived) => arrived,
                    Err(error) => return (Err(error), true),
                };
                match disturbance {
                    Disturbance::LosesAnswer
                    | Disturbance::LosesRequest
                    | Disturbance::Delays(_) => (Err(self.given_up()), true),
                    Disturbance::RebootsAtStart | Disturbance::RebootsAtEnd => {
                        self.reboot(world);
                        (Err(self.given_up()), true)
                    }
                    Disturbance::Failed => (
                        Err(self.refused("a fault of the lab refused this request")),
                        true,
                    ),
                    // A second look hurts nobody.
                    Disturbance::None | Disturbance::Repeats(_) => match look(world) {
                        Ok((value, changed)) => (Ok(value), happened || changed),
                        Err(error) => (Err(error), happened),
                    },
                }
            })
            .map_err(|error| self.refused(error.to_string()))?
    }

    fn key(marker: &OperationId, attempt: u32) -> String {
        format!("{}/{attempt}", marker.as_str())
    }

    fn start(
        &self,
        world: &mut World,
        launch: &Launch,
        key: &str,
        fails: bool,
    ) -> Result<Completion, TransportError> {
        self.pass_gate(world, launch, key)?;
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
    fn pass_gate(
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
        *world
            .counts
            .markers
            .entry(launch.marker.as_str().to_owned())
            .or_default() += 1;
        *world
            .counts
            .commands
            .entry(self.target.to_string())
            .or_default()
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

    fn change<T>(
        &self,
        change: impl FnOnce(&mut World) -> Result<T, TransportError>,
    ) -> Result<T, TransportError> {
        self.lab
            .change(change)
            .map_err(|error| self.refused(error.to_string()))?
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

impl LabConnection {
    fn file(&self, world: &mut World, path: &TargetPath) -> Result<FileState, TransportError> {
        let session = Session::new(world, self.place.clone(), Access::Look);
        let Some(stat) = session.stat(path.as_str()) else {
            return Ok(FileState::Absent);
        };
        if stat.kind != FileKind::File {
            return Err(self.refused(format!("{path} is not a regular file")));
        }
        if stat.size > FILE_LIMIT {
            return Err(self.refused(format!(
                "{path} has {} bytes; files over {FILE_LIMIT} are not read",
                stat.size
            )));
        }
        if let Some(machine) = world.machine(&self.place)
            && let Ok((image, _)) = machine.files.file(path.as_str())
        {
            return Ok(FileState::Present(image.clone()));
        }
        let session = Session::new(world, self.place.clone(), Access::Look);
        let content = session
            .read(path.as_str())
            .map_err(|why| self.refused(format!("{path}: {why}")))?;
        Ok(FileState::Present(crate::lab::world::plain(content, 0o444)))
    }

    fn replace(
        &self,
        world: &mut World,
        path: &TargetPath,
        expected: &FileState,
        wanted: &FileState,
    ) -> Result<(), TransportError> {
        if self.file(world, path)? != *expected {
            return Err(TransportError::Changed {
                target: self.target.clone(),
                what: path.to_string(),
            });
        }
        let now = world.seconds();
        let machine = world
            .machine_mut(&self.place)
            .ok_or_else(|| self.refused("it is not there any more"))?;
        let done = match wanted {
            FileState::Present(image) => machine.files.put(path.as_str(), image.clone(), now),
            FileState::Absent => match machine.files.get(path.as_str()) {
                Ok((real, Entry::File(..))) => machine.files.remove(&real),
                Ok(_) | Err(_) => Ok(()),
            },
        };
        done.map_err(|why| self.refused(format!("{path}: {why}")))
    }
}

impl Actor for LabConnection {
    fn replace_file(
        &self,
        path: &TargetPath,
        expected: &FileState,
        wanted: &FileState,
    ) -> Result<(), TransportError> {
        self.change(|world| {
            let (disturbance, _) = self.arrive(world, &format!("write {path}"))?;
            let again = || Request::Replace {
                path: path.clone(),
                expected: Box::new(expected.clone()),
                wanted: Box::new(wanted.clone()),
            };
            match disturbance {
                Disturbance::Failed => {
                    return Err(self.refused("a fault of the lab: No space left on device"));
                }
                Disturbance::LosesRequest => return Err(self.given_up()),
                Disturbance::Delays(delay) => {
                    world.hold_back(delay, self.name(), again());
                    return Err(self.given_up());
                }
                Disturbance::RebootsAtStart => {
                    self.reboot(world);
                    return Err(self.given_up());
                }
                _ => {}
            }
            self.replace(world, path, expected, wanted)?;
            match disturbance {
                Disturbance::LosesAnswer => Err(self.given_up()),
                Disturbance::RebootsAtEnd => {
                    self.reboot(world);
                    Err(self.given_up())
                }
                Disturbance::Repeats(delay) => {
                    world.hold_back(delay, self.name(), again());
                    Ok(())
                }
                _ => Ok(()),
            }
        })
    }

    fn launch(
        &self,
        launch: &Launch,
        sink: &dyn OutputSink,
        _cancel: &Cancel,
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
                    self.pass_gate(world, launch, &key)?;
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

    fn inquire(&self, marker: &OperationId, attempt: u32) -> Result<InFlight, TransportError> {
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

    /// What somebody waits for in a lab has ended when its exchange has.
    fn stop(
        &self,
        marker: &OperationId,
        attempt: u32,
        _: &Cancel,
    ) -> Result<InFlight, TransportError> {
        self.inquire(marker, attempt)
    }

    fn attach(
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

    fn forget(&self, markers: &[OperationId]) -> Result<(), TransportError> {
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
}

fn argv(program: &Program) -> Vec<String> {
    match program {
        Program::Argv(words) => words.clone(),
        Program::Shell(text) => vec!["sh".into(), "-c".into(), text.clone()],
    }
}

/// A detached command in parts: a `sleep` that stands first lets time pass without stopping the world.
fn steps(program: &Program) -> Vec<Vec<String>> {
    let text = match program {
        Program::Shell(text) => text.as_str(),
        Program::Argv(words) => match &words[..] {
            [shell, flag, text] if matches!(shell.as_str(), "sh" | "bash") && flag == "-c" => text,
            _ => return vec![words.clone()],
        },
    };
    let (mut parts, mut rest) = (vec![], text.trim_start());
    while let Some(after) = rest.strip_prefix("sleep ") {
        let Some(end) = after.find([';', '&', '\n']) else {
            break;
        };
        let seconds = after[..end].trim();
        let tail = after[end..]
            .strip_prefix("&&")
            .or_else(|| after[end..].strip_prefix([';', '\n']));
        let (Some(_), Some(tail)) = (crate::lab::program::sleep_time(seconds), tail) else {
            break;
        };
        parts.push(vec!["sleep".into(), seconds.to_owned()]);
        rest = tail.trim_start();
    }
    parts.push(vec!["sh".into(), "-c".into(), rest.to_owned()]);
    parts
}

fn output(outcome: Outcome) -> Output {
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
