//! What becomes of a packet on its way: which links it crosses, where it is too long, where it vanishes.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Address, Link, LinkKind, VXLAN_PORT, WIREGUARD_PORT, find_route, is_tailnet};
use crate::lab::definition::{Firewall, Otherwise, Role};
use crate::lab::world::{Backend, Host, Kubelet, Place, Sandbox, Vtep, World};

/// An IPv4 packet.
#[derive(Clone, Copy, Debug)]
pub struct Packet {
    /// Whole length in bytes, the IP header included.
    pub length: u32,
    /// Must not be fragmented.
    pub unfragmented: bool,
}

/// What became of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It arrived, after this many routers.
    Arrived {
        /// Routers on the way.
        hops: u8,
    },
    /// The sender's own link is too small.
    TooLong {
        /// What would fit.
        mtu: u32,
    },
    /// A router on the way said so (ICMP 3/4).
    FragmentationNeeded {
        /// Who said it.
        by: Ipv4Addr,
        /// What would fit.
        mtu: u32,
    },
    /// It vanished.
    Lost,
    /// The sender has no route.
    NoRoute,
}

/// Sends a packet from a place to an address.
pub fn deliver(world: &World, from: &Place, to: Ipv4Addr, packet: Packet) -> Delivery {
    let from = world.network_place(from);
    let mut way = Way {
        world,
        packet,
        hops: 0,
    };
    let outcome = match &from {
        Place::Host(name) => way.leave_host(name, to, None),
        Place::Pod(key) => way.leave_pod(key, to),
    };
    match outcome {
        Ok(()) => Delivery::Arrived { hops: way.hops },
        Err(failure) => failure,
    }
}

/// Sends an IPv6 packet from a host to a neighbour: what is known of IPv6 ends at the link.
pub fn deliver_v6(world: &World, from: &Place, to: Ipv6Addr, packet: Packet) -> Delivery {
    let Place::Host(name) = world.network_place(from) else {
        return Delivery::NoRoute;
    };
    let Some(host) = world.hosts.get(&name) else {
        return Delivery::NoRoute;
    };
    let mut links = host.machine.links.iter().filter(|link| link.up);
    let Some(link) = links.find(|link| link.addresses_v6.iter().any(|own| own.covers(to))) else {
        return Delivery::NoRoute;
    };
    if packet.length > link.mtu {
        return Delivery::TooLong { mtu: link.mtu };
    }
    let has = |link: &Link| link.up && link.addresses_v6.iter().any(|own| own.ip == to);
    let mut hosts = world
        .hosts
        .values()
        .filter(|host| host.down_until.is_none());
    match hosts.any(|host| host.machine.links.iter().any(has)) {
        true => Delivery::Arrived { hops: 0 },
        false => Delivery::Lost,
    }
}

struct Way<'a> {
    world: &'a World,
    packet: Packet,
    hops: u8,
}

impl<'a> Way<'a> {
    fn leave_pod(&mut self, key: &str, to: Ipv4Addr) -> Result<(), Delivery> {
        let sandbox = self.world.sandboxes.get(key).ok_or(Delivery::NoRoute)?;
        let link = sandbox.machine.link("eth0").ok_or(Delivery::NoRoute)?;
        if sandbox.address == to.to_string() || to.is_loopback() {
            return Ok(());
        }
        if !link.up {
            return Err(Delivery::NoRoute);
        }
        self.fit(link.mtu, None)?;
        let host = self.host(&sandbox.node)?;
        // What enters the bridge through a port is only bridged to a neighbour: no router sees it, so nobody
        // says anything when it does not fit.
        if let Some(neighbour) = self.pod_on(&sandbox.node, to) {
            return through_port(host, neighbour, self.packet.length);
        }
        let gateway = host.machine.link("cni0").ok_or(Delivery::Lost)?;
        if gateway.ipv4() == Some(to) {
            return Ok(());
        }
        self.hops += 1;
        self.leave_host(&sandbox.node, to, gateway.ipv4())
    }

    /// From a host that sent it (`router` is none) or that forwards it.
    fn leave_host(
        &mut self,
        name: &str,
        to: Ipv4Addr,
        router: Option<Ipv4Addr>,
    ) -> Result<(), Delivery> {
        let host = self.host(name)?;
        if to.is_loopback() || has_address(host, to) {
            return Ok(());
        }
        let route =
            find_route(self.world, &Place::Host(name.to_owned()), to).ok_or(Delivery::NoRoute)?;
        let link = host.machine.link(&route.device).ok_or(Delivery::NoRoute)?;
        self.fit(link.mtu, router)?;
        if route.device == "cni0" {
            let pod = self.pod_on(name, to).ok_or(Delivery::Lost)?;
            return through_port(host, pod, self.packet.length);
        }
        if let Some((other_name, other)) = self.other_node(name, to) {
            return self.through_flannel(host, &route.device, (other_name, other), to);
        }
        self.to_neighbour(host, &route.device, to)
    }

