//! systemd on a simulated host: units, transient services and timers in virtual time.

use std::collections::BTreeMap;

use super::behaviour::{self, Started};
use super::definition::{Role, UnitDefinition};
use super::program::{Access, Session};
use super::world::{Activity, Happening, Host, Place, Unit, UnitKind, World};

/// From the request to the start of a transient service's command.
const SERVICE_START: i64 = 20;

/// A unit's name with its type: `k3s` is `k3s.service`.
pub fn full_name(name: &str) -> String {
    const TYPES: [&str; 6] = [
        ".service", ".timer", ".socket", ".target", ".mount", ".slice",
    ];
    if TYPES.iter().any(|kind| name.ends_with(kind)) {
        name.to_owned()
    } else {
        format!("{name}.service")
    }
}

/// Why systemd would not do it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnitError {
    /// No such unit.
    NotFound,
    /// A transient unit of this name is loaded.
    Loaded,
    /// It runs into a failure, in these words.
    Failed(String),
    /// It cannot be reloaded.
    NoReload,
}

/// A job on a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// Start it.
    Start,
    /// Stop it.
    Stop,
    /// Stop and start it.
    Restart,
    /// Read its configuration again.
    Reload,
}

/// Queues a job, as `systemctl --no-block` does.
pub fn queue(world: &mut World, host: &str, unit: &str, job: Job) -> Result<(), UnitError> {
    let kind = world
        .hosts
        .get(host)
        .and_then(|host| host.units.get(unit))
        .map(|unit| unit.kind.clone())
        .ok_or(UnitError::NotFound)?;
    match (kind, job) {
        (UnitKind::TransientTimer { .. } | UnitKind::TransientService { .. }, Job::Stop) => {
            if let Some(host) = world.hosts.get_mut(host) {
                host.units.remove(unit);
            }
        }
        (UnitKind::TransientTimer { .. } | UnitKind::TransientService { .. }, Job::Reload) => {
            return Err(UnitError::NoReload);
        }
        (UnitKind::TransientTimer { .. }, _) => {}
        (UnitKind::TransientService { .. }, _) => schedule_service(world, host, unit),
        (UnitKind::Daemon { .. }, job) => return daemon(world, host, unit, job),
    }
    Ok(())
}

/// A job on a service whose doing the lab's texts describe; one that they do not describe just runs.
fn daemon(world: &mut World, host: &str, name: &str, job: Job) -> Result<(), UnitError> {
    let activity = unit_of(world, host, name).map(|unit| unit.activity);
    let runs = activity == Some(Activity::Active);
    if job == Job::Start && (runs || activity == Some(Activity::Starting)) {
        return Ok(());
    }
    if job == Job::Reload {
        return match behaviour::service(world, host, name, job) {
            Some(Started::Failed(why)) => {
                log(world, host, name, &why);
                Err(UnitError::Failed(why))
            }
            Some(_) if runs => Ok(()),
            _ => Err(UnitError::NoReload),
        };
    }
    set(world, host, name, Activity::Inactive, 0);
    let stopped = match job {
        Job::Start => None,
        _ => behaviour::service(world, host, name, Job::Stop),
    };
    if let Some(Started::Failed(why)) = stopped {
        log(world, host, name, &why);
    }
    if job == Job::Stop {
        return Ok(());
    }
    set(world, host, name, Activity::Starting, 0);
    match behaviour::service(world, host, name, Job::Start) {
        Some(Started::Starting) => {}
        None | Some(Started::Up) => set(world, host, name, Activity::Active, 0),
        Some(Started::Failed(why)) => {
            log(world, host, name, &why);
            set(world, host, name, Activity::Failed, 1);
            return Err(UnitError::Failed(why));
        }
    }
    Ok(())
}

/// The file of a unit that an administrator installed.
pub fn installed_file(name: &str) -> String {
    format!("/etc/systemd/system/{name}")
}

/// Reads the files of the units again, as `systemctl daemon-reload` and a boot do.
pub fn daemon_reload(host: &mut Host) {
    for (name, unit) in &mut host.units {
        if matches!(unit.kind, UnitKind::Daemon { .. }) {
            unit.loaded = host.machine.files.text(&installed_file(name));
        }
    }
}

