//! Which link a packet leaves by.

use std::net::Ipv4Addr;

use super::{Address, LinkKind};
use crate::lab::world::{Backend, Machine, Place, Vtep, World};

/// Tailscale's addresses, 100.64.0.0/10.
const TAILNET: Address = Address {
    ip: Ipv4Addr::new(100, 64, 0, 0),
    prefix: 10,
};

/// Whether an address is one of Tailscale's.
pub fn is_tailnet(ip: Ipv4Addr) -> bool {
    TAILNET.covers(ip)
}

/// A route of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Destination network; prefix 0 is the default route.
    pub network: Address,
    /// Next hop, if not on the link.
    pub gateway: Option<Ipv4Addr>,
    /// The link.
    pub device: String,
    /// Source address.
    pub source: Option<Ipv4Addr>,
    /// Who made it, as `ip route` shows it.
    pub protocol: &'static str,
    /// In table 52, where Tailscale keeps its own.
    pub table_52: bool,
}

/// All routes of the machine whose network is seen from a place, as the kernel would order them.
pub fn routes(world: &World, place: &Place) -> Vec<Route> {
    let place = world.network_place(place);
    let Some(machine) = world.machine(&place) else {
        return vec![];
    };
    match &place {
        Place::Pod(_) => pod_routes(machine),
        Place::Host(name) => host_routes(world, name, machine),
    }
}

fn pod_routes(machine: &Machine) -> Vec<Route> {
    let Some(link) = machine.link("eth0").filter(|link| link.up) else {
        return vec![];
    };
    let Some(address) = link.addresses.first() else {
        return vec![];
    };
    let gateway = Ipv4Addr::from(u32::from(address.network()) + 1);
    vec![
        default_route("eth0", gateway, Some(address.ip), "boot"),
        connected("eth0", address),
    ]
}

fn host_routes(world: &World, name: &str, machine: &Machine) -> Vec<Route> {
    let mut routes = vec![];
    for link in machine.links.iter().filter(|link| link.up) {
        for address in &link.addresses {
            match link.kind {
                LinkKind::Ethernet => {
                    if routes.is_empty() {
                        let router = Ipv4Addr::from(u32::from(address.network()) + 1);
                        routes.push(default_route(&link.name, router, Some(address.ip), "dhcp"));
                    }
                    routes.push(connected(&link.name, address));
                }
                LinkKind::Bridge { .. } => routes.push(connected(&link.name, address)),
                LinkKind::Tun if is_tailnet(address.ip) => routes.push(Route {
                    network: TAILNET,
                    gateway: None,
                    device: link.name.clone(),
                    source: Some(address.ip),
                    protocol: "static",
                    table_52: true,
                }),
                _ => {}
            }
        }
    }
    let own = world.hosts.get(name).and_then(|host| host.vtep.as_ref());
    if let Some(own) = own
        && machine
            .link(own.backend.link().unwrap_or(&own.device))
            .is_some_and(|link| link.up)
    {
        routes.extend(flannel_routes(world, name, own));
    }
    routes
}

/// Flannel's routes to the other nodes' pods: through the address of their flannel.1, into WireGuard, or over the other
/// node itself.
fn flannel_routes<'a>(
    world: &'a World,
    name: &'a str,
    own: &'a Vtep,
) -> impl Iterator<Item = Route> + 'a {
    let others = world.hosts.iter();
    others
        .filter(move |(other, _)| other.as_str() != name)
        .filter_map(move |(_, host)| {
            let (vtep, subnet) = (host.vtep.as_ref()?, Address::parse(&host.pod_subnet)?);
            let gateway = match own.backend {
                Backend::Vxlan => Some(subnet.network()),
                Backend::Wireguard => None,
                Backend::HostGw => vtep.address.parse().ok(),
            };
            Some(Route {
                network: subnet,
                gateway,
                device: own.backend.link().unwrap_or(&own.device).to_owned(),
                source: None,
                protocol: "",
                table_52: false,
            })
        })
}

fn default_route(
    device: &str,
    gateway: Ipv4Addr,
    source: Option<Ipv4Addr>,
    protocol: &'static str,
) -> Route {
    Route {
        network: Address {
            ip: Ipv4Addr::UNSPECIFIED,
            prefix: 0,
        },
        gateway: Some(gateway),
        device: device.to_owned(),
        source,
        protocol,
        table_52: false,
    }
}

fn connected(device: &str, address: &Address) -> Route {
    Route {
        network: Address {
            ip: address.network(),
            prefix: address.prefix,
        },
        gateway: None,
        device: device.to_owned(),
        source: Some(address.ip),
        protocol: "kernel",
        table_52: false,
    }
}

/// The route to an address: the longest prefix.
pub fn find_route(world: &World, place: &Place, to: Ipv4Addr) -> Option<Route> {
    routes(world, place)
        .into_iter()
        .filter(|route| route.network.covers(to))
        .max_by_key(|route| route.network.prefix)
}
