//! The kinds that the API serves, as a client discovers them.

use serde_json::{Value as Json, json};

use crate::transport::ObjectKind;

/// Short names of the built-in kinds.
const SHORT_NAMES: &[(&str, &str)] = &[
    ("pods", "po"),
    ("services", "svc"),
    ("deployments", "deploy"),
    ("statefulsets", "sts"),
    ("daemonsets", "ds"),
    ("replicasets", "rs"),
    ("nodes", "no"),
    ("namespaces", "ns"),
    ("configmaps", "cm"),
    ("serviceaccounts", "sa"),
    ("events", "ev"),
    ("ingresses", "ing"),
    ("cronjobs", "cj"),
    ("persistentvolumes", "pv"),
    ("persistentvolumeclaims", "pvc"),
    ("poddisruptionbudgets", "pdb"),
    ("networkpolicies", "netpol"),
];

/// `/version`: the release that the lab's API follows.
pub(super) fn version() -> Json {
    json!({
        "major": "1", "minor": "34", "gitVersion": "v1.34.1+k3s1", "gitCommit": "", "gitTreeState": "clean",
        "buildDate": "2025-10-01T00:00:00Z", "goVersion": "go1.24.6", "compiler": "gc", "platform": "linux/amd64",
    })
}

/// `/api`
pub(super) fn core_versions() -> Json {
    json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})
}

/// `/apis`
pub(super) fn groups(kinds: &[ObjectKind]) -> Json {
    let mut names: Vec<&str> = Vec::new();
    for kind in kinds {
        if let Some((group, _)) = kind.api_version.split_once('/')
            && !names.contains(&group)
        {
            names.push(group);
        }
    }
    let groups: Vec<Json> = names
        .into_iter()
        .filter_map(|name| group(name, kinds))
        .collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// `/apis/GROUP`; the version that the backend names first is the preferred one.
pub(super) fn group(name: &str, kinds: &[ObjectKind]) -> Option<Json> {
    let mut versions: Vec<Json> = Vec::new();
    for kind in kinds {
        if let Some((group, version)) = kind.api_version.split_once('/')
            && group == name
        {
            let version = json!({"groupVersion": kind.api_version, "version": version});
            if !versions.contains(&version) {
                versions.push(version);
            }
        }
    }
    let preferred = versions.first()?.clone();
    Some(json!({
        "kind": "APIGroup", "apiVersion": "v1", "name": name, "versions": versions, "preferredVersion": preferred,
    }))
}

/// `/api/v1` and `/apis/GROUP/VERSION`
pub(super) fn resources(api_version: &str, kinds: &[ObjectKind]) -> Option<Json> {
    let mut list: Vec<Json> = kinds
        .iter()
        .filter(|kind| kind.api_version == api_version)
        .map(|kind| {
            let mut resource = json!({
                "name": kind.plural, "singularName": kind.kind.to_lowercase(), "namespaced": kind.namespaced,
                "kind": kind.kind, "verbs": ["create", "delete", "get", "list", "patch", "update"],
            });
            if let Some((_, short)) = SHORT_NAMES.iter().find(|(plural, _)| *plural == kind.plural) {
                resource["shortNames"] = json!([short]);
            }
            resource
        })
        .collect();
    if list.is_empty() {
        return None;
    }
    if api_version == "v1" && list.iter().any(|resource| resource["name"] == "pods") {
        list.push(json!({"name": "pods/log", "singularName": "", "namespaced": true, "kind": "Pod", "verbs": ["get"]}));
    }
    Some(
        json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version, "resources": list}),
    )
}
