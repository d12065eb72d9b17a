use std::time::Instant;

use super::*;

#[test]
fn a_restarting_api_server_is_waited_for() {
    let bench = Bench::new();
    bench.put_map("m");
    bench.store.go_down(Duration::from_secs(40));
    let (before, started) = (bench.clock.now(), Instant::now());
    assert!(bench.cluster.get(&map()).unwrap().is_some());
    assert!(bench.clock.now().duration_since(before).as_secs() >= 40);
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "a lab's time passes at once"
    );
    let told = bench.told.lock().unwrap();
    assert!(
        told[0].contains("API server is restarting: k3s is restarting (0 s)"),
        "{told:?}"
    );
    assert!(
        told.len() > 8 && told.len() < 80,
        "the pauses grow: {}",
        told.len()
    );
}

#[test]
fn what_certainly_was_not_sent_is_sent_again() {
    let bench = Bench::new();
    let before = bench.put_map("m");
    bench.store.go_down(Duration::from_secs(20));
    let patch = json!({"data": {"b": "2"}});
    bench
        .cluster
        .patch(&map(), PatchKind::Merge, &patch, version(&before))
        .unwrap();
    bench.store.go_down(Duration::from_secs(20));
    bench
        .cluster
        .patch(&map(), PatchKind::Merge, &json!({"data": {"c": "3"}}), None)
        .unwrap();
    bench.store.go_down(Duration::from_secs(20));
    let new = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "one", "name": "new"}});
    bench.cluster.create(&new).unwrap();
    assert_eq!(bench.data(), json!({"a": "1", "b": "2", "c": "3"}));
    assert!(bench.store.stored("configmaps", "one", "new").is_some());
}

#[test]
fn patience_ends() {
    let bench = Bench::new();
    bench.store.go_down(Duration::from_secs(3600));
    let before = bench.clock.now();
    let error = bench.cluster.get(&map()).unwrap_err();
    assert!(
        matches!(error, TransportError::Unreachable { .. }),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .contains("k3s is restarting (tried for 30"),
        "{error}"
    );
    let waited = bench.clock.now().duration_since(before).as_secs();
    assert!((300..310).contains(&waited), "{waited}");
}

#[test]
fn an_interruption_ends_the_waiting() {
    let bench = Bench::new();
    bench.store.go_down(Duration::from_secs(3600));
    let cancel = Cancel::default();
    cancel.request();
    let cluster = bench.cluster.with(|reader| reader.with_cancel(cancel));
    assert!(matches!(
        cluster.get(&map()),
        Err(TransportError::Interrupted)
    ));
}

#[test]
fn credentials_may_be_refused_for_a_moment_only() {
    let refused = || Accident::Answer(401, status(401, "Unauthorized", "Unauthorized"));
    let bench = Bench::with(move |number, _| {
        if number < 4 {
            refused()
        } else {
            Accident::None
        }
    });
    bench.put_map("m");
    assert!(bench.cluster.get(&map()).unwrap().is_some());
    assert!(bench.told.lock().unwrap()[0].contains("does not accept the credentials yet"));
    let bench = Bench::with(move |_, _| refused());
    let before = bench.clock.now();
    let error = bench.cluster.get(&map()).unwrap_err();
    assert!(
        matches!(&error, TransportError::Refused { why, .. } if why.contains("renew")),
        "{error}"
    );
    assert!(bench.clock.now().duration_since(before).as_secs() < 45);
}

#[test]
fn a_server_that_has_not_read_its_roles_yet_is_waited_for() {
    let forbidden = || Accident::Answer(403, status(403, "Forbidden", "not allowed"));
    let bench = Bench::with(move |number, request| {
        match (request.uri().path() == "/readyz", number <= 6) {
            (true, true) => Accident::Answer(500, json!("informer-sync failed")),
            (true, false) => Accident::Answer(200, json!("ok")),
            (false, true) => forbidden(),
            (false, false) => Accident::None,
        }
    });
    bench.put_map("m");
    assert!(bench.cluster.get(&map()).unwrap().is_some());
    assert!(bench.told.lock().unwrap()[0].contains("is not ready"));
    let bench = Bench::with(move |_, request| match request.uri().path() {
        "/readyz" => Accident::Answer(200, json!("ok")),
        _ => forbidden(),
    });
    assert!(matches!(
        bench.cluster.get(&map()).unwrap_err(),
        TransportError::Refused { .. }
    ));
}

