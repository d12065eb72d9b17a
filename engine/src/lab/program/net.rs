//! Programs that look at sockets, ports, packet filters and TLS.

use std::net::Ipv4Addr;

use super::{Io, Ran, Session};
use crate::lab::definition::{Allow, Firewall, FirewallTool, Otherwise, Role};
use crate::lab::network::{PortAnswer, tcp_port, udp_port};

/// `ss -H -lun`, `ss -H -ltn`: listening sockets.
pub fn ss(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    let options: String = args[1..]
        .iter()
        .filter_map(|word| word.strip_prefix('-'))
        .collect();
    let Some(host) = session.host() else {
        return Ok(0);
    };
    if !options.contains('H') {
        io.line("State  Recv-Q Send-Q Local Address:Port  Peer Address:Port");
    }
    if options.contains('u') {
        if host.machine.link("flannel.1").is_some() {
            io.line("UNCONN 0      0            0.0.0.0:8472       0.0.0.0:*");
        }
        io.line("UNCONN 0      0            0.0.0.0:41641      0.0.0.0:*");
    }
    if options.contains('t') {
        let mut ports = vec![22];
        if host.kubelet == crate::lab::world::Kubelet::Up {
            ports.push(10250);
        }
        if host.role == Role::Server && session.world.api_down().is_none() {
            ports.push(6443);
        }
        for port in ports {
            io.line(&format!(
                "LISTEN 0      4096         0.0.0.0:{port:<5}      0.0.0.0:*"
            ));
        }
    }
    Ok(0)
}

/// `nc [-u] -z [-v] [-n] [-w S] ADDRESS PORT`: for UDP, silence counts as open, as in life.
pub fn nc(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    let (mut udp, mut scan, mut wait, mut operands) = (false, false, 5_000, vec![]);
    let mut words = args[1..].iter();
    while let Some(word) = words.next() {
        if !word.starts_with('-') {
            operands.push(word.as_str());
            continue;
        }
        for letter in word[1..].chars() {
            match letter {
                'u' => udp = true,
                'z' => scan = true,
                'v' | 'n' | '4' => {}
                'w' => {
                    let seconds = words.next().and_then(|text| super::sleep_time(text));
                    wait = seconds.unwrap_or(wait);
                }
                other => {
                    return io.fail(1, &format!("nc: option -{other} is not known to the lab"));
                }
            }
        }
    }
    let (Some(to), Some(port), true) = (
        operands
            .first()
            .and_then(|text| text.parse::<Ipv4Addr>().ok()),
        operands.get(1).and_then(|text| text.parse::<u16>().ok()),
        scan,
    ) else {
        return io.fail(1, "nc: the lab knows nc -z [-u] ADDRESS PORT");
    };
    let place = session.place.clone();
    let (protocol, answer) = if udp {
        ("udp", udp_port(session.world, &place, to, port))
    } else {
        ("tcp", tcp_port(session.world, &place, to, port))
    };
    match answer {
        PortAnswer::Silent if !udp => {
            session.sleep(wait)?;
            io.fail(
                1,
                &format!(
                    "nc: connect to {to} port {port} (tcp) timed out: Operation now in progress"
                ),
            )
        }
        PortAnswer::Refused => io.fail(
            1,
            &format!("nc: connect to {to} port {port} ({protocol}) failed: Connection refused"),
        ),
        PortAnswer::Open | PortAnswer::Silent => io.fail(
            0,
            &format!("Connection to {to} {port} port [{protocol}/*] succeeded!"),
        ),
    }
}

fn firewall(session: &Session, tool: Option<FirewallTool>) -> Option<Firewall> {
    let firewall = session.host()?.firewall.clone()?;
    (tool.is_none() || tool == Some(firewall.tool)).then_some(firewall)
}

fn accept(rule: &Allow) -> String {
    let interface = rule
        .interface
        .as_ref()
        .map(|name| format!("iifname \"{name}\" "))
        .unwrap_or_default();
    format!("{interface}{} dport {} accept", rule.protocol, rule.port)
}

/// `nft list ruleset`.
pub fn nft(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    if args[1..].iter().map(String::as_str).ne(["list", "ruleset"]) {
        return io.fail(1, "nft: the lab knows `nft list ruleset`");
    }
    let Some(firewall) = firewall(session, None) else {
        return Ok(0);
    };
    let policy = match firewall.otherwise {
        Otherwise::Drop => "drop",
        Otherwise::Reject => "accept",
    };
    io.line("table inet filter {\n\tchain input {");
    io.line(&format!(
        "\t\ttype filter hook input priority filter; policy {policy};"
    ));
    io.line("\t\tct state established,related accept\n\t\tiifname \"lo\" accept\n\t\tmeta l4proto icmp accept");
    for rule in &firewall.allow {
        io.line(&format!("\t\t{}", accept(rule)));
    }
    if firewall.otherwise == Otherwise::Reject {
        io.line("\t\treject with icmpx port-unreachable");
    }
    io.line("\t}\n}");
    Ok(0)
}

/// `ufw status [verbose]`.
pub fn ufw(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    if args.get(1).map(String::as_str) != Some("status") {
        return io.fail(1, "ufw: the lab knows `ufw status`");
    }
    let Some(firewall) = firewall(session, Some(FirewallTool::Ufw)) else {
        io.line("Status: inactive");
        return Ok(0);
    };
    io.line("Status: active\n\nTo                         Action      From\n--                         ------      ----");
    for rule in &firewall.allow {
        let to = match &rule.interface {
            Some(name) => format!("{}/{} on {name}", rule.port, rule.protocol),
            None => format!("{}/{}", rule.port, rule.protocol),
        };
        io.line(&format!("{to:<26} ALLOW       Anywhere"));
    }
    Ok(0)
}

