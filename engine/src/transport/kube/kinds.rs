//! The kinds that every cluster serves, known without asking: most runbooks need no discovery, and a resumed run
//! can replay what it did while the API server is away.

use crate::transport::ObjectKind;

/// A kind with the names that `kubectl` knows it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resource {
    pub kind: ObjectKind,
    pub singular: String,
    pub short_names: Vec<String>,
}

/// Built-in kinds in stable versions: API version, kind, plural, whether namespaced, short names
/// (`kubectl api-resources` of Kubernetes 1.34).
const BUILT_IN: &[(&str, &str, &str, bool, &[&str])] = &[
    ("v1", "ConfigMap", "configmaps", true, &["cm"]),
    ("v1", "Endpoints", "endpoints", true, &["ep"]),
    ("v1", "Event", "events", true, &["ev"]),
    ("v1", "Namespace", "namespaces", false, &["ns"]),
    ("v1", "Node", "nodes", false, &["no"]),
    (
        "v1",
        "PersistentVolume",
        "persistentvolumes",
        false,
        &["pv"],
    ),
    (
        "v1",
        "PersistentVolumeClaim",
        "persistentvolumeclaims",
        true,
        &["pvc"],
    ),
    ("v1", "Pod", "pods", true, &["po"]),
    ("v1", "Secret", "secrets", true, &[]),
    ("v1", "Service", "services", true, &["svc"]),
    ("v1", "ServiceAccount", "serviceaccounts", true, &["sa"]),
    ("apps/v1", "DaemonSet", "daemonsets", true, &["ds"]),
    ("apps/v1", "Deployment", "deployments", true, &["deploy"]),
    ("apps/v1", "ReplicaSet", "replicasets", true, &["rs"]),
    ("apps/v1", "StatefulSet", "statefulsets", true, &["sts"]),
    ("batch/v1", "CronJob", "cronjobs", true, &["cj"]),
    ("batch/v1", "Job", "jobs", true, &[]),
    ("coordination.k8s.io/v1", "Lease", "leases", true, &[]),
    (
        "networking.k8s.io/v1",
        "Ingress",
        "ingresses",
        true,
        &["ing"],
    ),
    (
        "networking.k8s.io/v1",
        "NetworkPolicy",
        "networkpolicies",
        true,
        &["netpol"],
    ),
    (
        "policy/v1",
        "PodDisruptionBudget",
        "poddisruptionbudgets",
        true,
        &["pdb"],
    ),
    (
        "storage.k8s.io/v1",
        "StorageClass",
        "storageclasses",
        false,
        &["sc"],
    ),
    (
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        false,
        &["crd", "crds"],
    ),
];

/// The built-in kinds.
pub(super) fn built_in() -> Vec<Resource> {
    BUILT_IN
        .iter()
        .map(
            |(api_version, kind, plural, namespaced, short_names)| Resource {
                kind: ObjectKind {
                    api_version: (*api_version).to_owned(),
                    kind: (*kind).to_owned(),
                    plural: (*plural).to_owned(),
                    namespaced: *namespaced,
                },
                singular: kind.to_lowercase(),
                short_names: short_names.iter().map(|name| (*name).to_owned()).collect(),
            },
        )
        .collect()
}

/// How a user can name a kind.
#[derive(Debug, PartialEq, Eq)]
enum Wording<'a> {
    /// `pod`, `pods`, `Pod`, `po`.
    Name(&'a str),
    /// `deployments.apps`, `deployments.v1.apps`: the rest is a group, or a version and a group.
    Grouped(&'a str, &'a str),
    /// `apps/v1/Deployment`, `v1/Pod`.
    Versioned(&'a str, &'a str),
}

fn wording(name: &str) -> Wording<'_> {
    if let Some((api_version, kind)) = name.rsplit_once('/') {
        return Wording::Versioned(api_version, kind);
    }
    match name.split_once('.') {
        Some((kind, rest)) => Wording::Grouped(kind, rest),
        None => Wording::Name(name),
    }
}

/// The kind that `name` means among resources in order of preference. Full names go before short names, as in
/// `kubectl`.
pub(super) fn find<'a>(resources: &'a [Resource], name: &str) -> Option<&'a Resource> {
    let wording = wording(name);
    let (Wording::Name(word) | Wording::Grouped(word, _) | Wording::Versioned(_, word)) = wording;
    let place_fits = |resource: &&Resource| match wording {
        Wording::Name(_) => true,
        Wording::Versioned(api_version, _) => resource.kind.api_version == api_version,
        Wording::Grouped(_, rest) => {
            let (group, version) = group_and_version(&resource.kind.api_version);
            rest == group || rest == format!("{version}.{group}")
        }
    };
    let full = |resource: &&Resource| {
        let kind = &resource.kind;
        [&kind.plural, &resource.singular, &kind.kind]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(word))
    };
    let short = |resource: &&Resource| {
        resource
            .short_names
            .iter()
            .any(|known| known.eq_ignore_ascii_case(word))
    };
    let in_place = || resources.iter().filter(place_fits);
    in_place().find(full).or_else(|| in_place().find(short))
}

/// The kind of an object by its exact API version and kind.
pub(super) fn exact<'a>(
    resources: &'a [Resource],
    api_version: &str,
    kind: &str,
) -> Option<&'a Resource> {
    resources
        .iter()
        .find(|resource| resource.kind.api_version == api_version && resource.kind.kind == kind)
}

fn group_and_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

/// Up to three names that look like `name`, best first.
pub(super) fn near(resources: &[Resource], name: &str) -> Vec<String> {
    let word = match wording(name) {
        Wording::Name(word) | Wording::Grouped(word, _) | Wording::Versioned(_, word) => word,
    };
    let word = word.to_lowercase();
    let likeness = |resource: &Resource| {
        [&resource.kind.plural, &resource.singular]
            .iter()
            .map(|known| strsim::jaro_winkler(known, &word))
            .fold(0.0, f64::max)
    };
    let mut found: Vec<(f64, String)> = resources
        .iter()
        .map(|resource| (likeness(resource), full_name(&resource.kind)))
        .filter(|(likeness, _)| *likeness > 0.8)
        .collect();
    found.sort_by(|one, other| other.0.total_cmp(&one.0));
    let mut names: Vec<String> = found.into_iter().map(|(_, name)| name).collect();
    names.dedup();
    names.truncate(3);
    names
}

/// The name that means this kind only: `pods`, `deployments.apps`.
fn full_name(kind: &ObjectKind) -> String {
    match group_and_version(&kind.api_version) {
        ("", _) => kind.plural.clone(),
        (group, _) => format!("{}.{group}", kind.plural),
    }
}