/// Sets what a unit does. A start makes whatever belonged to an earlier one void.
pub fn set(world: &mut World, host: &str, name: &str, activity: Activity, status: i32) {
    let now = world.now;
    let pid = 1000 + world.next_serial() as u32;
    let units = world.hosts.get_mut(host).map(|host| &mut host.units);
    let Some(unit) = units.and_then(|units| units.get_mut(name)) else {
        return;
    };
    unit.activity = activity;
    unit.since = now;
    unit.status = status;
    match activity {
        Activity::Starting => {
            unit.generation += 1;
            unit.pid = pid;
        }
        Activity::Inactive => {
            unit.generation += 1;
            unit.pid = 0;
        }
        Activity::AutoRestart => unit.restarts += 1,
        Activity::Failed => unit.pid = 0,
        Activity::Active => {}
    }
}

fn log(world: &mut World, host: &str, unit: &str, line: &str) {
    let now = world.now;
    if let Some(host) = world.hosts.get_mut(host) {
        host.log(now, &format!("{unit}: {line}"));
    }
}

/// Starts the services that the lab's file declares, at the lab's beginning; the error is a unit, and why it does not.
pub fn boot_units(world: &mut World, host: &str) -> Result<(), (String, String)> {
    if let Some(host) = world.hosts.get_mut(host) {
        daemon_reload(host);
    }
    for name in taught_units(world, host) {
        let runs =
            unit_of(world, host, &name).is_some_and(|unit| unit.activity == Activity::Active);
        if !runs {
            continue;
        }
        behaviour::beginning(world, host, &name).map_err(|why| (name, why))?;
    }
    Ok(())
}

/// Starts every service after a boot; what fails is in the log.
pub fn start_all(world: &mut World, host: &str) {
    if let Some(host) = world.hosts.get_mut(host) {
        daemon_reload(host);
    }
    for name in taught_units(world, host) {
        // Its failure is in the log and in its state, as in life.
        let _ = daemon(world, host, &name, Job::Start);
    }
}

fn taught_units(world: &World, host: &str) -> Vec<String> {
    let units = world
        .hosts
        .get(host)
        .into_iter()
        .flat_map(|host| &host.units);
    units
        .filter(|(_, unit)| matches!(unit.kind, UnitKind::Daemon { .. }))
        .map(|(name, _)| name.clone())
        .collect()
}

/// A service as a lab's file declares it.
pub fn declared(name: &str, definition: &UnitDefinition, now: i64) -> (String, Unit) {
    let unit = Unit {
        kind: UnitKind::Daemon {
            description: definition.description.clone(),
        },
        activity: if definition.stopped {
            Activity::Inactive
        } else {
            Activity::Active
        },
        since: now,
        restarts: 0,
        generation: 1,
        pid: if definition.stopped { 0 } else { 900 },
        status: 0,
        loaded: None,
    };
    (full_name(name), unit)
}

/// Waits until a queued start has come to its end, as `systemctl` without `--no-block` does. A unit that loops
/// is waited for as long as the caller has time (`TimeoutStartSec=0`). Returns false if time ran out.
pub fn wait_started(world: &mut World, host: &str, unit: &str, limit: i64) -> bool {
    let end = world.now + limit;
    loop {
        let activity = world
            .hosts
            .get(host)
            .and_then(|host| host.units.get(unit))
            .map(|unit| unit.activity);
        match activity {
            Some(Activity::Starting | Activity::AutoRestart) if world.now < end => {
                world.advance(250);
            }
            Some(Activity::Starting | Activity::AutoRestart) => return false,
            _ => return true,
        }
    }
}

