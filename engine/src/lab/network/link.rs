//! Links and the rules by which their MTU changes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::lab::world::Machine;

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its index.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: LinkKind,
    /// Hardware address; none for tunnels of layer 3.
    pub mac: Option<String>,
    /// MTU in bytes.
    pub mtu: u32,
    /// Administratively up.
    pub up: bool,
    /// IPv4 addresses.
    pub addresses: Vec<Address>,
    /// Global IPv6 addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses_v6: Vec<AddressV6>,
    /// The bridge that it is a port of.
    pub master: Option<String>,
}

/// An address of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// The address.
    pub ip: Ipv4Addr,
    /// Prefix length.
    pub prefix: u8,
}

impl Address {
    /// Reads `192.168.1.11/24`.
    pub fn parse(text: &str) -> Option<Self> {
        let (ip, prefix) = text.split_once('/')?;
        let prefix = prefix.parse().ok().filter(|bits| *bits <= 32)?;
        Some(Self {
            ip: ip.parse().ok()?,
            prefix,
        })
    }

    /// Whether another address is in this one's network.
    pub fn covers(&self, ip: Ipv4Addr) -> bool {
        (u32::from(self.ip) ^ u32::from(ip)) & self.mask() == 0
    }

    /// The network's own address.
    pub fn network(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.ip) & self.mask())
    }

    /// The network's broadcast address.
    pub fn broadcast(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.ip) | !self.mask())
    }

    fn mask(&self) -> u32 {
        u32::MAX
            .checked_shl(32 - u32::from(self.prefix))
            .unwrap_or(0)
    }
}

/// An IPv6 address of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressV6 {
    /// The address.
    pub ip: Ipv6Addr,
    /// Prefix length.
    pub prefix: u8,
}

impl AddressV6 {
    /// Reads `fd00:1::11/64`.
    pub fn parse(text: &str) -> Option<Self> {
        let (ip, prefix) = text.split_once('/')?;
        let prefix = prefix.parse().ok().filter(|bits| *bits <= 128)?;
        Some(Self {
            ip: ip.parse().ok()?,
            prefix,
        })
    }

    /// Whether another address is in this one's network.
    pub fn covers(&self, ip: Ipv6Addr) -> bool {
        let mask = u128::MAX
            .checked_shl(128 - u32::from(self.prefix))
            .unwrap_or(0);
        (u128::from(self.ip) ^ u128::from(ip)) & mask == 0
    }
}

/// Kinds of link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkKind {
    /// `lo`.
    Loopback,
    /// A network card.
    Ethernet,
    /// A tunnel of a user program.
    Tun,
    /// A VXLAN tunnel end.
    Vxlan {
        /// Network identifier.
        vni: u32,
        /// The link that its packets leave by. It dies with that link.
        parent: String,
        /// Source address of its packets.
        local: IpAddr,
    },
    /// Flannel's own WireGuard device. It is bound to no link.
    Wireguard,
    /// A bridge.
    Bridge {
        /// Somebody has set its MTU by hand: from then on it never follows its ports again.
        mtu_by_hand: bool,
    },
    /// The host's end of a pod's link.
    Veth {
        /// The pod, `namespace/name`.
        pod: String,
    },
    /// The pod's end.
    PodEnd {
        /// Index of the host's end.
        peer: u32,
    },
}

impl Link {
    /// Its first IPv4 address.
    pub fn ipv4(&self) -> Option<Ipv4Addr> {
        self.addresses.first().map(|address| address.ip)
    }

    /// Its first global IPv6 address.
    pub fn ipv6(&self) -> Option<Ipv6Addr> {
        self.addresses_v6.first().map(|address| address.ip)
    }

    /// The kernel has no IPv6 on a link that cannot carry the smallest packet that IPv6 wants carried.
    pub fn drop_what_does_not_fit(&mut self) {
        if self.mtu < super::IPV6_LEAST {
            self.addresses_v6.clear();
        }
    }
}

/// Why a link could not be changed, in the words of `ip`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkError {
    /// No such link.
    NotFound(String),
    /// The MTU is outside what the device can do.
    MtuRange(&'static str),
    /// The kernel said EINVAL.
    Invalid,
    /// The kernel said EPERM.
    NotPermitted,
}

/// Sets a link's MTU as `ip link set` does. A bridge whose MTU is set remembers it for ever; a port whose MTU
/// changes takes its bridge along, unless that was ever set by hand (kernel commit 804b854d).
pub fn set_mtu(machine: &mut Machine, name: &str, mtu: u32) -> Result<(), LinkError> {
    let position = position(machine, name)?;
    let limit = match &machine.links[position].kind {
        LinkKind::Ethernet => 9194,
        LinkKind::Vxlan { parent, local, .. } => {
            // The kernel refuses what would not fit its lower device.
            let overhead = super::vxlan_overhead(*local);
            let room = machine
                .link(parent)
                .map_or(u32::MAX, |parent| parent.mtu.saturating_sub(overhead));
            if mtu > room {
                return Err(LinkError::Invalid);
            }
            65_535
        }
        _ => 65_535,
    };
    if mtu < 68 {
        return Err(LinkError::MtuRange("Error: mtu less than device minimum."));
    }
    if mtu > limit {
        return Err(LinkError::MtuRange(
            "Error: mtu greater than device maximum.",
        ));
    }
    let link = &mut machine.links[position];
    link.mtu = mtu;
    link.drop_what_does_not_fit();
    if let LinkKind::Bridge { mtu_by_hand } = &mut link.kind {
        *mtu_by_hand = true;
    }
    if let Some(bridge) = link.master.clone() {
        follow_ports(machine, &bridge);
    }
    Ok(())
}

