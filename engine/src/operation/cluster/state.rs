//! An object as a state that can be compared and put back: what somebody wants of it, without what the server and
//! the controllers write into it all the time.

use serde_json::{Map, Value as Json};

use crate::model::{Image, ObjectRef};
use crate::operation::Failure;
use crate::transport::ClusterObserver;

/// Fields of `metadata` that the server writes.
const SERVER_FIELDS: &[&str] = &[
    "managedFields",
    "resourceVersion",
    "generation",
    "selfLink",
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
];

/// Annotations that controllers write in answer to a change: they would make every patched object look as if
/// somebody else had changed it since.
const CONTROLLER_ANNOTATIONS: &[&str] = &[
    "deployment.kubernetes.io/revision",
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "deprecated.daemonset.template.generation",
    "control-plane.alpha.kubernetes.io/leader",
    "node.alpha.kubernetes.io/ttl",
];

/// The state of an object as the API gave it. Labels and annotations are always there, if empty, so that the first
/// one that comes is a difference of one member and not of the whole map.
pub fn state_of(mut object: Json) -> Json {
    if let Json::Object(fields) = &mut object {
        fields.remove("status");
        let metadata = fields
            .entry("metadata")
            .or_insert_with(|| Json::Object(Map::new()));
        if let Json::Object(metadata) = metadata {
            clean(metadata);
        }
    }
    object
}

fn clean(metadata: &mut Map<String, Json>) {
    for field in SERVER_FIELDS {
        metadata.remove(*field);
    }
    for list in ["finalizers", "ownerReferences"] {
        if metadata
            .get(list)
            .is_some_and(|list| list.as_array().is_none_or(Vec::is_empty))
        {
            metadata.remove(list);
        }
    }
    for field in ["labels", "annotations"] {
        let map = metadata.entry(field).or_insert(Json::Null);
        if !map.is_object() {
            *map = Json::Object(Map::new());
        }
    }
    if let Some(Json::Object(annotations)) = metadata.get_mut("annotations") {
        for annotation in CONTROLLER_ANNOTATIONS {
            annotations.remove(*annotation);
        }
    }
}

/// The present state of an object. One that is being deleted counts as gone: nothing stops that any more.
pub fn observe_object(
    observer: &dyn ClusterObserver,
    object: &ObjectRef,
) -> Result<Image, Failure> {
    let found = observer.get(object)?.filter(|found| !is_going(found));
    Ok(Image::Object(found.map(state_of)))
}

/// Whether an object is being deleted.
pub(super) fn is_going(object: &Json) -> bool {
    !object["metadata"]["deletionTimestamp"].is_null()
}
