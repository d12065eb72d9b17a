//! The inventory: a YAML file that names hosts, groups, variables, transports and the cluster.

mod file;
mod groups;
mod pattern;
mod reader;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::model::{HostName, Value};
use crate::text::mistake::Source;
use crate::text::suggest;
use crate::transport::{HostAccess, Route};

pub use crate::text::mistake::Mistake as InventoryError;
pub use pattern::LimitError;

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
    /// The image of helper pods; none chooses one that a node already has.
    pub helper_image: Option<String>,
    /// The namespace of helper pods and of the lease; `kube-system` if none is named.
    pub helper_namespace: Option<String>,
}

impl Inventory {
    /// Reads the inventory in a file.
    pub fn load(path: &Path) -> Result<Self, InventoryError> {
        let name = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&name, &text),
            Err(error) => {
                let source = Source {
                    name: &name,
                    text: "",
                };
                Err(source.whole(format!("the inventory cannot be read: {error}")))
            }
        }
    }

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

    /// With these variables of hosts, by name.
    pub fn with_variables(
        mut self,
        mut variables: BTreeMap<String, BTreeMap<String, Value>>,
    ) -> Self {
        for (name, host) in &mut self.hosts {
            host.variables
                .extend(variables.remove(name.as_str()).unwrap_or_default());
        }
        self
    }

    fn of<'a>(names: impl IntoIterator<Item = &'a str>, route: Route) -> Self {
        let order: Vec<HostName> = names
            .into_iter()
            .filter_map(|name| HostName::parse(name).ok())
            .collect();
        let access = HostAccess {
            route,
            become_user: None,
        };
        let host = Host {
            access,
            variables: BTreeMap::new(),
        };
        let hosts = order
            .iter()
            .map(|name| (name.clone(), host.clone()))
            .collect();
        Self {
            hosts,
            groups: BTreeMap::from([("all".to_owned(), order.clone())]),
            order,
            kube: None,
        }
    }

    /// All hosts, in the order of the file.
    pub fn hosts(&self) -> impl Iterator<Item = &HostName> {
        self.order.iter()
    }

    /// Whether there is a host of this name.
    pub fn has(&self, host: &HostName) -> bool {
        self.hosts.contains_key(host)
    }

    /// The hosts of a group; `all` is every host.
    pub fn group(&self, name: &str) -> Option<Vec<HostName>> {
        self.groups.get(name).cloned()
    }

    /// The names of the groups, `all` among them.
    pub fn group_names(&self) -> Vec<String> {
        self.groups.keys().cloned().collect()
    }

    /// The variables of a host: those of all, then of its groups (outer ones before those inside of them, else in
    /// the order of the file), then its own; the later win.
    pub fn variables(&self, host: &HostName) -> BTreeMap<String, Value> {
        self.hosts
            .get(host)
            .map(|host| host.variables.clone())
            .unwrap_or_default()
    }

    /// How each host is reached.
    pub fn access(&self) -> BTreeMap<HostName, HostAccess> {
        self.hosts
            .iter()
            .map(|(name, host)| (name.clone(), host.access.clone()))
            .collect()
    }

    /// The way to a host.
    pub fn route(&self, host: &HostName) -> Option<&Route> {
        self.hosts.get(host).map(|host| &host.access.route)
    }

    /// The cluster, where the inventory names one.
    pub fn kube(&self) -> Option<&KubeAccess> {
        self.kube.as_ref()
    }

    /// The hosts that a pattern names: names, groups and globs, `!` takes away, commas between. Matching nothing is
    /// an error: a typing mistake must not become a run on no host that looks like a success.
    pub fn limit(&self, pattern: &str) -> Result<Vec<HostName>, LimitError> {
        let chosen = pattern::select(self, pattern)?;
        Ok(self
            .order
            .iter()
            .filter(|host| chosen.contains(host))
            .cloned()
            .collect())
    }

    /// The host or group that a person who typed this probably meant.
    pub fn nearest(&self, name: &str) -> Option<&str> {
        let hosts = self.order.iter().map(HostName::as_str);
        suggest::closest(name, hosts.chain(self.groups.keys().map(String::as_str)))
    }
}

#[cfg(test)]
mod tests;
