//! `ping`: iputils' with `-M do`, and busybox's, which lacks it.

use std::net::{IpAddr, Ipv4Addr};

use super::{Io, Ran, Session};
use crate::lab::definition::PingKind;
use crate::lab::network::{Delivery, Packet, deliver, deliver_v6, find_route};

struct Wanted {
    to: IpAddr,
    size: u32,
    count: u32,
    wait: i64,
    unfragmented: bool,
    quiet: bool,
}

/// `ping [-4] [-n] [-q] [-M do|dont|want] [-s SIZE] [-c N] [-W S] [-w S] [-i S] [-I IFACE] DESTINATION`.
pub fn ping(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    let wanted = match parse(session, &args[1..]) {
        Ok(wanted) => wanted,
        Err((status, why)) => return io.fail(status, &why),
    };
    let headers = if wanted.to.is_ipv6() { 48 } else { 28 };
    let packet = Packet {
        length: wanted.size + headers,
        unfragmented: wanted.unfragmented,
    };
    let place = session.place.clone();
    io.line(&format!(
        "PING {to} ({to}) {}({}) bytes of data.",
        wanted.size,
        packet.length,
        to = wanted.to
    ));
    let (mut received, mut errors) = (0, 0);
    for nth in 1..=wanted.count {
        if let Some(machine) = session.world.machine_mut(&place) {
            machine.counters.echoes += 1;
        }
        let delivery = match wanted.to {
            IpAddr::V4(to) => deliver(session.world, &place, to, packet),
            IpAddr::V6(to) => deliver_v6(session.world, &place, to, packet),
        };
        match delivery {
            Delivery::Arrived { hops } => {
                received += 1;
                if !wanted.quiet {
                    let ttl = 64 - hops;
                    let micros = 180 + u32::from(hops) * 240 + wanted.size / 20;
                    io.line(&format!(
                        "{} bytes from {}: icmp_seq={nth} ttl={ttl} time=0.{micros:03} ms",
                        wanted.size + 8,
                        wanted.to
                    ));
                }
                session.sleep(if nth < wanted.count { 1000 } else { 1 })?;
            }
            Delivery::TooLong { mtu } => {
                errors += 1;
                fragment_failure(session);
                io.err.extend_from_slice(
                    format!("ping: local error: message too long, mtu={mtu}\n").as_bytes(),
                );
                session.sleep(wanted.wait)?;
            }
            Delivery::FragmentationNeeded { by, mtu } => {
                errors += 1;
                io.line(&format!(
                    "From {by} icmp_seq={nth} Frag needed and DF set (mtu = {mtu})"
                ));
                session.sleep(wanted.wait)?;
            }
            Delivery::Lost => session.sleep(wanted.wait)?,
            Delivery::NoRoute => return io.fail(2, "ping: connect: Network is unreachable"),
        }
    }
    let lost = 100 * (wanted.count - received) / wanted.count.max(1);
    let errors = if errors > 0 {
        format!(", +{errors} errors")
    } else {
        String::new()
    };
    io.line(&format!(
        "\n--- {} ping statistics ---\n{} packets transmitted, {received} received{errors}, {lost}% packet loss, time {}ms",
        wanted.to,
        wanted.count,
        wanted.count.saturating_sub(1) * 1000
    ));
    if received > 0 {
        io.line("rtt min/avg/max/mdev = 0.180/0.420/0.660/0.100 ms");
    }
    Ok(i32::from(received == 0))
}

fn fragment_failure(session: &mut Session) {
    let place = session.world.network_place(&session.place);
    if let Some(machine) = session.world.machine_mut(&place) {
        machine.counters.fragment_failures += 1;
    }
}

fn parse(session: &Session, args: &[String]) -> Result<Wanted, (i32, String)> {
    let busybox = session.ping_kind() == PingKind::Busybox;
    let (mut to, mut size, mut count, mut wait) = (None, 56, None, 10_000);
    let (mut unfragmented, mut quiet) = (false, false);
    let mut words = args.iter();
    while let Some(word) = words.next() {
        // `-s1472` and `-s 1472` are the same.
        let (option, attached) = match word.char_indices().nth(2) {
            Some((at, _)) if word.starts_with('-') => (&word[..at], Some(word[at..].to_owned())),
            _ => (word.as_str(), None),
        };
        let mut value = || {
            attached.clone().or_else(|| words.next().cloned()).ok_or((
                2,
                format!("ping: option requires an argument -- '{}'", &option[1..]),
            ))
        };
        let number = |text: String| {
            text.parse::<f64>()
                .map_err(|_| (2, format!("ping: invalid argument: '{text}'")))
        };
        match option {
            "-M" if busybox => {
                return Err((
                    1,
                    "ping: invalid option -- 'M'\nBusyBox v1.37.0 multi-call binary.\n\nUsage: ping [OPTIONS] HOST".into(),
                ));
            }
            "-M" => match value()?.as_str() {
                "do" | "probe" => unfragmented = true,
                "dont" | "want" => unfragmented = false,
                other => return Err((2, format!("ping: invalid -M argument: {other}"))),
            },
            "-s" => size = number(value()?)? as u32,
            "-c" => count = Some(number(value()?)? as u32),
            "-W" | "-w" => wait = (number(value()?)? * 1000.0) as i64,
            "-i" | "-t" => {
                number(value()?)?;
            }
            "-I" => {
                let device = value()?;
                let place = session.world.network_place(&session.place);
                let known = session.world.machine(&place).is_some_and(|machine| {
                    machine.link(&device).is_some()
                        || device.parse().is_ok_and(|ip: Ipv4Addr| {
                            machine
                                .links
                                .iter()
                                .flat_map(|l| &l.addresses)
                                .any(|a| a.ip == ip)
                        })
                });
                if !known {
                    return Err((2, format!("ping: unknown iface: {device}")));
                }
            }
            "-q" => quiet = true,
            "-4" | "-6" | "-n" => {}
            other if other.starts_with('-') => {
                return Err((2, format!("ping: option {other} is not known to the lab")));
            }
            _ => to = Some(word.clone()),
        }
    }
    let to = to.ok_or((
        2,
        "ping: usage error: Destination address required".to_owned(),
    ))?;
    let address =
        address_of(session, &to).ok_or((2, format!("ping: {to}: Name or service not known")))?;
    Ok(Wanted {
        to: address,
        size,
        // Without a limit it would go on for ever; the lab sends four.
        count: count.unwrap_or(4).max(1),
        wait: wait.max(0),
        unfragmented,
        quiet,
    })
}

/// An address, or that of a host by name.
fn address_of(session: &Session, name: &str) -> Option<IpAddr> {
    name.parse().ok().or_else(|| {
        let host = session.world.hosts.get(name)?;
        let route = find_route(
            session.world,
            &crate::lab::world::Place::Host(name.to_owned()),
            Ipv4Addr::new(192, 0, 2, 1),
        )?;
        Some(host.machine.link(&route.device)?.ipv4()?.into())
    })
}
