//! k3s's configuration: files, then the service's arguments, which come later and win
//! (k3s: pkg/configfilearg/parser.go).

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value as Json;

use crate::lab::definition::Role;
use crate::lab::world::{FileTree, Host};

/// Where k3s looks unless it is told otherwise.
const DEFAULT_CONFIG: &str = "/etc/rancher/k3s/config.yaml";

/// The effective arguments of a node in order: names without dashes, and their values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments(pub Vec<(String, String)>);

impl Arguments {
    /// The value of an option that takes one: the last wins.
    pub fn last(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .rev()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// The annotation `k3s.io/node-args`: the flattened arguments, secrets hidden.
    pub fn annotation(&self, role: Role) -> String {
        let mut words = vec![match role {
            Role::Server | Role::Plain => "server".to_owned(),
            Role::Agent => "agent".to_owned(),
        }];
        for (key, value) in &self.0 {
            words.push(format!("--{key}"));
            words.push(if key == "token" || key == "agent-token" {
                "********".into()
            } else {
                value.clone()
            });
        }
        Json::from(words).to_string()
    }
}

/// What k3s on a host would start with now.
pub fn effective(host: &Host) -> Result<Arguments, String> {
    let files = &host.machine.files;
    let unit_path = format!("/etc/systemd/system/{}", host.role.unit());
    let unit = files.text(&unit_path).unwrap_or_default();
    let service = service_arguments(&unit);
    let path = service
        .iter()
        .rev()
        .find(|(key, _)| key == "config" || key == "c")
        .map(|(_, value)| value.clone())
        .or_else(|| config_from_environment(files, &unit_path))
        .unwrap_or_else(|| DEFAULT_CONFIG.to_owned());
    let mut arguments = from_files(files, &path)?;
    arguments.extend(service);
    Ok(Arguments(arguments))
}

fn config_from_environment(files: &FileTree, unit_path: &str) -> Option<String> {
    files
        .text(&format!("{unit_path}.env"))?
        .lines()
        .rev()
        .find_map(|line| line.trim().strip_prefix("K3S_CONFIG_FILE="))
        .map(|value| value.trim_matches(['"', '\'']).to_owned())
        .filter(|value| !value.is_empty())
}

/// `config.yaml`, then `config.yaml.d/*.yaml|*.yml` by name. A later file replaces a key's values, `key+` adds.
fn from_files(files: &FileTree, path: &str) -> Result<Vec<(String, String)>, String> {
    let mut merged: Vec<(String, Vec<String>)> = vec![];
    let drop_ins = format!("{path}.d");
    let names = files.names(&drop_ins).unwrap_or_default();
    let drop_ins = names
        .iter()
        .filter(|name| name.ends_with(".yaml") || name.ends_with(".yml"))
        .map(|name| format!("{drop_ins}/{name}"));
    for file in std::iter::once(path.to_owned()).chain(drop_ins) {
        let Some(text) = files.text(&file) else {
            continue;
        };
        for (key, values) in parse(&text).map_err(|why| format!("{file}: {why}"))? {
            let (key, adds) = match key.strip_suffix('+') {
                Some(key) => (key.to_owned(), true),
                None => (key, false),
            };
            match merged.iter_mut().find(|(known, _)| *known == key) {
                Some((_, known)) if adds => known.extend(values),
                Some((_, known)) => *known = values,
                None => merged.push((key, values)),
            }
        }
    }
    Ok(merged
        .into_iter()
        .flat_map(|(key, values)| values.into_iter().map(move |value| (key.clone(), value)))
        .collect())
}

/// A map whose keys may repeat: the last one wins, as in yaml.v2.
fn parse(text: &str) -> Result<Vec<(String, Vec<String>)>, String> {
    struct Pairs;
    impl<'de> Visitor<'de> for Pairs {
        type Value = Vec<(String, Vec<String>)>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a map of options")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(vec![])
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut pairs: Self::Value = vec![];
            while let Some((key, value)) = map.next_entry::<String, Json>()? {
                pairs.retain(|(known, _)| *known != key);
                pairs.push((key, words(value)));
            }
            Ok(pairs)
        }
    }
    if text.lines().all(|line| {
        let line = line.trim();
        line.is_empty() || line.starts_with('#')
    }) {
        return Ok(vec![]);
    }
    serde_yaml::Deserializer::from_str(text)
        .deserialize_any(Pairs)
        .map_err(|error| error.to_string())
}

