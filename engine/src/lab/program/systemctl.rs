//! `systemctl`.

use super::{Halt, Io, Ran, Session};
use crate::lab::shell::matches;
use crate::lab::systemd::{
    Job, UnitError, daemon_reload, full_name, installed_file, queue, wait_started,
};
use crate::lab::world::{Activity, Host, Place, Unit, UnitKind, timestamp};

/// The longest that a job is waited for when the command has no time limit of its own.
const PATIENCE: i64 = 90_000;

/// `systemctl [--no-block] [--quiet] [-p NAMES] [--value] COMMAND [UNIT…]`.
pub fn systemctl(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    let Place::Host(host) = session.place.clone() else {
        return io.fail(
            1,
            "System has not been booted with systemd as init system (PID 1). Can't operate.",
        );
    };
    let (mut block, mut quiet, mut value_only, mut all) = (true, false, false, false);
    let mut properties: Vec<String> = vec![];
    let mut words: Vec<&str> = vec![];
    let mut rest = args[1..].iter();
    while let Some(word) = rest.next() {
        match word.as_str() {
            "--no-block" => block = false,
            "-q" | "--quiet" => quiet = true,
            "--value" => value_only = true,
            "-a" | "--all" => all = true,
            "-p" | "--property" => {
                let names = rest.next().map(String::as_str).unwrap_or_default();
                properties.extend(names.split(',').map(str::to_owned));
            }
            "--no-pager" | "--no-legend" | "--plain" | "--full" | "-l" | "--now"
            | "--no-ask-password" => {}
            "-t" => {
                rest.next();
            }
            other => match other
                .strip_prefix("--property=")
                .or_else(|| other.strip_prefix("-p"))
            {
                Some(names) => properties.extend(names.split(',').map(str::to_owned)),
                None if other.starts_with("--type=") || other.starts_with("--state=") => {}
                None if other.starts_with('-') => {
                    return io.fail(
                        1,
                        &format!("systemctl: option {other} is not known to the lab"),
                    );
                }
                None => words.push(other),
            },
        }
    }
    let Some((verb, units)) = words.split_first() else {
        return io.fail(1, "systemctl: the lab needs a command");
    };
    let units: Vec<String> = units.iter().map(|unit| full_name(unit)).collect();
    match *verb {
        "is-active" | "is-failed" => is_active(session, &units, *verb == "is-failed", quiet, io),
        "is-enabled" => is_enabled(session, &units, quiet, io),
        "show" => show(session, &units, &properties, value_only, io),
        "cat" => cat(session, &units, io),
        "status" => status(session, &units, io),
        "list-units" | "list-timers" => list(session, &words[1..], *verb == "list-timers", all, io),
        "daemon-reload" => match session.may_change("systemctl daemon-reload") {
            Ok(()) => {
                if let Some(host) = session.world.hosts.get_mut(&host) {
                    daemon_reload(host);
                }
                Ok(0)
            }
            Err(why) => io.fail(1, &why),
        },
        "reset-failed" => reset_failed(session, &host, &units, io),
        "start" | "stop" | "restart" | "try-restart" | "reload" => {
            let job = match *verb {
                "start" => Job::Start,
                "stop" => Job::Stop,
                "reload" => Job::Reload,
                _ => Job::Restart,
            };
            run_jobs(session, &host, &units, job, block, io)
        }
        other => io.fail(
            1,
            &format!("systemctl {other}: the lab's systemctl does not know this"),
        ),
    }
}

fn run_jobs(
    session: &mut Session,
    host: &str,
    units: &[String],
    job: Job,
    block: bool,
    io: &mut Io,
) -> Ran {
    if let Err(why) = session.may_change("systemctl") {
        return io.fail(1, &format!("systemctl: {why}"));
    }
    for unit in units {
        match queue(session.world, host, unit, job) {
            Ok(()) => {}
            Err(UnitError::NotFound | UnitError::Loaded) => {
                let verb = match job {
                    Job::Start => "start",
                    Job::Stop => "stop",
                    Job::Restart => "restart",
                    Job::Reload => "reload",
                };
                return io.fail(
                    5,
                    &format!("Failed to {verb} {unit}: Unit {unit} not found."),
                );
            }
            Err(UnitError::NoReload) => {
                return io.fail(
                    3,
                    &format!(
                        "Failed to reload {unit}: Job type reload is not applicable for unit {unit}."
                    ),
                );
            }
            // Who does not wait does not hear of it.
            Err(UnitError::Failed(_)) if !block => {}
            Err(UnitError::Failed(why)) => {
                return io.fail(
                    1,
                    &format!("Job for {unit} failed: {why}\nSee \"journalctl -u {unit}\"."),
                );
            }
        }
    }
    if !block || job == Job::Stop {
        return Ok(0);
    }
    for unit in units {
        let limit = session.time_left();
        let started = wait_started(session.world, host, unit, limit.unwrap_or(PATIENCE));
        if !started && limit.is_some() {
            return Err(Halt::TimedOut);
        }
        if !started {
            return io.fail(
                1,
                &format!(
                    "Job for {unit} is still running: the lab stopped waiting after {} s",
                    PATIENCE / 1000
                ),
            );
        }
    }
    Ok(0)
}

