//! Live commands: at most once, and never guessed at (M3, M4).

use super::bound::Effect;
use super::ledger;
use super::live::Live;
use super::output::LiveOutput;
use super::patience::persistently;
use crate::journal::{Entry, Intent, Record};
use crate::model::{OperationId, OperationKey, Target, Value};
use crate::operation::{Call, Failure, Guard, Report, RunCommand, Undecided, Way, judged};
use crate::report::OperationOutcome;
use crate::transport::{
    Command, Completion, Exit, InFlight, Launch, ObservingFleet, SilentSink, TransportError,
};

/// How long a guard may take: 60 seconds.
const GUARD_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(60);

/// How the outcome of a command was learnt that the user did not want to wait for.
pub const STOPPED: &str = "stopped by Ctrl-C";

/// Runs a command that was not begun before.
pub(super) fn run(
    live: &Live,
    call: &Call<'_>,
    command: &RunCommand,
    attempt: u32,
) -> Result<Value, Failure> {
    let intent = live.ledger.intent(call, attempt);
    let id = intent.id.clone();
    match guarded(&*live.fleet, &call.target, command, &live.cancel) {
        Ok(None) => {}
        Ok(Some(why)) => {
            let result = live.ledger.observed(intent, Ok(skipped_value()));
            return live.report(call, &id, result, |_| OperationOutcome::Skipped { why });
        }
        Err(failure) => {
            let result = live.ledger.observed(intent, Err(failure));
            return live.report(call, &id, result, |value| OperationOutcome::Ok {
                value: value.clone(),
            });
        }
    }
    begin(live, call, command, intent)
}

fn begin(
    live: &Live,
    call: &Call<'_>,
    command: &RunCommand,
    mut intent: Intent,
) -> Result<Value, Failure> {
    let (id, attempt) = (intent.id.clone(), intent.attempt);
    let by = || {
        command
            .undone_by
            .as_ref()
            .map(|by| Value::from_entries([("by", Value::from(by.clone()))]))
    };
    intent.undo = command.undo.as_ref().map(undo_value).or_else(by);
    if let Err(failure) = live.permitted(call, Effect::Command) {
        return live.report(call, &id, Err(failure), |_| ok());
    }
    live.ledger.commit(Record::Intent(Box::new(intent)))?;
    let launch = launch(live, command, &id, attempt);
    let sink = output(live, call, &launch);
    let launched = live
        .fleet
        .actor(&call.target)
        .and_then(|actor| actor.launch(&launch, &sink, &live.cancel));
    match launched {
        Ok(completion) => {
            let result = conclude(live, call, command, &launch, Ok(completion), None);
            settled(&sink, result)
        }
        // The effect may have happened: ask the target before anything is recorded.
        Err(TransportError::Lost { .. }) => {
            live.announcer.warn(&format!(
                "lost the connection to {} during `{}`; asking what became of it",
                call.target,
                command.summary()
            ));
            ask_target(live, call, command, &launch, &sink)
        }
        Err(TransportError::Interrupted) => stop(live, call, command, &launch, &sink),
        Err(error) => conclude(live, call, command, &launch, Err(error.into()), None),
    }
}

/// Where the output of a launch is shown.
fn output(live: &Live, call: &Call<'_>, launch: &Launch) -> LiveOutput {
    let note = live.ledger.journal().shown(&launch.marker, launch.attempt);
    live.announcer.output(call, note)
}

fn ok() -> OperationOutcome {
    OperationOutcome::Ok { value: Value::Null }
}

fn launch(live: &Live, command: &RunCommand, id: &OperationId, attempt: u32) -> Launch {
    Launch {
        marker: id.clone(),
        attempt,
        epoch: live.ledger.epoch(),
        command: command.command.clone(),
        timeout: command.timeout,
        detach: command.detach,
    }
}

/// A command whose outcome nobody has recorded: the target says what became of it.
pub(super) fn recover(
    live: &Live,
    call: &Call<'_>,
    command: &RunCommand,
    entry: &Entry,
) -> Result<Value, Failure> {
    let launch = launch(live, command, &entry.intent.id, entry.attempt);
    let sink = output(live, call, &launch);
    ask_target(live, call, command, &launch, &sink)
}

