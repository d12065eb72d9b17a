//! A world as its lab's files describe it: every node booted, every pod running.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde_json::json;

use super::{FileTree, Host, Kubelet, Machine, Millis, World, mac, plain, uuid};
use crate::lab::behaviour::{Behaviour, Hook};
use crate::lab::definition::{
    Definition, HostDefinition, InterfaceDefinition, InterfaceKind, Role,
};
use crate::lab::fleet::Fault;
use crate::lab::network::{Address, AddressV6, Link, LinkKind};
use crate::lab::{Wrong, cluster, systemd};

/// How long the cluster has been up at the lab's beginning.
const UPTIME: Millis = 9 * 24 * 3_600_000;

impl World {
    /// The world at a lab's beginning.
    pub fn build(definition: &Definition) -> Result<Self, Wrong> {
        let starts = definition.starts.as_millisecond();
        let faults = definition.faults.iter().enumerate();
        let faults = faults
            .map(|(nth, text)| {
                Fault::parse(text).map_err(|why| Wrong::at(["faults".into(), nth.into()], why))
            })
            .collect::<Result<_, _>>()?;
        let mut world = World {
            now: starts - UPTIME,
            settled: starts - UPTIME,
            serial: 1000,
            images: definition.images.clone(),
            public_endpoint: definition.public_endpoint.clone(),
            faults,
            behaviour: Behaviour::read(&definition.behaviour).map_err(Wrong::Behaviour)?,
            ..World::empty()
        };
        for (name, host) in &definition.hosts {
            let host = build_host(name, host, world.now).map_err(|wrong| wrong.of_host(name))?;
            world.hosts.insert(name.clone(), host);
        }
        for (nth, namespace) in definition.namespaces.iter().enumerate() {
            let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": {"kubernetes.io/metadata.name": namespace}}, "status": {"phase": "Active"}});
            let put = cluster::new_object(&mut world, object);
            put.map_err(|why| Wrong::at(["namespaces".into(), nth.into()], why))?;
        }
        let names: Vec<String> = world.hosts.keys().cloned().collect();
        for name in &names {
            taught(&world, name)?;
            systemd::boot_units(&mut world, name).map_err(|(unit, why)| {
                let unit = unit.trim_end_matches(".service");
                Wrong::at(
                    [
                        "hosts".into(),
                        name.as_str().into(),
                        "units".into(),
                        unit.into(),
                    ],
                    format!("it does not start: {why}"),
                )
            })?;
        }
        for (nth, object) in definition.objects.iter().enumerate() {
            let put = cluster::new_object(&mut world, object.clone());
            put.map_err(|why| Wrong::at(["objects".into(), nth.into()], why))?;
        }
        for (nth, workload) in definition.workloads.iter().enumerate() {
            let mut nodes = workload.nodes.iter().enumerate();
            if let Some((node, missing)) = nodes.find(|(_, node)| !names.contains(node)) {
                return Err(Wrong::at(
                    ["workloads".into(), nth.into(), "nodes".into(), node.into()],
                    format!("the lab has no host {missing}; it has {}", names.join(", ")),
                ));
            }
            cluster::add_workload(&mut world, workload);
        }
        // Pods start; then the cluster just runs until now.
        world.advance(60_000);
        world.advance(starts - world.now);
        Ok(world)
    }
}

/// A node of a cluster does what the lab's texts say of k3s; without them it would be none.
fn taught(world: &World, name: &str) -> Result<(), Wrong> {
    let role = world.hosts[name].role;
    let service = role.unit().trim_end_matches(".service");
    if role == Role::Plain || world.behaviour.knows(&Hook::Starts(service.to_owned())) {
        return Ok(());
    }
    Err(Wrong::at(
        ["hosts".into(), name.into(), "role".into()],
        format!(
            "it has a role in a cluster, but no text of the lab says what {service} does: write `extends: k3s-double-tunnel`, whose texts do, or on_restart \"{service}\" |host| {{ … }}; in a .rhai file beside it"
        ),
    ))
}

/// The paths of what is wrong are within the host.
fn build_host(name: &str, definition: &HostDefinition, now: Millis) -> Result<Host, Wrong> {
    let mut machine = Machine {
        links: vec![loopback()],
        ..Machine::default()
    };
    for (nth, interface) in definition.interfaces.iter().enumerate() {
        let index = machine.free_index(2);
        let link = build_link(name, interface, index).map_err(|(address, why)| {
            let path = [
                "interfaces".into(),
                nth.into(),
                "addresses".into(),
                address.into(),
            ];
            Wrong::at(path, why)
        })?;
        machine.links.push(link);
    }
    machine.files = build_files(name, definition, now / 1000)?;
    let (v4, v6) = (&definition.pod_subnet, &definition.pod_subnet_v6);
    if definition.role != Role::Plain && Address::parse(v4).is_none() {
        let why = format!("a node of a cluster needs a network such as 10.42.1.0/24, not {v4:?}");
        return Err(Wrong::at(["pod_subnet".into()], why));
    }
    if !v6.is_empty() && AddressV6::parse(v6).is_none() {
        let why = format!("{v6:?} is no network such as fd42:0:0:1::/64");
        return Err(Wrong::at(["pod_subnet_v6".into()], why));
    }
    let mut host = Host {
        machine,
        role: definition.role,
        reach: definition.reach,
        pod_subnet: definition.pod_subnet.clone(),
        pod_subnet_v6: definition.pod_subnet_v6.clone(),
        vars: definition.vars.clone(),
        firewall: definition.firewall.clone(),
        units: BTreeMap::new(),
        sysctls: BTreeMap::new(),
        boot_id: uuid(&[name, "boot"]),
        booted: now,
        down_until: None,
        kubelet: Kubelet::Up,
        vtep: None,
        last_pod_address: 1,
        journal: vec![],
        epoch: 0,
    };
    host.units = systemd::standard_units(&host);
    for (unit, definition) in &definition.units {
        let (name, unit) = systemd::declared(unit, definition, now);
        host.units.insert(name, unit);
    }
    Ok(host)
}

