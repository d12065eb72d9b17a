use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http::{Request, Response};
use kube::client::Body;
use serde_json::{Value as Json, json};

use super::*;
use crate::lab::api::client as lab_client;
use crate::lab::api::testing::{MemoryApi, TestClock, runtime};
use crate::model::ObjectRef;
use crate::transport::{
    Cancel, Clock as _, ClusterActor as _, ClusterObserver as _, ListQuery, LogQuery, PatchKind,
};

/// What happens on the way to the server; gets the number of the request (from 1) and the request.
type Way = dyn Fn(usize, &mut Request<Body>) -> Accident + Send + Sync;

enum Accident {
    None,
    /// The server answers this instead; nothing is carried out.
    Answer(u16, Json),
    /// The connection breaks before the server has read the request.
    CutBefore,
    /// The server carries the request out, and its answer is lost.
    CutAfter,
}

/// A cluster with a store, a clock and accidents.
struct Bench {
    _runtime: tokio::runtime::Runtime,
    clock: Arc<TestClock>,
    store: Arc<MemoryApi>,
    cluster: KubeCluster,
    requests: Arc<AtomicUsize>,
    told: Arc<Mutex<Vec<String>>>,
}

impl Bench {
    fn new() -> Self {
        Self::with(|_, _| Accident::None)
    }

    fn with(way: impl Fn(usize, &mut Request<Body>) -> Accident + Send + Sync + 'static) -> Self {
        let runtime = runtime();
        let clock = TestClock::new();
        let store = MemoryApi::new(clock.clone());
        let (requests, told) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new(Mutex::new(Vec::new())),
        );
        let inner = lab_client(store.clone(), runtime.handle());
        let client = accident_prone(inner, Arc::new(way), requests.clone(), &runtime);
        let (hook, time) = (told.clone(), clock.clone());
        let cluster = KubeCluster::new(client, runtime.handle().clone()).with(|reader| {
            let hook = move |words: &str| hook.lock().unwrap().push(words.to_owned());
            reader.with_clock(time).on_retry(hook)
        });
        Self {
            _runtime: runtime,
            clock,
            store,
            cluster,
            requests,
            told,
        }
    }

    fn put_map(&self, name: &str) -> Json {
        self.store
            .put(json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"namespace": "one", "name": name}, "data": {"a": "1"}}))
    }

    fn data(&self) -> Json {
        self.store.stored("configmaps", "one", "m").unwrap()["data"].clone()
    }

    fn sent(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn accident_prone(
    inner: kube::Client,
    way: Arc<Way>,
    requests: Arc<AtomicUsize>,
    runtime: &tokio::runtime::Runtime,
) -> kube::Client {
    let service = tower::service_fn(move |mut request: Request<Body>| {
        let (inner, number) = (inner.clone(), requests.fetch_add(1, Ordering::SeqCst) + 1);
        let accident = way(number, &mut request);
        async move {
            let cut = || std::io::Error::from(std::io::ErrorKind::ConnectionReset);
            match accident {
                Accident::None => inner.send(request).await.map_err(tower::BoxError::from),
                Accident::CutBefore => Err(cut().into()),
                Accident::CutAfter => {
                    inner.send(request).await?;
                    Err(cut().into())
                }
                Accident::Answer(code, json) => {
                    let body = Body::from(json.to_string().into_bytes());
                    Ok(Response::builder().status(code).body(body)?)
                }
            }
        }
    });
    let _inside = runtime.enter();
    kube::Client::new(service, "default")
}

fn status(code: u16, reason: &str, message: &str) -> Json {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message})
}

fn object(api_version: &str, kind: &str, name: &str) -> ObjectRef {
    ObjectRef {
        api_version: api_version.into(),
        kind: kind.into(),
        namespace: Some("one".into()),
        name: name.into(),
    }
}

fn map() -> ObjectRef {
    object("v1", "ConfigMap", "m")
}

fn version(object: &Json) -> Option<&str> {
    object["metadata"]["resourceVersion"].as_str()
}

/// Only patches have accidents.
fn on_patch(
    number: usize,
    accident: Accident,
) -> impl Fn(usize, &mut Request<Body>) -> Accident + Send + Sync {
    let (patches, accident) = (AtomicUsize::new(0), Mutex::new(Some(accident)));
    move |_, request| {
        let this = request.method() == http::Method::PATCH
            && patches.fetch_add(1, Ordering::SeqCst) + 1 == number;
        this.then(|| accident.lock().unwrap().take())
            .flatten()
            .unwrap_or(Accident::None)
    }
}

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
        told[0].contains("API server is not reachable: k3s is restarting (0 s)"),
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
        assert_eq!(bench.sent(), 1, "{code}");
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
    assert_eq!(bench.told.lock().unwrap().len(), 3);
}

/// A cluster behind a socket that a test plays the server of.
fn by_socket(runtime: &tokio::runtime::Runtime, port: u16) -> (KubeCluster, Arc<TestClock>) {
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
         clusters: [{{name: c, cluster: {{server: 'http://127.0.0.1:{port}'}}}}]\n\
         users: [{{name: u, user: {{}}}}]\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n"
    );
    std::fs::write(file.path(), text).unwrap();
    let cluster =
        KubeCluster::from_kubeconfig(Some(file.path()), None, runtime.handle().clone()).unwrap();
    let clock = TestClock::new();
    let time = clock.clone();
    (cluster.with(|reader| reader.with_clock(time)), clock)
}

#[test]
fn a_closed_port_is_told_apart_from_a_broken_connection() {
    let runtime = runtime();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let (cluster, _) = by_socket(&runtime, port);
    let new = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "one", "name": "n"}});
    let error = cluster.create(&new).unwrap_err();
    assert!(
        matches!(&error, TransportError::Unreachable { why, .. } if why.contains("refused")),
        "{error}"
    );
}

#[test]
fn a_server_that_hangs_up_or_times_out_leaves_the_outcome_unknown() {
    for answer in [
        "",
        "HTTP/1.1 504 Gateway Timeout\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 201 Created\r\ncontent-length: 99\r\n\r\n{",
    ] {
        let runtime = runtime();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        std::thread::spawn(move || {
            use std::io::{Read as _, Write as _};
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        let (cluster, _) = by_socket(&runtime, port);
        let new = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "one", "name": "n"}});
        let error = cluster.create(&new).unwrap_err();
        assert!(
            matches!(error, TransportError::Lost { .. }),
            "{answer:?}: {error}"
        );
        assert_eq!(connections.load(Ordering::SeqCst), 1, "{answer:?}");
    }
}