fn ask_target(
    live: &Live,
    call: &Call<'_>,
    command: &RunCommand,
    launch: &Launch,
    sink: &LiveOutput,
) -> Result<Value, Failure> {
    let (id, attempt) = (&launch.marker, launch.attempt);
    let answer = persistently(live, &call.target, || {
        live.fleet.actor(&call.target)?.inquire(id, attempt)
    });
    let found = |completion, how: &str| {
        let result = conclude(
            live,
            call,
            command,
            launch,
            Ok(completion),
            Some(how.to_owned()),
        );
        settled(sink, result)
    };
    match answer {
        Ok(InFlight::Ended(output)) => {
            if sink.lacks(&output) {
                live.announcer.taken_up(call, false, sink.received());
                sink.rest(&output);
            }
            found(Completion::Ended(output), "exit status found on the target")
        }
        Ok(InFlight::Running) if command.detach => {
            found(Completion::Started, "found running on the target")
        }
        Ok(InFlight::Running) => {
            live.announcer.taken_up(call, true, sink.received());
            let attached = persistently(live, &call.target, || {
                // Each time from where the last one came to.
                live.fleet
                    .actor(&call.target)?
                    .attach(launch, sink.received(), sink, &live.cancel)
            });
            match attached {
                Ok(completion) => found(completion, "was still running on the target"),
                Err(TransportError::Interrupted) => stop(live, call, command, launch, sink),
                Err(error) => still_in_flight(live, call, id, error),
            }
        }
        Ok(InFlight::NeverRan) => {
            // The gate is ours: that attempt never ran and never will, so a new one cannot be a second.
            let why = "it had not started, and now never will".to_owned();
            live.ledger.commit(Record::Retried {
                operations: vec![id.clone()],
                by: "the target".into(),
                why,
            })?;
            let intent = live.ledger.intent(call, attempt + 1);
            begin(live, call, command, intent)
        }
        Ok(InFlight::Unknown(what)) => {
            let report = Report::new(format!("`{}` started, and nobody can say how it ended: {what}", command.summary()))
                .on(&call.target)
                .hint(format!(
                    "look at {}; then `runbook resolve {} {id} --done` if its work is done, `--retry` to run it again, `--abort` to give the run up",
                    call.target,
                    live.ledger.run()
                ));
            let undecided = Undecided {
                operation: Some(id.clone()),
                report: Box::new(report),
                way: Way::Resolve,
            };
            live.report(call, id, Err(Failure::Undecided(undecided)), |_| ok())
        }
        Err(error) => still_in_flight(live, call, id, error),
    }
}

/// Once an outcome is recorded, nobody will ask again how far its output was shown.
fn settled(sink: &LiveOutput, result: Result<Value, Failure>) -> Result<Value, Failure> {
    if !matches!(result, Err(Failure::Poisoned(_))) {
        sink.settled();
    }
    result
}

/// The user does not want to wait for it: it is ended on its target, and how it ended is recorded. Where that cannot be
/// done it goes on there, and the next resume asks.
fn stop(
    live: &Live,
    call: &Call<'_>,
    command: &RunCommand,
    launch: &Launch,
    sink: &LiveOutput,
) -> Result<Value, Failure> {
    let (id, attempt) = (&launch.marker, launch.attempt);
    let cancel = live.cancel.while_stopping();
    let answer = live
        .fleet
        .actor(&call.target)
        .and_then(|actor| actor.stop(id, attempt, &cancel));
    let why = match answer {
        Ok(InFlight::Ended(output)) => {
            sink.rest(&output);
            let (ended, how) = (Ok(Completion::Ended(output)), Some(STOPPED.to_owned()));
            let result = conclude(live, call, command, launch, ended, how);
            return match settled(sink, result) {
                Err(failure @ Failure::Poisoned(_)) => Err(failure),
                _ => Err(Failure::Interrupted),
            };
        }
        // Its gate is ours: it never will, and resume begins it anew.
        Ok(InFlight::NeverRan) => None,
        Ok(InFlight::Running) => Some("it does not end".to_owned()),
        Ok(InFlight::Unknown(what)) => Some(what),
        Err(TransportError::Interrupted) => Some("nobody waited for that".to_owned()),
        Err(error) => Some(error.to_string()),
    };
    if let Some(why) = why {
        live.announcer.warn(&format!(
            "`{}` may still run on {}: {why}; resume asks there what became of it",
            command.summary(),
            call.target
        ));
    }
    live.report(call, id, Err(Failure::Interrupted), |_| ok())
}

/// Nothing is recorded: the operation stays in flight, and the next resume asks again.
fn still_in_flight(
    live: &Live,
    call: &Call<'_>,
    id: &OperationId,
    error: TransportError,
) -> Result<Value, Failure> {
    let failure = match error {
        TransportError::Interrupted => Failure::Interrupted,
        other => {
            let report = Report::new(other.to_string())
                .on(&call.target)
                .hint("when the target is back, resume asks it what became of the command");
            ledger::with_operation(Failure::Lost(report), id)
        }
    };
    live.report(call, id, Err(failure), |_| ok())
}

