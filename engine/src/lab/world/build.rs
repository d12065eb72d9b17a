//! A world as its lab's files describe it: every node booted, every pod running.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use serde_json::json;

use super::{FileTree, Host, Kubelet, Machine, Millis, World, mac, plain, uuid};
use crate::lab::behaviour::{Behaviour, Hook};
use crate::lab::definition::{
    Definition, HostDefinition, InterfaceDefinition, InterfaceKind, Role,
};
use crate::lab::fleet::Fault;
use crate::lab::network::{Address, AddressV6, Link, LinkKind};
use crate::lab::{cluster, systemd};

/// How long the cluster has been up at the lab's beginning.
const UPTIME: Millis = 9 * 24 * 3_600_000;

/// The format of a stored world. A state of another format is refused.
pub const FORMAT: u32 = 2;

impl World {
    /// The world at a lab's beginning.
    pub fn build(definition: &Definition) -> Result<Self, String> {
        let starts = definition.starts.as_millisecond();
        let faults = definition
            .faults
            .iter()
            .map(|text| Fault::parse(text))
            .collect::<Result<_, _>>()?;
        let mut world = World {
            now: starts - UPTIME,
            serial: 1000,
            images: definition.images.clone(),
            public_endpoint: definition.public_endpoint.clone(),
            faults,
            behaviour: behaviour(definition)?,
            ..World::empty()
        };
        for (name, host) in &definition.hosts {
            let host = build_host(name, host, world.now)?;
            world.hosts.insert(name.clone(), host);
        }
        for namespace in &definition.namespaces {
            let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": {"kubernetes.io/metadata.name": namespace}}, "status": {"phase": "Active"}});
            cluster::new_object(&mut world, object)?;
        }
        let names: Vec<String> = world.hosts.keys().cloned().collect();
        for name in &names {
            taught(&world, name)?;
            systemd::boot_units(&mut world, name)?;
        }
        for object in &definition.objects {
            cluster::new_object(&mut world, object.clone())?;
        }
        for workload in &definition.workloads {
            if let Some(missing) = workload.nodes.iter().find(|node| !names.contains(node)) {
                return Err(format!(
                    "workload {}/{} names a node that is not there: {missing}",
                    workload.namespace, workload.name
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

/// What the lab's own texts say.
fn behaviour(definition: &Definition) -> Result<Arc<Behaviour>, String> {
    Behaviour::read(&definition.behaviour)
}

/// A node of a cluster does what the lab's texts say of k3s; without them it would be none.
fn taught(world: &World, name: &str) -> Result<(), String> {
    let role = world.hosts[name].role;
    let service = role.unit().trim_end_matches(".service");
    if role == Role::Plain || world.behaviour.knows(&Hook::Starts(service.to_owned())) {
        return Ok(());
    }
    Err(format!(
        "host {name} has a role in a cluster, but no text of the lab says what {service} does: write `extends: k3s-double-tunnel`, whose texts do, or on_restart \"{service}\" |host| {{ … }}; in a .rhai file beside it"
    ))
}

fn build_host(name: &str, definition: &HostDefinition, now: Millis) -> Result<Host, String> {
    let mut machine = Machine {
        links: vec![loopback()],
        ..Machine::default()
    };
    for interface in &definition.interfaces {
        let index = machine.free_index(2);
        machine.links.push(build_link(name, interface, index)?);
    }
    machine.files = build_files(name, definition, now / 1000)?;
    if definition.role != Role::Plain && Address::parse(&definition.pod_subnet).is_none() {
        return Err(format!(
            "host {name}: pod_subnet is no network: {:?}",
            definition.pod_subnet
        ));
    }
    if !definition.pod_subnet_v6.is_empty() && AddressV6::parse(&definition.pod_subnet_v6).is_none()
    {
        return Err(format!(
            "host {name}: pod_subnet_v6 is no network: {:?}",
            definition.pod_subnet_v6
        ));
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

fn build_link(host: &str, definition: &InterfaceDefinition, index: u32) -> Result<Link, String> {
    let (mut addresses, mut addresses_v6) = (vec![], vec![]);
    for text in &definition.addresses {
        match (Address::parse(text), AddressV6::parse(text)) {
            (Some(address), _) => addresses.push(address),
            (_, Some(address)) => addresses_v6.push(address),
            _ => {
                return Err(format!(
                    "host {host}, interface {}: no address with prefix: {text:?}",
                    definition.name
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

fn build_files(name: &str, definition: &HostDefinition, now: i64) -> Result<FileTree, String> {
    let mut files = FileTree::default();
    let wrong =
        |path: &str, why: &dyn std::fmt::Display| format!("host {name}, file {path}: {why}");
    for directory in [
        "/etc",
        "/run",
        "/tmp",
        "/var/lib",
        "/var/log",
        "/root",
        "/usr/local/bin",
    ] {
        files
            .make_directories(directory, now)
            .map_err(|why| wrong(directory, &why))?;
    }
    let hostname = (name.to_owned() + "\n").into_bytes();
    files
        .put("/etc/hostname", plain(hostname, 0o644), now)
        .map_err(|why| wrong("/etc/hostname", &why))?;
    for (path, file) in &definition.files {
        let mode = match &file.mode {
            None => 0o644,
            Some(text) => {
                u32::from_str_radix(text, 8).map_err(|_| wrong(path, &"mode is not octal"))?
            }
        };
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        let content = with_keys(&file.content, &file.set).map_err(|why| wrong(path, &why))?;
        files
            .make_directories(parent, now)
            .and_then(|()| files.put(path, plain(content.into_bytes(), mode), now))
            .map_err(|why| wrong(path, &why))?;
    }
    for (path, target) in &definition.symlinks {
        files
            .symlink(path, target)
            .map_err(|why| wrong(path, &why))?;
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
