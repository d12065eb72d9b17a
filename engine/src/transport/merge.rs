//! How a patch acts on an object, computed here: a dry run shows a patch's effect without the server, a patch whose
//! answer got lost is recognised by its effect, and the lab's API applies patches as a real one does.
//!
//! JSON merge patch is RFC 7386. Strategic merge is described in Kubernetes' documentation ("Update API Objects in
//! Place Using kubectl patch") and in the `patchMergeKey` tags of its API types.

use serde_json::{Map, Value as Json};

use super::PatchKind;
use super::quantity::same_quantity;

/// Keys of a strategic patch that say how to merge and are not themselves data.
const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";
const ORDER_OF: &str = "$setElementOrder/";

/// What `patch` makes of `object`.
pub fn merged(kind: PatchKind, object: &Json, patch: &Json) -> Json {
    match (object, patch) {
        (Json::Object(old), Json::Object(patch)) => Json::Object(merged_map(kind, old, patch)),
        // A map that meets no map builds a new one: its nulls have nothing to remove (RFC 7386, section 2).
        (_, Json::Object(patch)) => Json::Object(merged_map(kind, &Map::new(), patch)),
        (_, patch) => patch.clone(),
    }
}

fn merged_map(
    kind: PatchKind,
    old: &Map<String, Json>,
    patch: &Map<String, Json>,
) -> Map<String, Json> {
    let strategic = kind == PatchKind::Strategic;
    let mut new = match patch.get(DIRECTIVE).and_then(Json::as_str) {
        Some("replace") if strategic => Map::new(),
        _ => old.clone(),
    };
    if let Some(Json::Array(retained)) = patch.get(RETAIN_KEYS).filter(|_| strategic) {
        new.retain(|key, _| retained.iter().any(|kept| kept == key));
    }
    for (key, value) in patch {
        if strategic && is_directive(key) {
            if let (Some(list), Json::Array(gone)) = (key.strip_prefix(DELETE_FROM), value) {
                delete_from(new.get_mut(list), gone);
            }
            continue;
        }
        match value {
            Json::Null => {
                new.remove(key);
            }
            Json::Object(inner) if strategic && deletes(inner) => {
                new.remove(key);
            }
            Json::Array(items) if strategic => {
                let list = merged_list(key, new.get(key), items);
                new.insert(key.clone(), Json::Array(list));
            }
            _ => {
                let value = merged(kind, new.get(key).unwrap_or(&Json::Null), value);
                new.insert(key.clone(), value);
            }
        }
    }
    new
}

fn is_directive(key: &str) -> bool {
    key == DIRECTIVE
        || key == RETAIN_KEYS
        || key.starts_with(DELETE_FROM)
        || key.starts_with(ORDER_OF)
}

fn deletes(patch: &Map<String, Json>) -> bool {
    patch.get(DIRECTIVE).and_then(Json::as_str) == Some("delete")
}

fn delete_from(list: Option<&mut Json>, gone: &[Json]) {
    if let Some(Json::Array(list)) = list {
        list.retain(|item| !gone.contains(item));
    }
}

/// How the list under a name is merged.
enum ListRule {
    /// Elements with the same value under this key are merged; new ones come last.
    ByKey(&'static str),
    /// A set of plain values: what is missing is added.
    Set,
    /// As a whole.
    Replace,
}

/// The rule for a list, by the name it stands under: the `patchMergeKey` tags of the core and apps types.
fn list_rule(name: &str, items: &[Json]) -> ListRule {
    let key = match name {
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "env"
        | "volumes"
        | "imagePullSecrets"
        | "secrets"
        | "resourceClaims"
        | "schedulingGates" => "name",
        // A container's ports are merged by containerPort, a service's by port.
        "ports" if items.iter().any(|item| item.get("containerPort").is_some()) => "containerPort",
        "ports" => "port",
        "volumeMounts" => "mountPath",
        "volumeDevices" => "devicePath",
        "hostAliases" => "ip",
        "topologySpreadConstraints" => "topologyKey",
        "ownerReferences" => "uid",
        "conditions" | "addresses" => "type",
        "finalizers" => return ListRule::Set,
        _ => return ListRule::Replace,
    };
    ListRule::ByKey(key)
}

fn merged_list(name: &str, old: Option<&Json>, patch: &[Json]) -> Vec<Json> {
    let old = old.and_then(Json::as_array).cloned().unwrap_or_default();
    let replaces = |item: &Json| item.get(DIRECTIVE).and_then(Json::as_str) == Some("replace");
    if patch.iter().any(replaces) {
        return patch
            .iter()
            .filter(|item| !replaces(item))
            .cloned()
            .collect();
    }
    match list_rule(name, patch) {
        ListRule::Replace => patch.to_vec(),
        ListRule::Set => {
            let mut list = old;
            for item in patch {
                if !list.contains(item) {
                    list.push(item.clone());
                }
            }
            list
        }
        ListRule::ByKey(key) => merged_by_key(key, old, patch),
    }
}

fn merged_by_key(key: &str, mut list: Vec<Json>, patch: &[Json]) -> Vec<Json> {
    for item in patch {
        let found = list.iter().position(|old| same_key(key, old, item));
        let removed = item.as_object().is_some_and(deletes);
        match (found, removed) {
            (Some(place), true) => {
                list.remove(place);
            }
            (None, true) => {}
            (Some(place), false) => list[place] = merged(PatchKind::Strategic, &list[place], item),
            (None, false) => list.push(merged(PatchKind::Strategic, &Json::Null, item)),
        }
    }
    list
}

fn same_key(key: &str, old: &Json, item: &Json) -> bool {
    old.get(key).is_some() && old.get(key) == item.get(key)
}

/// Whether `object` already is as `patch` asks. What the server added by itself (defaults inside list elements,
/// a quantity in its canonical form) does not count against it.
pub fn covers(kind: PatchKind, object: &Json, patch: &Json) -> bool {
    Cover { kind }.value(Some(object), patch, Place::Plain)
}

/// Where in an object a value stands, as far as that decides how it is compared.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Plain,
    /// Under `requests`, `limits` …: `1024Mi` and `1Gi` are the same.
    Quantities,
}

