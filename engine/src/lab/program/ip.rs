//! `ip`: links, addresses, routes.

use super::{Io, Ran, Session, ip_show};
use crate::lab::network::{Address, LinkError, LinkKind, remove_link, set_mtu, set_up};
use crate::lab::world::Place;

/// `ip [-j] [-d] [-s] [-o] [-4] OBJECT COMMAND …`.
pub fn ip(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    let mut options = ip_show::Options::default();
    let mut rest = &args[1..];
    while let Some(option) = rest.first().filter(|word| word.starts_with('-')) {
        for letter in match option.as_str() {
            "-json" | "--json" => "j",
            "-details" => "d",
            "-s" | "-stats" | "-statistics" => "s",
            "-br" | "-brief" => "b",
            other => other.trim_start_matches('-'),
        }
        .chars()
        {
            match letter {
                'j' => options.json = true,
                'd' => options.details = true,
                's' => options.statistics = true,
                '4' | 'o' | 'p' | 'n' => {}
                '6' => options.version_6 = true,
                _ => {
                    return io.fail(
                        255,
                        &format!("Option \"{option}\" is unknown, try \"ip -help\"."),
                    );
                }
            }
        }
        rest = &rest[1..];
    }
    let words: Vec<&str> = rest.iter().map(String::as_str).collect();
    match words[..] {
        ["link" | "l", "set", ref set @ ..] => link_set(session, set, io),
        ["link" | "l", "del" | "delete", ref name @ ..] => {
            let name = name.last().copied().unwrap_or_default();
            change(session, io, name, |machine| remove_link(machine, name))
        }
        ["link" | "l", "show" | "list" | "ls", ref filter @ ..] => {
            ip_show::links(session, &options, filter, false, io)
        }
        ["link" | "l"] => ip_show::links(session, &options, &[], false, io),
        [
            "addr" | "address" | "a",
            "show" | "list" | "ls",
            ref filter @ ..,
        ] => ip_show::links(session, &options, filter, true, io),
        ["addr" | "address" | "a"] => ip_show::links(session, &options, &[], true, io),
        ["addr" | "address" | "a", "del" | "flush", ..] => flush(session, &words[2..], io),
        ["addr" | "address" | "a", "add", address, "dev", name] => add(session, address, name, io),
        ["route" | "r", "get", ref to @ ..] => ip_show::route_get(session, &options, to, io),
        ["route" | "r", "show" | "list" | "ls", ref filter @ ..] => {
            ip_show::route_list(session, &options, filter, io)
        }
        ["route" | "r"] => ip_show::route_list(session, &options, &[], io),
        ["route" | "r", "flush", "cache"] => Ok(0),
        _ => io.fail(
            255,
            &format!("ip {}: the lab's ip does not know this", words.join(" ")),
        ),
    }
}

/// `ip link set [dev] X [mtu N] [up|down]`.
fn link_set(session: &mut Session, words: &[&str], io: &mut Io) -> Ran {
    let words = match words {
        ["dev", rest @ ..] => rest,
        all => all,
    };
    let [name, rest @ ..] = words else {
        return io.fail(
            255,
            "Not enough of information: \"dev\" argument is required.",
        );
    };
    let mut rest = rest.iter();
    while let Some(word) = rest.next() {
        let status = match *word {
            "up" | "down" => change(session, io, name, |machine| {
                set_up(machine, name, *word == "up")
            })?,
            "mtu" => {
                let Some(mtu) = rest.next().and_then(|text| text.parse().ok()) else {
                    return io.fail(
                        255,
                        "Error: argument \"mtu\" is wrong: Invalid \"mtu\" value",
                    );
                };
                let status = change(session, io, name, |machine| set_mtu(machine, name, mtu))?;
                if status == 0 {
                    note_repair(session, name);
                }
                status
            }
            other => {
                return io.fail(
                    255,
                    &format!("Error: the lab's ip link set does not know \"{other}\""),
                );
            }
        };
        if status != 0 {
            return Ok(status);
        }
    }
    Ok(0)
}

/// A pod's link that was raised live is no longer too small for a proxy: both ends count.
fn note_repair(session: &mut Session, name: &str) {
    let pods: Vec<String> = match &session.place {
        Place::Pod(pod) => vec![pod.clone()],
        Place::Host(host) => session
            .world
            .hosts
            .get(host)
            .and_then(|host| host.machine.link(name))
            .and_then(|link| match &link.kind {
                LinkKind::Veth { pod } => Some(pod.clone()),
                _ => None,
            })
            .into_iter()
            .collect(),
    };
    let now = session.world.now;
    for pod in pods {
        if let Some(sandbox) = session.world.sandboxes.get_mut(&pod) {
            let enough = sandbox
                .machine
                .link("eth0")
                .is_some_and(|link| link.mtu >= crate::lab::network::PROXY_NEEDS);
            sandbox.too_small_until = enough.then(|| sandbox.too_small_until.unwrap_or(now));
        }
    }
}

/// Gives a link another IPv4 address.
fn add(session: &mut Session, address: &str, name: &str, io: &mut Io) -> Ran {
    change(session, io, name, |machine| {
        let address = Address::parse(address).ok_or(LinkError::Invalid)?;
        let link = machine
            .link_mut(name)
            .ok_or_else(|| LinkError::NotFound(name.to_owned()))?;
        link.addresses.push(address);
        Ok(())
    })
}

/// Takes a link's addresses away.
fn flush(session: &mut Session, words: &[&str], io: &mut Io) -> Ran {
    let name = words.last().copied().unwrap_or_default();
    change(session, io, name, |machine| {
        let link = machine
            .link_mut(name)
            .ok_or_else(|| LinkError::NotFound(name.to_owned()))?;
        link.addresses.clear();
        link.addresses_v6.clear();
        Ok(())
    })
}

fn change(
    session: &mut Session,
    io: &mut Io,
    name: &str,
    apply: impl FnOnce(&mut crate::lab::world::Machine) -> Result<(), LinkError>,
) -> Ran {
    if let Err(why) = session.may_change("ip") {
        return io.fail(1, &format!("ip: {why}"));
    }
    let permitted = match session.container() {
        None => true,
        Some((_, container)) => container["securityContext"]["privileged"] == true,
    };
    let place = session.world.network_place(&session.place);
    session.world.settle();
    let outcome = match session.world.machine_mut(&place) {
        _ if !permitted => Err(LinkError::NotPermitted),
        Some(machine) => apply(machine),
        None => Err(LinkError::NotFound(name.to_owned())),
    };
    match outcome {
        Ok(()) => Ok(0),
        Err(LinkError::NotFound(name)) => io.fail(1, &format!("Cannot find device \"{name}\"")),
        Err(LinkError::MtuRange(words)) => io.fail(2, words),
        Err(LinkError::Invalid) => io.fail(2, "RTNETLINK answers: Invalid argument"),
        Err(LinkError::NotPermitted) => io.fail(2, "RTNETLINK answers: Operation not permitted"),
    }
}
