use super::*;

#[test]
fn objects_and_their_absence() {
    let bench = Bench::new();
    bench.put_map("m");
    assert_eq!(
        bench.cluster.get(&map()).unwrap().unwrap()["data"]["a"],
        "1"
    );
    assert_eq!(
        bench
            .cluster
            .get(&object("v1", "ConfigMap", "none"))
            .unwrap(),
        None
    );
    assert_eq!(bench.sent(), 2, "built-in kinds need no discovery");
}

#[test]
fn kinds_of_definitions_are_discovered_once() {
    let bench = Bench::with(|_, request| match request.uri().path() {
        "/apis/broken.example.com/v1" => {
            Accident::Answer(503, status(503, "ServiceUnavailable", "no endpoints"))
        }
        _ => Accident::None,
    });
    for name in [
        "widget",
        "widgets.example.com",
        "Widget",
        "example.com/v2/Widget",
    ] {
        assert_eq!(
            bench.cluster.kind(name).unwrap().api_version,
            "example.com/v2",
            "{name}"
        );
    }
    let sent = bench.sent();
    assert_eq!(
        bench
            .cluster
            .kind("widgets.v1.example.com")
            .unwrap()
            .api_version,
        "example.com/v1"
    );
    assert_eq!(bench.sent(), sent, "the catalog is kept");
    for (name, kind) in [
        ("po", "Pod"),
        ("deploy", "Deployment"),
        ("Deployments.apps", "Deployment"),
        ("no", "Node"),
    ] {
        assert_eq!(bench.cluster.kind(name).unwrap().kind, kind);
    }
    let unknown = bench.cluster.kind("widgest").unwrap_err().to_string();
    assert!(
        unknown.contains("did you mean widgets.example.com"),
        "{unknown}"
    );
    assert!(
        unknown.contains("broken.example.com/v1 (no endpoints)"),
        "{unknown}"
    );
    assert!(
        bench.told.lock().unwrap().is_empty(),
        "a broken group is not waited for"
    );
}

#[test]
fn long_lists_come_whole_and_in_order() {
    let pages = Arc::new(AtomicUsize::new(0));
    let counted = pages.clone();
    let bench = Bench::with(move |_, request| {
        let next = request
            .uri()
            .query()
            .unwrap_or_default()
            .contains("continue=");
        // The first continuation is one that the server has forgotten.
        if next && counted.fetch_add(1, Ordering::SeqCst) == 0 {
            return Accident::Answer(410, status(410, "Expired", "too old"));
        }
        Accident::None
    });
    for number in (0..1203).rev() {
        bench.put_map(&format!("m{number:04}"));
    }
    let kind = bench.cluster.kind("cm").unwrap();
    let found = bench.cluster.list(&kind, &ListQuery::default()).unwrap();
    let names: Vec<&str> = found
        .iter()
        .map(|item| item["metadata"]["name"].as_str().unwrap())
        .collect();
    let wanted: Vec<String> = (0..1203).map(|number| format!("m{number:04}")).collect();
    assert_eq!(names, wanted);
    assert_eq!(found[7]["kind"], "ConfigMap", "each item says what it is");
    assert_eq!(found[7]["apiVersion"], "v1");
    assert_eq!(
        bench.sent(),
        2 + 3,
        "one page, a refused one, and three pages"
    );
}

#[test]
fn lists_pass_their_selectors_on() {
    let bench = Bench::new();
    for (name, node) in [("a", "x"), ("b", "y")] {
        bench.store.put(json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"namespace": "one", "name": name, "labels": {"app": name}}, "spec": {"nodeName": node}}));
    }
    let list = |namespace: Option<&str>, labels: Option<&str>, fields: Option<&str>| {
        let query = ListQuery {
            namespace: namespace.map(Into::into),
            labels: labels.map(Into::into),
            fields: fields.map(Into::into),
        };
        bench
            .cluster
            .list(&bench.cluster.kind("pods").unwrap(), &query)
    };
    assert_eq!(list(Some("one"), None, None).unwrap().len(), 2);
    assert_eq!(list(Some("two"), None, None).unwrap().len(), 0);
    assert_eq!(
        list(None, Some("app notin (a)"), None).unwrap()[0]["metadata"]["name"],
        "b"
    );
    assert_eq!(
        list(None, None, Some("spec.nodeName=x")).unwrap()[0]["metadata"]["name"],
        "a"
    );
    let wrong = list(None, Some("app inn (a)"), None)
        .unwrap_err()
        .to_string();
    assert!(wrong.contains("unable to parse"), "{wrong}");
}

#[test]
fn logs_are_read_of_the_container_that_is_meant() {
    let bench = Bench::with(|_, request| {
        let query = request.uri().query().unwrap_or_default().to_owned();
        match request.uri().path().ends_with("/log") && !query.contains("container=") {
            true => Accident::Answer(
                400,
                status(400, "BadRequest", "a container name must be specified"),
            ),
            false => Accident::None,
        }
    });
    bench.store.put(
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "one", "name": "p",
        "annotations": {"kubectl.kubernetes.io/default-container": "main"}}}),
    );
    bench.store.put(
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "one", "name": "q"}}),
    );
    bench.store.set_log("one", "p", "1\n2\n3");
    let query = LogQuery {
        tail: Some(2),
        since: Some(Duration::from_millis(1500)),
        ..LogQuery::default()
    };
    assert_eq!(
        bench.cluster.logs("one", "p", &query).unwrap(),
        "Some(\"main\") Some(2s) false 2\n3"
    );
    let error = bench
        .cluster
        .logs("one", "q", &query)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("a container name must be specified"),
        "{error}"
    );
}

#[test]
fn a_log_longer_than_a_run_can_keep_is_refused() {
    let bench = Bench::new();
    bench
        .store
        .set_log("one", "p", &"x".repeat(crate::transport::OUTPUT_LIMIT));
    assert!(bench.cluster.logs("one", "p", &LogQuery::default()).is_ok());
    bench
        .store
        .set_log("one", "p", &"x".repeat(crate::transport::OUTPUT_LIMIT + 1));
    let error = bench
        .cluster
        .logs("one", "p", &LogQuery::default())
        .unwrap_err()
        .to_string();
    assert!(error.contains("tail"), "{error}");
}

#[test]
fn a_log_waits_for_the_nodes_kubelet() {
    let bench = Bench::with(|number, _| match number < 4 {
        true => Accident::Answer(
            500,
            status(
                500,
                "InternalError",
                "Get \"https://n:10250/\": dial tcp: refused",
            ),
        ),
        false => Accident::None,
    });
    bench.store.set_log("one", "p", "hello");
    assert_eq!(
        bench
            .cluster
            .logs("one", "p", &LogQuery::default())
            .unwrap(),
        "hello"
    );
    let told = bench.told.lock().unwrap();
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(told[3].contains("answers again"), "{told:?}");
}
