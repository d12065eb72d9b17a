use super::*;

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