struct Cover {
    kind: PatchKind,
}

impl Cover {
    fn value(&self, object: Option<&Json>, patch: &Json, place: Place) -> bool {
        match (object, patch) {
            (None | Some(Json::Null), Json::Null) => true,
            (Some(Json::Object(object)), Json::Object(patch)) => self.map(object, patch, place),
            (None, Json::Object(patch)) => self.map(&Map::new(), patch, place),
            (Some(Json::Array(object)), Json::Array(patch)) => self.whole_list(object, patch),
            (Some(object), patch) => {
                object == patch || (place == Place::Quantities && same_quantity(object, patch))
            }
            (None, _) => false,
        }
    }

    fn map(&self, object: &Map<String, Json>, patch: &Map<String, Json>, place: Place) -> bool {
        let strategic = self.kind == PatchKind::Strategic;
        if strategic && patch.get(DIRECTIVE).and_then(Json::as_str) == Some("replace") {
            return object == &merged_map(self.kind, object, patch);
        }
        patch.iter().all(|(key, wanted)| {
            let found = object.get(key);
            match wanted {
                _ if strategic && is_directive(key) => obeyed(object, key, wanted),
                Json::Object(inner) if strategic && deletes(inner) => found.is_none(),
                // Unlike a nested change, an empty map asks that there be a map at all.
                Json::Object(inner) if inner.is_empty() => found.is_some_and(Json::is_object),
                Json::Array(items) if strategic => self.list(key, found, items),
                _ => self.value(found, wanted, below(key, place)),
            }
        })
    }

    fn list(&self, name: &str, found: Option<&Json>, patch: &[Json]) -> bool {
        let Some(found) = found.and_then(Json::as_array) else {
            return false;
        };
        if patch
            .iter()
            .any(|item| item.get(DIRECTIVE).and_then(Json::as_str) == Some("replace"))
        {
            return *found == merged_list(name, None, patch);
        }
        match list_rule(name, patch) {
            ListRule::Replace => self.whole_list(found, patch),
            ListRule::Set => patch.iter().all(|item| found.contains(item)),
            ListRule::ByKey(key) => patch.iter().all(|item| {
                let old = found.iter().find(|old| same_key(key, old, item));
                match item.as_object().is_some_and(deletes) {
                    true => old.is_none(),
                    false => old.is_some_and(|old| self.value(Some(old), item, Place::Plain)),
                }
            }),
        }
    }

    /// Element by element: the server fills defaults into elements, but never adds or reorders them.
    fn whole_list(&self, found: &[Json], patch: &[Json]) -> bool {
        found.len() == patch.len()
            && found
                .iter()
                .zip(patch)
                .all(|(found, item)| self.value(Some(found), item, Place::Plain))
    }
}

fn obeyed(object: &Map<String, Json>, directive: &str, wanted: &Json) -> bool {
    let wanted = wanted.as_array().map(Vec::as_slice).unwrap_or_default();
    if directive == RETAIN_KEYS {
        return object
            .keys()
            .all(|key| wanted.iter().any(|kept| kept == key));
    }
    match directive.strip_prefix(DELETE_FROM) {
        Some(list) => match object.get(list) {
            Some(Json::Array(list)) => !list.iter().any(|item| wanted.contains(item)),
            _ => true,
        },
        None => true,
    }
}

fn below(key: &str, place: Place) -> Place {
    match key {
        "requests" | "limits" | "capacity" | "hard" | "overhead" => Place::Quantities,
        _ => place,
    }
}

/// The merge patch (RFC 7386) that makes `to` of `from` and touches nothing in which they agree. Lists are
/// replaced whole.
pub fn difference(from: &Json, to: &Json) -> Json {
    let (Json::Object(old), Json::Object(new)) = (from, to) else {
        return to.clone();
    };
    let mut patch = Map::new();
    for key in old.keys().filter(|key| !new.contains_key(*key)) {
        patch.insert(key.clone(), Json::Null);
    }
    for (key, value) in new {
        match old.get(key) {
            Some(before) if before == value => {}
            Some(before) => {
                patch.insert(key.clone(), difference(before, value));
            }
            None => {
                patch.insert(key.clone(), value.clone());
            }
        }
    }
    Json::Object(patch)
}

/// Whether `now` is like `one` in every field in which `one` and `other` differ: what somebody did elsewhere in
/// the object is none of our business.
pub fn agrees(now: Option<&Json>, one: Option<&Json>, other: Option<&Json>) -> bool {
    if one == other || now == one {
        return true;
    }
    match (one, other) {
        (Some(Json::Object(one)), Some(Json::Object(other))) => {
            let Some(Json::Object(now)) = now else {
                return false;
            };
            one.keys()
                .chain(other.keys())
                .all(|key| agrees(now.get(key), one.get(key), other.get(key)))
        }
        // The whole map came or went: members that others put into it since are theirs.
        _ => false,
    }
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
