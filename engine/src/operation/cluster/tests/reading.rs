use super::*;

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
