//! Commands that go on by themselves, in virtual time.

use crate::lab::program::{Access, Session};
use crate::lab::world::{Happening, LaunchState, Place, Process, World};
use crate::transport::Program;

/// A detached command in parts: a `sleep` that stands first lets time pass without stopping the world.
pub(super) fn steps(program: &Program) -> Vec<Vec<String>> {
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

/// A launched command goes on: it sleeps, or does its next part, or has ended.
pub fn continue_process(world: &mut World, launch: &str) {
    let Some(record) = world.launches.get(launch) else {
        return;
    };
    let LaunchState::Running(mut process) = record.state.clone() else {
        return;
    };
    if process
        .deadline
        .is_some_and(|deadline| world.now >= deadline)
    {
        return end(world, launch, None, process);
    }
    if process.left.is_empty() {
        return end(world, launch, Some(0), process);
    }
    let words = process.left.remove(0);
    let delay = match &words[..] {
        [sleep, seconds] if sleep == "sleep" => {
            crate::lab::program::sleep_time(seconds).unwrap_or(0)
        }
        _ => {
            let place = if process.in_pod {
                Place::Pod(process.place.clone())
            } else {
                Place::Host(process.place.clone())
            };
            let outcome = Session::new(world, place, Access::Change)
                .with_env(process.env.clone())
                .until(process.deadline)
                .run_argv(&words, process.stdin.as_bytes());
            process
                .stdout
                .push_str(&String::from_utf8_lossy(&outcome.stdout));
            process
                .stderr
                .push_str(&String::from_utf8_lossy(&outcome.stderr));
            if process.left.is_empty() || outcome.status.is_none() {
                return end(world, launch, outcome.status, process);
            }
            0
        }
    };
    // A time limit that comes first ends it.
    let delay = match process.deadline {
        Some(deadline) => delay.min((deadline - world.now).max(0)),
        None => delay,
    };
    if let Some(record) = world.launches.get_mut(launch) {
        record.state = LaunchState::Running(process);
    }
    let launch = launch.to_owned();
    world.plan(delay, Happening::Process { launch });
}

fn end(world: &mut World, launch: &str, status: Option<i32>, process: Process) {
    if let Some(record) = world.launches.get_mut(launch) {
        record.state = LaunchState::Ended {
            status,
            stdout: process.stdout,
            stderr: process.stderr,
        };
    }
}

/// A host has rebooted: what ran on it is gone without an exit status.
pub fn lose_processes(world: &mut World, host: &str) {
    for record in world.launches.values_mut() {
        if let LaunchState::Running(process) = &record.state
            && !process.in_pod
            && process.place == host
        {
            record.state = LaunchState::Gone(format!(
                "{host} rebooted while it ran: the boot id has changed and there is no exit status"
            ));
        }
    }
}
