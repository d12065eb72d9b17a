//! Small programs about the system itself.

use super::{Io, Ran, Session};
use crate::lab::world::{self, Millis, Place};

/// `true`.
pub fn succeed(_: &mut Session, _: &[String], _: &mut Io) -> Ran {
    Ok(0)
}

/// `false`.
pub fn fail(_: &mut Session, _: &[String], _: &mut Io) -> Ran {
    Ok(1)
}

/// A duration such as `5`, `0.5`, `5s`, `2m`, `5min`, `1h`, in milliseconds.
pub fn sleep_time(text: &str) -> Option<Millis> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let number: f64 = text[..digits].parse().ok()?;
    let unit = match &text[digits..] {
        "" | "s" | "sec" | "seconds" => 1000.0,
        "ms" => 1.0,
        "m" | "min" | "minutes" => 60_000.0,
        "h" | "hour" | "hours" => 3_600_000.0,
        "d" => 86_400_000.0,
        _ => return None,
    };
    Some((number * unit) as Millis)
}

/// `sleep TIME…`.
pub fn sleep(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    let mut total = 0;
    for text in &args[1..] {
        match sleep_time(text) {
            Some(time) => total += time,
            None => return io.fail(1, &format!("sleep: invalid time interval '{text}'")),
        }
    }
    session.sleep(total)?;
    Ok(0)
}

/// `id [-u] [-n]`: root.
pub fn id(_: &mut Session, args: &[String], io: &mut Io) -> Ran {
    let text = match args[1..].iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => "uid=0(root) gid=0(root) groups=0(root)",
        ["-u"] | ["-g"] => "0",
        ["-un"] | ["-u", "-n"] | ["-n", "-u"] | ["-gn"] => "root",
        _ => return io.fail(1, "id: these options are not known to the lab"),
    };
    io.line(text);
    Ok(0)
}

/// `uname [-s|-r|-m|-n|-a]`.
pub fn uname(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    let name = session.hostname();
    let text = match args.get(1).map(String::as_str) {
        None | Some("-s") => "Linux".to_owned(),
        Some("-r") => "6.12.47-lab".to_owned(),
        Some("-m") => "aarch64".to_owned(),
        Some("-n") => name,
        Some("-a") => format!("Linux {name} 6.12.47-lab #1 SMP PREEMPT_DYNAMIC aarch64 GNU/Linux"),
        Some(other) => {
            return io.fail(1, &format!("uname: option {other} is not known to the lab"));
        }
    };
    io.line(&text);
    Ok(0)
}

/// `hostname`.
pub fn hostname(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    if args.len() > 1 && args[1] != "-s" {
        return io.fail(
            1,
            "hostname: only `hostname` and `hostname -s` are known to the lab",
        );
    }
    let name = session.hostname();
    io.line(&name);
    Ok(0)
}

/// `date [-u] [+FORMAT]`: the lab's time.
pub fn date(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    let mut format = "%a %b %e %H:%M:%S UTC %Y".to_owned();
    for word in &args[1..] {
        match word.strip_prefix('+') {
            Some(wanted) => format = wanted.to_owned(),
            None if word == "-u" => {}
            None => return io.fail(1, &format!("date: {word} is not known to the lab")),
        }
    }
    let format = format.replace("%N", "000000000");
    let zoned = session.world.timestamp().to_zoned(jiff::tz::TimeZone::UTC);
    match jiff::fmt::strtime::format(&format, &zoned) {
        Ok(text) => {
            io.line(&text);
            Ok(0)
        }
        Err(why) => io.fail(1, &format!("date: {why}")),
    }
}

/// Kernel parameters and what they are without being set.
const SYSCTLS: &[(&str, &str)] = &[
    ("net.ipv4.ip_forward", "1"),
    ("net.ipv4.ip_no_pmtu_disc", "0"),
    ("net.ipv4.tcp_mtu_probing", "0"),
    ("net.ipv4.conf.all.rp_filter", "2"),
    ("net.bridge.bridge-nf-call-iptables", "1"),
    ("net.ipv6.conf.all.forwarding", "1"),
    ("net.core.rmem_max", "212992"),
    ("net.core.wmem_max", "212992"),
];

