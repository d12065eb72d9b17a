use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::*;
use crate::lab::api::client;
use crate::lab::api::testing::{MemoryApi, TestClock, runtime};
use crate::model::{Subject, Target};
use crate::operation::{Change, Failure, Observation};
use crate::transport::kube::KubeCluster;
use crate::transport::{
    ActingFleet, Actor, Cancel, Clock, ClusterActor, ClusterObserver, ListQuery, LogQuery,
    Observer, ObservingFleet, PatchKind, TransportError,
};

/// A fleet that has only a cluster.
struct Bench {
    _runtime: tokio::runtime::Runtime,
    clock: Arc<TestClock>,
    store: Arc<MemoryApi>,
    cluster: Arc<KubeCluster>,
}

impl Bench {
    fn new() -> Self {
        let runtime = runtime();
        let clock = TestClock::new();
        let store = MemoryApi::new(clock.clone());
        let client = client(store.clone(), runtime.handle());
        let time = clock.clone();
        let cluster = KubeCluster::new(client, runtime.handle().clone())
            .with(|reader| reader.with_clock(time));
        Self {
            _runtime: runtime,
            clock,
            store,
            cluster: Arc::new(cluster),
        }
    }

    fn deployment(&self) -> ObjectRef {
        self.store.put(json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"namespace": "one", "name": "d", "labels": {"app": "d"}, "generation": 1, "managedFields": [{}]},
            "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "a", "image": "i:1"}, {"name": "b", "image": "j"}]}}},
            "status": {"readyReplicas": 1}}));
        resolve(&*self.cluster, "deploy", Some("one"), "d").unwrap()
    }

    fn stored(&self) -> Json {
        self.store.stored("deployments", "one", "d").unwrap()
    }

    /// What an executor does with a change; the images before and after.
    fn make(&self, change: &dyn Change) -> Result<(Image, Image), Failure> {
        let cancel = Cancel::default();
        let before = change.observe(self, &cancel)?;
        let after = change.wanted(&before)?;
        if !change.reached(&after, &before) {
            change.apply(self, &before, &after, &cancel)?;
            let now = change.observe(self, &cancel)?;
            assert!(
                change.reached(&after, &now),
                "wanted {after:?}\nfound {now:?}"
            );
        }
        Ok((before, after))
    }

    fn look(&self, object: &ObjectRef) -> Image {
        observe_object(&*self.cluster, object).unwrap()
    }
}

impl ObservingFleet for Bench {
    fn observer(&self, target: &Target) -> Result<Arc<dyn Observer>, TransportError> {
        panic!("no word on the cluster asks for {target}")
    }
    fn cluster_observer(&self) -> Result<Arc<dyn ClusterObserver>, TransportError> {
        Ok(self.cluster.clone())
    }
    fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }
}

impl ActingFleet for Bench {
    fn actor(&self, target: &Target) -> Result<Arc<dyn Actor>, TransportError> {
        panic!("no word on the cluster asks for {target}")
    }
    fn cluster_actor(&self) -> Result<Arc<dyn ClusterActor>, TransportError> {
        Ok(self.cluster.clone())
    }
    fn close(&self) {}
}

fn words(failure: &Failure) -> String {
    match failure {
        Failure::Failed(report) => {
            let part = |part: &Option<String>| part.clone().unwrap_or_default();
            format!(
                "{} | {} | {}",
                report.message,
                part(&report.detail),
                part(&report.hint)
            )
        }
        other => other.to_string(),
    }
}

fn patch(object: &ObjectRef, kind: PatchKind, patch: Json) -> PatchObject {
    PatchObject::new(object.clone(), kind, patch).unwrap()
}

fn one(key: &str, value: Option<&str>) -> BTreeMap<String, Option<String>> {
    BTreeMap::from([(key.to_owned(), value.map(str::to_owned))])
}

