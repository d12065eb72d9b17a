//! k3s' configuration: config.yaml, then config.yaml.d by name, then the service's arguments; the last wins, and
//! `key+` appends (k3s: pkg/configfilearg/parser.go).

use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::Value as Json;

/// What a node does in the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// API server and kubelet.
    Server,
    /// Kubelet.
    Agent,
}

/// The effective options in order, names without dashes.
#[derive(Debug)]
pub struct Settings(Vec<(String, String)>);

impl Settings {
    /// Reads the files and takes the arguments after them.
    pub fn read(role: Role, arguments: Vec<String>) -> anyhow::Result<Self> {
        let service = options(arguments);
        let main = service
            .iter()
            .rev()
            .find(|(name, _)| name == "config" || name == "c")
            .map(|(_, path)| path.clone())
            .or_else(|| std::env::var("K3S_CONFIG_FILE").ok())
            .unwrap_or_else(|| "/etc/rancher/k3s/config.yaml".into());
        let mut files = vec![PathBuf::from(&main)];
        let mut drop_ins: Vec<PathBuf> = std::fs::read_dir(format!("{main}.d"))
            .map(|entries| {
                entries
                    .filter_map(|entry| Some(entry.ok()?.path()))
                    .collect()
            })
            .unwrap_or_default();
        drop_ins.retain(|path| {
            path.extension()
                .is_some_and(|ending| ending == "yaml" || ending == "yml")
        });
        drop_ins.sort();
        files.extend(drop_ins);
        let mut found: Vec<(String, String)> = Vec::new();
        for path in files.iter().filter(|path| path.exists()) {
            let text = std::fs::read_to_string(path)?;
            let yaml: Json = serde_yaml::from_str(&text)
                .with_context(|| format!("reading {}", path.display()))?;
            for (key, value) in yaml.as_object().into_iter().flatten() {
                let name = match key.strip_suffix('+') {
                    Some(name) => name,
                    None => {
                        found.retain(|(known, _)| known != key);
                        key
                    }
                };
                for word in words(value) {
                    found.push((name.to_owned(), word));
                }
            }
        }
        found.extend(service);
        if role == Role::Agent {
            // Options of the whole cluster are the server's.
            found.retain(|(name, _)| name != "flannel-backend" && name != "flannel-external-ip");
        }
        Ok(Self(found))
    }

    /// The value of an option; the last one counts.
    pub fn last(&self, name: &str) -> Option<&str> {
        let mut all = self.0.iter().rev();
        let (_, value) = all.find(|(known, _)| known == name)?;
        (!value.is_empty()).then_some(value.as_str())
    }

    /// The annotation `k3s.io/node-args`.
    pub fn flattened(&self, role: Role) -> String {
        let mut all = vec![match role {
            Role::Server => "server".to_owned(),
            Role::Agent => "agent".to_owned(),
        }];
        for (name, value) in &self.0 {
            all.extend([format!("--{name}"), value.clone()]);
        }
        Json::from(all).to_string()
    }
}

fn words(value: &Json) -> Vec<String> {
    match value {
        Json::Array(items) => items.iter().flat_map(words).collect(),
        Json::String(text) => vec![text.clone()],
        Json::Null => vec![String::new()],
        other => vec![other.to_string()],
    }
}

fn options(arguments: Vec<String>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = arguments.into_iter().peekable();
    while let Some(word) = rest.next() {
        let name = word.trim_start_matches('-');
        if let Some((name, value)) = name.split_once('=') {
            found.push((name.to_owned(), value.to_owned()));
            continue;
        }
        let value = rest
            .next_if(|next| !next.starts_with('-'))
            .unwrap_or_else(|| "true".into());
        found.push((name.to_owned(), value));
    }
    found
}
