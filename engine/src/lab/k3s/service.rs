//! Starting and stopping k3s. Containers go on running meanwhile (`KillMode=process`).

use super::{effective, node};
use crate::lab::definition::Role;
use crate::lab::world::{Activity, Happening, Host, Kubelet, Millis, World};

/// From the start of a server to its readiness; the API does not answer in between.
const SERVER_READY: Millis = 12_000;
/// From the start of an agent to its readiness.
const AGENT_READY: Millis = 3_000;
/// Readiness says nothing of Flannel, which comes some seconds later.
const FLANNEL_AFTER_READY: Millis = 3_000;
/// How long a host takes to reboot.
const REBOOT: Millis = 45_000;
/// When the control plane calls a silent node NotReady.
pub(super) const NOT_READY_AFTER: Millis = 45_000;

/// `systemctl restart`.
pub fn restart(world: &mut World, name: &str) {
    stop(world, name);
    start(world, name);
}

/// `systemctl stop`: subnet.env, links and containers stay as they are.
pub fn stop(world: &mut World, name: &str) {
    let now = world.now;
    let Some(host) = world.hosts.get_mut(name) else {
        return;
    };
    kubelet_goes(host, now);
    let unit = unit(host);
    unit.activity = Activity::Inactive;
    unit.since = now;
    unit.generation += 1;
    unit.pid = 0;
    let host_name = name.to_owned();
    world.plan(NOT_READY_AFTER, Happening::JudgeNode { host: host_name });
    tell_of_lost_quorum(world);
}

/// Several servers whose etcd has no majority any more say so: all of them have stopped to answer.
fn tell_of_lost_quorum(world: &mut World) {
    let now = world.now;
    let is_server = |host: &Host| host.role == Role::Server;
    if world.hosts.values().filter(|host| is_server(host)).count() < 3 || world.api_down().is_none()
    {
        return;
    }
    for host in world.hosts.values_mut().filter(|host| is_server(host)) {
        log(
            host,
            now,
            "level=error msg=\"etcdserver: no leader: quorum lost\"",
        );
    }
}

/// `systemctl start`; nothing if it runs.
pub fn start(world: &mut World, name: &str) {
    let now = world.now;
    let pid = 1000 + world.next_serial() as u32;
    let Some(host) = world.hosts.get_mut(name) else {
        return;
    };
    let role = host.role;
    let unit = unit(host);
    if matches!(unit.activity, Activity::Active | Activity::Starting) {
        return;
    }
    unit.activity = Activity::Starting;
    unit.since = now;
    unit.generation += 1;
    unit.pid = pid;
    let generation = unit.generation;
    let delay = match role {
        Role::Agent => AGENT_READY,
        Role::Server | Role::Plain => SERVER_READY,
    };
    let host = name.to_owned();
    world.plan(delay, Happening::K3sReady { host, generation });
}

/// k3s has come up far enough to say so, or fails on its configuration.
pub fn ready(world: &mut World, name: &str, generation: u64) {
    let now = world.now;
    let Some(host) = world.hosts.get_mut(name) else {
        return;
    };
    if unit(host).generation != generation {
        return;
    }
    let arguments = match effective(host) {
        Ok(arguments) => arguments,
        Err(why) => return fail(world, name, &format!("level=fatal msg=\"{why}\"")),
    };
    if let Some(why) = node::lost_etcd_member(world, name, &arguments) {
        return fail(world, name, &why);
    }
    let Some(host) = world.hosts.get_mut(name) else {
        return;
    };
    // The interface is looked up before readiness is reported, so a node that lacks it never gets there.
    if super::flannel::interface(host, &arguments).is_ok() {
        let unit = self::unit(host);
        unit.activity = Activity::Active;
        unit.since = now;
        log(host, now, "level=info msg=\"k3s is up and running\"");
    } else {
        unit(host).activity = Activity::Starting;
    }
    let host = name.to_owned();
    world.plan(FLANNEL_AFTER_READY, Happening::Flannel { host, generation });
}

/// The process exits; systemd starts it again after `RestartSec`.
fn fail(world: &mut World, name: &str, message: &str) {
    let now = world.now;
    if let Some(host) = world.hosts.get_mut(name) {
        log(host, now, message);
        let unit = unit(host);
        unit.activity = Activity::AutoRestart;
        unit.since = now;
        unit.restarts += 1;
        unit.status = 1;
        let generation = unit.generation;
        let host = name.to_owned();
        world.plan(5_000, Happening::K3sReady { host, generation });
    }
}

/// Brings a node up at the lab's beginning, at once.
pub fn boot(world: &mut World, name: &str) {
    let now = world.now;
    if let Some(host) = world.hosts.get_mut(name) {
        let unit = unit(host);
        unit.activity = Activity::Active;
        unit.since = now;
        unit.generation = 1;
        unit.pid = 812;
    }
    super::flannel(world, name, 1);
}

/// The host goes down and comes back; what ran on it is gone.
pub fn reboot(world: &mut World, name: &str) {
    let now = world.now;
    if let Some(host) = world.hosts.get_mut(name) {
        kubelet_goes(host, now);
        host.down_until = Some(now + REBOOT);
        for unit in host.units.values_mut() {
            unit.generation += 1;
            unit.activity = Activity::Inactive;
        }
        host.units.retain(|_, unit| {
            matches!(
                unit.kind,
                crate::lab::world::UnitKind::K3s | crate::lab::world::UnitKind::Daemon { .. }
            )
        });
        let host = name.to_owned();
        world.plan(REBOOT, Happening::Booted { host });
    }
    crate::lab::fleet::lose_processes(world, name);
    let host = name.to_owned();
    world.plan(NOT_READY_AFTER, Happening::JudgeNode { host });
}

/// A host comes back: what only lived in the kernel and in /run is gone, everything is started.
pub fn booted(world: &mut World, name: &str) {
    let now = world.now;
    let boot_id = crate::lab::world::uuid(&[name, "boot", &world.next_serial().to_string()]);
    let Some(host) = world.hosts.get_mut(name) else {
        return;
    };
    host.down_until = None;
    host.booted = now;
    host.boot_id = boot_id;
    // Links of Flannel and CNI live in the kernel: the pods are started anew and make them again.
    let _ = crate::lab::network::remove_link(&mut host.machine, "flannel.1");
    let _ = host.machine.files.remove(super::flannel::SUBNET_FILE);
    host.vtep = None;
    let role = host.role;
    crate::lab::cluster::restart_pods_after_boot(world, name);
    crate::lab::systemd::start_all(world, name);
    if role != Role::Plain {
        start(world, name);
    }
}

/// Marks the kubelet as gone, unless it is already.
fn kubelet_goes(host: &mut Host, now: Millis) {
    if host.kubelet == Kubelet::Up {
        host.kubelet = Kubelet::Down(now);
    }
}

pub(super) fn unit(host: &mut Host) -> &mut crate::lab::world::Unit {
    let name = host.role.unit();
    host.units
        .entry(name.to_owned())
        .or_insert_with(|| crate::lab::world::Unit {
            kind: crate::lab::world::UnitKind::K3s,
            activity: Activity::Inactive,
            since: 0,
            restarts: 0,
            generation: 0,
            pid: 0,
            status: 0,
        })
}

/// Writes to k3s's log.
pub(super) fn log(host: &mut Host, now: Millis, line: &str) {
    host.log(now, line);
}