#[test]
fn names_are_resolved() {
    let bench = Bench::new();
    let name = |word: &str, namespace: Option<&str>| resolve(&*bench.cluster, word, namespace, "x");
    let pod = name("po", Some("one")).unwrap();
    assert_eq!(
        (&*pod.api_version, &*pod.kind, pod.namespace.as_deref()),
        ("v1", "Pod", Some("one"))
    );
    assert_eq!(name("node", Some("one")).unwrap().namespace, None);
    assert!(matches!(name("pods", None), Err(Failure::Misuse(why)) if why.contains("namespace")));
    assert!(matches!(name("", None), Err(Failure::Misuse(_))));
    let unknown = name("widgest", Some("one")).unwrap_err().to_string();
    assert!(unknown.contains("widgets.example.com"), "{unknown}");
}

#[test]
fn looking_gives_maps_lists_and_text() {
    let bench = Bench::new();
    let object = bench.deployment();
    let cancel = Cancel::default();
    let get = GetObject {
        object: object.clone(),
    };
    let found = get.observe(&bench, &cancel).unwrap();
    assert_eq!(
        found.get("spec").unwrap().get("replicas"),
        Some(&Value::Int(1))
    );
    assert!(found.get("metadata").unwrap().get("uid").is_some() && found.get("status").is_some());
    let none = GetObject {
        object: ObjectRef {
            name: "none".into(),
            ..object
        },
    };
    assert_eq!(none.observe(&bench, &cancel).unwrap(), Value::Null);
    let query = ListQuery {
        namespace: Some("one".into()),
        labels: Some("app=d".into()),
        fields: None,
    };
    let list = ListObjects {
        kind: resolve_kind(&*bench.cluster, "deployments").unwrap(),
        query,
    };
    assert!(
        matches!(list.observe(&bench, &cancel).unwrap(), Value::List(items) if items.len() == 1)
    );
    assert_eq!(list.summary(), "list deployments in one where app=d");
    assert_eq!(
        list.listed(),
        Some(("Deployment".into(), Some("one".into())))
    );
    bench.store.set_log("one", "p", "hello");
    let logs = PodLogs {
        namespace: "one".into(),
        pod: "p".into(),
        query: LogQuery::default(),
    };
    assert_eq!(logs.observe(&bench, &cancel).unwrap(), Value::from("hello"));
    assert_eq!(
        (get.kind(), list.kind(), logs.kind()),
        ("kube.get", "kube.list", "kube.logs")
    );
}

#[test]
fn an_image_leaves_out_what_the_server_writes() {
    let bench = Bench::new();
    let object = bench.deployment();
    let before = bench.look(&object);
    bench.store.meddle("deployments", "one", "d", |object| {
        object["status"] = json!({"readyReplicas": 0});
        object["metadata"]["generation"] = 2.into();
        object["metadata"]["annotations"] = json!({"deployment.kubernetes.io/revision": "2"});
    });
    assert_eq!(bench.look(&object), before);
    bench.store.meddle("deployments", "one", "d", |object| {
        object["spec"]["replicas"] = 3.into()
    });
    assert_ne!(bench.look(&object), before);
}

#[test]
fn a_patch_is_shown_applied_and_taken_back() {
    let bench = Bench::new();
    let object = bench.deployment();
    let image =
        json!({"spec": {"template": {"spec": {"containers": [{"name": "a", "image": "i:2"}]}}}});
    let change = patch(&object, PatchKind::Strategic, image);
    let original = bench.stored();
    let before = change.observe(&bench, &Cancel::default()).unwrap();
    let Image::Object(Some(shown)) = change.wanted(&before).unwrap() else {
        panic!()
    };
    let containers = |object: &Json| object["spec"]["template"]["spec"]["containers"].clone();
    assert_eq!(
        containers(&shown),
        json!([{"name": "a", "image": "i:2"}, {"name": "b", "image": "j"}])
    );
    assert_eq!(bench.stored(), original, "showing writes nothing");

    let (before, after) = bench.make(&change).unwrap();
    assert_eq!(containers(&bench.stored()), containers(&shown));
    assert_eq!(bench.look(&object), after);
    let writes = bench.store.writes();
    bench.make(&change).unwrap();
    assert_eq!(
        bench.store.writes(),
        writes,
        "what is there is not written again"
    );

    bench.store.meddle("deployments", "one", "d", |object| {
        object["spec"]["replicas"] = 9.into()
    });
    assert!(
        left_as(&before, &after, &bench.look(&object)),
        "somebody else's field does not matter"
    );
    restore(&*bench.cluster, &object, &after, &before).unwrap();
    assert_eq!(containers(&bench.stored()), containers(&original));
    assert_eq!(bench.stored()["spec"]["replicas"], 9, "and is left alone");
    assert!(change.reversible().is_ok());
}

