use super::*;

#[test]
fn a_patch_meets_the_version_that_it_expects_or_nothing() {
    let bench = Bench::new();
    let before = bench.put_map("m");
    bench.store.meddle("configmaps", "one", "m", |object| {
        object["data"]["a"] = "other".into()
    });
    let patch = json!({"data": {"b": "2"}});
    let error = bench
        .cluster
        .patch(&map(), PatchKind::Merge, &patch, version(&before))
        .unwrap_err();
    assert!(matches!(error, TransportError::Changed { .. }), "{error}");
    assert_eq!(bench.data(), json!({"a": "other"}));
    let now = bench.cluster.get(&map()).unwrap().unwrap();
    bench
        .cluster
        .patch(&map(), PatchKind::Strategic, &patch, version(&now))
        .unwrap();
    assert_eq!(bench.data(), json!({"a": "other", "b": "2"}));
    let none = bench.cluster.patch(
        &object("v1", "ConfigMap", "no"),
        PatchKind::Merge,
        &patch,
        None,
    );
    assert!(matches!(none, Err(TransportError::Refused { .. })));
}

#[test]
fn a_patch_whose_answer_is_lost_is_settled_by_looking() {
    for accident in [Accident::CutAfter, Accident::CutBefore] {
        let bench = Bench::with(on_patch(1, accident));
        let before = bench.put_map("m");
        let patch = json!({"data": {"b": "2"}});
        let after = bench
            .cluster
            .patch(&map(), PatchKind::Merge, &patch, version(&before))
            .unwrap();
        assert_eq!(after["data"], json!({"a": "1", "b": "2"}));
        assert_eq!(bench.store.writes(), 2, "applied once");
    }
}

#[test]
fn a_lost_patch_that_somebody_else_overtook_is_a_change() {
    let slot: Arc<Mutex<Option<Arc<MemoryApi>>>> = Arc::default();
    let store = slot.clone();
    let bench = Bench::with(move |_, request| {
        let store = store
            .lock()
            .unwrap()
            .take()
            .filter(|_| request.method() == http::Method::PATCH);
        match store {
            Some(store) => {
                store.meddle("configmaps", "one", "m", |object| {
                    object["data"]["z"] = "9".into()
                });
                Accident::CutBefore
            }
            None => Accident::None,
        }
    });
    let before = bench.put_map("m");
    *slot.lock().unwrap() = Some(bench.store.clone());
    let patch = json!({"data": {"b": "2"}});
    let error = bench
        .cluster
        .patch(&map(), PatchKind::Merge, &patch, version(&before))
        .unwrap_err();
    assert!(matches!(error, TransportError::Changed { .. }), "{error}");
    assert_eq!(bench.data(), json!({"a": "1", "z": "9"}));
}

#[test]
fn an_unknown_outcome_is_reported_and_never_repeated() {
    for code in [0, 502, 504] {
        let way =
            move |_: usize, request: &mut Request<Body>| match (request.method().as_str(), code) {
                ("GET", _) => Accident::None,
                (_, 0) => Accident::CutAfter,
                _ => Accident::Answer(code, json!("gateway")),
            };
        let bench = Bench::with(way);
        bench.put_map("m");
        let patch =
            bench
                .cluster
                .patch(&map(), PatchKind::Merge, &json!({"data": {"b": "2"}}), None);
        assert!(
            matches!(patch, Err(TransportError::Lost { .. })),
            "{code}: {patch:?}"
        );
        let new = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "one", "name": "n"}});
        let create = bench.cluster.create(&new);
        assert!(
            matches!(create, Err(TransportError::Lost { .. })),
            "{code}: {create:?}"
        );
        assert_eq!(bench.sent(), 2, "each was sent once");
    }
}

#[test]
fn a_delete_means_one_uid_and_can_be_repeated() {
    let bench = Bench::with(
        |_, request| match request.method() == http::Method::DELETE {
            true => Accident::CutAfter,
            false => Accident::None,
        },
    );
    // With every answer lost, only looking could tell; patience ends as unreachable.
    bench.put_map("m");
    assert!(bench.cluster.delete(&map(), "uid-1").is_err());
    assert_eq!(bench.store.stored("configmaps", "one", "m"), None);

    let first = AtomicUsize::new(0);
    let bench = Bench::with(move |_, request| {
        let delete = request.method() == http::Method::DELETE;
        match delete && first.fetch_add(1, Ordering::SeqCst) == 0 {
            true => Accident::CutAfter,
            false => Accident::None,
        }
    });
    bench.put_map("m");
    bench.cluster.delete(&map(), "uid-1").unwrap();
    assert_eq!(bench.store.stored("configmaps", "one", "m"), None);
    bench.cluster.delete(&map(), "uid-1").unwrap();
    let other = bench.put_map("m");
    bench.cluster.delete(&map(), "uid-1").unwrap();
    assert_eq!(
        bench.store.stored("configmaps", "one", "m"),
        Some(other),
        "another of the same name stays"
    );
}

#[test]
fn creating_what_is_there_is_refused() {
    let bench = Bench::new();
    let mut existing = bench.put_map("m");
    existing["metadata"]
        .as_object_mut()
        .unwrap()
        .remove("resourceVersion");
    let error = bench.cluster.create(&existing).unwrap_err();
    assert!(
        matches!(&error, TransportError::Refused { why, .. } if why.contains("already exists")),
        "{error}"
    );
    let error = bench
        .cluster
        .create(&json!({"kind": "ConfigMap", "apiVersion": "v1"}))
        .unwrap_err();
    assert!(error.to_string().contains("metadata.name"), "{error}");
}
