//! `Secret` objects: what they hold is for the cluster, not for a journal, a script or a terminal (M9). Their keys,
//! labels and annotations stay; the contents are replaced by a mark.

use serde_json::Value as Json;

use crate::model::ObjectRef;

/// What stands for a value.
const HIDDEN: &str = "(hidden)";
/// What stands for a value that is another than the one it is shown beside.
const ANOTHER: &str = "(hidden, another value)";
/// `kubectl apply` keeps the whole object, contents and all, in this annotation.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Whether this names a `Secret`.
pub fn names_secret(object: &ObjectRef) -> bool {
    object.api_version == "v1" && object.kind == "Secret"
}

/// An object as it may be kept and shown: as it is, but for the contents of a `Secret`.
pub fn veil(mut object: Json) -> Json {
    if object["apiVersion"] == "v1" && object["kind"] == "Secret" {
        for value in contents(&mut object) {
            *value = HIDDEN.into();
        }
    }
    object
}

/// Two states of an object for a diff: contents that differ still differ.
pub fn veil_pair(before: &Json, after: &Json) -> (Json, Json) {
    let (left, mut right) = (veil(before.clone()), veil(after.clone()));
    if left != *before || right != *after {
        for field in ["data", "stringData"] {
            let Some(values) = right.get_mut(field).and_then(Json::as_object_mut) else {
                continue;
            };
            for (key, value) in values {
                if before[field].get(key).is_some() && before[field][key] != after[field][key] {
                    *value = ANOTHER.into();
                }
            }
        }
    }
    (left, right)
}

fn contents(secret: &mut Json) -> Vec<&mut Json> {
    let Some(fields) = secret.as_object_mut() else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (name, field) in fields {
        match (name.as_str(), field) {
            ("data" | "stringData", Json::Object(values)) => found.extend(values.values_mut()),
            ("metadata", metadata) => {
                let annotations = metadata.get_mut("annotations");
                found.extend(annotations.and_then(|all| all.get_mut(LAST_APPLIED)));
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn secret(password: &str) -> Json {
        json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": {"password": password, "user": "bm9uZQ=="},
               "metadata": {"name": "s", "labels": {"app": "db"}, "annotations": {LAST_APPLIED: "{\"data\":…", "note": "kept"}}})
    }

    #[test]
    fn contents_are_hidden_and_the_rest_stays() {
        let veiled = veil(secret("aHVudGVyMg=="));
        assert_eq!(veiled["data"], json!({"password": HIDDEN, "user": HIDDEN}));
        assert_eq!(
            veiled["metadata"]["annotations"],
            json!({LAST_APPLIED: HIDDEN, "note": "kept"})
        );
        assert_eq!(veiled["metadata"]["labels"]["app"], "db");
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}});
        assert_eq!(veil(map.clone()), map);
    }

    #[test]
    fn a_diff_tells_that_contents_differ_and_not_how() {
        let (before, after) = veil_pair(&secret("aHVudGVyMg=="), &secret("b3RoZXI="));
        assert_eq!(before["data"]["password"], HIDDEN);
        assert_eq!(after["data"]["password"], ANOTHER);
        assert_eq!(before["data"]["user"], after["data"]["user"]);
    }
}