#[test]
fn what_the_server_fills_in_does_not_undo_a_patch() {
    let bench = Bench::new();
    let object = bench.deployment();
    let change = patch(
        &object,
        PatchKind::Merge,
        json!({"spec": {"template": {"spec": {"containers": [{"name": "a", "image": "i:2"}]}}}}),
    );
    let (_, after) = bench.make(&change).unwrap();
    bench.store.meddle("deployments", "one", "d", |object| {
        object["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] = "Always".into();
    });
    let now = bench.look(&object);
    assert!(change.reached(&after, &now));
    assert_eq!(change.wanted(&now).unwrap(), now, "already as wanted");
}

#[test]
fn a_patch_does_not_overwrite_what_changed_under_it() {
    let bench = Bench::new();
    let object = bench.deployment();
    let change = patch(&object, PatchKind::Merge, json!({"spec": {"replicas": 2}}));
    let before = bench.look(&object);
    let after = change.wanted(&before).unwrap();
    bench.store.meddle("deployments", "one", "d", |object| {
        object["spec"]["replicas"] = 7.into()
    });
    let error = change
        .apply(&bench, &before, &after, &Cancel::default())
        .unwrap_err();
    assert!(
        words(&error).contains("changed between read and write"),
        "{error:?}"
    );
    assert_eq!(bench.stored()["spec"]["replicas"], 7);
    let undo = restore(&*bench.cluster, &object, &after, &before).unwrap_err();
    assert!(words(&undo).contains("changed"), "{undo:?}");
    assert!(!left_as(&before, &after, &bench.look(&object)));
}

#[test]
fn labels_and_annotations_come_and_go() {
    let bench = Bench::new();
    let object = bench.deployment();
    let add = PatchObject::label(object.clone(), &one("tier", Some("front"))).unwrap();
    assert_eq!(
        (add.kind(), &*add.summary()),
        ("kube.label", "label deployment one/d tier=front")
    );
    let (before, after) = bench.make(&add).unwrap();
    let note = PatchObject::annotate(
        object.clone(),
        &one("example.com/why", Some("MTU 1450 & more")),
    )
    .unwrap();
    assert_eq!(note.kind(), "kube.annotate");
    let (unnoted, noted) = bench.make(&note).unwrap();
    assert_eq!(
        bench.stored()["metadata"]["annotations"]["example.com/why"],
        "MTU 1450 & more"
    );
    // The first annotation of all is taken back without those that others added since.
    bench.store.meddle("deployments", "one", "d", |object| {
        object["metadata"]["annotations"]["other"] = "x".into()
    });
    restore(&*bench.cluster, &object, &noted, &unnoted).unwrap();
    assert_eq!(
        bench.stored()["metadata"]["annotations"],
        json!({"other": "x"})
    );
    restore(&*bench.cluster, &object, &after, &before).unwrap();
    assert_eq!(bench.stored()["metadata"]["labels"], json!({"app": "d"}));
    let remove = PatchObject::label(object.clone(), &one("app", None)).unwrap();
    assert_eq!(remove.summary(), "label deployment one/d app-");
    bench.make(&remove).unwrap();
    assert_eq!(bench.stored()["metadata"]["labels"], json!({}));

    for (key, value) in [
        ("a b", "x"),
        ("", "x"),
        ("/a", "x"),
        ("a", "x y"),
        ("a", "-x"),
        ("A/b", "x"),
    ] {
        assert!(
            PatchObject::label(object.clone(), &one(key, Some(value))).is_err(),
            "{key} {value}"
        );
    }
    assert!(PatchObject::label(object, &BTreeMap::new()).is_err());
}

#[test]
fn a_patch_that_cannot_be_meant_is_refused() {
    let bench = Bench::new();
    let object = bench.deployment();
    for wrong in [
        json!([]),
        json!({}),
        json!({"status": {}}),
        json!({"kind": "Pod"}),
        json!({"metadata": {"name": "e"}}),
        json!({"metadata": {"resourceVersion": "1"}}),
    ] {
        let refused = PatchObject::new(object.clone(), PatchKind::Merge, wrong.clone());
        assert!(matches!(refused, Err(Failure::Misuse(_))), "{wrong}");
    }
    let none = ObjectRef {
        name: "none".into(),
        ..object
    };
    let error = bench
        .make(&patch(&none, PatchKind::Merge, json!({"spec": {}})))
        .unwrap_err();
    assert!(words(&error).contains("nothing to patch"), "{error:?}");
}

fn pod(bench: &Bench, grace: u64, owner: Json) -> (ObjectRef, String) {
    let stored = bench.store.put(json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"namespace": "one", "name": "p-0", "ownerReferences": owner},
        "spec": {"terminationGracePeriodSeconds": grace}, "status": {"phase": "Running"}}));
    let uid = stored["metadata"]["uid"].as_str().unwrap().to_owned();
    (
        resolve(&*bench.cluster, "pod", Some("one"), "p-0").unwrap(),
        uid,
    )
}