#[test]
fn a_no_that_is_older_than_the_roles_is_asked_again() {
    // It became ready between its no and the question whether it is.
    let bench = Bench::with(|number, request| match (request.uri().path(), number) {
        ("/readyz", _) => Accident::Answer(200, json!("ok")),
        (_, 1) => Accident::Answer(403, status(403, "Forbidden", "not allowed")),
        _ => Accident::None,
    });
    bench.put_map("m");
    assert!(bench.cluster.get(&map()).unwrap().is_some());
}

#[test]
fn a_no_right_after_a_restart_is_not_believed_for_a_while() {
    // It says that it is ready before it has read the bindings.
    let bench = Bench::with(|number, request| match (request.uri().path(), number) {
        ("/readyz", _) => Accident::Answer(200, json!("ok")),
        (_, 1) => Accident::Answer(503, json!("no server")),
        (_, 2..=5) => Accident::Answer(403, status(403, "Forbidden", "not allowed")),
        _ => Accident::None,
    });
    bench.put_map("m");
    assert!(bench.cluster.get(&map()).unwrap().is_some());
    // But it is, if it stays so.
    let bench = Bench::with(|number, request| match (request.uri().path(), number) {
        ("/readyz", _) => Accident::Answer(200, json!("ok")),
        (_, 1) => Accident::Answer(503, json!("no server")),
        _ => Accident::Answer(403, status(403, "Forbidden", "not allowed")),
    });
    let before = bench.clock.now();
    assert!(matches!(
        bench.cluster.get(&map()).unwrap_err(),
        TransportError::Refused { .. }
    ));
    assert!(bench.clock.now().duration_since(before).as_secs() < 60);
}

#[test]
fn a_busy_server_is_asked_again_when_it_says() {
    let bench = Bench::with(|number, _| match number {
        1 => {
            let mut busy = status(429, "TooManyRequests", "too many");
            busy["details"] = json!({"retryAfterSeconds": 4});
            Accident::Answer(429, busy)
        }
        2 => Accident::Answer(503, json!("not a status")),
        _ => Accident::None,
    });
    let new = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "one", "name": "m"}});
    let before = bench.clock.now();
    bench.cluster.create(&new).unwrap();
    assert!(bench.clock.now().duration_since(before).as_secs() >= 4);
    assert_eq!(bench.sent(), 3);
}

#[test]
fn the_servers_no_is_final() {
    for (code, reason, message, hint) in [
        (
            403,
            "Forbidden",
            "secrets is forbidden: User \"u\" cannot get",
            "auth can-i",
        ),
        (422, "Invalid", "spec.x: Required value", "Required value"),
        (
            404,
            "NotFound",
            "the server could not find the requested resource",
            "does not serve this kind",
        ),
        (500, "InternalError", "a webhook failed", "a webhook failed"),
    ] {
        let bench = Bench::with(move |_, _| Accident::Answer(code, status(code, reason, message)));
        let error = bench.cluster.get(&map()).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, TransportError::Refused { .. }), "{text}");
        assert!(text.contains(message) && text.contains(hint), "{text}");
        // Of a 403 it asks whether the server is ready to say so, twice: the first no may be older than that.
        assert_eq!(bench.sent(), if code == 403 { 4 } else { 1 }, "{code}");
    }
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let bench = Bench::new();
    for name in ["", ".", "..", "a/b", "a?x=1", "a%2e", "a b", "ä"] {
        assert!(
            bench.cluster.get(&object("v1", "ConfigMap", name)).is_err(),
            "{name}"
        );
        assert!(
            bench
                .cluster
                .logs("one", name, &LogQuery::default())
                .is_err(),
            "{name}"
        );
        let elsewhere = ObjectRef {
            namespace: Some(name.into()),
            ..map()
        };
        assert!(bench.cluster.delete(&elsewhere, "u").is_err(), "{name}");
    }
    let nowhere = ObjectRef {
        namespace: None,
        ..map()
    };
    assert!(
        bench
            .cluster
            .get(&nowhere)
            .unwrap_err()
            .to_string()
            .contains("namespace")
    );
    assert_eq!(bench.sent(), 0);
}