/// Makes a transient unit.
pub fn add_transient(
    world: &mut World,
    host: &str,
    name: &str,
    kind: UnitKind,
) -> Result<(), UnitError> {
    let now = world.now;
    let generation = world.next_serial();
    let due = match &kind {
        UnitKind::TransientTimer { due, .. } => Some(*due),
        _ => None,
    };
    let host_state = world.hosts.get_mut(host).ok_or(UnitError::NotFound)?;
    if host_state.units.contains_key(name) {
        return Err(UnitError::Loaded);
    }
    let activity = if due.is_some() {
        Activity::Active
    } else {
        Activity::Inactive
    };
    let unit = Unit {
        kind,
        activity,
        since: now,
        restarts: 0,
        generation,
        pid: 0,
        status: 0,
        loaded: None,
    };
    host_state.units.insert(name.to_owned(), unit);
    if let Some(due) = due {
        let (host, unit) = (host.to_owned(), name.to_owned());
        world.plan(
            due - now,
            Happening::Timer {
                host,
                unit,
                generation,
            },
        );
    }
    Ok(())
}

/// Starts a transient service, in a moment.
pub fn schedule_service(world: &mut World, host: &str, name: &str) {
    let now = world.now;
    let generation = world.next_serial();
    let Some(unit) = world
        .hosts
        .get_mut(host)
        .and_then(|host| host.units.get_mut(name))
    else {
        return;
    };
    unit.activity = Activity::Active;
    unit.since = now;
    unit.generation = generation;
    unit.pid = 1000 + generation as u32;
    let (host, unit) = (host.to_owned(), name.to_owned());
    world.plan(
        SERVICE_START,
        Happening::Service {
            host,
            unit,
            generation,
        },
    );
}

/// A timer elapses: it starts its service and, being transient, is unloaded.
pub fn timer_due(world: &mut World, host: &str, name: &str, generation: u64) {
    let Some(unit) = unit_of(world, host, name).filter(|unit| unit.generation == generation) else {
        return;
    };
    let UnitKind::TransientTimer { service, .. } = unit.kind.clone() else {
        return;
    };
    if let Some(host) = world.hosts.get_mut(host) {
        host.units.remove(name);
    }
    schedule_service(world, host, &service);
}

/// A transient service's command runs.
pub fn service_runs(world: &mut World, host: &str, name: &str, generation: u64) {
    let Some(unit) = unit_of(world, host, name).filter(|unit| unit.generation == generation) else {
        return;
    };
    let UnitKind::TransientService {
        command,
        env,
        collect,
    } = unit.kind.clone()
    else {
        return;
    };
    let place = Place::Host(host.to_owned());
    let outcome = Session::new(world, place, Access::Change)
        .with_env(env)
        .run_argv(&command, &[]);
    let status = outcome.status.unwrap_or(143);
    let now = world.now;
    let Some(host) = world.hosts.get_mut(host) else {
        return;
    };
    // systemd forgets a transient service that ended well; one that failed only with --collect.
    if status == 0 || collect {
        host.units.remove(name);
    } else if let Some(unit) = host.units.get_mut(name) {
        unit.activity = Activity::Failed;
        unit.since = now;
        unit.status = status;
        unit.pid = 0;
    }
}

fn unit_of<'a>(world: &'a World, host: &str, name: &str) -> Option<&'a Unit> {
    world.hosts.get(host)?.units.get(name)
}

/// The units that every host has.
pub fn standard_units(host: &Host) -> BTreeMap<String, Unit> {
    let daemon = |description: &str, pid| Unit {
        kind: UnitKind::Daemon {
            description: description.to_owned(),
        },
        activity: Activity::Active,
        since: host.booted,
        restarts: 0,
        generation: 1,
        pid,
        status: 0,
        loaded: None,
    };
    let mut units = BTreeMap::from([
        (
            "ssh.service".to_owned(),
            daemon("OpenBSD Secure Shell server", 640),
        ),
        (
            "tailscaled.service".to_owned(),
            daemon("Tailscale node agent", 655),
        ),
        (
            "systemd-networkd.service".to_owned(),
            daemon("Network Configuration", 410),
        ),
    ]);
    if host.role == Role::Plain {
        units.remove("tailscaled.service");
    } else {
        let k3s = daemon("Lightweight Kubernetes", 812);
        units.insert(host.role.unit().to_owned(), k3s);
    }
    units
}