    /// Another node whose pods have addresses like this one.
    fn other_node(&self, name: &str, to: Ipv4Addr) -> Option<(&'a String, &'a Host)> {
        let covers =
            |host: &Host| Address::parse(&host.pod_subnet).is_some_and(|subnet| subnet.covers(to));
        let mut hosts = self.world.hosts.iter();
        hosts.find(|(other, host)| other.as_str() != name && covers(host))
    }

    fn to_neighbour(&self, host: &Host, device: &str, to: Ipv4Addr) -> Result<(), Delivery> {
        let own = host.machine.link(device).ok_or(Delivery::NoRoute)?;
        let on_link = own.addresses.iter().any(|address| address.covers(to));
        // Behind the router is the Internet, and no private network of somebody else.
        if own.kind == LinkKind::Ethernet && to.is_private() && !on_link {
            return Err(Delivery::Lost);
        }
        let known =
            self.world.hosts.values().any(|host| {
                host.down_until.is_none()
                    && host.machine.links.iter().any(|link| {
                        link.up && link.addresses.iter().any(|address| address.ip == to)
                    })
            });
        let public = self
            .world
            .public_endpoint
            .as_ref()
            .is_some_and(|endpoint| endpoint.address == to.to_string());
        if known || public {
            Ok(())
        } else {
            Err(Delivery::Lost)
        }
    }

    /// From one node to a pod of another, as Flannel's backend carries it.
    fn through_flannel(
        &mut self,
        host: &Host,
        device: &str,
        (other_name, other): (&'a String, &'a Host),
        to: Ipv4Addr,
    ) -> Result<(), Delivery> {
        let (near, far) = (
            host.vtep.as_ref().ok_or(Delivery::Lost)?,
            other.vtep.as_ref().ok_or(Delivery::Lost)?,
        );
        // Another route than Flannel's (its link is gone) leads nowhere.
        let usable = |host: &Host, device: &str| host.machine.link(device).is_some_and(|l| l.up);
        let link_of = |vtep: &'a Vtep| vtep.backend.link().unwrap_or(&vtep.device);
        if device != near.backend.link().unwrap_or(&near.device)
            || !usable(host, &near.device)
            || !usable(other, &far.device)
            || !usable(other, link_of(far))
            || other.down_until.is_some()
            || near.backend != far.backend
            || !self.carried(host, near, other, far)
        {
            return Err(Delivery::Lost);
        }
        // What is packed may be fragmented on its way: neither VXLAN nor WireGuard sets DF.
        self.hops += 1;
        if has_address(other, to) {
            return Ok(());
        }
        let pod = self.pod_on(other_name, to).ok_or(Delivery::Lost)?;
        let bridge = other.machine.link("cni0").ok_or(Delivery::Lost)?;
        let router = other.machine.link(link_of(far)).and_then(Link::ipv4);
        self.fit(bridge.mtu, router)?;
        through_port(other, pod, self.packet.length)
    }

    /// Whether what a backend sends to the address that the other node announces arrives there.
    fn carried(&self, host: &Host, near: &Vtep, other: &Host, far: &Vtep) -> bool {
        let Ok(outer) = far.address.parse::<Ipv4Addr>() else {
            return false;
        };
        let link = |device: &str| host.machine.link(device);
        let leaves_by = |device: &str| {
            let link = link(device);
            link.is_some_and(|link| link.addresses.iter().any(|own| own.covers(outer)))
                || link.is_some_and(|link| link.kind == LinkKind::Tun) && is_tailnet(outer)
        };
        let filter = other.firewall.as_ref();
        match near.backend {
            // It is bound to its link: if one is on the LAN and the other in the tailnet, it is dropped on arrival, or
            // never leaves.
            Backend::Vxlan => {
                leaves_by(&near.device) && lets_in(filter, &far.device, "udp", VXLAN_PORT)
            }
            // It is bound to nothing and learns where the other sends from.
            Backend::Wireguard => {
                host.machine.links.iter().any(|link| leaves_by(&link.name))
                    && lets_in(filter, &far.device, "udp", WIREGUARD_PORT)
            }
            // Tailscale carries no packets of pods.
            Backend::HostGw => {
                leaves_by(&near.device)
                    && link(&near.device).is_some_and(|link| link.kind == LinkKind::Ethernet)
            }
        }
    }