fn unit<'a>(host: Option<&'a Host>, name: &str) -> Option<&'a Unit> {
    host?.units.get(name)
}

fn active_word(unit: Option<&Unit>) -> &'static str {
    unit.map_or("inactive", |unit| unit.activity.word())
}

fn sub_word(unit: Option<&Unit>) -> &'static str {
    match unit.map(|unit| (unit.activity, &unit.kind)) {
        Some((Activity::Active, UnitKind::TransientTimer { .. })) => "waiting",
        Some((Activity::Active, _)) => "running",
        Some((Activity::Starting, _)) => "start",
        Some((Activity::AutoRestart, _)) => "auto-restart",
        Some((Activity::Failed, _)) => "failed",
        Some((Activity::Inactive, _)) | None => "dead",
    }
}

fn is_active(session: &Session, units: &[String], failed: bool, quiet: bool, io: &mut Io) -> Ran {
    let mut good = false;
    for name in units {
        let word = active_word(unit(session.host(), name));
        good |= word == if failed { "failed" } else { "active" };
        if !quiet {
            io.line(word);
        }
    }
    Ok(match (good, failed) {
        (true, _) => 0,
        (false, true) => 1,
        (false, false) => 3,
    })
}

fn is_enabled(session: &Session, units: &[String], quiet: bool, io: &mut Io) -> Ran {
    let mut status = 0;
    for name in units {
        let word = match unit(session.host(), name).map(|unit| &unit.kind) {
            Some(UnitKind::Daemon { .. }) => "enabled",
            Some(_) => "transient",
            None => {
                status = 4;
                "not-found"
            }
        };
        if !quiet {
            io.line(word);
        }
    }
    Ok(status)
}

/// The properties that the lab models.
const PROPERTIES: [&str; 15] = [
    "Type",
    "Restart",
    "NRestarts",
    "MainPID",
    "Result",
    "ExecMainStatus",
    "Id",
    "LoadState",
    "ActiveState",
    "SubState",
    "FragmentPath",
    "UnitFileState",
    "ActiveEnterTimestamp",
    "StateChangeTimestamp",
    "InvocationID",
];

/// What a unit's file says of a key, continued lines joined.
fn setting(file: &str, key: &str) -> Option<String> {
    let joined = file.replace("\\\n", " ");
    let mut lines = joined.lines();
    let value = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
    Some(value.trim_end_matches(['\\', ' ']).to_owned())
}

