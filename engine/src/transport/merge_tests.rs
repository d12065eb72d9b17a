use serde_json::json;

use super::*;
use PatchKind::{Merge, Strategic};

fn deployment() -> Json {
    json!({
        "metadata": {"name": "d", "labels": {"app": "d"}, "finalizers": ["a"]},
        "spec": {"replicas": 1, "template": {"spec": {
            "tolerations": [{"key": "a"}],
            "containers": [
                {"name": "one", "image": "i:1", "imagePullPolicy": "Always",
                 "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
                {"name": "two", "image": "j:1"}]}}}
    })
}

#[test]
fn a_merge_patch_follows_the_examples_of_rfc_7386() {
    for (object, patch, result) in [
        (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
        (
            json!({"a": "b"}),
            json!({"b": "c"}),
            json!({"a": "b", "b": "c"}),
        ),
        (json!({"a": "b"}), json!({"a": null}), json!({})),
        (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
        (
            json!({"a": {"b": "c"}}),
            json!({"a": {"b": "d", "c": null}}),
            json!({"a": {"b": "d"}}),
        ),
        (
            json!({"a": [{"b": "c"}]}),
            json!({"a": [1]}),
            json!({"a": [1]}),
        ),
        (
            json!(["a", "b"]),
            json!({"a": "b", "c": null}),
            json!({"a": "b"}),
        ),
        (
            json!({}),
            json!({"a": {"bb": {"ccc": null}}}),
            json!({"a": {"bb": {}}}),
        ),
    ] {
        assert_eq!(merged(Merge, &object, &patch), result, "{patch}");
    }
}

#[test]
fn a_strategic_patch_merges_lists_by_their_key() {
    let patch = json!({"spec": {"template": {"spec": {
        "tolerations": [{"key": "b"}],
        "containers": [{"name": "one", "env": [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}]}]}}}});
    let new = merged(Strategic, &deployment(), &patch);
    let spec = &new["spec"]["template"]["spec"];
    assert_eq!(spec["containers"].as_array().unwrap().len(), 2);
    assert_eq!(spec["containers"][0]["image"], "i:1");
    assert_eq!(
        spec["containers"][0]["env"],
        json!([{"name": "A", "value": "1"}, {"name": "B", "value": "3"}, {"name": "C", "value": "4"}])
    );
    assert_eq!(spec["tolerations"], json!([{"key": "b"}]), "replaced whole");
    assert!(covers(Strategic, &new, &patch));
    assert!(!covers(Strategic, &deployment(), &patch));
}

#[test]
fn directives_delete_and_replace() {
    let patch = json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]},
        "spec": {"template": {"spec": {
            "$setElementOrder/containers": [{"name": "two"}],
            "containers": [{"name": "one", "$patch": "delete"}]}}}});
    let new = merged(Strategic, &deployment(), &patch);
    assert_eq!(new["metadata"]["finalizers"], json!([]));
    assert_eq!(
        new["spec"]["template"]["spec"]["containers"],
        json!([{"name": "two", "image": "j:1"}])
    );
    assert!(covers(Strategic, &new, &patch));
    assert!(!covers(Strategic, &deployment(), &patch));
    let replace = json!({"metadata": {"labels": {"$patch": "replace", "x": "y"}}});
    let new = merged(Strategic, &deployment(), &replace);
    assert_eq!(new["metadata"]["labels"], json!({"x": "y"}));
    assert!(covers(Strategic, &new, &replace));
}

#[test]
fn finalizers_are_a_set() {
    let new = merged(
        Strategic,
        &deployment(),
        &json!({"metadata": {"finalizers": ["b", "a"]}}),
    );
    assert_eq!(new["metadata"]["finalizers"], json!(["a", "b"]));
}

#[test]
fn what_the_server_adds_does_not_count_against_a_patch() {
    let now = json!({"spec": {"containers": [{"name": "a", "image": "i", "imagePullPolicy": "Always",
        "resources": {"limits": {"memory": "1Gi"}}}]}});
    let patch = json!({"spec": {"containers": [{"name": "a", "image": "i",
        "resources": {"limits": {"memory": "1024Mi"}}}]}});
    assert!(covers(Merge, &now, &patch));
    assert!(!covers(Merge, &now, &json!({"spec": {"containers": []}})));
    assert!(
        !covers(
            Merge,
            &json!({"metadata": {"annotations": {"size": "1Gi"}}}),
            &json!({"metadata": {"annotations": {"size": "1024Mi"}}})
        ),
        "only quantities are compared by size"
    );
    assert!(covers(
        Merge,
        &json!({}),
        &json!({"metadata": {"labels": {"a": null}}})
    ));
    assert!(!covers(
        Merge,
        &json!({"spec": {}}),
        &json!({"spec": {"emptyDir": {}}})
    ));
}

#[test]
fn a_difference_makes_one_of_the_other_and_touches_nothing_else() {
    let (from, to) = (
        deployment(),
        merged(
            Merge,
            &deployment(),
            &json!({"metadata": {"labels": {"app": null, "new": "1"}}, "spec": {"replicas": 2}}),
        ),
    );
    let back = difference(&to, &from);
    assert_eq!(
        back,
        json!({"metadata": {"labels": {"app": "d", "new": null}}, "spec": {"replicas": 1}})
    );
    assert_eq!(merged(Merge, &to, &back), from);
}

#[test]
fn agreement_is_asked_only_where_the_two_differ() {
    let (before, after) = (
        json!({"a": 1, "b": {"c": 1}}),
        json!({"a": 2, "b": {"c": 1}}),
    );
    let agrees = |now: &Json| agrees(Some(now), Some(&after), Some(&before));
    assert!(agrees(&json!({"a": 2, "b": {"c": 9}, "d": 1})));
    assert!(!agrees(&json!({"a": 3, "b": {"c": 1}})));
    assert!(!agrees(&json!({"b": {"c": 1}})));
}