    /// Whether the packet fits a link; one that may be fragmented goes on in pieces of the link's MTU.
    fn fit(&mut self, mtu: u32, router: Option<Ipv4Addr>) -> Result<(), Delivery> {
        if self.packet.length <= mtu {
            return Ok(());
        }
        if !self.packet.unfragmented {
            self.packet.length = mtu;
            return Ok(());
        }
        Err(match router {
            None => Delivery::TooLong { mtu },
            Some(by) => Delivery::FragmentationNeeded { by, mtu },
        })
    }

    fn host(&self, name: &str) -> Result<&'a Host, Delivery> {
        self.world
            .hosts
            .get(name)
            .filter(|host| host.down_until.is_none())
            .ok_or(Delivery::Lost)
    }

    fn pod_on(&self, node: &str, address: Ipv4Addr) -> Option<&'a Sandbox> {
        let address = address.to_string();
        self.world
            .sandboxes
            .values()
            .find(|pod| pod.node == node && !pod.host_network && pod.address == address)
    }
}

/// Out of the bridge into a pod's link: what is longer than that link is dropped without a word.
fn through_port(host: &Host, pod: &Sandbox, length: u32) -> Result<(), Delivery> {
    match host.machine.link(&pod.veth) {
        Some(port) if port.up && port.master.is_some() && length <= port.mtu => Ok(()),
        _ => Err(Delivery::Lost),
    }
}

fn has_address(host: &Host, ip: Ipv4Addr) -> bool {
    host.machine
        .links
        .iter()
        .flat_map(|link| &link.addresses)
        .any(|address| address.ip == ip)
}

fn lets_in(firewall: Option<&Firewall>, device: &str, protocol: &str, port: u16) -> bool {
    firewall.is_none_or(|firewall| {
        firewall.allow.iter().any(|rule| {
            rule.port == port
                && rule.protocol == protocol
                && rule.interface.as_deref().is_none_or(|only| only == device)
        })
    })
}

/// What a port answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortAnswer {
    /// TCP: accepted. UDP: no answer, which is all that an open port says.
    Open,
    /// TCP reset, or ICMP port unreachable.
    Refused,
    /// Silence. For UDP it cannot be told from [`PortAnswer::Open`] by the sender.
    Silent,
}

/// Sends a datagram to a port. As in life the sender learns little: a packet filter that drops looks the same
/// as an open port.
pub fn udp_port(world: &World, from: &Place, to: Ipv4Addr, port: u16) -> PortAnswer {
    ask_port(world, from, to, "udp", port, |host| {
        port == VXLAN_PORT && host.machine.link("flannel.1").is_some()
            || port == WIREGUARD_PORT && host.machine.link("flannel-wg").is_some()
            || port == 41641
    })
}

/// Connects to a port.
pub fn tcp_port(world: &World, from: &Place, to: Ipv4Addr, port: u16) -> PortAnswer {
    let public = world
        .public_endpoint
        .as_ref()
        .is_some_and(|endpoint| endpoint.address == to.to_string());
    if public {
        return if port == 443 {
            PortAnswer::Open
        } else {
            PortAnswer::Silent
        };
    }
    ask_port(world, from, to, "tcp", port, |host| match port {
        22 => true,
        10250 => host.kubelet == Kubelet::Up,
        6443 => host.role == Role::Server && world.api_down().is_none(),
        _ => false,
    })
}

fn ask_port(
    world: &World,
    from: &Place,
    to: Ipv4Addr,
    protocol: &str,
    port: u16,
    listens: impl Fn(&Host) -> bool,
) -> PortAnswer {
    let small = Packet {
        length: 60,
        unfragmented: true,
    };
    if !matches!(deliver(world, from, to, small), Delivery::Arrived { .. }) {
        return PortAnswer::Silent;
    }
    let owner = world.hosts.iter().find(|(_, host)| has_address(host, to));
    let Some((name, host)) = owner else {
        return PortAnswer::Refused;
    };
    let device = host
        .machine
        .links
        .iter()
        .find(|link| link.addresses.iter().any(|address| address.ip == to))
        .map_or("", |link| link.name.as_str());
    let local = world.network_place(from) == Place::Host(name.clone());
    if !local && !lets_in(host.firewall.as_ref(), device, protocol, port) {
        return match host.firewall.as_ref().map(|firewall| firewall.otherwise) {
            Some(Otherwise::Reject) => PortAnswer::Refused,
            _ => PortAnswer::Silent,
        };
    }
    if listens(host) {
        PortAnswer::Open
    } else {
        PortAnswer::Refused
    }
}