#[test]
fn a_delete_waits_and_means_one_object() {
    let bench = Bench::new();
    let owner = json!([{"kind": "StatefulSet", "name": "p", "controller": true}]);
    let (object, uid) = pod(&bench, 30, owner);
    let change = DeleteObject::new(object.clone(), &*uid).unwrap();
    let before = bench.clock.now();
    bench.make(&change).unwrap();
    assert!(
        bench.clock.now().duration_since(before).as_secs() >= 30,
        "until it is gone"
    );
    let why = change.reversible().unwrap_err();
    assert!(
        why.contains("made again by its controller (StatefulSet p)"),
        "{why}"
    );

    let (_, other) = pod(&bench, 0, Json::Null);
    assert_ne!(uid, other);
    let again = DeleteObject::new(object.clone(), &*uid).unwrap();
    let now = again.observe(&bench, &Cancel::default()).unwrap();
    assert_eq!(
        now,
        Image::Object(None),
        "another of the same name is not it"
    );
    bench.make(&again).unwrap();
    assert!(bench.store.stored("pods", "one", "p-0").is_some());
    assert!(DeleteObject::new(object, "").is_err());
}

#[test]
fn an_object_that_does_not_go_is_reported() {
    let bench = Bench::new();
    let (object, uid) = pod(&bench, 30, Json::Null);
    bench.store.meddle("pods", "one", "p-0", |pod| {
        pod["metadata"]["finalizers"] = json!(["example.com/slow"])
    });
    let change = DeleteObject::new(object, uid).unwrap();
    let before = change.observe(&bench, &Cancel::default()).unwrap();
    bench.store.meddle("pods", "one", "p-0", |pod| {
        pod["spec"]["terminationGracePeriodSeconds"] = 9999.into()
    });
    let error = change
        .apply(&bench, &before, &Image::Object(None), &Cancel::default())
        .unwrap_err();
    assert!(words(&error).contains("example.com/slow"), "{error:?}");
    let cancel = Cancel::default();
    cancel.request();
    let stopped = change.apply(&bench, &before, &Image::Object(None), &cancel);
    assert!(matches!(stopped, Err(Failure::Interrupted)));
}

#[test]
fn what_nobody_makes_again_is_put_back() {
    let bench = Bench::new();
    let object = bench.deployment();
    let uid = bench.stored()["metadata"]["uid"]
        .as_str()
        .unwrap()
        .to_owned();
    let change = DeleteObject::new(object.clone(), uid).unwrap();
    let (before, after) = bench.make(&change).unwrap();
    assert!(change.reversible().is_ok());
    assert_eq!(bench.look(&object), Image::Object(None));
    restore(&*bench.cluster, &object, &after, &before).unwrap();
    assert_eq!(bench.look(&object), before);
    restore(&*bench.cluster, &object, &after, &before).unwrap();
    bench.store.meddle("deployments", "one", "d", |object| {
        object["spec"]["replicas"] = 5.into()
    });
    let taken = restore(&*bench.cluster, &object, &after, &before).unwrap_err();
    assert!(words(&taken).contains("another of this name"), "{taken:?}");
    let namespace = bench
        .store
        .put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}));
    let object = resolve(&*bench.cluster, "ns", None, "n").unwrap();
    let change = DeleteObject::new(object, namespace["metadata"]["uid"].as_str().unwrap()).unwrap();
    bench.make(&change).unwrap();
    assert!(change.reversible().is_err());
}

