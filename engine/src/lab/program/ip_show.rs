//! What `ip` shows, as text and as JSON.

use std::net::Ipv4Addr;

use serde_json::{Value as Json, json};

use super::{Io, Ran, Session};
use crate::lab::network::{Link, LinkKind, Route, VXLAN_PORT, find_route, routes};
use crate::lab::world::Machine;

/// What was asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// `-j`.
    pub json: bool,
    /// `-d`.
    pub details: bool,
    /// `-s`.
    pub statistics: bool,
    /// `-6`.
    pub version_6: bool,
}

/// `ip link show [[dev] X] [up] [master BR] [type T]`, `ip addr show …`.
pub fn links(
    session: &Session,
    options: &Options,
    filter: &[&str],
    addresses: bool,
    io: &mut Io,
) -> Ran {
    let Some(machine) = session.world.network_machine(&session.place) else {
        return io.fail(1, "ip: the machine is gone");
    };
    let mut chosen: Vec<&Link> = machine.links.iter().collect();
    let mut words = filter.iter();
    while let Some(word) = words.next() {
        match *word {
            "up" => chosen.retain(|link| link.up),
            "dev" => {}
            "master" => {
                let bridge = words.next().copied().unwrap_or_default();
                chosen.retain(|link| link.master.as_deref() == Some(bridge));
            }
            "type" => {
                let kind = words.next().copied().unwrap_or_default();
                chosen.retain(|link| kind_name(&link.kind) == Some(kind));
            }
            "scope" => {
                words.next();
                chosen.retain(|link| link.kind != LinkKind::Loopback);
            }
            name => {
                chosen.retain(|link| link.name == name);
                if chosen.is_empty() {
                    return io.fail(1, &format!("Device \"{name}\" does not exist."));
                }
            }
        }
    }
    if options.json {
        let all: Vec<Json> = chosen
            .iter()
            .map(|link| link_json(machine, link, options, addresses))
            .collect();
        io.line(&Json::from(all).to_string());
    } else {
        for link in chosen {
            io.print(&link_text(machine, link, addresses));
        }
    }
    Ok(0)
}

fn kind_name(kind: &LinkKind) -> Option<&'static str> {
    match kind {
        LinkKind::Loopback | LinkKind::Ethernet => None,
        LinkKind::Tun => Some("tun"),
        LinkKind::Vxlan { .. } => Some("vxlan"),
        LinkKind::Wireguard => Some("wireguard"),
        LinkKind::Bridge { .. } => Some("bridge"),
        LinkKind::Veth { .. } | LinkKind::PodEnd { .. } => Some("veth"),
    }
}

fn flags(link: &Link) -> Vec<&'static str> {
    let mut flags = match link.kind {
        LinkKind::Loopback => vec!["LOOPBACK"],
        LinkKind::Tun => vec!["POINTOPOINT", "MULTICAST", "NOARP"],
        LinkKind::Wireguard => vec!["POINTOPOINT", "NOARP"],
        _ => vec!["BROADCAST", "MULTICAST"],
    };
    if link.up {
        flags.extend(["UP", "LOWER_UP"]);
    }
    flags
}

fn state(link: &Link) -> &'static str {
    match (&link.kind, link.up) {
        (_, false) => "DOWN",
        (
            LinkKind::Loopback | LinkKind::Tun | LinkKind::Vxlan { .. } | LinkKind::Wireguard,
            true,
        ) => "UNKNOWN",
        (_, true) => "UP",
    }
}

fn link_type(link: &Link) -> &'static str {
    match link.kind {
        LinkKind::Loopback => "loopback",
        LinkKind::Tun | LinkKind::Wireguard => "none",
        _ => "ether",
    }
}

/// The other end of a pod's link.
fn peer(link: &Link) -> Option<u32> {
    match &link.kind {
        LinkKind::Veth { .. } => Some(2),
        LinkKind::PodEnd { peer } => Some(*peer),
        _ => None,
    }
}