/// `iptables-save`.
pub fn iptables_save(session: &mut Session, _: &[String], io: &mut Io) -> Ran {
    let Some(firewall) = firewall(session, None) else {
        io.line(
            "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT",
        );
        return Ok(0);
    };
    io.line("*filter\n:INPUT DROP [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]");
    io.line("-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n-A INPUT -i lo -j ACCEPT\n-A INPUT -p icmp -j ACCEPT");
    for rule in &firewall.allow {
        let interface = rule
            .interface
            .as_ref()
            .map(|name| format!("-i {name} "))
            .unwrap_or_default();
        io.line(&format!(
            "-A INPUT {interface}-p {0} -m {0} --dport {1} -j ACCEPT",
            rule.protocol, rule.port
        ));
    }
    if firewall.otherwise == Otherwise::Reject {
        io.line("-A INPUT -j REJECT --reject-with icmp-port-unreachable");
    }
    io.line("COMMIT");
    Ok(0)
}

/// Go's TLS 1.2 suites that go with an ECDSA certificate.
const ECDSA_SUITES: [&str; 5] = [
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA",
];

/// `openssl s_client -connect ADDRESS:443 -servername NAME [-brief] [-tls1_1|-tls1_2|-tls1_3] [-cipher LIST]`.
pub fn openssl(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    if args.get(1).map(String::as_str) != Some("s_client") {
        return io.fail(1, "openssl: the lab knows `openssl s_client`");
    }
    let (mut connect, mut name, mut version, mut ciphers) = (None, None, None, None);
    let mut words = args[2..].iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-connect" => connect = words.next().cloned(),
            "-servername" => name = words.next().cloned(),
            "-cipher" => ciphers = words.next().cloned(),
            "-tls1" | "-tls1_1" | "-tls1_2" | "-tls1_3" => version = Some(word.clone()),
            "-brief" | "-4" | "-quiet" | "-no_ign_eof" => {}
            other => {
                return io.fail(
                    1,
                    &format!("s_client: Unknown option: {other} (the lab knows few)"),
                );
            }
        }
    }
    let connect = connect.unwrap_or_default();
    let Some(endpoint) = session
        .world
        .public_endpoint
        .clone()
        .filter(|endpoint| connect == format!("{}:443", endpoint.address))
    else {
        return io.fail(
            1,
            &format!("connect:errno=111\n{connect}: Connection refused"),
        );
    };
    session.sleep(60)?;
    let known = name.filter(|name| endpoint.names.contains(name));
    let Some(name) = known else {
        return alert(io, 80, "tlsv1 alert internal error", "0A000438");
    };
    match version.as_deref() {
        Some("-tls1" | "-tls1_1") => {
            return alert(io, 70, "tlsv1 alert protocol version", "0A00042E");
        }
        Some("-tls1_2") => {
            let offered = ciphers.unwrap_or_else(|| ECDSA_SUITES[0].into());
            let chosen = offered
                .split([':', ','])
                .find(|suite| ECDSA_SUITES.contains(suite) || suite.starts_with("DEFAULT"));
            match chosen {
                Some(suite) => established(
                    io,
                    "TLSv1.2",
                    if suite.starts_with("DEFAULT") {
                        ECDSA_SUITES[0]
                    } else {
                        suite
                    },
                    &name,
                ),
                None => return alert(io, 40, "sslv3 alert handshake failure", "0A000410"),
            }
        }
        _ => established(io, "TLSv1.3", "TLS_AES_128_GCM_SHA256", &name),
    }
    Ok(0)
}

fn established(io: &mut Io, version: &str, suite: &str, name: &str) {
    let text = format!(
        "CONNECTION ESTABLISHED\nProtocol version: {version}\nCiphersuite: {suite}\nPeer certificate: CN = {name}\nHash used: SHA256\nSignature type: ECDSA\nVerification: OK\nServer Temp Key: X25519, 253 bits\nDONE\n"
    );
    // With -brief openssl writes this to standard error.
    io.err.extend_from_slice(text.as_bytes());
}

fn alert(io: &mut Io, number: u8, words: &str, code: &str) -> Ran {
    io.fail(
        1,
        &format!("40E7B2A8FFFF0000:error:{code}:SSL routines:ssl3_read_bytes:{words}:../ssl/record/rec_layer_s3.c:1605:SSL alert number {number}"),
    )
}

/// `tailscale ip [-4]`, `tailscale status`.
pub fn tailscale(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    let address = session
        .host()
        .and_then(|host| host.machine.link("tailscale0")?.ipv4())
        .map(|ip| ip.to_string());
    match (args.get(1).map(String::as_str), address) {
        (Some("ip"), Some(address)) => {
            io.line(&address);
            Ok(0)
        }
        (Some("status"), _) => {
            for (name, host) in &session.world.hosts {
                if let Some(ip) = host.machine.link("tailscale0").and_then(|link| link.ipv4()) {
                    io.line(&format!("{ip:<15} {name:<20} ops@          linux   -"));
                }
            }
            Ok(0)
        }
        _ => io.fail(
            1,
            "tailscale: the lab knows `tailscale ip` on hosts and `tailscale status`",
        ),
    }
}
