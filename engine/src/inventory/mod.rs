//! The inventory: a YAML file that names hosts, groups, variables, transports and the cluster.

mod error;
mod file;
mod pattern;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::model::{HostName, Value};
use crate::transport::{HostAccess, Route};

pub use error::InventoryError;

/// The hosts that a run can act on.
#[derive(Clone, Debug, PartialEq)]
pub struct Inventory {
    hosts: BTreeMap<HostName, Host>,
    /// Every group with all its hosts, those of its groups included, in the order of the file.
    groups: BTreeMap<String, Vec<HostName>>,
    order: Vec<HostName>,
    kube: Option<KubeAccess>,
}

/// One host.
#[derive(Clone, Debug, PartialEq)]
struct Host {
    access: HostAccess,
    variables: BTreeMap<String, Value>,
}

/// Which cluster the inventory's hosts belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeAccess {
    /// Context of the kubeconfig.
    pub context: Option<String>,
    /// The kubeconfig's path.
    pub kubeconfig: Option<PathBuf>,
}

impl Inventory {
    /// Reads an inventory; `name` stands in errors.
    pub fn parse(name: &str, text: &str) -> Result<Self, InventoryError> {
        file::parse(name, text)
    }

    /// Without an inventory: this machine.
    pub fn local() -> Self {
        Self::of(["localhost"], Route::Local)
    }

    /// The hosts of a lab.
    pub fn of_lab<'a>(hosts: impl IntoIterator<Item = &'a str>) -> Self {
        Self::of(hosts, Route::Lab)
    }

    fn of<'a>(names: impl IntoIterator<Item = &'a str>, route: Route) -> Self {
        let order: Vec<HostName> = names.into_iter().filter_map(|name| HostName::parse(name).ok()).collect();
        let access = HostAccess { route, become_user: None };
        let host = Host { access, variables: BTreeMap::new() };
        let hosts = order.iter().map(|name| (name.clone(), host.clone())).collect();
        Self { hosts, groups: BTreeMap::from([("all".to_owned(), order.clone())]), order, kube: None }
    }

    /// All hosts, in the order of the file.
    pub fn hosts(&self) -> impl Iterator<Item = &HostName> {
        self.order.iter()
    }

    /// The hosts of a group; `all` is every host.
    pub fn group(&self, name: &str) -> Option<Vec<HostName>> {
        self.groups.get(name).cloned()
    }

    /// The names of the groups, `all` among them.
    pub fn group_names(&self) -> Vec<String> {
        self.groups.keys().cloned().collect()
    }

    /// The variables of a host: those of all, then of its groups, then its own; the later win.
    pub fn variables(&self, host: &HostName) -> BTreeMap<String, Value> {
        self.hosts.get(host).map(|host| host.variables.clone()).unwrap_or_default()
    }

    /// How each host is reached.
    pub fn access(&self) -> BTreeMap<HostName, HostAccess> {
        self.hosts.iter().map(|(name, host)| (name.clone(), host.access.clone())).collect()
    }

    /// The cluster, where the inventory names one.
    pub fn kube(&self) -> Option<&KubeAccess> {
        self.kube.as_ref()
    }

    /// The hosts that a pattern names: names, groups and globs, `!` takes away, commas between. Matching nothing is
    /// an error: a typing mistake must not become a run on no host that looks like a success.
    pub fn limit(&self, pattern: &str) -> Result<Vec<HostName>, String> {
        let chosen = pattern::select(self, pattern)?;
        let hosts: Vec<HostName> = self.order.iter().filter(|host| chosen.contains(host)).cloned().collect();
        if hosts.is_empty() { Err(format!("{pattern:?} leaves no host")) } else { Ok(hosts) }
    }

    fn members(&self, name: &str) -> BTreeSet<HostName> {
        self.groups.get(name).into_iter().flatten().cloned().collect()
    }
}