fn conclude(
    live: &Live,
    call: &Call<'_>,
    command: &RunCommand,
    launch: &Launch,
    completion: Result<Completion, Failure>,
    recovered: Option<String>,
) -> Result<Value, Failure> {
    let (id, attempt) = (&launch.marker, launch.attempt);
    let result = completion.and_then(|completion| valued(&completion, command, &call.target));
    let result = live.ledger.finish(
        id,
        attempt,
        result.map(|value| (value, true)),
        recovered.clone(),
    );
    live.report(call, id, result, |_| OperationOutcome::Changed {
        diff: None,
        recovered,
    })
}

fn valued(
    completion: &Completion,
    command: &RunCommand,
    target: &Target,
) -> Result<Value, Failure> {
    match completion {
        Completion::Started => Ok(output_value("")),
        Completion::Ended(output) => judged(
            output,
            &command.expect_exit,
            &command.command.program,
            target,
            command.timeout,
        ),
    }
}

/// A command inside `apply` of a change: repeated with it, so it needs a gate of its own each time and no record.
pub(super) fn run_within(
    live: &Live,
    of: &OperationKey,
    target: &Target,
    command: &RunCommand,
) -> Result<Value, Failure> {
    if guarded(&*live.fleet, target, command, &live.cancel)?.is_some() {
        return Ok(skipped_value());
    }
    let marker = live.ledger.marker_within(of);
    let launch = launch(live, command, &marker, live.ledger.next_within());
    let actor = live.fleet.actor(target)?;
    // Its markers stay until the run is closed: a request that is still on its way, or comes a second time, must find
    // the gate taken when something else has been done since.
    let completion = match actor.launch(&launch, &SilentSink, &live.cancel) {
        Err(error @ TransportError::Lost { .. }) => settle_within(live, target, &launch, error)?,
        Err(TransportError::Interrupted) => {
            // The change stays in flight, and is looked at again; but nothing of it goes on.
            let cancel = live.cancel.while_stopping();
            let _ = actor.stop(&launch.marker, launch.attempt, &cancel);
            return Err(Failure::Interrupted);
        }
        result => result?,
    };
    valued(&completion, command, target)
}

/// Asks the target what became of a command inside a change. Where it never ran, it never will from now on, and the
/// change looks again.
fn settle_within(
    live: &Live,
    target: &Target,
    launch: &Launch,
    lost: TransportError,
) -> Result<Completion, Failure> {
    let answer = persistently(live, target, || {
        live.fleet
            .actor(target)?
            .inquire(&launch.marker, launch.attempt)
    })?;
    match answer {
        InFlight::Ended(output) => Ok(Completion::Ended(output)),
        InFlight::Running if launch.detach => Ok(Completion::started()),
        InFlight::Running => Ok(persistently(live, target, || {
            live.fleet
                .actor(target)?
                .attach(launch, (0, 0), &SilentSink, &live.cancel)
        })?),
        InFlight::NeverRan | InFlight::Unknown(_) => Err(lost.into()),
    }
}

/// Why a command is not needed, if a guard says so.
pub(super) fn guarded(
    fleet: &dyn ObservingFleet,
    target: &Target,
    command: &RunCommand,
    cancel: &crate::transport::Cancel,
) -> Result<Option<String>, Failure> {
    for guard in &command.guards {
        let observer = fleet.observer(target)?;
        match guard {
            Guard::Unless(program) => {
                let probe = Command {
                    program: program.clone(),
                    stdin: None,
                    env: command.command.env.clone(),
                };
                if observer.probe(&probe, GUARD_TIMEOUT, cancel)?.exit == Exit::Code(0) {
                    return Ok(Some(format!(
                        "not needed: `{}` exits with 0",
                        program.display()
                    )));
                }
            }
            Guard::Creates(path) => {
                if observer.stat(path)?.is_some() {
                    return Ok(Some(format!("not needed: {path} exists")));
                }
            }
        }
    }
    Ok(None)
}

/// Why a command with guards is needed, when none of them said otherwise.
pub(super) fn why_needed(command: &RunCommand) -> Option<String> {
    let told = command.guards.iter().map(|guard| match guard {
        Guard::Unless(program) => format!("`{}` does not exit with 0", program.display()),
        Guard::Creates(path) => format!("{path} does not exist"),
    });
    let told: Vec<String> = told.collect();
    (!told.is_empty()).then(|| format!("needed: {}", told.join(", ")))
}

/// The value of a command that gave this output.
pub(super) fn output_value(stdout: &str) -> Value {
    Value::from_entries([
        ("exit", Value::Int(0)),
        ("ok", true.into()),
        ("stdout", stdout.into()),
        ("stderr", "".into()),
    ])
}

pub(super) fn skipped_value() -> Value {
    output_value("")
}

/// How to undo a command, as the journal keeps it.
fn undo_value(program: &crate::transport::Program) -> Value {
    match program {
        crate::transport::Program::Shell(text) => Value::from(text.clone()),
        crate::transport::Program::Argv(words) => Value::from(words.clone()),
    }
}
