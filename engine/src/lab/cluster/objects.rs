//! Storing objects as the API server does: uid, creation time, resource version.

use serde_json::Value as Json;

use crate::lab::world::{World, uuid};

/// The key of an object: `plural/namespace/name`, the namespace empty for what has none.
pub fn key(plural: &str, namespace: Option<&str>, name: &str) -> String {
    format!("{plural}/{}/{name}", namespace.unwrap_or_default())
}

/// Puts an object under its key with a new resource version; a new one gets uid and creation time.
pub fn store(world: &mut World, key: &str, mut object: Json) -> Json {
    let version = world.next_serial().to_string();
    let created = world.kubernetes_time();
    let metadata = &mut object["metadata"];
    if metadata["uid"].is_null() {
        metadata["uid"] = uuid(&[key, &version]).into();
    }
    if metadata["creationTimestamp"].is_null() {
        metadata["creationTimestamp"] = created.into();
    }
    metadata["resourceVersion"] = version.into();
    world.objects.insert(key.to_owned(), object.clone());
    object
}

/// Puts an object that describes itself (`apiVersion`, `kind`, `metadata`); says what it lacks.
pub fn new_object(world: &mut World, object: Json) -> Result<(), String> {
    let text = |value: &Json| value.as_str().map(str::to_owned);
    let (Some(api_version), Some(kind), Some(name)) = (
        text(&object["apiVersion"]),
        text(&object["kind"]),
        text(&object["metadata"]["name"]),
    ) else {
        return Err(format!(
            "an object needs apiVersion, kind and metadata.name: {object}"
        ));
    };
    let plural = super::kinds::plural(&api_version, &kind)
        .ok_or_else(|| format!("the lab's API has no kind {api_version}/{kind}"))?;
    let namespace = text(&object["metadata"]["namespace"]);
    let key = key(plural, namespace.as_deref(), &name);
    store(world, &key, object);
    Ok(())
}