/// Sets a link up or down.
pub fn set_up(machine: &mut Machine, name: &str, up: bool) -> Result<(), LinkError> {
    let position = position(machine, name)?;
    machine.links[position].up = up;
    Ok(())
}

/// Adds a link and makes it a port of its bridge.
pub fn add_port(machine: &mut Machine, link: Link) {
    let bridge = link.master.clone();
    machine.links.push(link);
    machine.links.sort_by_key(|link| link.index);
    if let Some(bridge) = bridge {
        follow_ports(machine, &bridge);
    }
}

/// Removes a link; VXLAN links on top of it go with it.
pub fn remove_link(machine: &mut Machine, name: &str) -> Result<(), LinkError> {
    let position = position(machine, name)?;
    let removed = machine.links.remove(position);
    machine.links.retain(
        |link| !matches!(&link.kind, LinkKind::Vxlan { parent, .. } if *parent == removed.name),
    );
    for link in &mut machine.links {
        if link.master.as_ref() == Some(&removed.name) {
            link.master = None;
        }
    }
    if let Some(bridge) = removed.master {
        follow_ports(machine, &bridge);
    }
    Ok(())
}

fn position(machine: &Machine, name: &str) -> Result<usize, LinkError> {
    machine
        .links
        .iter()
        .position(|link| link.name == name)
        .ok_or_else(|| LinkError::NotFound(name.to_owned()))
}

/// A bridge's MTU is the smallest of its ports, 1500 without any, until it was set by hand.
fn follow_ports(machine: &mut Machine, bridge: &str) {
    let smallest = machine
        .links
        .iter()
        .filter(|link| link.master.as_deref() == Some(bridge))
        .map(|link| link.mtu)
        .min()
        .unwrap_or(1500);
    if let Some(link) = machine.link_mut(bridge)
        && link.kind == (LinkKind::Bridge { mtu_by_hand: false })
    {
        link.mtu = smallest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, name: &str, kind: LinkKind, mtu: u32, master: Option<&str>) -> Link {
        Link {
            index,
            name: name.into(),
            kind,
            mac: None,
            mtu,
            up: true,
            addresses: vec![],
            addresses_v6: vec![],
            master: master.map(Into::into),
        }
    }

    fn port(index: u32, mtu: u32) -> Link {
        let kind = LinkKind::Veth { pod: "a/b".into() };
        link(index, &format!("veth{index}"), kind, mtu, Some("cni0"))
    }

    fn bridge() -> Machine {
        let mut machine = Machine::default();
        let kind = LinkKind::Bridge { mtu_by_hand: false };
        add_port(&mut machine, link(5, "cni0", kind, 1230, None));
        add_port(&mut machine, port(6, 1230));
        add_port(&mut machine, port(7, 1230));
        machine
    }

    fn mtu(machine: &Machine) -> u32 {
        machine.link("cni0").unwrap().mtu
    }

    #[test]
    fn a_bridge_follows_its_smallest_port() {
        let mut machine = bridge();
        add_port(&mut machine, port(8, 1450));
        assert_eq!(mtu(&machine), 1230, "an old port holds it down");
        remove_link(&mut machine, "veth6").unwrap();
        assert_eq!(mtu(&machine), 1230);
        remove_link(&mut machine, "veth7").unwrap();
        assert_eq!(mtu(&machine), 1450, "the last small port is gone");
    }

    #[test]
    fn raising_ports_live_raises_the_bridge() {
        let mut machine = bridge();
        set_mtu(&mut machine, "veth6", 1450).unwrap();
        assert_eq!(mtu(&machine), 1230);
        set_mtu(&mut machine, "veth7", 1450).unwrap();
        assert_eq!(mtu(&machine), 1450);
    }

    #[test]
    fn a_bridge_set_by_hand_never_follows_again_not_even_back() {
        let mut machine = bridge();
        set_mtu(&mut machine, "cni0", 1450).unwrap();
        add_port(&mut machine, port(8, 1230));
        assert_eq!(mtu(&machine), 1450);
        set_mtu(&mut machine, "cni0", 1230).unwrap();
        for name in ["veth6", "veth7", "veth8"] {
            set_mtu(&mut machine, name, 1450).unwrap();
        }
        assert_eq!(mtu(&machine), 1230, "undoing it is sticky too");
    }

    #[test]
    fn vxlan_dies_with_its_parent_and_never_outgrows_it() {
        let mut machine = Machine::default();
        add_port(
            &mut machine,
            link(2, "eth0", LinkKind::Ethernet, 1500, None),
        );
        let kind = LinkKind::Vxlan {
            vni: 1,
            parent: "eth0".into(),
            local: Ipv4Addr::LOCALHOST.into(),
        };
        add_port(&mut machine, link(4, "flannel.1", kind, 1450, None));
        assert_eq!(
            set_mtu(&mut machine, "flannel.1", 1451),
            Err(LinkError::Invalid)
        );
        // Changing the parent's MTU changes nothing above it.
        set_mtu(&mut machine, "eth0", 1400).unwrap();
        assert_eq!(machine.link("flannel.1").unwrap().mtu, 1450);
        remove_link(&mut machine, "eth0").unwrap();
        assert!(machine.link("flannel.1").is_none());
    }
}
