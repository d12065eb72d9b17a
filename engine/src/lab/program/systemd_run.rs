//! `systemd-run`: transient services and timers.

use std::collections::BTreeMap;

use super::{Io, Ran, Session, system};
use crate::lab::systemd::{add_transient, full_name, schedule_service};
use crate::lab::world::{Place, UnitKind};

/// `systemd-run [--unit=NAME] [--on-active=TIME] [--collect] [--setenv=K=V] [--property=…] [--] COMMAND…`.
pub fn systemd_run(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    if let Err(why) = session.may_change("systemd-run") {
        return io.fail(1, &format!("systemd-run: {why}"));
    }
    let Place::Host(host) = session.place.clone() else {
        return io.fail(1, "systemd-run: not booted with systemd");
    };
    let (mut name, mut delay, mut collect, mut quiet) = (None, None, false, false);
    let mut env = BTreeMap::new();
    let mut rest = args[1..].iter();
    let mut command: Vec<String> = vec![];
    while let Some(word) = rest.next() {
        if word == "--" || !word.starts_with('-') {
            command.extend((word != "--").then(|| word.clone()));
            command.extend(rest.by_ref().cloned());
            break;
        }
        let (option, attached) = match word.split_once('=') {
            Some((option, value)) => (option, Some(value.to_owned())),
            None => (word.as_str(), None),
        };
        let takes_value = matches!(
            option,
            "--unit"
                | "-u"
                | "--on-active"
                | "--setenv"
                | "-E"
                | "--property"
                | "-p"
                | "--description"
                | "--service-type"
                | "--timer-property"
                | "--uid"
                | "--working-directory"
        );
        let value = match (takes_value, attached) {
            (true, None) => rest.next().cloned().unwrap_or_default(),
            (_, attached) => attached.unwrap_or_default(),
        };
        match option {
            "--unit" | "-u" => name = Some(value),
            "--on-active" => match system::sleep_time(&value) {
                Some(time) => delay = Some(time),
                None => return io.fail(1, &format!("Failed to parse timer value: {value}")),
            },
            "--setenv" | "-E" => {
                if let Some((key, value)) = value.split_once('=') {
                    env.insert(key.to_owned(), value.to_owned());
                }
            }
            "--collect" | "-G" => collect = true,
            "--quiet" | "-q" => quiet = true,
            "--no-block" | "--property" | "-p" | "--description" | "--service-type"
            | "--timer-property" | "--no-ask-password" => {}
            other => {
                return io.fail(
                    1,
                    &format!("systemd-run: option {other} is not known to the lab"),
                );
            }
        }
    }
    if command.is_empty() {
        return io.fail(1, "Command line to execute required.");
    }
    let name = name.unwrap_or_else(|| format!("run-r{:016x}", session.world.next_serial()));
    let base = name.trim_end_matches(".service").trim_end_matches(".timer");
    let (service, timer) = (full_name(base), format!("{base}.timer"));
    let kind = UnitKind::TransientService {
        command,
        env,
        collect,
    };
    let failed = |unit: &str, kind: &str| {
        format!(
            "Failed to start transient {kind} unit: Unit {unit} was already loaded or has a fragment file."
        )
    };
    if delay.is_some()
        && session
            .host()
            .is_some_and(|host| host.units.contains_key(&timer))
    {
        return io.fail(1, &failed(&timer, "timer"));
    }
    match add_transient(session.world, &host, &service, kind) {
        Ok(()) => {}
        Err(_) => return io.fail(1, &failed(&service, "service")),
    }
    let Some(delay) = delay else {
        schedule_service(session.world, &host, &service);
        if !quiet {
            return io.fail(0, &format!("Running as unit: {service}"));
        }
        return Ok(0);
    };
    let due = session.world.now + delay;
    let kind = UnitKind::TransientTimer {
        service: service.clone(),
        due,
    };
    match add_transient(session.world, &host, &timer, kind) {
        Ok(()) if quiet => Ok(0),
        Ok(()) => io.fail(
            0,
            &format!("Running timer as unit: {timer}\nWill run service as unit: {service}"),
        ),
        Err(_) => io.fail(1, &failed(&timer, "timer")),
    }
}
