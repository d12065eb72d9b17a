//! The kinds that the lab's API serves.

use crate::transport::ObjectKind;

/// All kinds: API version, kind, plural, whether namespaced.
const KINDS: &[(&str, &str, &str, bool)] = &[
    ("v1", "Node", "nodes", false),
    ("v1", "Namespace", "namespaces", false),
    ("v1", "Pod", "pods", true),
    ("v1", "Service", "services", true),
    ("v1", "ConfigMap", "configmaps", true),
    ("v1", "Secret", "secrets", true),
    ("v1", "ServiceAccount", "serviceaccounts", true),
    ("v1", "Event", "events", true),
    ("apps/v1", "Deployment", "deployments", true),
    ("apps/v1", "ReplicaSet", "replicasets", true),
    ("apps/v1", "StatefulSet", "statefulsets", true),
    ("apps/v1", "DaemonSet", "daemonsets", true),
    ("batch/v1", "Job", "jobs", true),
    ("coordination.k8s.io/v1", "Lease", "leases", true),
    ("networking.k8s.io/v1", "Ingress", "ingresses", true),
    (
        "policy/v1",
        "PodDisruptionBudget",
        "poddisruptionbudgets",
        true,
    ),
    ("tailscale.com/v1alpha1", "ProxyGroup", "proxygroups", false),
    (
        "tailscale.com/v1alpha1",
        "ProxyClass",
        "proxyclasses",
        false,
    ),
];

/// All kinds.
pub fn kinds() -> Vec<ObjectKind> {
    KINDS
        .iter()
        .map(|(api_version, kind, plural, namespaced)| ObjectKind {
            api_version: (*api_version).to_owned(),
            kind: (*kind).to_owned(),
            plural: (*plural).to_owned(),
            namespaced: *namespaced,
        })
        .collect()
}

/// The plural of a kind of this API version.
pub fn plural(api_version: &str, kind: &str) -> Option<&'static str> {
    KINDS
        .iter()
        .find(|known| known.0 == api_version && known.1 == kind)
        .map(|known| known.2)
}
