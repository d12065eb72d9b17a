//! What a path of the API means.

use super::query::decoded;
use crate::transport::ObjectKind;

/// A path, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// `/version`
    Version,
    /// `/livez`, `/readyz`, `/healthz`
    Health,
    /// `/api`
    CoreVersions,
    /// `/apis`
    Groups,
    /// `/apis/GROUP`
    Group(String),
    /// `/api/v1`, `/apis/GROUP/VERSION`
    Kinds(String),
    /// Objects of a kind, in a namespace or in all.
    Collection(ObjectKind, Option<String>),
    /// One object.
    Object(ObjectKind, Option<String>, String),
    /// The log of a pod.
    Log { namespace: String, pod: String },
}

/// Understands a path; `None` for one that the server does not have.
pub(super) fn route(path: &str, kinds: &[ObjectKind]) -> Option<Route> {
    let segments: Vec<String> = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .map(decoded)
        .collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match segments[..] {
        ["version"] => Some(Route::Version),
        ["livez" | "readyz" | "healthz", ..] => Some(Route::Health),
        ["api"] => Some(Route::CoreVersions),
        ["apis"] => Some(Route::Groups),
        ["apis", group] => Some(Route::Group(group.to_owned())),
        ["api", version] => Some(Route::Kinds(version.to_owned())),
        ["apis", group, version] => Some(Route::Kinds(format!("{group}/{version}"))),
        ["api", version, ref rest @ ..] => below(version, rest, kinds),
        ["apis", group, version, ref rest @ ..] => {
            below(&format!("{group}/{version}"), rest, kinds)
        }
        _ => None,
    }
}

fn below(api_version: &str, rest: &[&str], kinds: &[ObjectKind]) -> Option<Route> {
    let kind = |plural: &str, scope: Scope| {
        kinds
            .iter()
            .find(|kind| {
                let fits = scope == Scope::Any || kind.namespaced == (scope == Scope::Namespace);
                kind.api_version == api_version && kind.plural == plural && fits
            })
            .cloned()
    };
    match *rest {
        [plural] => Some(Route::Collection(kind(plural, Scope::Any)?, None)),
        [plural, name] => Some(Route::Object(
            kind(plural, Scope::Cluster)?,
            None,
            name.to_owned(),
        )),
        ["namespaces", namespace, plural] => Some(Route::Collection(
            kind(plural, Scope::Namespace)?,
            Some(namespace.to_owned()),
        )),
        ["namespaces", namespace, plural, name] => {
            let kind = kind(plural, Scope::Namespace)?;
            Some(Route::Object(
                kind,
                Some(namespace.to_owned()),
                name.to_owned(),
            ))
        }
        ["namespaces", namespace, "pods", pod, "log"] if api_version == "v1" => Some(Route::Log {
            namespace: namespace.to_owned(),
            pod: pod.to_owned(),
        }),
        _ => None,
    }
}

/// Where a path places its kind.
#[derive(Clone, Copy, PartialEq)]
enum Scope {
    Any,
    Cluster,
    Namespace,
}
