//! The kernel's part: links, routes, and what becomes of a packet.

mod link;
mod path;
mod route;

pub use link::{Address, Link, LinkError, LinkKind, add_port, remove_link, set_mtu, set_up};
pub use path::{Delivery, Packet, PortAnswer, deliver, tcp_port, udp_port};
pub use route::{Route, find_route, is_tailnet, routes};

/// What a Tailscale proxy's full packet needs of the pod's link: 1280 bytes of tunnel and 60 of WireGuard over IPv4.
pub const PROXY_NEEDS: u32 = 1340;

/// What VXLAN adds over IPv4: Ethernet 14, VXLAN 8, UDP 8, IP 20.
pub const VXLAN_OVERHEAD: u32 = 50;

/// Flannel's VXLAN port on Linux.
pub const VXLAN_PORT: u16 = 8472;
