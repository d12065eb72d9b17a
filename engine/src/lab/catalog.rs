//! The labs that come with the program, and labs in files.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::definition::Definition;
use super::texts::{LabText, LabTexts};
use super::{LabError, Wrong};

/// A lab that is part of the binary.
struct BuiltIn {
    name: &'static str,
    text: &'static str,
    /// Its Rhai texts by name.
    behaviour: &'static [(&'static str, &'static str)],
}

const BUILT_IN: &[BuiltIn] = &[
    BuiltIn {
        name: "k3s-double-tunnel",
        text: include_str!("../../labs/k3s-double-tunnel/lab.yaml"),
        behaviour: &[(
            "k3s.rhai",
            include_str!("../../labs/k3s-double-tunnel/k3s.rhai"),
        )],
    },
    BuiltIn {
        name: "k3s-double-tunnel-dual-stack",
        text: include_str!("../../labs/k3s-double-tunnel-dual-stack/lab.yaml"),
        behaviour: &[],
    },
    BuiltIn {
        name: "k3s-double-tunnel-ha",
        text: include_str!("../../labs/k3s-double-tunnel-ha/lab.yaml"),
        behaviour: &[],
    },
    BuiltIn {
        name: "k3s-double-tunnel-ufw",
        text: include_str!("../../labs/k3s-double-tunnel-ufw/lab.yaml"),
        behaviour: &[],
    },
    BuiltIn {
        name: "k3s-double-tunnel-wireguard",
        text: include_str!("../../labs/k3s-double-tunnel-wireguard/lab.yaml"),
        behaviour: &[],
    },
];

/// The name of a lab's description in its folder.
const LAB_FILE: &str = "lab.yaml";

/// How deep labs may extend each other.
const EXTENDS_LIMIT: usize = 8;

/// The names of the built-in labs.
pub fn names() -> Vec<&'static str> {
    BUILT_IN.iter().map(|lab| lab.name).collect()
}

/// A lab that was found.
pub struct Found {
    /// The name that its state is kept under.
    pub name: String,
    /// What its files say.
    pub definition: Definition,
    /// The files, for what is wrong with them.
    pub(super) texts: LabTexts,
}

/// Finds a lab by name, or by the path of its folder or its file (what has a slash, is a folder with a `lab.yaml`, or
/// ends in `.yaml`, `.yml`). Only a folder has texts of behaviour beside its file.
pub fn find(name_or_path: &str) -> Result<Found, LabError> {
    let source = source(name_or_path, None)?;
    let name = source.name.clone();
    let mut texts = LabTexts::default();
    let (mut json, behaviour) = resolve(source, 0, &mut texts)?;
    liken(&mut json).map_err(|wrong| texts.error(wrong))?;
    let mut definition: Definition = serde_path_to_error::deserialize(json)
        .map_err(|error| texts.error(Wrong::of_type(&error)))?;
    definition.behaviour = behaviour;
    Ok(Found {
        name,
        definition,
        texts,
    })
}

/// The texts of one lab, without those of the lab that it extends.
struct Source {
    /// As its state is named.
    name: String,
    text: LabText,
    behaviour: Vec<(String, String)>,
    /// Where it stands, for the names in it; none for a built-in one.
    folder: Option<PathBuf>,
}

/// Reads a lab; a path is taken from the folder of the lab that names it, if one does.
fn source(name_or_path: &str, from: Option<&Path>) -> Result<Source, LabError> {
    if let Some(lab) = BUILT_IN.iter().find(|lab| lab.name == name_or_path) {
        let own =
            |(file, text): &(&str, &str)| (format!("{}/{file}", lab.name), (*text).to_owned());
        return Ok(Source {
            name: lab.name.to_owned(),
            text: LabText {
                file: format!("{}/{LAB_FILE}", lab.name),
                text: lab.text.to_owned(),
            },
            behaviour: lab.behaviour.iter().map(own).collect(),
            folder: None,
        });
    }
    let path = from.map_or_else(
        || PathBuf::from(name_or_path),
        |from| from.join(name_or_path),
    );
    let is_path = name_or_path.contains('/')
        || name_or_path.ends_with(".yaml")
        || name_or_path.ends_with(".yml")
        || path.join(LAB_FILE).is_file();
    if !is_path {
        return Err(unknown(name_or_path));
    }
    let is_folder = path.is_dir();
    let file = match is_folder {
        true => path.join(LAB_FILE),
        false => path,
    };
    let text = read(&file)?;
    let folder = file.parent().map(Path::to_path_buf).unwrap_or_default();
    // What lies beside a lab that was named as a file may be anything: the runbook itself, for one.
    let behaviour = match is_folder {
        true => texts(&folder)?,
        false => vec![],
    };
    Ok(Source {
        name: state_name(&file),
        text: LabText {
            file: file.display().to_string(),
            text,
        },
        behaviour,
        folder: Some(folder),
    })
}

/// The Rhai texts in a folder by name, tests left out.
fn texts(folder: &Path) -> Result<Vec<(String, String)>, LabError> {
    let place = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let entries = std::fs::read_dir(place).map_err(|source| LabError::Io {
        action: "reading the folder of the lab",
        path: place.to_owned(),
        source,
    })?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        name.is_some_and(|name| name.ends_with(".rhai") && !name.ends_with("_test.rhai"))
    });
    paths.sort();
    paths
        .into_iter()
        .map(|path| Ok((path.display().to_string(), read(&path)?)))
        .collect()
}