fn loopback() -> Link {
    Link {
        index: 1,
        name: "lo".into(),
        kind: LinkKind::Loopback,
        mac: None,
        mtu: 65_536,
        up: true,
        addresses: vec![Address {
            ip: Ipv4Addr::LOCALHOST,
            prefix: 8,
        }],
        addresses_v6: vec![],
        master: None,
    }
}

/// What is wrong is the address of this number.
fn build_link(
    host: &str,
    definition: &InterfaceDefinition,
    index: u32,
) -> Result<Link, (usize, String)> {
    let (mut addresses, mut addresses_v6) = (vec![], vec![]);
    for (nth, text) in definition.addresses.iter().enumerate() {
        match (Address::parse(text), AddressV6::parse(text)) {
            (Some(address), _) => addresses.push(address),
            (_, Some(address)) => addresses_v6.push(address),
            _ => {
                return Err((
                    nth,
                    format!("{text:?} is no address with its prefix length, such as 192.0.2.1/24"),
                ));
            }
        }
    }
    let (kind, mac) = match definition.kind {
        InterfaceKind::Ethernet => (
            LinkKind::Ethernet,
            Some(
                definition
                    .mac
                    .clone()
                    .unwrap_or_else(|| mac(&[host, &definition.name])),
            ),
        ),
        InterfaceKind::Tun => (LinkKind::Tun, None),
    };
    Ok(Link {
        index,
        name: definition.name.clone(),
        kind,
        mac,
        mtu: definition.mtu,
        up: !definition.down,
        addresses,
        addresses_v6,
        master: None,
    })
}

fn build_files(name: &str, definition: &HostDefinition, now: i64) -> Result<FileTree, Wrong> {
    const GIVEN: [&str; 7] = [
        "/etc",
        "/run",
        "/tmp",
        "/var/lib",
        "/var/log",
        "/root",
        "/usr/local/bin",
    ];
    let mut files = FileTree::default();
    let wrong = |kind: &str, path: &str, why: &dyn std::fmt::Display| {
        Wrong::at([kind.into(), path.into()], why)
    };
    for directory in GIVEN {
        files
            .make_directories(directory, now)
            .map_err(|why| wrong("files", directory, &why))?;
    }
    let hostname = (name.to_owned() + "\n").into_bytes();
    files
        .put("/etc/hostname", plain(hostname, 0o644), now)
        .map_err(|why| wrong("files", "/etc/hostname", &why))?;
    for (path, file) in &definition.files {
        let mode = file.mode.as_deref().unwrap_or("0644");
        let mode = u32::from_str_radix(mode, 8).map_err(|_| {
            let why = format!("{mode:?} is no file mode in octal, such as \"0600\"");
            Wrong::at(["files".into(), path.as_str().into(), "mode".into()], why)
        })?;
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        let content =
            with_keys(&file.content, &file.set).map_err(|why| wrong("files", path, &why))?;
        files
            .make_directories(parent, now)
            .and_then(|()| files.put(path, plain(content.into_bytes(), mode), now))
            .map_err(|why| wrong("files", path, &why))?;
    }
    for (path, target) in &definition.symlinks {
        files
            .symlink(path, target)
            .map_err(|why| wrong("symlinks", path, &why))?;
    }
    Ok(files)
}

/// A YAML text with some of its top keys set, or taken out where the value is null.
fn with_keys(text: &str, keys: &BTreeMap<String, serde_json::Value>) -> Result<String, String> {
    let mut text = text.to_owned();
    for (key, value) in keys {
        text = match value {
            serde_json::Value::Null => without_key(&text, key),
            value => crate::text::yaml::set_yaml(&text, &[key], &value.clone().into())
                .map_err(|error| error.to_string())?,
        };
    }
    Ok(text)
}

/// A YAML text without one of its top keys and what is indented below it.
fn without_key(text: &str, key: &str) -> String {
    let mut inside = false;
    let lines = text.split_inclusive('\n').filter(|line| {
        let is_key = line
            .strip_prefix(key)
            .is_some_and(|rest| rest.starts_with(':'));
        inside = is_key || inside && line.starts_with([' ', '-']);
        !inside
    });
    lines.collect()
}
