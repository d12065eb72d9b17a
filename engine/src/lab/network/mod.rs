//! The kernel's part: links, routes, and what becomes of a packet.

mod link;
mod path;
mod route;

pub use link::{
    Address, AddressV6, Link, LinkError, LinkKind, add_port, remove_link, set_mtu, set_up,
};
pub use path::{Delivery, Packet, PortAnswer, deliver, deliver_v6, tcp_port, udp_port};
pub use route::{Route, find_route, is_tailnet, routes};

/// What a Tailscale proxy's full packet needs of the pod's link: 1280 bytes of tunnel and 60 of WireGuard over IPv4.
pub const PROXY_NEEDS: u32 = 1340;

/// What VXLAN adds over IPv4: Ethernet 14, VXLAN 8, UDP 8, IP 20.
pub const VXLAN_OVERHEAD: u32 = 50;

/// The IP header of version 6 is so much longer.
const LONGER_HEADER: u32 = 20;

/// What VXLAN adds to packets that are sent from this address.
pub fn vxlan_overhead(from: std::net::IpAddr) -> u32 {
    match from.is_ipv6() {
        true => VXLAN_OVERHEAD + LONGER_HEADER,
        false => VXLAN_OVERHEAD,
    }
}

/// The smallest MTU with which a link has IPv6 at all.
pub const IPV6_LEAST: u32 = 1280;

/// The port of Flannel's WireGuard.
pub const WIREGUARD_PORT: u16 = 51820;

/// Flannel's VXLAN port on Linux.
pub const VXLAN_PORT: u16 = 8472;