fn property(host: Option<&Host>, name: &str, property: &str) -> Option<String> {
    let unit = unit(host, name);
    let fragment = installed_file(name);
    // What an administrator installed; a unit of a package is known by its description only.
    let file = host.and_then(|host| host.machine.files.text(&fragment));
    let set = |key: &str| file.as_deref().and_then(|file| setting(file, key));
    let time = |unit: &Unit| {
        timestamp(unit.since)
            .strftime("%a %Y-%m-%d %H:%M:%S UTC")
            .to_string()
    };
    Some(match property {
        "Type" => set("Type").unwrap_or_else(|| "simple".into()),
        "Restart" => set("Restart").unwrap_or_else(|| "no".into()),
        "NRestarts" => unit.map_or(0, |unit| unit.restarts).to_string(),
        "MainPID" => unit.map_or(0, |unit| unit.pid).to_string(),
        "Result" if unit.is_some_and(|unit| unit.status != 0) => "exit-code".into(),
        "Result" => "success".into(),
        "ExecMainStatus" => unit.map_or(0, |unit| unit.status).to_string(),
        "Id" => name.to_owned(),
        "LoadState" if unit.is_some() => "loaded".into(),
        "LoadState" => "not-found".into(),
        "ActiveState" => active_word(unit).into(),
        "SubState" => sub_word(unit).into(),
        "FragmentPath" if file.is_some() => fragment,
        "FragmentPath" => match unit.map(|unit| &unit.kind) {
            Some(UnitKind::Daemon { .. }) => format!("/usr/lib/systemd/system/{name}"),
            Some(_) => format!("/run/systemd/transient/{name}"),
            None => String::new(),
        },
        "UnitFileState" => match unit.map(|unit| &unit.kind) {
            Some(UnitKind::Daemon { .. }) => "enabled".into(),
            Some(_) => "transient".into(),
            None => String::new(),
        },
        "ActiveEnterTimestamp" => unit
            .filter(|unit| unit.activity == Activity::Active)
            .map(time)
            .unwrap_or_default(),
        "StateChangeTimestamp" => unit.map(time).unwrap_or_default(),
        "ActiveEnterTimestampMonotonic" => match (host, unit) {
            (Some(host), Some(unit)) if unit.activity == Activity::Active => {
                ((unit.since - host.booted).max(1) * 1000).to_string()
            }
            _ => "0".into(),
        },
        "InvocationID" => unit
            .map(|unit| {
                crate::lab::world::uuid(&[name, &unit.generation.to_string()]).replace('-', "")
            })
            .unwrap_or_default(),
        "NeedDaemonReload" => match unit.is_some_and(|unit| unit.loaded != file) {
            true => "yes".into(),
            false => "no".into(),
        },
        "KillMode" => set("KillMode")?,
        "TimeoutStartUSec" => match set("TimeoutStartSec")?.as_str() {
            "0" => "infinity".into(),
            time => time.to_owned(),
        },
        "ExecStart" => {
            let line = set("ExecStart")?;
            let words: Vec<&str> = line.split_whitespace().collect();
            let program = words.first()?;
            format!(
                "{{ path={program} ; argv[]={} ; ignore_errors=no }}",
                words.join(" ")
            )
        }
        _ => return None,
    })
}

fn show(
    session: &Session,
    units: &[String],
    wanted: &[String],
    value_only: bool,
    io: &mut Io,
) -> Ran {
    for name in units {
        let names: Vec<&str> = if wanted.is_empty() {
            PROPERTIES.to_vec()
        } else {
            wanted.iter().map(String::as_str).collect()
        };
        for key in names {
            match property(session.host(), name, key) {
                Some(value) if value_only => io.line(&value),
                Some(value) => io.line(&format!("{key}={value}")),
                // As in life: an unknown property is silence.
                None => {}
            }
        }
    }
    Ok(0)
}

fn cat(session: &Session, units: &[String], io: &mut Io) -> Ran {
    for name in units {
        let path = installed_file(name);
        match session.read(&path) {
            Ok(text) => {
                io.line(&format!("# {path}"));
                io.print(&String::from_utf8_lossy(&text));
            }
            Err(_) => return io.fail(1, &format!("No files found for {name}.")),
        }
    }
    Ok(0)
}

fn status(session: &Session, units: &[String], io: &mut Io) -> Ran {
    let mut code = 0;
    for name in units {
        let found = unit(session.host(), name);
        if found.is_none() {
            return io.fail(4, &format!("Unit {name} could not be found."));
        }
        io.line(&format!(
            "● {name}\n     Active: {} ({})",
            active_word(found),
            sub_word(found)
        ));
        if active_word(found) != "active" {
            code = 3;
        }
    }
    Ok(code)
}

fn list(session: &Session, patterns: &[&str], timers: bool, all: bool, io: &mut Io) -> Ran {
    let Some(host) = session.host() else {
        return Ok(0);
    };
    for (name, unit) in &host.units {
        let wanted = patterns.is_empty() || patterns.iter().any(|pattern| matches(pattern, name));
        let is_timer = matches!(unit.kind, UnitKind::TransientTimer { .. });
        if !wanted || (timers && !is_timer) || (!all && unit.activity == Activity::Inactive) {
            continue;
        }
        let description = match &unit.kind {
            UnitKind::Daemon { description } => description,
            _ => name,
        };
        let unit = Some(unit);
        io.line(&format!(
            "{name} loaded {} {} {description}",
            active_word(unit),
            sub_word(unit)
        ));
    }
    Ok(0)
}

fn reset_failed(session: &mut Session, host: &str, units: &[String], io: &mut Io) -> Ran {
    if let Err(why) = session.may_change("systemctl reset-failed") {
        return io.fail(1, &format!("systemctl: {why}"));
    }
    if let Some(host) = session.world.hosts.get_mut(host) {
        let mentioned = |name: &String| units.is_empty() || units.contains(name);
        host.units.retain(|name, unit| {
            !(mentioned(name)
                && unit.activity == Activity::Failed
                && matches!(unit.kind, UnitKind::TransientService { .. }))
        });
    }
    Ok(0)
}
