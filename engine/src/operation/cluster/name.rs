//! From the words of a script to the name of an object.

use crate::model::ObjectRef;
use crate::operation::Failure;
use crate::transport::{ClusterObserver, ObjectKind};

/// The kind that a script means by `word`: `pod`, `po`, `deployments.apps`, `apps/v1/Deployment` … Built-in kinds
/// need no contact with the cluster. An unknown word fails with the names that come near.
pub fn resolve_kind(observer: &dyn ClusterObserver, word: &str) -> Result<ObjectKind, Failure> {
    match word.trim().is_empty() {
        true => Err(Failure::Misuse(
            "the kind of an object must not be empty; it is a word such as `pods`".into(),
        )),
        false => Ok(observer.kind(word)?),
    }
}

/// The object that a script means. `namespace` is ignored for kinds without namespaces, as by `kubectl`; for others
/// it has to be given: what a runbook does shall not depend on whose kubeconfig runs it.
pub fn resolve(
    observer: &dyn ClusterObserver,
    word: &str,
    namespace: Option<&str>,
    name: &str,
) -> Result<ObjectRef, Failure> {
    let kind = resolve_kind(observer, word)?;
    if name.is_empty() {
        return Err(Failure::Misuse(format!(
            "the name of a {} must not be empty",
            kind.kind
        )));
    }
    let namespace = namespace.filter(|namespace| kind.namespaced && !namespace.is_empty());
    if kind.namespaced && namespace.is_none() {
        return Err(Failure::Misuse(format!(
            "{} {name} lives in a namespace: say which one",
            kind.kind
        )));
    }
    Ok(ObjectRef {
        api_version: kind.api_version,
        kind: kind.kind,
        namespace: namespace.map(str::to_owned),
        name: name.to_owned(),
    })
}