fn read(path: &Path) -> Result<String, LabError> {
    std::fs::read_to_string(path).map_err(|source| LabError::Io {
        action: "reading the lab file",
        path: path.to_owned(),
        source,
    })
}

/// The state of a lab in a file is kept under its file's name and a hash of its place.
fn state_name(file: &Path) -> String {
    let place = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let stem = match place.file_stem().and_then(|stem| stem.to_str()) {
        Some("lab") | None => place
            .parent()
            .and_then(|parent| parent.file_name())
            .and_then(|name| name.to_str())
            .unwrap_or("lab"),
        Some(stem) => stem,
    };
    let hash = blake3::hash(place.as_os_str().as_encoded_bytes()).to_hex();
    format!("{stem}-{}", &hash[..8])
}

fn unknown(name: &str) -> LabError {
    let known = names();
    let suggestion = known
        .iter()
        .map(|known| (strsim::jaro_winkler(known, name), *known))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known.to_owned());
    LabError::Unknown {
        name: name.to_owned(),
        suggestion,
        known: known.into_iter().map(str::to_owned).collect(),
    }
}

/// The description as data, laid over the lab that it `extends`, and the Rhai texts of both.
fn resolve(
    lab: Source,
    depth: usize,
    files: &mut LabTexts,
) -> Result<(Json, Vec<(String, String)>), LabError> {
    let wrong = |key: &str, why: String| LabError::Definition(lab.text.mistaken(key, why));
    let mut json: Json = serde_yaml::from_str(&lab.text.text)
        .map_err(|error| LabError::Definition(lab.text.unreadable(&error)))?;
    let map = json
        .as_object_mut()
        .ok_or_else(|| wrong("", "a map was expected at the top".into()))?;
    let Some(base) = map.remove("extends") else {
        files.0.push(lab.text);
        return Ok((json, lab.behaviour));
    };
    let base = base
        .as_str()
        .ok_or_else(|| wrong("extends", "`extends` must be the name of a lab".into()))?;
    if depth == EXTENDS_LIMIT {
        let why = format!("`extends` goes in circles at {base:?}");
        return Err(wrong("extends", why));
    }
    let base = source(base, lab.folder.as_deref())
        .map_err(|error| wrong("extends", format!("extends: {error}")))?;
    let (mut whole, mut texts) = resolve(base, depth + 1, files)?;
    merge(&mut whole, json);
    texts.extend(lab.behaviour);
    files.0.push(lab.text);
    Ok((whole, texts))
}

/// Hosts that are `like` another: laid over a copy of that one.
fn liken(json: &mut Json) -> Result<(), Wrong> {
    let Some(hosts) = json["hosts"].as_object_mut() else {
        return Ok(());
    };
    let models = hosts.clone();
    for (name, host) in hosts {
        let Some(like) = host.as_object_mut().and_then(|host| host.remove("like")) else {
            continue;
        };
        let model = like.as_str().and_then(|like| models.get(like));
        let Some(model) = model.filter(|model| model["like"].is_null()) else {
            let path = ["hosts".into(), name.as_str().into(), "like".into()];
            return Err(Wrong::at(
                path,
                format!("{like} must be another host of the lab, which is like none itself"),
            ));
        };
        let mut whole = model.clone();
        merge(&mut whole, std::mem::take(host));
        *host = whole;
    }
    Ok(())
}

/// Maps are merged, null removes, everything else replaces (RFC 7386).
fn merge(base: &mut Json, patch: Json) {
    match (base, patch) {
        (Json::Object(base), Json::Object(patch)) => {
            for (key, value) in patch {
                if value.is_null() {
                    base.remove(&key);
                } else {
                    merge(base.entry(key).or_insert(Json::Null), value);
                }
            }
        }
        (base, patch) => *base = patch,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_lab_is_valid() {
        for name in names() {
            let found = find(name).unwrap();
            assert_eq!(found.name, name);
            assert!(!found.definition.hosts.is_empty(), "{name}");
        }
    }

    #[test]
    fn an_unknown_name_suggests_the_nearest() {
        let error = find("k3s-doubel-tunnel").err().unwrap().to_string();
        assert!(
            error.contains("did you mean \"k3s-double-tunnel"),
            "{error}"
        );
        let error = find("zzz").err().unwrap().to_string();
        assert!(!error.contains("did you mean"), "{error}");
        assert!(error.contains("k3s-double-tunnel-ufw"), "{error}");
    }

    #[test]
    fn a_host_is_like_another_but_for_what_it_says() {
        let lab = find("k3s-double-tunnel-ha").unwrap().definition;
        let [first, second] = ["k3s-server-1", "k3s-server-2"].map(|name| &lab.hosts[name]);
        assert_eq!(second.role, first.role);
        assert_ne!(second.pod_subnet, first.pod_subnet);
        let mut json = serde_json::json!({"hosts": {"a": {"like": "b"}, "b": {"like": "a"}}});
        assert!(format!("{:?}", liken(&mut json)).contains("like none itself"));
    }

    #[test]
    fn a_variant_changes_only_what_it_names() {
        let base = find("k3s-double-tunnel").unwrap().definition;
        let variant = find("k3s-double-tunnel-ufw").unwrap().definition;
        assert!(base.hosts["k3s-agent-2"].firewall.is_none());
        assert!(variant.hosts["k3s-agent-2"].firewall.is_some());
        assert!(variant.hosts["k3s-agent-1"].firewall.is_none());
        assert_eq!(base.workloads.len(), variant.workloads.len());
    }
}
