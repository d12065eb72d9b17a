use super::*;

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
    let change = CreateObject::new(&*bench.cluster, config(json!({"a": "1"})), None).unwrap();
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

    let other =
        CreateObject::new(&*bench.cluster, config(json!({"a": "2", "b": "3"})), None).unwrap();
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
    let change = CreateObject::new(&*bench.cluster, config(json!({"a": "1"})), None).unwrap();
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
    let change = CreateObject::new(&*bench.cluster, secret, None).unwrap();
    bench.make(&change).unwrap();
    let stored = bench.store.stored("secrets", "one", "s").unwrap();
    assert_eq!(stored["data"]["password"], "aHVzaA==");
    let other = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "one", "name": "s"},
        "data": {"password": "b3RoZXI="}});
    let other = CreateObject::new(&*bench.cluster, other, None).unwrap();
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
            CreateObject::new(&*bench.cluster, incomplete, None),
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

#[test]
fn what_is_being_deleted_counts_as_gone() {
    let bench = Bench::new();
    let (object, uid) = pod(&bench, 30, Json::Null);
    assert_ne!(bench.look(&object), Image::Object(None));
    bench.cluster.delete(&object, &uid).unwrap();
    assert!(bench.store.stored("pods", "one", "p-0").is_some());
    assert_eq!(bench.look(&object), Image::Object(None));
    let change = DeleteObject::new(object, uid).unwrap();
    let now = change.observe(&bench, &Cancel::default()).unwrap();
    assert_ne!(
        now,
        Image::Object(None),
        "but a delete goes on waiting for it"
    );
}

#[test]
fn an_object_that_admission_has_changed_is_known_by_its_maker() {
    let bench = Bench::new();
    let operation = crate::model::OperationId::parse("00112233445566aa");
    let change = |operation| {
        CreateObject::new(&*bench.cluster, config(json!({"a": "1"})), operation).unwrap()
    };
    let ours = change(operation.clone());
    bench.make(&ours).unwrap();
    bench.store.meddle("configmaps", "one", "c", |object| {
        object["data"]["a"] = "what a webhook made of it".into()
    });
    let Subject::Object(object) = ours.subject() else {
        panic!()
    };
    let now = bench.look(&object);
    assert!(ours.reached(&now, &now), "its own object is not known");
    assert_eq!(ours.wanted(&now).unwrap(), now);
    let other = change(crate::model::OperationId::parse("ffffffffffffffff"));
    assert!(!other.reached(&now, &now) && other.wanted(&now).is_err());
}

#[test]
fn the_server_is_asked_before_and_keeps_nothing() {
    let bench = Bench::new();
    let create = CreateObject::new(&*bench.cluster, config(json!({"a": "1"})), None).unwrap();
    let after = create.wanted(&Image::Object(None)).unwrap();
    assert_eq!(create.rehearse(&bench, &after).unwrap(), None);
    assert!(bench.store.stored("configmaps", "one", "c").is_none());
    bench.make(&create).unwrap();
    let writes = bench.store.writes();
    let error = words(&create.rehearse(&bench, &after).unwrap_err());
    assert!(
        error.contains("would refuse it") && error.contains("already exists"),
        "{error}"
    );

    let object = resolve(&*bench.cluster, "configmap", Some("one"), "c").unwrap();
    let patch = json!({"data": {"b": "2"}});
    let patch = PatchObject::new(object.clone(), PatchKind::Merge, patch).unwrap();
    let wanted = patch.wanted(&bench.look(&object)).unwrap();
    assert_eq!(patch.rehearse(&bench, &wanted).unwrap(), None);
    let other = Image::Object(Some(config(json!({"b": "3"}))));
    let note = patch.rehearse(&bench, &other).unwrap().unwrap();
    assert!(note.contains("would also change data.a, data.b"), "{note}");
    let delete = DeleteObject::new(object, "another-uid").unwrap();
    assert!(delete.rehearse(&bench, &Image::Object(None)).is_err());
    assert_eq!(bench.store.writes(), writes, "asking has written");
}

#[test]
fn a_manifest_is_applied_to_what_is_there_and_makes_what_is_missing() {
    let bench = Bench::new();
    let apply = |data: Json| ApplyObject::new(&*bench.cluster, config(data), false).unwrap();
    bench.make(&apply(json!({"a": "1"}))).unwrap();
    bench.make(&apply(json!({"b": "2"}))).unwrap();
    let stored = bench.store.stored("configmaps", "one", "c").unwrap();
    assert_eq!(stored["data"], json!({"a": "1", "b": "2"}));
    let writes = bench.store.writes();
    bench.make(&apply(json!({"b": "2"}))).unwrap();
    assert_eq!(
        bench.store.writes(),
        writes,
        "what is so already is not written"
    );
}
