//! Flannel inside k3s: it looks for its interface, makes flannel.1, writes subnet.env, and tells the cluster.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::config::Arguments;
use super::{effective, node, service};
use crate::lab::definition::Role;
use crate::lab::network::{
    Address, AddressV6, Link, LinkKind, add_port, find_route, remove_link, vxlan_overhead,
};
use crate::lab::world::{Activity, Backend, Happening, Host, Kubelet, Place, Vtep, World, mac};

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
    let found = found.and_then(|found| Ok((found, backend(world)?)));
    let Some(host) = world.hosts.get_mut(name) else {
        return;
    };
    let ((arguments, wanted), backend) = match found {
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
    let address_v6 = host.machine.link(&device).and_then(Link::ipv6);
    match backend {
        Backend::Vxlan => {
            make_vxlan(host, name, "flannel.1", &device, address.into());
            if let (Some(from), false) = (address_v6, host.pod_subnet_v6.is_empty()) {
                make_vxlan(host, name, "flannel-v6.1", &device, from.into());
            }
        }
        Backend::Wireguard => make_wireguard(host, &device),
        Backend::HostGw => {}
    }
    write_subnet_file(host, &device, backend, now);
    host.vtep = Some(Vtep {
        device,
        address: address.to_string(),
        address_v6: address_v6
            .filter(|_| !host.pod_subnet_v6.is_empty())
            .map(|address| address.to_string()),
        backend,
    });
    host.kubelet = Kubelet::Up;
    node::register(world, name, &arguments);
}

/// The backend is the servers' choice; agents are told.
fn backend(world: &World) -> Result<Backend, String> {
    let mut servers = world
        .hosts
        .values()
        .filter(|host| host.role == Role::Server);
    let Some(server) = servers.next() else {
        return Ok(Backend::default());
    };
    let arguments = effective(server)?;
    let option = arguments.last("flannel-backend").unwrap_or("vxlan");
    Backend::parse(option).ok_or_else(|| {
        format!("the lab knows no flannel-backend {option:?}: vxlan, wireguard-native, host-gw")
    })
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
    if !host.pod_subnet_v6.is_empty() && link.ipv6().is_none() {
        return Err(format!("unable to find IPv6 address for interface {name}"));
    }
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

/// A VXLAN link is made anew when its parent or source address differ, not when only an MTU does
/// (flannel: vxlan/device.go vxlanLinksIncompat). It keeps its hardware address.
fn make_vxlan(host: &mut Host, name: &str, link: &str, device: &str, local: IpAddr) {
    let kind = LinkKind::Vxlan {
        vni: 1,
        parent: device.to_owned(),
        local,
    };
    if host
        .machine
        .link(link)
        .is_some_and(|link| link.kind == kind)
    {
        return;
    }
    let mtu = base_mtu(host, device).saturating_sub(vxlan_overhead(local));
    let mut made = new_link(host, link, kind, mtu, 4 + u32::from(local.is_ipv6()) * 2);
    made.mac = Some(mac(&[name, link]));
    if local.is_ipv6() {
        made.addresses.clear();
        made.addresses_v6 = subnet_v6(host).into_iter().collect();
        made.drop_what_does_not_fit();
    }
    add_port(&mut host.machine, made);
}

/// Flannel makes its WireGuard link anew at each start (flannel: wireguard/device.go ensureLink).
fn make_wireguard(host: &mut Host, device: &str) {
    let mtu = base_mtu(host, device).saturating_sub(Backend::Wireguard.overhead());
    let made = new_link(host, "flannel-wg", LinkKind::Wireguard, mtu, 4);
    add_port(&mut host.machine, made);
}

/// A new link of Flannel in place of the one of this name, with the network's own address.
fn new_link(host: &mut Host, name: &str, kind: LinkKind, mtu: u32, least: u32) -> Link {
    // Its absence is what is wanted.
    let _ = remove_link(&mut host.machine, name);
    let subnet = Address::parse(&host.pod_subnet);
    let own = subnet.map(|subnet| Address {
        ip: subnet.network(),
        prefix: 32,
    });
    Link {
        index: host.machine.free_index(least),
        name: name.to_owned(),
        kind,
        mac: None,
        mtu,
        up: true,
        addresses: own.into_iter().collect(),
        addresses_v6: vec![],
        master: None,
    }
}

/// The node's own address in its part of the IPv6 pod network.
fn subnet_v6(host: &Host) -> Option<AddressV6> {
    AddressV6::parse(&host.pod_subnet_v6).map(|subnet| AddressV6 {
        ip: subnet.ip,
        prefix: 128,
    })
}

fn base_mtu(host: &Host, device: &str) -> u32 {
    host.machine.link(device).map_or(1500, |link| link.mtu)
}

/// Replaced at each start, never removed on stop: stale until then.
fn write_subnet_file(host: &mut Host, device: &str, backend: Backend, now: i64) {
    let Some(subnet) = Address::parse(&host.pod_subnet) else {
        return;
    };
    let gateway = Ipv4Addr::from(u32::from(subnet.network()) + 1);
    let mut text = format!(
        "FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_SUBNET={gateway}/{}\n",
        subnet.prefix
    );
    if let Some(subnet) = AddressV6::parse(&host.pod_subnet_v6) {
        let gateway = Ipv6Addr::from(u128::from(subnet.ip) + 1);
        text.push_str(&format!(
            "FLANNEL_IPV6_NETWORK=fd42::/48\nFLANNEL_IPV6_SUBNET={gateway}/{}\n",
            subnet.prefix
        ));
    }
    text.push_str(&format!(
        "FLANNEL_MTU={}\nFLANNEL_IPMASQ=true\n",
        base_mtu(host, device).saturating_sub(backend.overhead()),
    ));
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