/// The value of a kernel parameter.
pub fn sysctl_value(session: &Session, key: &str) -> Option<String> {
    let standard = SYSCTLS.iter().find(|(name, _)| *name == key)?.1;
    let set = session.host().and_then(|host| host.sysctls.get(key));
    Some(set.cloned().unwrap_or_else(|| standard.to_owned()))
}

/// `sysctl [-n] KEY…`, `sysctl -w KEY=VALUE…`.
pub fn sysctl(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    let mut values_only = false;
    let mut status = 0;
    for word in &args[1..] {
        match (word.as_str(), word.split_once('=')) {
            ("-n", _) => values_only = true,
            ("-w" | "-q" | "-e", _) => {}
            (_, Some((key, value))) => {
                if let Err(why) = session.may_change("sysctl -w") {
                    return io.fail(1, &format!("sysctl: {why}"));
                }
                let known = sysctl_value(session, key).is_some();
                let Place::Host(name) = session.place.clone() else {
                    return io.fail(1, &format!("sysctl: permission denied on key \"{key}\""));
                };
                match session.world.hosts.get_mut(&name) {
                    Some(host) if known => {
                        host.sysctls.insert(key.to_owned(), value.to_owned());
                        io.line(&format!("{key} = {value}"));
                    }
                    _ => status = missing_sysctl(io, key),
                }
            }
            (key, None) => match sysctl_value(session, key) {
                Some(value) if values_only => io.line(&value),
                Some(value) => io.line(&format!("{key} = {value}")),
                None => status = missing_sysctl(io, key),
            },
        }
    }
    Ok(status)
}

fn missing_sysctl(io: &mut Io, key: &str) -> i32 {
    let path = key.replace('.', "/");
    io.err.extend_from_slice(
        format!("sysctl: cannot stat /proc/sys/{path}: No such file or directory (the lab knows few parameters)\n")
            .as_bytes(),
    );
    255
}

/// `ps …`: the processes that matter; options change nothing.
pub fn ps(session: &mut Session, _: &[String], io: &mut Io) -> Ran {
    io.line("PID   USER     TIME  COMMAND");
    match session.variable("TS_USERSPACE").as_deref() {
        Some("true") => {
            io.line("    1 root      0:00 /usr/local/bin/containerboot");
            io.line("   18 root     12:40 tailscaled --socket=/tmp/tailscaled.sock --statedir=/tmp --tun=userspace-networking");
        }
        Some(_) => {
            io.line("    1 root      0:00 /usr/local/bin/containerboot");
            io.line(
                "   18 root     12:40 tailscaled --socket=/tmp/tailscaled.sock --statedir=/tmp",
            );
        }
        None => io.line("    1 root      0:01 /sbin/init"),
    }
    Ok(0)
}

/// `journalctl -u k3s [-n N] [--no-pager] [-o cat]`: k3s's log.
pub fn journalctl(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    let mut lines = usize::MAX;
    let mut words = args[1..].iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-n" | "--lines" => {
                lines = words.next().and_then(|n| n.parse().ok()).unwrap_or(10);
            }
            "-u" | "--unit" | "-o" | "--since" => {
                words.next();
            }
            _ => {}
        }
    }
    let journal = session
        .host()
        .map(|host| host.journal.clone())
        .unwrap_or_default();
    let name = session.hostname();
    let from = journal.len().saturating_sub(lines);
    for (at, line) in &journal[from..] {
        let time = crate::lab::world::timestamp(*at).strftime("%b %d %H:%M:%S");
        io.line(&format!("{time} {name} k3s[812]: {line}"));
    }
    Ok(0)
}

/// `reboot`.
pub fn reboot(session: &mut Session, _: &[String], io: &mut Io) -> Ran {
    if let Err(why) = session.may_change("reboot") {
        return io.fail(1, &format!("reboot: {why}"));
    }
    if let Place::Host(name) = session.place.clone() {
        world::reboot(session.world, &name);
    }
    Ok(0)
}
