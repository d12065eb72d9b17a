//! How a host of the inventory is reached: what the inventory says and the transports need.

use std::path::PathBuf;

/// The way to a host and who to be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostAccess {
    /// The way.
    pub route: Route,
    /// Become this user there, by `sudo -n -u` (never a password); none stays who the route makes us.
    pub become_user: Option<String>,
}

/// The way to a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// This machine.
    Local,
    /// By the user's own ssh, with its configuration, agent, known hosts and jump hosts.
    Ssh(SshRoute),
    /// A node of the cluster, by a helper pod.
    Node(NodeRoute),
    /// A host of the lab that the run is on.
    Lab,
}

/// A node that is reached through the cluster's API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRoute {
    /// Its name in the cluster.
    pub node: String,
}

/// What the inventory says beyond the user's ssh configuration. Everything is optional there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SshRoute {
    /// Host name, address or alias in the ssh configuration. Never starts with a dash.
    pub destination: String,
    /// Remote user.
    pub user: Option<String>,
    /// Port.
    pub port: Option<u16>,
    /// Private key file.
    pub identity: Option<PathBuf>,
    /// Another ssh configuration file than the user's.
    pub config: Option<PathBuf>,
    /// Another known-hosts file than the user's.
    pub known_hosts: Option<PathBuf>,
    /// Jump hosts, as for `ssh -J`.
    pub jump: Option<String>,
}