fn config(data: Json) -> Json {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "one", "name": "c"}, "data": data})
}

#[test]
fn an_object_is_created_once_and_removed_by_undo() {
    let bench = Bench::new();
    let change = CreateObject::new(&*bench.cluster, config(json!({"a": "1"}))).unwrap();
    let Subject::Object(object) = change.subject() else {
        panic!()
    };
    let (before, after) = bench.make(&change).unwrap();
    let writes = bench.store.writes();
    bench.make(&change).unwrap();
    assert_eq!(bench.store.writes(), writes, "already there and equal");
    bench.store.meddle("configmaps", "one", "c", |object| {
        object["immutable"] = false.into()
    });
    let now = bench.look(&object);
    assert!(change.reached(&after, &now) && left_as(&before, &after, &now));
    // Somebody was quicker with the same object.
    change
        .apply(&bench, &before, &after, &Cancel::default())
        .unwrap();

    let other = CreateObject::new(&*bench.cluster, config(json!({"a": "2", "b": "3"}))).unwrap();
    let error = words(&bench.make(&other).unwrap_err());
    assert!(
        error.contains("data.a, data.b") && error.contains("kube.patch"),
        "{error}"
    );
    restore(&*bench.cluster, &object, &after, &before).unwrap();
    assert_eq!(bench.look(&object), Image::Object(None));
    restore(&*bench.cluster, &object, &after, &before).unwrap();
}

#[test]
fn undo_does_not_remove_what_became_another() {
    let bench = Bench::new();
    let change = CreateObject::new(&*bench.cluster, config(json!({"a": "1"}))).unwrap();
    let Subject::Object(object) = change.subject() else {
        panic!()
    };
    let (before, after) = bench.make(&change).unwrap();
    bench.store.meddle("configmaps", "one", "c", |object| {
        object["data"]["a"] = "9".into()
    });
    assert!(!left_as(&before, &after, &bench.look(&object)));
    assert!(restore(&*bench.cluster, &object, &after, &before).is_err());
    assert!(bench.store.stored("configmaps", "one", "c").is_some());
}

#[test]
fn the_strings_of_a_secret_are_compared_as_they_are_stored() {
    let bench = Bench::new();
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "one", "name": "s"},
        "stringData": {"password": "hush"}});
    let change = CreateObject::new(&*bench.cluster, secret).unwrap();
    bench.make(&change).unwrap();
    let stored = bench.store.stored("secrets", "one", "s").unwrap();
    assert_eq!(stored["data"]["password"], "aHVzaA==");
    let other = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "one", "name": "s"},
        "data": {"password": "b3RoZXI="}});
    let other = CreateObject::new(&*bench.cluster, other).unwrap();
    let error = words(&bench.make(&other).unwrap_err());
    assert!(
        error.contains("data.password") && !error.contains("aHVzaA") && !error.contains("b3RoZXI"),
        "{error}"
    );
    for incomplete in [
        json!({}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"generateName": "x"}}),
    ] {
        assert!(matches!(
            CreateObject::new(&*bench.cluster, incomplete),
            Err(Failure::Misuse(_))
        ));
    }
}

#[test]
fn changes_survive_an_api_server_that_restarts() {
    let bench = Bench::new();
    let object = bench.deployment();
    bench.store.go_down(Duration::from_secs(60));
    bench
        .make(&patch(
            &object,
            PatchKind::Merge,
            json!({"spec": {"replicas": 2}}),
        ))
        .unwrap();
    assert_eq!(bench.stored()["spec"]["replicas"], 2);
}