fn link_json(machine: &Machine, link: &Link, options: &Options, addresses: bool) -> Json {
    let mut json = json!({
        "ifindex": link.index, "ifname": link.name, "flags": flags(link), "mtu": link.mtu,
        "qdisc": if link.kind == LinkKind::Ethernet { "mq" } else { "noqueue" },
        "operstate": state(link), "linkmode": "DEFAULT", "group": "default", "txqlen": 1000, "link_type": link_type(link),
    });
    if let Some(peer) = peer(link) {
        json["link_index"] = peer.into();
        json["link_netnsid"] = 0.into();
    }
    if let Some(master) = &link.master {
        json["master"] = master.clone().into();
    }
    match &link.mac {
        Some(mac) => {
            json["address"] = mac.clone().into();
            json["broadcast"] = "ff:ff:ff:ff:ff:ff".into();
        }
        None if link.kind == LinkKind::Loopback => {
            json["address"] = "00:00:00:00:00:00".into();
            json["broadcast"] = "00:00:00:00:00:00".into();
        }
        None => {}
    }
    if addresses {
        let info: Vec<Json> = link
            .addresses
            .iter()
            .filter(|_| !options.version_6)
            .map(|address| {
                let mut info = json!({
                    "family": "inet", "local": address.ip.to_string(), "prefixlen": address.prefix,
                    "scope": if link.kind == LinkKind::Loopback { "host" } else { "global" }, "label": link.name,
                    "valid_life_time": 4_294_967_295_u32, "preferred_life_time": 4_294_967_295_u32,
                });
                if address.prefix < 31 && link.kind != LinkKind::Loopback {
                    info["broadcast"] = address.broadcast().to_string().into();
                }
                info
            })
            .collect();
        let version_6 = link.addresses_v6.iter().map(|address| {
            json!({
                "family": "inet6", "local": address.ip.to_string(), "prefixlen": address.prefix, "scope": "global",
                "valid_life_time": 4_294_967_295_u32, "preferred_life_time": 4_294_967_295_u32,
            })
        });
        json["addr_info"] = info.into_iter().chain(version_6).collect();
    }
    if options.details {
        json["promiscuity"] = 0.into();
        json["min_mtu"] = 68.into();
        json["max_mtu"] = if link.kind == LinkKind::Ethernet {
            9194
        } else {
            65_535
        }
        .into();
        if let Some(kind) = kind_name(&link.kind) {
            json["linkinfo"] = json!({"info_kind": kind, "info_data": info_data(machine, link)});
        }
    }
    if options.statistics {
        let packets = u64::from(link.index) * 100_000;
        let dropped = if link.kind == LinkKind::Ethernet {
            4211
        } else {
            0
        };
        json["stats64"] = json!({
            "rx": {"bytes": packets * 900, "packets": packets, "errors": 0, "dropped": dropped, "over_errors": 0, "multicast": 0},
            "tx": {"bytes": packets * 700, "packets": packets, "errors": 0, "dropped": 0, "carrier_errors": 0, "collisions": 0},
        });
    }
    json
}

fn info_data(machine: &Machine, link: &Link) -> Json {
    match &link.kind {
        LinkKind::Vxlan { vni, parent, local } => json!({
            "id": vni, (if local.is_ipv6() { "local6" } else { "local" }): local.to_string(), "link": parent,
            "link_index": machine.link(parent).map(|parent| parent.index),
            "port": VXLAN_PORT, "learning": false, "ageing": 300, "udp_csum": false,
        }),
        LinkKind::Tun => json!({"type": "tun", "pi": false, "vnet_hdr": true, "persist": false}),
        LinkKind::Bridge { .. } => {
            json!({"forward_delay": 1500, "stp_state": 0, "vlan_filtering": 0})
        }
        _ => json!({}),
    }
}

fn link_text(machine: &Machine, link: &Link, addresses: bool) -> String {
    let _ = machine;
    let name = match peer(link) {
        Some(peer) => format!("{}@if{peer}", link.name),
        None => link.name.clone(),
    };
    let master = link
        .master
        .as_ref()
        .map(|master| format!("master {master} "))
        .unwrap_or_default();
    let mut text = format!(
        "{}: {name}: <{}> mtu {} qdisc noqueue {master}state {} mode DEFAULT group default qlen 1000\n    link/{}{}\n",
        link.index,
        flags(link).join(","),
        link.mtu,
        state(link),
        link_type(link),
        link.mac
            .as_ref()
            .map(|mac| format!(" {mac} brd ff:ff:ff:ff:ff:ff"))
            .unwrap_or_default(),
    );
    if addresses {
        for address in &link.addresses {
            text.push_str(&format!(
                "    inet {}/{} scope global {}\n       valid_lft forever preferred_lft forever\n",
                address.ip, address.prefix, link.name
            ));
        }
        for address in &link.addresses_v6 {
            text.push_str(&format!(
                "    inet6 {}/{} scope global\n       valid_lft forever preferred_lft forever\n",
                address.ip, address.prefix
            ));
        }
    }
    text
}

