//! `/proc`, `/sys` and `/dev/null`: files that show the machine.

use super::Session;
use crate::lab::world::FileError;
use crate::transport::{FileKind, FileStat};

/// Where files are not stored but made.
pub fn is_virtual(path: &str) -> bool {
    path.starts_with("/proc/") || path.starts_with("/sys/") || path == "/dev/null"
}

/// The content of a virtual file; none if the path is not virtual.
pub fn read(session: &Session, path: &str) -> Option<Result<String, FileError>> {
    if !is_virtual(path) {
        return None;
    }
    Some(content(session, path).ok_or(FileError::NotFound))
}

fn content(session: &Session, path: &str) -> Option<String> {
    if path == "/dev/null" {
        return Some(String::new());
    }
    let world = &session.world;
    let machine = world.network_machine(&session.place)?;
    if let Some(rest) = path.strip_prefix("/sys/class/net/") {
        let (name, attribute) = rest.split_once('/')?;
        let link = machine.link(name)?;
        let text = match attribute {
            "mtu" => link.mtu.to_string(),
            "ifindex" => link.index.to_string(),
            "operstate" => if link.up { "up" } else { "down" }.to_owned(),
            "address" => link
                .mac
                .clone()
                .unwrap_or_else(|| "00:00:00:00:00:00".into()),
            _ => return None,
        };
        return Some(text + "\n");
    }
    match path {
        "/proc/net/snmp" | "/proc/self/net/snmp" => Some(world.counters(&session.place)?.snmp()),
        "/proc/net/netstat" | "/proc/self/net/netstat" => {
            Some(world.counters(&session.place)?.netstat())
        }
        "/proc/sys/kernel/random/boot_id" => Some(host(session)?.boot_id.clone() + "\n"),
        "/proc/sys/kernel/hostname" => Some(session.hostname() + "\n"),
        "/proc/uptime" => {
            let seconds = (world.now - host(session)?.booted) / 1000;
            Some(format!("{seconds}.00 {seconds}.00\n"))
        }
        _ => {
            let key = path.strip_prefix("/proc/sys/")?.replace('/', ".");
            Some(super::system::sysctl_value(session, &key)? + "\n")
        }
    }
}

/// The host that a place is on.
fn host<'a>(session: &'a Session) -> Option<&'a crate::lab::world::Host> {
    match &session.place {
        crate::lab::world::Place::Host(name) => session.world.hosts.get(name),
        crate::lab::world::Place::Pod(pod) => {
            let node = &session.world.sandboxes.get(pod)?.node;
            session.world.hosts.get(node)
        }
    }
}

/// The names in a virtual directory; none if the path is not one.
pub fn names(session: &Session, path: &str) -> Option<Vec<String>> {
    let path = path.trim_end_matches('/');
    if path == "/sys/class/net" {
        let machine = session.world.network_machine(&session.place)?;
        return Some(machine.links.iter().map(|link| link.name.clone()).collect());
    }
    let name = path.strip_prefix("/sys/class/net/")?;
    session.world.network_machine(&session.place)?.link(name)?;
    Some(
        ["address", "ifindex", "mtu", "operstate"]
            .map(Into::into)
            .into(),
    )
}

/// What is at a virtual path.
pub fn stat(session: &Session, path: &str) -> Option<FileStat> {
    let kind = if path == "/dev/null" {
        FileKind::Other
    } else if names(session, path).is_some() {
        FileKind::Directory
    } else {
        content(session, path)?;
        FileKind::File
    };
    Some(FileStat {
        kind,
        size: 0,
        mode: if kind == FileKind::Directory {
            0o755
        } else {
            0o444
        },
        uid: 0,
        gid: 0,
        modified: session.world.seconds(),
        inode: 1,
    })
}
