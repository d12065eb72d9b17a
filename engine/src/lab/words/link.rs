//! What can be said of links and routes, and how services make links.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rhai::{Array, Dynamic, Engine, Map};
use serde_json::{Value as Json, json};

use super::convert::{to_dynamic, to_json};
use super::{LabHost, Said};
use crate::lab::network::{self, Address, AddressV6, Link, LinkKind};
use crate::lab::world::{Machine, World, mac};

/// Makes the words known.
pub fn register(engine: &mut Engine) {
    engine.register_fn("mtu", |host: &mut LabHost, name: &str| {
        host.with(|world| {
            let link = seen(world, host).and_then(|machine| machine.link(name));
            Ok(link.map_or(Dynamic::UNIT, |link| Dynamic::from(i64::from(link.mtu))))
        })
    });
    engine.register_fn("link", |host: &mut LabHost, name: &str| {
        host.with(|world| {
            let link = seen(world, host).and_then(|machine| machine.link(name));
            Ok(link.map_or(Dynamic::UNIT, described))
        })
    });
    engine.register_get("links", |host: &mut LabHost| {
        host.with(|world| {
            let links = seen(world, host).map(|machine| &machine.links);
            Ok(links
                .into_iter()
                .flatten()
                .map(described)
                .collect::<Array>())
        })
    });
    // Which way a packet to an address leaves: `#{ device, source, gateway }`, or ().
    engine.register_fn("route", |host: &mut LabHost, to: &str| -> Said<Dynamic> {
        let to = to
            .parse()
            .map_err(|_| format!("{to:?} is no IPv4 address"))?;
        host.with(|world| {
            let route = network::find_route(world, &host.place, to);
            Ok(route.map_or(Dynamic::UNIT, |route| {
                to_dynamic(&json!({
                    "device": route.device, "source": route.source, "gateway": route.gateway,
                }))
            }))
        })
    });
    // Makes a link, in place of one of this name.
    engine.register_fn("make_link", |host: &mut LabHost, name: &str, link: Map| {
        let link = to_json(&Dynamic::from_map(link))?;
        host.change(|world| {
            let hardware = mac(&[host.name(), name]);
            world.settle();
            let machine = own(world, host)?;
            // Its absence is what is wanted.
            let _ = network::remove_link(machine, name);
            let made = made(machine, name, &link, hardware)?;
            network::add_port(machine, made);
            Ok(())
        })
    });
    engine.register_fn("remove_link", |host: &mut LabHost, name: &str| {
        host.change(|world| {
            world.settle();
            network::remove_link(own(world, host)?, name)
                .map_err(|_| format!("{} has no link {name}", host.name()))
        })
    });
    // The address of this number in a network: of 10.42.1.0/24 the first is 10.42.1.1.
    engine.register_fn(
        "nth_address",
        |network: &str, number: i64| -> Said<String> {
            if let Some(network) = Address::parse(network) {
                let number = u32::from(network.network()).wrapping_add(number as u32);
                return Ok(Ipv4Addr::from(number).to_string());
            }
            if let Some(network) = AddressV6::parse(network) {
                let number = u128::from(network.ip).wrapping_add(number as u128);
                return Ok(Ipv6Addr::from(number).to_string());
            }
            Err(format!("{network:?} is no network such as 10.42.1.0/24").into())
        },
    );
}

fn seen<'a>(world: &'a World, host: &LabHost) -> Option<&'a Machine> {
    world.network_machine(&host.place)
}

fn own<'a>(world: &'a mut World, host: &LabHost) -> Result<&'a mut Machine, String> {
    let gone = || format!("{} is not there any more", host.name());
    world.machine_mut(&host.place).ok_or_else(gone)
}

fn described(link: &Link) -> Dynamic {
    let v4 = link.addresses.iter();
    let v6 = link.addresses_v6.iter();
    let addresses: Vec<String> = v4
        .map(|address| format!("{}/{}", address.ip, address.prefix))
        .collect();
    let addresses_v6: Vec<String> = v6
        .map(|address| format!("{}/{}", address.ip, address.prefix))
        .collect();
    let (kind, parent, local) = match &link.kind {
        LinkKind::Loopback => ("loopback", None, None),
        LinkKind::Ethernet => ("ethernet", None, None),
        LinkKind::Tun => ("tun", None, None),
        LinkKind::Vxlan { parent, local, .. } => ("vxlan", Some(parent), Some(local)),
        LinkKind::Wireguard => ("wireguard", None, None),
        LinkKind::Bridge { .. } => ("bridge", None, None),
        LinkKind::Veth { .. } | LinkKind::PodEnd { .. } => ("veth", None, None),
    };
    to_dynamic(&json!({
        "name": link.name, "mtu": link.mtu, "up": link.up, "mac": link.mac, "master": link.master,
        "addresses": addresses, "addresses_v6": addresses_v6, "kind": kind, "parent": parent, "local": local,
    }))
}

/// A link as `make_link` describes it.
fn made(machine: &Machine, name: &str, link: &Json, hardware: String) -> Result<Link, String> {
    const KEYS: [&str; 7] = [
        "kind",
        "mtu",
        "addresses",
        "least_index",
        "vni",
        "parent",
        "local",
    ];
    let entries = link.as_object().into_iter().flatten();
    if let Some((key, _)) = entries
        .into_iter()
        .find(|(key, _)| !KEYS.contains(&key.as_str()))
    {
        let known = KEYS.join(", ");
        return Err(format!("a link has no {key:?}; it has {known}"));
    }
    let number = |key: &str, otherwise: u32| match &link[key] {
        Json::Null => Ok(otherwise),
        value => value
            .as_u64()
            .and_then(|number| u32::try_from(number).ok())
            .ok_or_else(|| format!("a link's {key} is a number, not {value}")),
    };
    let text = |key: &str| {
        let value = link[key].as_str();
        value.ok_or_else(|| format!("a link of this kind needs `{key}`, a text"))
    };
    let kind = match text("kind")? {
        "vxlan" => LinkKind::Vxlan {
            vni: number("vni", 1)?,
            parent: text("parent")?.to_owned(),
            local: address(text("local")?)?,
        },
        "wireguard" => LinkKind::Wireguard,
        other => {
            return Err(format!(
                "a service makes links of the kinds vxlan and wireguard, not {other:?}"
            ));
        }
    };
    let mut made = Link {
        index: machine.free_index(number("least_index", 4)?),
        name: name.to_owned(),
        mac: matches!(kind, LinkKind::Vxlan { .. }).then_some(hardware),
        kind,
        mtu: number("mtu", 1500)?,
        up: true,
        addresses: vec![],
        addresses_v6: vec![],
        master: None,
    };
    for text in link["addresses"].as_array().into_iter().flatten() {
        let text = text.as_str().unwrap_or_default();
        match (Address::parse(text), AddressV6::parse(text)) {
            (Some(address), _) => made.addresses.push(address),
            (_, Some(address)) => made.addresses_v6.push(address),
            _ => return Err(format!("{text:?} is no address with a prefix length")),
        }
    }
    made.drop_what_does_not_fit();
    Ok(made)
}

fn address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("{text:?} is no address"))
}
