//! The labs that come with the program, and labs in files.

use std::path::Path;

use serde_json::Value as Json;

use super::LabError;
use super::definition::Definition;

/// A lab that is part of the binary: its name and its description.
const BUILT_IN: &[(&str, &str)] = &[
    (
        "k3s-double-tunnel",
        include_str!("../../labs/k3s-double-tunnel/lab.yaml"),
    ),
    (
        "k3s-double-tunnel-ufw",
        include_str!("../../labs/k3s-double-tunnel-ufw/lab.yaml"),
    ),
];

/// How deep labs may extend each other.
const EXTENDS_LIMIT: usize = 8;

/// The names of the built-in labs.
pub fn names() -> Vec<&'static str> {
    BUILT_IN.iter().map(|(name, _)| *name).collect()
}

/// Finds a lab by name or by the path of its file (what has a slash or ends in `.yaml`, `.yml`).
/// Returns the name that its state is kept under, and its description.
pub fn find(name_or_path: &str) -> Result<(String, Definition), LabError> {
    let (name, text) = source(name_or_path)?;
    let json = resolve(name_or_path, &text, 0)?;
    let definition = serde_json::from_value(json).map_err(|error| LabError::Definition {
        file: name_or_path.to_owned(),
        why: error.to_string(),
    })?;
    Ok((name, definition))
}

fn source(name_or_path: &str) -> Result<(String, String), LabError> {
    if let Some((name, text)) = BUILT_IN.iter().find(|(name, _)| *name == name_or_path) {
        return Ok(((*name).to_owned(), (*text).to_owned()));
    }
    let is_path = name_or_path.contains('/')
        || name_or_path.ends_with(".yaml")
        || name_or_path.ends_with(".yml");
    if !is_path {
        return Err(unknown(name_or_path));
    }
    let path = Path::new(name_or_path);
    let file = if path.is_dir() {
        path.join("lab.yaml")
    } else {
        path.to_owned()
    };
    let text = std::fs::read_to_string(&file).map_err(|source| LabError::Io {
        action: "reading the lab file",
        path: file.clone(),
        source,
    })?;
    Ok((state_name(&file), text))
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

/// The description as data, laid over the lab that it `extends`.
fn resolve(file: &str, text: &str, depth: usize) -> Result<Json, LabError> {
    let invalid = |why: String| LabError::Definition {
        file: file.to_owned(),
        why,
    };
    let mut json: Json = serde_yaml::from_str(text).map_err(|error| invalid(error.to_string()))?;
    let map = json
        .as_object_mut()
        .ok_or_else(|| invalid("a map was expected at the top".into()))?;
    let Some(base) = map.remove("extends") else {
        return Ok(json);
    };
    let base = base
        .as_str()
        .ok_or_else(|| invalid("`extends` must be the name of a lab".into()))?;
    if depth == EXTENDS_LIMIT {
        return Err(invalid(format!("`extends` goes in circles at {base:?}")));
    }
    let (_, base_text) = source(base)?;
    let mut whole = resolve(base, &base_text, depth + 1)?;
    merge(&mut whole, json);
    Ok(whole)
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
            let (stored_as, definition) = find(name).unwrap();
            assert_eq!(stored_as, name);
            assert!(!definition.hosts.is_empty(), "{name}");
        }
    }

    #[test]
    fn an_unknown_name_suggests_the_nearest() {
        let error = find("k3s-doubel-tunnel").unwrap_err().to_string();
        assert!(
            error.contains("did you mean \"k3s-double-tunnel"),
            "{error}"
        );
        let error = find("zzz").unwrap_err().to_string();
        assert!(!error.contains("did you mean"), "{error}");
        assert!(error.contains("k3s-double-tunnel-ufw"), "{error}");
    }

    #[test]
    fn a_variant_changes_only_what_it_names() {
        let (_, base) = find("k3s-double-tunnel").unwrap();
        let (_, variant) = find("k3s-double-tunnel-ufw").unwrap();
        assert!(base.hosts["k3s-agent-2"].firewall.is_none());
        assert!(variant.hosts["k3s-agent-2"].firewall.is_some());
        assert!(variant.hosts["k3s-agent-1"].firewall.is_none());
        assert_eq!(base.workloads.len(), variant.workloads.len());
    }
}
