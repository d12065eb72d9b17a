//! The form of the file, and what can be wrong with it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::groups;
use super::reader::{self, Fields};
use super::{Host, Inventory, InventoryError, KubeAccess};
use crate::model::{HostName, Value};
use crate::text::mistake::Source;
use crate::text::suggest;
use crate::text::yaml::tree::{self, Content, Node};
use crate::transport::{HostAccess, NodeRoute, Route, SshRoute};
use serde_yaml::Value as Yaml;

const TOP: [&str; 4] = ["vars", "hosts", "groups", "kube"];
const HOST: [&str; 11] = [
    "transport",
    "address",
    "user",
    "port",
    "identity",
    "config",
    "known_hosts",
    "jump",
    "become",
    "node",
    "vars",
];
/// What only ssh has a use for.
const SSH_ONLY: [&str; 7] = [
    "address",
    "user",
    "port",
    "identity",
    "config",
    "known_hosts",
    "jump",
];
const TRANSPORTS: [&str; 4] = ["ssh", "local", "node", "lab"];

type Variables = BTreeMap<String, Value>;

/// A host of the file: its name and what is said of it.
pub(super) struct Entry<'a> {
    pub name: HostName,
    key: &'a Node,
    value: Option<&'a Node>,
}

/// Reads and checks an inventory.
pub(super) fn parse(name: &str, text: &str) -> Result<Inventory, InventoryError> {
    let source = Source { name, text };
    let document = tree::read(text).map_err(|error| source.unreadable(&error))?;
    let data =
        crate::text::yaml::get_yaml(text).map_err(|error| source.whole(error.to_string()))?;
    let Some(root) = document.root.as_ref().filter(|root| !root.is_null()) else {
        return Err(source.whole("the inventory is empty").help(example()));
    };
    let top = reader::fields(source, root, "an inventory", &TOP)?;
    let entries = hosts(source, &top)?;
    let order: Vec<HostName> = entries.iter().map(|entry| entry.name.clone()).collect();
    let groups = groups::read(source, top.get("groups"), &order)?;
    let everyone = variables(source, top.get("vars"), data.get("vars"))?;
    let mut hosts = BTreeMap::new();
    for entry in &entries {
        let own = data
            .get("hosts")
            .and_then(|hosts| hosts.get(entry.name.as_str()));
        let mut all = everyone.clone();
        for group in groups.outer_first(&entry.name) {
            let given = data
                .get("groups")
                .and_then(|groups| groups.get(&group.name))
                .and_then(|of| of.get("vars"));
            all.extend(variables(source, group.variables, given)?);
        }
        let host = host(source, entry, own, all)?;
        hosts.insert(entry.name.clone(), host);
    }
    Ok(Inventory {
        hosts,
        groups: groups.members(&order),
        order,
        kube: kube(source, &top)?,
    })
}

fn example() -> String {
    "begin with: hosts: {web-1: {address: 192.0.2.1}}".into()
}

/// The hosts in the order of the file: a map of names, or a list of them.
fn hosts<'a>(source: Source<'a>, top: &Fields<'a>) -> Result<Vec<Entry<'a>>, InventoryError> {
    let Some(node) = top.get("hosts") else {
        return Err(source
            .whole("the inventory names no host: `hosts` is missing or empty")
            .help(example()));
    };
    let named: Vec<(&Node, Option<&Node>)> = match &node.content {
        Content::List(items, _) => items.iter().map(|item| (item, None)).collect(),
        _ => reader::entries(source, node, "`hosts`")?
            .iter()
            .map(|(key, value)| (key, Some(value)))
            .collect(),
    };
    let mut found: Vec<Entry<'_>> = Vec::new();
    for (key, value) in named {
        let name =
            HostName::parse(reader::name(source, key)?).map_err(|why| source.at(key, why))?;
        if let Some(first) = found.iter().find(|entry| entry.name == name) {
            let line = first.key.place.line;
            return Err(source.at(
                key,
                format!("the host `{name}` is there twice, first on line {line}"),
            ));
        }
        found.push(Entry { name, key, value });
    }
    if found.is_empty() {
        return Err(source
            .at(node, "the inventory names no host")
            .help(example()));
    }
    Ok(found)
}

fn variables(
    source: Source<'_>,
    node: Option<&Node>,
    data: Option<&Value>,
) -> Result<Variables, InventoryError> {
    match (node, data) {
        (None, _) | (_, None | Some(Value::Null)) => Ok(Variables::new()),
        (Some(_), Some(Value::Map(entries))) => Ok(entries.clone()),
        (Some(node), Some(_)) => Err(source.at(
            node,
            format!(
                "`vars` must be a map of names and values, not {}",
                reader::kind(node)
            ),
        )),
    }
}

