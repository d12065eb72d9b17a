//! Hosts and what runs in pods.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Counters, FileTree, Millis};
use crate::lab::definition::{Firewall, Reach, Role};
use crate::lab::network::Link;

/// What a host and a pod have in common: a network namespace, files, counters.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Machine {
    /// Links in the order of their index.
    pub links: Vec<Link>,
    /// Files.
    pub files: FileTree,
    /// What `/proc/net/snmp` and `/proc/net/netstat` count.
    #[serde(default)]
    pub counters: Counters,
}

impl Machine {
    /// A link by name.
    pub fn link(&self, name: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.name == name)
    }

    /// A link by name.
    pub fn link_mut(&mut self, name: &str) -> Option<&mut Link> {
        self.links.iter_mut().find(|link| link.name == name)
    }

    /// The smallest index from `least` that no link has.
    pub fn free_index(&self, least: u32) -> u32 {
        (least..)
            .find(|index| self.links.iter().all(|link| link.index != *index))
            .unwrap_or(least)
    }
}

/// A host.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Host {
    /// Links, files, counters.
    pub machine: Machine,
    /// What it does in the cluster.
    pub role: Role,
    /// What carries the connection to it.
    pub reach: Reach,
    /// Its part of the pod network.
    pub pod_subnet: String,
    /// The same in IPv6; empty unless the cluster has both.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pod_subnet_v6: String,
    /// What the inventory says of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub vars: BTreeMap<String, serde_json::Value>,
    /// Its packet filter.
    pub firewall: Option<Firewall>,
    /// systemd's units.
    pub units: BTreeMap<String, Unit>,
    /// Kernel parameters that were set by hand.
    pub sysctls: BTreeMap<String, String>,
    /// Changes with every boot.
    pub boot_id: String,
    /// When it booted.
    pub booted: Millis,
    /// Down (rebooting) until then.
    pub down_until: Option<Millis>,
    /// The kubelet.
    pub kubelet: Kubelet,
    /// Flannel's tunnel end, once it has started.
    pub vtep: Option<Vtep>,
    /// The last part of the pod address that was given out last.
    pub last_pod_address: u8,
    /// k3s's own log.
    pub journal: Vec<(Millis, String)>,
    /// The highest epoch that it has seen (M8).
    pub epoch: u64,
}

impl Host {
    /// Writes to the log of its services, of which the last lines are kept.
    pub fn log(&mut self, now: Millis, line: &str) {
        const KEPT: usize = 60;
        self.journal.push((now, line.to_owned()));
        if self.journal.len() > KEPT {
            self.journal.drain(..self.journal.len() - KEPT);
        }
    }
}

/// Whether the kubelet of a node works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kubelet {
    /// It runs.
    Up,
    /// It does not, since then.
    Down(Millis),
}

/// Where Flannel's packets leave a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vtep {
    /// The link.
    pub device: String,
    /// Its address, that the other nodes send to.
    pub address: String,
    /// Its IPv6 address, in a cluster that has both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address_v6: Option<String>,
    /// How they are packed.
    #[serde(default, skip_serializing_if = "Backend::is_vxlan")]
    pub backend: Backend,
}

/// Flannel's backends that the lab knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    /// `vxlan`, k3s' default.
    #[default]
    Vxlan,
    /// `wireguard-native`.
    Wireguard,
    /// `host-gw`: packets go as they are, by routes.
    HostGw,
}

impl Backend {
    /// Of k3s' option `flannel-backend`.
    pub fn parse(option: &str) -> Option<Self> {
        match option {
            "vxlan" => Some(Self::Vxlan),
            "wireguard-native" => Some(Self::Wireguard),
            "host-gw" => Some(Self::HostGw),
            _ => None,
        }
    }

    /// The link that it makes, if it makes one.
    pub fn link(self) -> Option<&'static str> {
        match self {
            Self::Vxlan => Some("flannel.1"),
            Self::Wireguard => Some("flannel-wg"),
            Self::HostGw => None,
        }
    }

    fn is_vxlan(&self) -> bool {
        *self == Self::Vxlan
    }
}

/// A unit of systemd.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Unit {
    /// What it is.
    pub kind: UnitKind,
    /// What it does.
    pub activity: Activity,
    /// Since when.
    pub since: Millis,
    /// How often systemd has restarted it.
    pub restarts: u32,
    /// Counts starts: an event of an older start is void.
    pub generation: u64,
    /// Main process, 0 if none.
    pub pid: u32,
    /// Exit status of the last main process.
    pub status: i32,
    /// The text of its file as systemd read it last; it starts by that, whatever the file says by now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loaded: Option<String>,
}

/// The kinds of unit that the lab knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitKind {
    /// A service that is installed: what it does, the lab's texts say; without them it just runs.
    Daemon {
        /// What `systemctl status` shows.
        description: String,
    },
    /// Made by `systemd-run`.
    TransientService {
        /// Program and arguments.
        command: Vec<String>,
        /// Environment.
        env: BTreeMap<String, String>,
        /// Whether a failed unit is unloaded too.
        collect: bool,
    },
    /// Made by `systemd-run --on-active`.
    TransientTimer {
        /// The service that it starts.
        service: String,
        /// When.
        due: Millis,
    },
}

/// What a unit does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// `active (running)`, for timers `active (waiting)`.
    Active,
    /// `inactive (dead)`.
    Inactive,
    /// `activating (start)`.
    Starting,
    /// `activating (auto-restart)`.
    AutoRestart,
    /// `failed (failed)`.
    Failed,
}

impl Activity {
    /// As `systemctl is-active` says it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Starting | Self::AutoRestart => "activating",
            Self::Failed => "failed",
        }
    }
}

/// What runs in a pod: its network namespace and what its containers see.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sandbox {
    /// Links, files, counters.
    pub machine: Machine,
    /// The node.
    pub node: String,
    /// The uid of the pod that this belongs to.
    pub uid: String,
    /// Shares the node's network.
    pub host_network: bool,
    /// Address in the pod network.
    pub address: String,
    /// The host's end of its link, empty on the host's network.
    pub veth: String,
    /// When it started.
    pub started: Millis,
    /// Until when its link was too small for a proxy's datagrams; none while it is.
    pub too_small_until: Option<Millis>,
    /// Output of a pod that ran a command to its end.
    pub output: Option<String>,
}
