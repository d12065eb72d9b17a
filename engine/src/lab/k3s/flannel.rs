//! Flannel inside k3s: it looks for its interface, makes flannel.1, writes subnet.env, and tells the cluster.

use std::net::Ipv4Addr;

use super::config::Arguments;
use super::{effective, node, service};
use crate::lab::definition::Role;
use crate::lab::network::{
    Address, Link, LinkKind, VXLAN_OVERHEAD, add_port, find_route, remove_link,
};
use crate::lab::world::{Activity, Happening, Host, Kubelet, Place, Vtep, World, mac};

/// What the CNI plugin reads at each pod's start.
pub const SUBNET_FILE: &str = "/run/flannel/subnet.env";

/// How often k3s tries again.
const RETRY: i64 = 5_000;

/// Flannel's time in a start of k3s. Agents need the API; everybody needs the interface.
pub fn flannel(world: &mut World, name: &str, generation: u64) {
    let now = world.now;
    let api_down = world.api_down().is_some();
    let Some(host) = world.hosts.get_mut(name) else {
        return;
    };
    if service::unit(host).generation != generation || host.down_until.is_some() {
        return;
    }
    let again = Happening::Flannel {
        host: name.to_owned(),
        generation,
    };
    if host.role == Role::Agent && api_down {
        service::log(
            host,
            now,
            "level=error msg=\"failed to get CA certs: connect: connection refused\"",
        );
        return world.plan(RETRY, again);
    }
    let found = effective(host).and_then(|arguments| {
        let found = interface(host, &arguments)?;
        Ok((arguments, found))
    });
    let (arguments, wanted) = match found {
        Ok(found) => found,
        Err(why) => {
            service::log(
                host,
                now,
                &format!(
                    "level=error msg=\"Waiting to retrieve agent configuration; server is not ready: {why}\""
                ),
            );
            return world.plan(RETRY, again);
        }
    };
    let unit = service::unit(host);
    if unit.activity != Activity::Active {
        unit.activity = Activity::Active;
        unit.since = now;
    }
    let (device, address) = match wanted {
        Some(found) => found,
        None => match default_interface(world, name) {
            Some(found) => found,
            None => return world.plan(RETRY, again),
        },
    };
    let Some(host) = world.hosts.get_mut(name) else {
        return;
    };
    make_vxlan(host, name, &device, address);
    write_subnet_file(host, &device, now);
    host.vtep = Some(Vtep {
        device,
        address: address.to_string(),
    });
    host.kubelet = Kubelet::Up;
    node::register(world, name, &arguments);
}

/// The link named by `flannel-iface` and its address, if the option is set. It must be there, up, and have an address.
pub(super) fn interface(
    host: &Host,
    arguments: &Arguments,
) -> Result<Option<(String, Ipv4Addr)>, String> {
    let Some(name) = arguments.last("flannel-iface") else {
        return Ok(None);
    };
    let link = host.machine.link(name).ok_or_else(|| {
        format!("unable to find interface {name}: route ip+net: no such network interface")
    })?;
    if !link.up {
        return Err(format!("unable to find interface {name}: it is down"));
    }
    let address = link
        .ipv4()
        .ok_or_else(|| format!("unable to find IPv4 address for interface {name}"))?;
    Ok(Some((name.to_owned(), address)))
}

/// Without `flannel-iface`: the link of the default route.
fn default_interface(world: &World, name: &str) -> Option<(String, Ipv4Addr)> {
    let route = find_route(
        world,
        &Place::Host(name.to_owned()),
        Ipv4Addr::new(192, 0, 2, 1),
    )?;
    let address = world.hosts.get(name)?.machine.link(&route.device)?.ipv4()?;
    Some((route.device, address))
}

/// flannel.1 is made anew when its parent or source address differ, not when only an MTU does
/// (flannel: vxlan/device.go vxlanLinksIncompat). It keeps its hardware address.
fn make_vxlan(host: &mut Host, name: &str, device: &str, address: Ipv4Addr) {
    let kind = LinkKind::Vxlan {
        vni: 1,
        parent: device.to_owned(),
        local: address,
    };
    if host
        .machine
        .link("flannel.1")
        .is_some_and(|link| link.kind == kind)
    {
        return;
    }
    // Its absence is what is wanted.
    let _ = remove_link(&mut host.machine, "flannel.1");
    let addresses = Address::parse(&host.pod_subnet)
        .map(|subnet| Address {
            ip: subnet.network(),
            prefix: 32,
        })
        .into_iter()
        .collect();
    let link = Link {
        index: host.machine.free_index(4),
        name: "flannel.1".into(),
        kind,
        mac: Some(mac(&[name, "flannel.1"])),
        mtu: base_mtu(host, device).saturating_sub(VXLAN_OVERHEAD),
        up: true,
        addresses,
        master: None,
    };
    add_port(&mut host.machine, link);
}

fn base_mtu(host: &Host, device: &str) -> u32 {
    host.machine.link(device).map_or(1500, |link| link.mtu)
}

/// Replaced at each start, never removed on stop: stale until then.
fn write_subnet_file(host: &mut Host, device: &str, now: i64) {
    let Some(subnet) = Address::parse(&host.pod_subnet) else {
        return;
    };
    let gateway = Ipv4Addr::from(u32::from(subnet.network()) + 1);
    let text = format!(
        "FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_SUBNET={gateway}/{}\nFLANNEL_MTU={}\nFLANNEL_IPMASQ=true\n",
        subnet.prefix,
        base_mtu(host, device).saturating_sub(VXLAN_OVERHEAD),
    );
    let files = &mut host.machine.files;
    let directory = SUBNET_FILE.trim_end_matches("/subnet.env");
    files
        .make_directories(directory, now / 1000)
        .and_then(|()| files.write(SUBNET_FILE, text.into_bytes(), now / 1000))
        .unwrap_or_else(|why| {
            service::log(
                host,
                now,
                &format!("level=error msg=\"{SUBNET_FILE}: {why}\""),
            )
        });
}
