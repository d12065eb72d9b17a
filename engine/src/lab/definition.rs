//! What a lab's files say: hosts, images, workloads, objects.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// A lab as described in its file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// One line.
    pub title: String,
    /// A paragraph.
    pub description: String,
    /// The lab's time at its beginning.
    pub starts: jiff::Timestamp,
    /// Hosts by name; each is a node of the cluster.
    pub hosts: BTreeMap<String, HostDefinition>,
    /// What is reachable from the Internet.
    pub public_endpoint: Option<PublicEndpoint>,
    /// Container images by reference.
    #[serde(default)]
    pub images: BTreeMap<String, ImageDefinition>,
    /// Namespaces of the cluster.
    #[serde(default)]
    pub namespaces: Vec<String>,
    /// What runs in the cluster.
    #[serde(default)]
    pub workloads: Vec<WorkloadDefinition>,
    /// Further objects, as they are.
    #[serde(default)]
    pub objects: Vec<Json>,
    /// Faults, each as in `RUNBOOK_LAB_FAULT`.
    #[serde(default)]
    pub faults: Vec<String>,
    /// The Rhai texts beside the file, by name: what its programs and services do.
    #[serde(skip)]
    pub behaviour: Vec<(String, String)>,
}

/// What a host does in the cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// `k3s server`: API and kubelet.
    Server,
    /// `k3s agent`: kubelet only.
    Agent,
    /// It is no part of a cluster.
    #[default]
    Plain,
}

impl Role {
    /// The name of the systemd unit that install.sh makes; a plain host has no unit of that name.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Server | Self::Plain => "k3s.service",
            Self::Agent => "k3s-agent.service",
        }
    }
}

/// What carries the connection to a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// ssh on the LAN: independent of k3s.
    #[default]
    Ssh,
    /// A debug pod: gone when the kubelet is.
    Kubelet,
}

/// One host.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostDefinition {
    /// What it does in the cluster; nothing if absent.
    #[serde(default)]
    pub role: Role,
    /// What carries the connection to it; ssh if absent.
    #[serde(default)]
    pub reach: Reach,
    /// A node's part of the pod network, such as `10.42.1.0/24`.
    #[serde(default)]
    pub pod_subnet: String,
    /// The same in IPv6, such as `fd42:0:0:1::/64`; absent in a cluster that has only IPv4.
    #[serde(default)]
    pub pod_subnet_v6: String,
    /// Variables of the host, as an inventory has them.
    #[serde(default)]
    pub vars: BTreeMap<String, Json>,
    /// Its systemd services.
    #[serde(default)]
    pub units: BTreeMap<String, UnitDefinition>,
    /// Its network interfaces.
    pub interfaces: Vec<InterfaceDefinition>,
    /// Its packet filter; none lets everything in.
    pub firewall: Option<Firewall>,
    /// Its files by absolute path.
    #[serde(default)]
    pub files: BTreeMap<String, FileDefinition>,
    /// Its symbolic links: path to target.
    #[serde(default)]
    pub symlinks: BTreeMap<String, String>,
}

/// A service of systemd.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitDefinition {
    /// What `systemctl status` shows.
    pub description: String,
    /// Whether it does not run at the lab's beginning.
    #[serde(default)]
    pub stopped: bool,
}

/// One network interface.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InterfaceDefinition {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: InterfaceKind,
    /// Its hardware address; made from the host's name if absent.
    pub mac: Option<String>,
    /// Its MTU in bytes.
    pub mtu: u32,
    /// Addresses with prefix length, of both families.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// Set administratively down.
    #[serde(default)]
    pub down: bool,
}

/// The kinds of interface that a lab's file can declare; the rest is made by Flannel and the CNI plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InterfaceKind {
    /// A network card.
    Ethernet,
    /// A tunnel of a user program, such as Tailscale's.
    Tun,
}

/// A regular file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileDefinition {
    /// Its text.
    #[serde(default)]
    pub content: String,
    /// Keys of a YAML file that are set in that text; null takes a key out. For labs that extend another.
    #[serde(default)]
    pub set: BTreeMap<String, Json>,
    /// Permission bits in octal, `0644` if absent.
    pub mode: Option<String>,
}

/// What a packet filter lets in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Firewall {
    /// The tool that shows it.
    pub tool: FirewallTool,
    /// What becomes of the rest.
    pub otherwise: Otherwise,
    /// What is let in.
    pub allow: Vec<Allow>,
}

/// Front ends of the packet filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FirewallTool {
    /// `ufw`.
    Ufw,
    /// `nft` alone.
    Nft,
}

/// What a packet filter does with what it does not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Otherwise {
    /// Silence.
    Drop,
    /// ICMP port unreachable.
    Reject,
}

/// One opening in a packet filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allow {
    /// Destination port.
    pub port: u16,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// Only on this interface.
    pub interface: Option<String>,
}

/// A name that Funnel publishes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicEndpoint {
    /// Its public address.
    pub address: String,
    /// The names that it has certificates for.
    pub names: Vec<String>,
}

/// What an image brings along.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageDefinition {
    /// Its programs; absent: all that the lab knows.
    pub programs: Option<BTreeSet<String>>,
    /// Which `ping` it has.
    #[serde(default)]
    pub ping: PingKind,
}

/// The two families of `ping`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PingKind {
    /// iputils: knows `-M do`.
    #[default]
    Iputils,
    /// busybox: does not.
    Busybox,
}

/// A workload: its pods stand on the listed nodes, one on each.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkloadDefinition {
    /// `Deployment`, `StatefulSet` or `DaemonSet`.
    pub kind: WorkloadKind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The node of each replica.
    pub nodes: Vec<String>,
    /// Labels of the workload and its pods.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Pods share the node's network.
    #[serde(default)]
    pub host_network: bool,
    /// Containers.
    pub containers: Vec<ContainerDefinition>,
    /// What its pods write to their logs.
    #[serde(default)]
    pub logs: BTreeSet<LogTopic>,
}

/// Controllers that the lab has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WorkloadKind {
    /// Pods through a ReplicaSet.
    Deployment,
    /// Pods with stable names.
    StatefulSet,
    /// One pod a node.
    DaemonSet,
}

impl WorkloadKind {
    /// The kind as Kubernetes spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
        }
    }
}

/// What a pod's log is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogTopic {
    /// A Tailscale proxy: complains of datagrams that do not fit.
    Proxy,
    /// A proxy with a public name: TLS handshakes that failed.
    Funnel,
}

/// One container of a workload.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContainerDefinition {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// `imagePullPolicy`; `IfNotPresent` if absent.
    pub pull: Option<String>,
    /// Privileged.
    #[serde(default)]
    pub privileged: bool,
    /// Environment.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}
