//! Groups of hosts and of groups.

use std::collections::{BTreeMap, BTreeSet};

use super::InventoryError;
use super::reader;
use crate::model::HostName;
use crate::text::mistake::Source;
use crate::text::suggest;
use crate::text::yaml::tree::{Content, Node};

/// The groups of a file, in its order.
pub(super) struct Groups<'a> {
    groups: Vec<Group<'a>>,
}

/// One group.
pub(super) struct Group<'a> {
    pub name: String,
    /// The node of its variables.
    pub variables: Option<&'a Node>,
    hosts: Vec<&'a Node>,
    groups: Vec<&'a Node>,
    /// All its hosts, those of its groups included.
    members: BTreeSet<String>,
    /// How many groups stand around it at most: the variables of inner groups win.
    depth: usize,
}

/// Reads the groups: `name: {hosts: […], groups: […], vars: {…}}`, or `name: […]` with hosts and groups mixed.
pub(super) fn read<'a>(
    source: Source<'a>,
    node: Option<&'a Node>,
    hosts: &[HostName],
) -> Result<Groups<'a>, InventoryError> {
    let Some(node) = node else {
        return Ok(Groups { groups: Vec::new() });
    };
    let known: BTreeSet<&str> = hosts.iter().map(HostName::as_str).collect();
    let entries = reader::entries(source, node, "`groups`")?;
    let mut groups = Vec::new();
    for (key, value) in entries {
        let name = group_name(source, key, &known)?;
        groups.push(group(source, name, value, &known)?);
    }
    let mut read = Groups { groups };
    read.check_hosts(source, &known)?;
    read.check_groups(source, &known)?;
    let mut members = vec![None; read.groups.len()];
    for index in 0..read.groups.len() {
        read.collect(source, &mut vec![index], &mut members)?;
    }
    for (group, members) in read.groups.iter_mut().zip(members) {
        group.members = members.unwrap_or_default();
    }
    read.measure();
    Ok(read)
}

fn group_name<'a>(
    source: Source<'_>,
    key: &'a Node,
    hosts: &BTreeSet<&str>,
) -> Result<&'a str, InventoryError> {
    let name = reader::name(source, key)?;
    if name == "all" {
        let help = "variables of every host go under `vars:` at the top of the file".to_owned();
        return Err(source
            .at(key, "the group `all` is every host and needs no entry")
            .help(help));
    }
    if hosts.contains(name) {
        return Err(source.at(
            key,
            format!("`{name}` is a host and cannot be a group as well"),
        ));
    }
    // These have a meaning in a pattern of hosts.
    if name.is_empty()
        || name.starts_with('-')
        || name.contains(|c: char| c.is_whitespace() || ",!*?".contains(c))
    {
        let message = format!(
            "{name:?} cannot be the name of a group: it is empty, starts with a dash, or has a space or one of , ! * ? in it"
        );
        return Err(source.at(key, message));
    }
    Ok(name)
}

fn group<'a>(
    source: Source<'a>,
    name: &str,
    node: &'a Node,
    known: &BTreeSet<&str>,
) -> Result<Group<'a>, InventoryError> {
    let mut group = Group {
        name: name.to_owned(),
        variables: None,
        hosts: Vec::new(),
        groups: Vec::new(),
        members: BTreeSet::new(),
        depth: 0,
    };
    if let Content::List(items, _) = &node.content {
        for item in items {
            let is_host = known.contains(reader::name(source, item)?);
            if is_host {
                group.hosts.push(item)
            } else {
                group.groups.push(item)
            }
        }
        return Ok(group);
    }
    let fields = reader::fields(
        source,
        node,
        &format!("the group `{name}`"),
        &["hosts", "groups", "vars"],
    )?;
    let list = |key: &str| match fields.get(key) {
        Some(node) => reader::items(source, node, &format!("`{key}` of the group `{name}`")),
        None => Ok(&[] as &[Node]),
    };
    group.hosts = list("hosts")?.iter().collect();
    group.groups = list("groups")?.iter().collect();
    group.variables = fields.get("vars");
    Ok(group)
}