/// `ip route show [default] [dev X] [table T]`.
pub fn route_list(session: &Session, options: &Options, filter: &[&str], io: &mut Io) -> Ran {
    let (mut only_default, mut device, mut table_52, mut all) = (false, None, false, false);
    let mut words = filter.iter();
    while let Some(word) = words.next() {
        match *word {
            "default" => only_default = true,
            "dev" => device = words.next().copied(),
            "table" => match words.next().copied() {
                Some("52") => table_52 = true,
                Some("all") => all = true,
                _ => {}
            },
            other => {
                return io.fail(
                    255,
                    &format!("Error: the lab's ip route show does not know \"{other}\""),
                );
            }
        }
    }
    let shown: Vec<Route> = routes(session.world, &session.place)
        .into_iter()
        .filter(|route| all || route.table_52 == table_52)
        .filter(|route| !only_default || route.network.prefix == 0)
        .filter(|route| device.is_none_or(|device| device == route.device))
        .collect();
    if options.version_6 {
        io.print(if options.json { "[]\n" } else { "" });
    } else if options.json {
        io.line(&Json::from(shown.iter().map(route_json).collect::<Vec<_>>()).to_string());
    } else {
        for route in &shown {
            io.line(&route_text(route));
        }
    }
    Ok(0)
}

fn destination(route: &Route) -> String {
    if route.network.prefix == 0 {
        "default".into()
    } else {
        format!("{}/{}", route.network.ip, route.network.prefix)
    }
}

fn route_json(route: &Route) -> Json {
    let mut json = json!({"dst": destination(route), "dev": route.device, "flags": []});
    if let Some(gateway) = route.gateway {
        json["gateway"] = gateway.to_string().into();
    } else {
        json["scope"] = "link".into();
    }
    if !route.protocol.is_empty() {
        json["protocol"] = route.protocol.into();
    }
    if let Some(source) = route.source {
        json["prefsrc"] = source.to_string().into();
    }
    if route.device == "flannel.1" {
        json["flags"] = json!(["onlink"]);
    }
    json
}

fn route_text(route: &Route) -> String {
    let mut text = destination(route);
    if let Some(gateway) = route.gateway {
        text.push_str(&format!(" via {gateway}"));
    }
    text.push_str(&format!(" dev {}", route.device));
    if !route.protocol.is_empty() {
        text.push_str(&format!(" proto {}", route.protocol));
    }
    match route.source {
        Some(source) if route.gateway.is_none() => {
            text.push_str(&format!(" scope link src {source}"));
        }
        Some(source) => text.push_str(&format!(" src {source}")),
        None => text.push_str(" onlink"),
    }
    text
}

/// `ip route get ADDRESS`.
pub fn route_get(session: &Session, options: &Options, words: &[&str], io: &mut Io) -> Ran {
    let Some(to) = words.first().and_then(|text| text.parse::<Ipv4Addr>().ok()) else {
        return io.fail(1, "Error: any valid prefix is expected rather than that.");
    };
    let Some(route) = find_route(session.world, &session.place, to) else {
        return io.fail(2, "RTNETLINK answers: Network is unreachable");
    };
    let source = route.source.or_else(|| {
        session
            .world
            .network_machine(&session.place)?
            .link(&route.device)?
            .ipv4()
    });
    if options.json {
        let mut json =
            json!({"dst": to.to_string(), "dev": route.device, "flags": [], "uid": 0, "cache": []});
        if let Some(gateway) = route.gateway {
            json["gateway"] = gateway.to_string().into();
        }
        if route.table_52 {
            json["table"] = "52".into();
        }
        if let Some(source) = source {
            json["prefsrc"] = source.to_string().into();
        }
        io.line(&Json::from(vec![json]).to_string());
    } else {
        let gateway = route
            .gateway
            .map(|g| format!(" via {g}"))
            .unwrap_or_default();
        let table = if route.table_52 { " table 52" } else { "" };
        let source = source.map(|s| format!(" src {s}")).unwrap_or_default();
        io.line(&format!(
            "{to}{gateway} dev {}{table}{source} uid 0\n    cache",
            route.device
        ));
    }
    Ok(0)
}