fn words(value: Json) -> Vec<String> {
    match value {
        Json::Array(items) => items.into_iter().flat_map(words).collect(),
        Json::String(text) => vec![text],
        Json::Null => vec![String::new()],
        other => vec![other.to_string()],
    }
}

/// The options after `server` or `agent` in a unit's `ExecStart`, continuation lines joined.
fn service_arguments(unit: &str) -> Vec<(String, String)> {
    let joined = unit.replace("\\\n", " ");
    let Some(line) = joined
        .lines()
        .rev()
        .find_map(|line| line.trim().strip_prefix("ExecStart="))
    else {
        return vec![];
    };
    let line = line.trim_end().trim_end_matches('\\');
    let words = shlex::split(line).unwrap_or_default();
    let mut words = words.into_iter().skip(2).peekable();
    let mut arguments = vec![];
    while let Some(word) = words.next() {
        let key = word.trim_start_matches('-');
        if key.len() == word.len() {
            continue;
        }
        if let Some((key, value)) = key.split_once('=') {
            arguments.push((key.to_owned(), value.to_owned()));
            continue;
        }
        let value = words
            .next_if(|next| !next.starts_with('-'))
            .unwrap_or_else(|| "true".to_owned());
        arguments.push((key.to_owned(), value));
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(entries: &[(&str, &str)]) -> FileTree {
        let mut files = FileTree::default();
        for (path, text) in entries {
            files
                .make_directories(path.rsplit_once('/').unwrap().0, 0)
                .unwrap();
            files.write(path, text.as_bytes().to_vec(), 0).unwrap();
        }
        files
    }

    fn value(entries: &[(&str, &str)], key: &str) -> Vec<String> {
        from_files(&files(entries), DEFAULT_CONFIG)
            .unwrap()
            .into_iter()
            .filter(|(k, _)| k == key)
            .map(|(_, v)| v)
            .collect()
    }

    #[test]
    fn drop_ins_come_later_in_alphabetical_order_and_win() {
        let entries = [
            (DEFAULT_CONFIG, "flannel-iface: a\nnode-label: [x=1]\n"),
            (
                "/etc/rancher/k3s/config.yaml.d/20.yml",
                "flannel-iface: c\n",
            ),
            (
                "/etc/rancher/k3s/config.yaml.d/10.yaml",
                "flannel-iface: b\nnode-label+: [y=2]\n",
            ),
            (
                "/etc/rancher/k3s/config.yaml.d/30.txt",
                "flannel-iface: d\n",
            ),
        ];
        assert_eq!(value(&entries, "flannel-iface"), ["c"]);
        assert_eq!(value(&entries, "node-label"), ["x=1", "y=2"]);
    }

    #[test]
    fn a_repeated_key_is_no_error_the_last_wins() {
        let entries = [(DEFAULT_CONFIG, "flannel-iface: a\nflannel-iface: b\n")];
        assert_eq!(value(&entries, "flannel-iface"), ["b"]);
    }

    #[test]
    fn comments_alone_are_an_empty_configuration() {
        assert_eq!(value(&[(DEFAULT_CONFIG, "# nothing\n")], "x"), [""; 0]);
    }

    #[test]
    fn service_arguments_in_all_spellings() {
        let unit = "[Service]\nExecStart=/usr/local/bin/k3s \\\n    server \\\n\t'--flannel-iface' \\\n\t'eth0' --node-ip=1.2.3.4 --debug \\\n";
        assert_eq!(
            service_arguments(unit),
            [
                ("flannel-iface".to_owned(), "eth0".to_owned()),
                ("node-ip".to_owned(), "1.2.3.4".to_owned()),
                ("debug".to_owned(), "true".to_owned()),
            ]
        );
    }
}