impl<'a> Groups<'a> {
    fn check_hosts(
        &self,
        source: Source<'_>,
        known: &BTreeSet<&str>,
    ) -> Result<(), InventoryError> {
        for group in &self.groups {
            for node in &group.hosts {
                let host = reader::name(source, node)?;
                if !known.contains(host) {
                    let message = format!(
                        "the group `{}` names the host `{host}`, which the inventory does not have",
                        group.name
                    );
                    let help = match self.groups.iter().any(|other| other.name == host) {
                        true => Some(format!("`{host}` is a group; groups go under `groups:`")),
                        false => suggest::hint(host, known.iter().copied()),
                    };
                    return Err(source.at(node, message).help(help));
                }
            }
        }
        Ok(())
    }

    fn check_groups(
        &self,
        source: Source<'_>,
        known: &BTreeSet<&str>,
    ) -> Result<(), InventoryError> {
        for group in &self.groups {
            for node in &group.groups {
                let inner = reader::name(source, node)?;
                if !self.groups.iter().any(|other| other.name == inner) {
                    let message = format!(
                        "the group `{}` contains `{inner}`, which the inventory does not have",
                        group.name
                    );
                    let others = self.groups.iter().map(|other| other.name.as_str());
                    let names = others
                        .filter(|other| *other != group.name)
                        .chain(known.iter().copied());
                    return Err(source.at(node, message).help(suggest::hint(inner, names)));
                }
            }
        }
        Ok(())
    }

    /// The hosts of the last group of `chain` and of those in it, each group looked at once; refuses circles.
    fn collect(
        &self,
        source: Source<'_>,
        chain: &mut Vec<usize>,
        known: &mut Vec<Option<BTreeSet<String>>>,
    ) -> Result<(), InventoryError> {
        let Some(&last) = chain.last().filter(|last| known[**last].is_none()) else {
            return Ok(());
        };
        let group = &self.groups[last];
        let mut members = BTreeSet::new();
        for node in &group.hosts {
            members.insert(reader::name(source, node)?.to_owned());
        }
        for node in &group.groups {
            let inner = reader::name(source, node)?;
            let Some(index) = self.groups.iter().position(|other| other.name == inner) else {
                continue;
            };
            if let Some(start) = chain.iter().position(|outer| *outer == index) {
                let circle = chain[start..]
                    .iter()
                    .map(|index| self.groups[*index].name.as_str());
                let circle = circle.chain([inner]).collect::<Vec<_>>().join(" → ");
                return Err(source.at(
                    node,
                    format!("groups contain each other in a circle: {circle}"),
                ));
            }
            chain.push(index);
            self.collect(source, chain, known)?;
            chain.pop();
            members.extend(known[index].iter().flatten().cloned());
        }
        known[last] = Some(members);
        Ok(())
    }

    /// Measures how deep each group stands inside of others. Circles are refused before, so this ends.
    fn measure(&mut self) {
        let mut changed = true;
        while changed {
            changed = false;
            for outer in 0..self.groups.len() {
                let depth = self.groups[outer].depth + 1;
                let inner: Vec<String> = self.groups[outer]
                    .groups
                    .iter()
                    .filter_map(|node| node.text())
                    .map(str::to_owned)
                    .collect();
                for group in self
                    .groups
                    .iter_mut()
                    .filter(|group| inner.contains(&group.name) && group.depth < depth)
                {
                    group.depth = depth;
                    changed = true;
                }
            }
        }
    }

    /// The groups of a host, outer ones before those inside of them, else in the order of the file.
    pub fn outer_first(&self, host: &HostName) -> Vec<&Group<'a>> {
        let mut groups: Vec<&Group<'a>> = self
            .groups
            .iter()
            .filter(|group| group.members.contains(host.as_str()))
            .collect();
        groups.sort_by_key(|group| group.depth);
        groups
    }

    /// Every group with its hosts in the order of the file, `all` among them.
    pub fn members(&self, order: &[HostName]) -> BTreeMap<String, Vec<HostName>> {
        let hosts = |group: &Group<'_>| -> Vec<HostName> {
            order
                .iter()
                .filter(|host| group.members.contains(host.as_str()))
                .cloned()
                .collect()
        };
        let all = [("all".to_owned(), order.to_vec())];
        self.groups
            .iter()
            .map(|group| (group.name.clone(), hosts(group)))
            .chain(all)
            .collect()
    }
}
