//! A host goes down and comes back.

use super::{Activity, Happening, Millis, UnitKind, World, uuid};
use crate::lab::network::{LinkKind, remove_link};
use crate::lab::{cluster, fleet, systemd};

/// How long a host takes to reboot.
const REBOOT: Millis = 45_000;

/// The host goes down; what ran on it is gone.
pub fn reboot(world: &mut World, name: &str) {
    let now = world.now;
    if let Some(host) = world.hosts.get_mut(name) {
        host.down_until = Some(now + REBOOT);
        for unit in host.units.values_mut() {
            unit.generation += 1;
            unit.activity = Activity::Inactive;
        }
        host.units
            .retain(|_, unit| matches!(unit.kind, UnitKind::Daemon { .. }));
        let host = name.to_owned();
        world.plan(REBOOT, Happening::Booted { host });
    }
    fleet::lose_processes(world, name);
    cluster::kubelet_goes(world, name);
}

/// A host comes back: what only lived in the kernel and in `/run` is gone, everything is started.
pub fn booted(world: &mut World, name: &str) {
    let now = world.now;
    let boot_id = uuid(&[name, "boot", &world.next_serial().to_string()]);
    let Some(host) = world.hosts.get_mut(name) else {
        return;
    };
    host.down_until = None;
    host.booted = now;
    host.boot_id = boot_id;
    host.vtep = None;
    let made = |kind: &LinkKind| {
        matches!(
            kind,
            LinkKind::Vxlan { .. } | LinkKind::Wireguard | LinkKind::Bridge { .. }
        )
    };
    let links = host.machine.links.iter();
    let made: Vec<String> = links
        .filter(|link| made(&link.kind))
        .map(|link| link.name.clone())
        .collect();
    for link in made {
        // One that went with another is gone already.
        let _ = remove_link(&mut host.machine, &link);
    }
    host.machine.files.empty("/run");
    cluster::restart_pods_after_boot(world, name);
    systemd::start_all(world, name);
}
