//! Asking the API server for its kinds.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{APIGroupList, APIResourceList};
use serde::de::DeserializeOwned;

use super::exchange::{Exchange, Repeat, Stop};
use super::kinds::Resource;
use super::{refused, unreachable};
use crate::transport::{ObjectKind, TransportError};

/// Everything that the cluster serves, in `kubectl`'s order of preference: the core group first, then the groups as
/// the server lists them; within a group its preferred version first.
pub(super) struct Catalog {
    pub resources: Vec<Resource>,
    /// Groups that gave no answer, with what they said: an API served by a pod that is down, most often.
    pub silent: Vec<String>,
}

/// Reads the whole catalog. A group that does not answer costs only its own kinds.
pub(super) fn discover(exchange: &Exchange) -> Result<Catalog, TransportError> {
    let core: APIResourceList = required(exchange, "/api/v1")?;
    let groups: APIGroupList = required(exchange, "/apis")?;
    let mut catalog = Catalog {
        resources: resources(core, "v1"),
        silent: Vec::new(),
    };
    for (path, version) in versions(groups) {
        match ask(exchange, &path, Repeat::AnswersAreFinal) {
            Ok(list) => catalog.resources.extend(resources(list, &version)),
            Err(Stop::Refused(trouble)) => {
                catalog
                    .silent
                    .push(format!("{version} ({})", trouble.words));
            }
            Err(Stop::Failed(error)) => return Err(error),
        }
    }
    Ok(catalog)
}

/// Paths and names of all versions of all groups; preferred versions before all others.
fn versions(groups: APIGroupList) -> Vec<(String, String)> {
    let mut preferred = Vec::new();
    let mut others = Vec::new();
    for group in groups.groups {
        let first = group
            .preferred_version
            .or_else(|| group.versions.first().cloned())
            .map(|version| version.group_version);
        for version in group.versions {
            let version = version.group_version;
            let entry = (format!("/apis/{version}"), version.clone());
            match Some(&version) == first.as_ref() {
                true => preferred.push(entry),
                false => others.push(entry),
            }
        }
    }
    preferred.append(&mut others);
    preferred
}

fn resources(list: APIResourceList, api_version: &str) -> Vec<Resource> {
    list.resources
        .into_iter()
        // `pods/log` and the like are parts of objects, not kinds.
        .filter(|resource| !resource.name.contains('/'))
        .map(|resource| Resource {
            singular: match resource.singular_name.is_empty() {
                true => resource.kind.to_lowercase(),
                false => resource.singular_name,
            },
            short_names: resource.short_names.unwrap_or_default(),
            kind: ObjectKind {
                api_version: api_version.to_owned(),
                kind: resource.kind,
                plural: resource.name,
                namespaced: resource.namespaced,
            },
        })
        .collect()
}

fn required<T: DeserializeOwned>(exchange: &Exchange, path: &str) -> Result<T, TransportError> {
    ask(exchange, path, Repeat::Always).map_err(|stop| match stop {
        Stop::Failed(error) => error,
        Stop::Refused(trouble) => refused(format!(
            "the API server does not tell its kinds ({path}): {}",
            trouble.words
        )),
    })
}

fn ask<T: DeserializeOwned>(exchange: &Exchange, path: &str, repeat: Repeat) -> Result<T, Stop> {
    let request = http::Request::get(path)
        .body(Vec::new())
        .map_err(|error| Stop::Failed(unreachable(format!("{path} is no path: {error}"))))?;
    let answer = exchange.send(&mut exchange.patience(), repeat, &request)?;
    serde_json::from_slice(&answer).map_err(|error| {
        Stop::Failed(refused(format!(
            "{path} answers something that is no list of kinds ({error}); is this a Kubernetes API server?"
        )))
    })
}

#[cfg(test)]
mod tests {
    use super::super::kinds::{find, near};
    use super::*;
    use serde_json::json;

    fn catalog() -> Vec<Resource> {
        let list = |json| serde_json::from_value::<APIResourceList>(json).unwrap();
        let mut all = resources(
            list(json!({"groupVersion": "v1", "resources": [
                {"name": "pods", "singularName": "pod", "namespaced": true, "kind": "Pod", "verbs": [], "shortNames": ["po"]},
                {"name": "pods/log", "singularName": "", "namespaced": true, "kind": "Pod", "verbs": []},
                {"name": "events", "singularName": "event", "namespaced": true, "kind": "Event", "verbs": [], "shortNames": ["ev"]}]})),
            "v1",
        );
        all.extend(resources(
            list(json!({"groupVersion": "example.com/v2", "resources": [
                {"name": "widgets", "singularName": "", "namespaced": true, "kind": "Widget", "verbs": [], "shortNames": ["wd", "pod"]},
                {"name": "events", "singularName": "event", "namespaced": true, "kind": "Event", "verbs": []}]})),
            "example.com/v2",
        ));
        all.extend(resources(
            list(json!({"groupVersion": "example.com/v1", "resources": [
                {"name": "widgets", "singularName": "widget", "namespaced": true, "kind": "Widget", "verbs": []}]})),
            "example.com/v1",
        ));
        all
    }

    #[test]
    fn kinds_are_named_as_kubectl_does() {
        let all = catalog();
        assert!(
            all.iter()
                .all(|resource| !resource.kind.plural.contains('/'))
        );
        for (name, api_version, kind) in [
            ("po", "v1", "Pod"),
            ("PODS", "v1", "Pod"),
            ("pod", "v1", "Pod"),
            ("wd", "example.com/v2", "Widget"),
            ("widget", "example.com/v2", "Widget"),
            ("widgets.example.com", "example.com/v2", "Widget"),
            ("widgets.v1.example.com", "example.com/v1", "Widget"),
            ("example.com/v1/Widget", "example.com/v1", "Widget"),
            ("events", "v1", "Event"),
            ("events.example.com", "example.com/v2", "Event"),
            ("v1/Pod", "v1", "Pod"),
        ] {
            let found = find(&all, name).unwrap_or_else(|| panic!("{name} is not found"));
            assert_eq!(
                (&*found.kind.api_version, &*found.kind.kind),
                (api_version, kind),
                "{name}"
            );
        }
        for name in ["podz", "pods.apps", "v2/Pod", ""] {
            assert_eq!(find(&all, name), None, "{name}");
        }
        assert_eq!(near(&all, "widgest"), ["widgets.example.com"]);
    }

    #[test]
    fn preferred_versions_come_before_all_others() {
        let groups = serde_json::from_value(json!({"groups": [
            {"name": "a", "versions": [{"groupVersion": "a/v1beta1", "version": "v1beta1"}, {"groupVersion": "a/v1", "version": "v1"}],
             "preferredVersion": {"groupVersion": "a/v1", "version": "v1"}},
            {"name": "b", "versions": [{"groupVersion": "b/v1", "version": "v1"}]}]}))
        .unwrap();
        let names: Vec<String> = versions(groups)
            .into_iter()
            .map(|(_, version)| version)
            .collect();
        assert_eq!(names, ["a/v1", "b/v1", "a/v1beta1"]);
    }
}