fn host(
    source: Source<'_>,
    entry: &Entry<'_>,
    data: Option<&Value>,
    mut all: Variables,
) -> Result<Host, InventoryError> {
    let Some(node) = entry.value else {
        let ssh = SshRoute {
            destination: entry.name.to_string(),
            ..SshRoute::default()
        };
        return Ok(Host {
            access: HostAccess {
                route: Route::Ssh(ssh),
                become_user: None,
            },
            variables: all,
        });
    };
    let fields = reader::fields(source, node, &format!("the host `{}`", entry.name), &HOST)?;
    all.extend(variables(
        source,
        fields.get("vars"),
        data.and_then(|data| data.get("vars")),
    )?);
    let access = HostAccess {
        route: route(source, entry, &fields)?,
        become_user: become_user(source, &fields)?,
    };
    Ok(Host {
        access,
        variables: all,
    })
}

fn route(
    source: Source<'_>,
    entry: &Entry<'_>,
    fields: &Fields<'_>,
) -> Result<Route, InventoryError> {
    let transport = fields.text("transport")?.unwrap_or("ssh");
    if !TRANSPORTS.contains(&transport) {
        let error = format!("{transport:?} is no transport; there are ssh, local, node and lab");
        let node = fields.get("transport").unwrap_or(entry.key);
        return Err(source
            .at(node, error)
            .help(suggest::hint(transport, TRANSPORTS)));
    }
    if transport != "node"
        && let Some((node, _)) = fields.entry("node")
    {
        let message = format!(
            "`node` means nothing for the host `{}`, whose transport is {transport}",
            entry.name
        );
        return Err(source
            .at(node, message)
            .help("leave `node` out, or write `transport: node`".to_owned()));
    }
    if transport == "ssh" {
        return ssh(entry, fields).map(Route::Ssh);
    }
    if let Some((key, (node, _))) = SSH_ONLY
        .iter()
        .find_map(|key| Some((key, fields.entry(key)?)))
    {
        let message = format!(
            "`{key}` means nothing for the host `{}`, whose transport is {transport}",
            entry.name
        );
        return Err(source
            .at(node, message)
            .help(format!("leave `{key}` out, or write `transport: ssh`")));
    }
    Ok(match transport {
        "lab" => Route::Lab,
        "node" => {
            if let Some((node, _)) = fields.entry("become") {
                return Err(source
                    .at(
                        node,
                        format!(
                            "`become` means nothing for the host `{}`: a helper pod enters its node as root",
                            entry.name
                        ),
                    )
                    .help("leave `become` out".to_owned()));
            }
            Route::Node(NodeRoute {
                node: fields
                    .word("node")?
                    .unwrap_or_else(|| entry.name.to_string()),
            })
        }
        _ => Route::Local,
    })
}

fn ssh(entry: &Entry<'_>, fields: &Fields<'_>) -> Result<SshRoute, InventoryError> {
    let path = |key: &str| fields.text(key).map(|text| text.map(PathBuf::from));
    Ok(SshRoute {
        destination: fields
            .word("address")?
            .unwrap_or_else(|| entry.name.to_string()),
        user: fields.word("user")?,
        port: fields
            .number("port", 1..=65535)?
            .and_then(|port| u16::try_from(port).ok()),
        identity: path("identity")?,
        config: path("config")?,
        known_hosts: path("known_hosts")?,
        jump: fields.word("jump")?,
    })
}

/// `become: true` is root, `become: NAME` that user.
fn become_user(source: Source<'_>, fields: &Fields<'_>) -> Result<Option<String>, InventoryError> {
    let Some(node) = fields.get("become") else {
        return Ok(None);
    };
    match reader::scalar(node) {
        Some(Yaml::Bool(true)) => Ok(Some("root".into())),
        Some(Yaml::Bool(false)) => Ok(None),
        // Truth values for some readers of YAML, user names for others.
        Some(Yaml::String(word))
            if ["yes", "no", "on", "off", "y", "n"].contains(&word.to_lowercase().as_str()) =>
        {
            Err(source
                .at(
                    node,
                    format!("`become: {word}` could be a user or a truth value"),
                )
                .help("write true (become root), false, or the name of the user".to_owned()))
        }
        _ => fields.word("become"),
    }
}

fn kube(source: Source<'_>, top: &Fields<'_>) -> Result<Option<KubeAccess>, InventoryError> {
    let Some(node) = top.get("kube") else {
        return Ok(None);
    };
    let known = ["context", "kubeconfig", "helper_image", "helper_namespace"];
    let fields = reader::fields(source, node, "`kube`", &known)?;
    Ok(Some(KubeAccess {
        helper_image: fields.word("helper_image")?,
        helper_namespace: fields.word("helper_namespace")?,
        context: fields.text("context")?.map(str::to_owned),
        kubeconfig: fields.text("kubeconfig")?.map(PathBuf::from),
    }))
}
