//! The form of the file, and what can be wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::Deserialize;

use super::{Host, Inventory, InventoryError, KubeAccess};
use crate::model::{HostName, Value};
use crate::text::suggest;
use crate::transport::{HostAccess, Route, SshRoute};

type Variables = BTreeMap<String, serde_json::Value>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    vars: Variables,
    hosts: Hosts,
    #[serde(default)]
    groups: BTreeMap<String, Option<Group>>,
    #[serde(default)]
    kube: Option<Kube>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    vars: Variables,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Kube {
    context: Option<String>,
    kubeconfig: Option<PathBuf>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct HostEntry {
    #[serde(default)]
    transport: Transport,
    address: Option<String>,
    user: Option<String>,
    port: Option<u16>,
    identity: Option<PathBuf>,
    config: Option<PathBuf>,
    known_hosts: Option<PathBuf>,
    jump: Option<String>,
    #[serde(default, rename = "become")]
    become_user: Become,
    #[serde(default)]
    vars: Variables,
}

#[derive(Deserialize, Default, Clone, Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Transport {
    #[default]
    Ssh,
    Local,
}

/// `become: true` is root, `become: NAME` that user.
#[derive(Deserialize, Default)]
#[serde(untagged)]
enum Become {
    #[default]
    No,
    Root(bool),
    User(String),
}

/// The hosts in the order of the file.
struct Hosts(Vec<(String, HostEntry)>);

impl<'de> Deserialize<'de> for Hosts {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> serde::de::Visitor<'de> for InOrder {
            type Value = Hosts;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a map of host names")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Hosts, A::Error> {
                let mut hosts = Vec::new();
                while let Some((name, entry)) = map.next_entry::<String, Option<HostEntry>>()? {
                    hosts.push((name, entry.unwrap_or_default()));
                }
                Ok(Hosts(hosts))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// Reads and checks an inventory.
pub fn parse(_name: &str, text: &str) -> Result<Inventory, InventoryError> {
    let file: File = serde_yaml::from_str(text).map_err(|error| syntax(text, &error))?;
    let order = names(text, &file)?;
    let groups = groups(text, &file, &order)?;
    let mut hosts = BTreeMap::new();
    for (name, entry) in order.iter().zip(&file.hosts.0).map(|(name, (_, entry))| (name, entry)) {
        let variables = variables(&file, &groups, name, entry);
        hosts.insert(name.clone(), Host { access: access(text, name, entry)?, variables });
    }
    let kube = file.kube.map(|kube| KubeAccess { context: kube.context, kubeconfig: kube.kubeconfig });
    Ok(Inventory { hosts, groups, order, kube })
}

fn syntax(text: &str, error: &serde_yaml::Error) -> InventoryError {
    let full = error.to_string();
    let message = full.split(" at line ").next().unwrap_or(&full).to_owned();
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    if message.contains("unknown field")
        && let Some((unknown, known)) = quoted.split_first()
    {
        let near = suggest::closest(unknown, known.iter().copied());
        let help = near.map(|near| format!("did you mean `{near}`?"));
        let help = help.or_else(|| Some(format!("known here: {}", known.join(", "))));
        return InventoryError::about(text, unknown, format!("the inventory has no key `{unknown}` here")).help(help);
    }
    let place = error.location().map(|at| (at.line() as u32, at.column() as u32));
    InventoryError { message: format!("the inventory cannot be read: {message}"), place, length: 1, help: None }
}

fn names(text: &str, file: &File) -> Result<Vec<HostName>, InventoryError> {
    let mut seen = BTreeSet::new();
    let mut order = Vec::new();
    for (name, _) in &file.hosts.0 {
        let parsed = HostName::parse(name).map_err(|why| InventoryError::about(text, name, why))?;
        if !seen.insert(parsed.clone()) {
            return Err(InventoryError::about(text, name, format!("host `{name}` is there twice")));
        }
        order.push(parsed);
    }
    if order.is_empty() {
        return Err(InventoryError::about(text, "hosts", "the inventory names no host"));
    }
    Ok(order)
}

fn groups(text: &str, file: &File, order: &[HostName]) -> Result<BTreeMap<String, Vec<HostName>>, InventoryError> {
    let mut all = BTreeMap::new();
    for name in file.groups.keys() {
        if name == "all" {
            return Err(InventoryError::about(text, name, "the group `all` is every host and needs no entry"));
        }
        let mut members = BTreeSet::new();
        collect(text, file, name, &mut vec![name], &mut members)?;
        all.insert(name.clone(), order.iter().filter(|host| members.contains(host.as_str())).cloned().collect());
    }
    all.insert("all".to_owned(), order.to_vec());
    Ok(all)
}

fn collect<'a>(
    text: &str,
    file: &'a File,
    name: &str,
    chain: &mut Vec<&'a str>,
    members: &mut BTreeSet<String>,
) -> Result<(), InventoryError> {
    let Some(Some(group)) = file.groups.get(name) else { return Ok(()) };
    for host in &group.hosts {
        if !file.hosts.0.iter().any(|(known, _)| known == host) {
            let near = suggest::closest(host, file.hosts.0.iter().map(|(known, _)| known.as_str()));
            let help = near.map(|near| format!("did you mean `{near}`?"));
            let message = format!("group `{name}` names the host `{host}`, which the inventory does not have");
            return Err(InventoryError::about(text, host, message).help(help));
        }
        members.insert(host.clone());
    }
    for inner in &group.groups {
        if chain.contains(&inner.as_str()) {
            let circle = chain.iter().copied().chain([inner.as_str()]).collect::<Vec<_>>().join(" → ");
            return Err(InventoryError::about(text, inner, format!("groups contain each other in a circle: {circle}")));
        }
        if !file.groups.contains_key(inner) {
            let near = suggest::closest(inner, file.groups.keys().map(String::as_str));
            let help = near.map(|near| format!("did you mean `{near}`?"));
            let message = format!("group `{name}` contains the group `{inner}`, which the inventory does not have");
            return Err(InventoryError::about(text, inner, message).help(help));
        }
        chain.push(inner);
        collect(text, file, inner, chain, members)?;
        chain.pop();
    }
    Ok(())
}

fn variables(
    file: &File,
    groups: &BTreeMap<String, Vec<HostName>>,
    name: &HostName,
    entry: &HostEntry,
) -> BTreeMap<String, Value> {
    let of_groups = file
        .groups
        .iter()
        .filter(|(group, _)| groups.get(*group).is_some_and(|members| members.contains(name)))
        .filter_map(|(_, group)| group.as_ref().map(|group| &group.vars));
    std::iter::once(&file.vars)
        .chain(of_groups)
        .chain([&entry.vars])
        .flat_map(|variables| variables.iter().map(|(key, value)| (key.clone(), Value::from(value.clone()))))
        .collect()
}

fn access(text: &str, name: &HostName, entry: &HostEntry) -> Result<HostAccess, InventoryError> {
    let become_user = match &entry.become_user {
        Become::No | Become::Root(false) => None,
        Become::Root(true) => Some("root".to_owned()),
        Become::User(user) => Some(user.clone()),
    };
    let ssh_only = entry.address.is_some() || entry.user.is_some() || entry.port.is_some() || entry.jump.is_some();
    if entry.transport == Transport::Local && ssh_only {
        let message = format!("host `{name}` is reached locally, so address, user, port and jump mean nothing for it");
        return Err(InventoryError::about(text, name.as_str(), message));
    }
    let destination = entry.address.clone().unwrap_or_else(|| name.to_string());
    for value in [Some(&destination), entry.user.as_ref(), entry.jump.as_ref(), become_user.as_ref()].into_iter().flatten() {
        if value.starts_with('-') || value.is_empty() || value.contains(|c: char| c.is_control() || c == ' ') {
            let message = format!("{value:?} cannot be part of an address: it is empty, starts with a dash or has spaces in it");
            return Err(InventoryError::about(text, value, message));
        }
    }
    let route = match entry.transport {
        Transport::Local => Route::Local,
        Transport::Ssh => Route::Ssh(SshRoute {
            destination,
            user: entry.user.clone(),
            port: entry.port,
            identity: entry.identity.clone(),
            config: entry.config.clone(),
            known_hosts: entry.known_hosts.clone(),
            jump: entry.jump.clone(),
        }),
    };
    Ok(HostAccess { route, become_user })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
vars: {region: shed}
hosts:
  web-2: {address: 192.0.2.2, user: ops, become: true, vars: {weight: 2}}
  web-1:
  here: {transport: local}
groups:
  web: {hosts: [web-1, web-2], vars: {region: attic}}
  every: {groups: [web], hosts: [here]}
kube: {context: prod}
";

    #[test]
    fn reads_hosts_groups_and_variables() {
        let inventory = Inventory::parse("t", GOOD).unwrap();
        assert_eq!(inventory.hosts().map(ToString::to_string).collect::<Vec<_>>(), ["web-2", "web-1", "here"]);
        assert_eq!(inventory.group("every").unwrap().len(), 3);
        let web2 = HostName::parse("web-2").unwrap();
        assert_eq!(inventory.variables(&web2)["region"], Value::from("attic"));
        assert_eq!(inventory.variables(&web2)["weight"], Value::Int(2));
        assert_eq!(inventory.access()[&web2].become_user.as_deref(), Some("root"));
        assert_eq!(inventory.kube().unwrap().context.as_deref(), Some("prod"));
    }

    #[test]
    fn names_the_place_of_an_error() {
        let cases = [
            ("hosts:\n  a: {adress: x}\n", (2, 7), "address"),
            ("hosts:\n  a:\ngroups:\n  g: {hosts: [aa]}\n", (4, 14), "did you mean `a`"),
            ("hosts:\n  a:\ngroups:\n  g: {groups: [h]}\n  h: {groups: [g]}\n", (4, 3), "circle"),
            ("hosts:\n  '-x':\n", (2, 4), "dash"),
            ("hosts:\n  a: {port: many}\n", (2, 13), "cannot be read"),
        ];
        for (text, place, about) in cases {
            let error = Inventory::parse("t", text).unwrap_err();
            let said = format!("{} {}", error.message, error.help.clone().unwrap_or_default());
            assert!(said.contains(about), "{text}: {said}");
            assert_eq!(error.place, Some(place), "{text}: {said}");
        }
    }

    #[test]
    fn a_host_that_is_there_twice_is_refused() {
        assert!(Inventory::parse("t", "hosts:\n  a:\n  a:\n").is_err());
    }
}
