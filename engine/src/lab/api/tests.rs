use std::sync::Arc;

use http::Request;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{
    Api, DeleteParams, ListParams, LogParams, Patch, PatchParams, PostParams, Preconditions,
};
use kube::discovery::Discovery;
use serde_json::{Value as Json, json};

use super::testing::{MemoryApi, TestClock, runtime};
use super::*;

/// A client and the store behind it.
struct Bench {
    runtime: tokio::runtime::Runtime,
    store: Arc<MemoryApi>,
    client: kube::Client,
}

impl Bench {
    fn new() -> Self {
        let runtime = runtime();
        let store = MemoryApi::new(TestClock::new());
        let client = client(store.clone(), runtime.handle());
        Self {
            runtime,
            store,
            client,
        }
    }

    fn with_pods() -> Self {
        let bench = Self::new();
        for (namespace, name, app, node, phase) in [
            ("one", "a", "web", "x", "Running"),
            ("one", "b", "db", "y", "Pending"),
            ("two", "a", "web", "y", "Running"),
        ] {
            bench.store.put(json!({"apiVersion": "v1", "kind": "Pod",
                "metadata": {"namespace": namespace, "name": name, "labels": {"app": app}},
                "spec": {"nodeName": node, "containers": [{"name": "c", "image": "i"}]}, "status": {"phase": phase}}));
        }
        bench
    }

    fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), "one")
    }

    /// One request as it is; the status and the JSON of the answer.
    fn raw(&self, method: &str, path: &str, content_type: &str, body: Json) -> (u16, Json) {
        let body = if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", content_type)
            .body(kube::client::Body::from(body))
            .unwrap();
        self.runtime.block_on(async {
            use http_body_util::BodyExt as _;
            let response = self.client.send(request).await.unwrap();
            let status = response.status().as_u16();
            let bytes = response.into_body().collect().await.unwrap().to_bytes();
            (status, serde_json::from_slice(&bytes).unwrap())
        })
    }

    fn status(
        &self,
        method: &str,
        path: &str,
        content_type: &str,
        body: Json,
    ) -> (u16, String, String) {
        let (code, status) = self.raw(method, path, content_type, body);
        assert_eq!(status["kind"], "Status", "{status}");
        assert_eq!(status["code"], code);
        let text = |field: &str| status[field].as_str().unwrap().to_owned();
        (code, text("reason"), text("message"))
    }
}

const JSON: &str = "application/json";
const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const POD: &str = "/api/v1/namespaces/one/pods/a";

fn code(error: kube::Error) -> (u16, String) {
    match error {
        kube::Error::Api(status) => (status.code, status.reason.clone()),
        other => panic!("not a status: {other}"),
    }
}

#[test]
fn the_clients_own_discovery_understands_the_kinds() {
    let bench = Bench::new();
    let found = bench
        .runtime
        .block_on(Discovery::new(bench.client.clone()).run())
        .unwrap();
    let groups: Vec<&str> = found.groups().map(|group| group.name()).collect();
    for group in ["", "apps", "coordination.k8s.io", "example.com"] {
        assert!(groups.contains(&group), "{groups:?}");
    }
    let widget = found.resolve_gvk(&kube::core::GroupVersionKind::gvk(
        "example.com",
        "v1",
        "Widget",
    ));
    assert_eq!(widget.unwrap().0.plural, "widgets");
    assert_eq!(
        found
            .get("example.com")
            .unwrap()
            .preferred_version_or_latest(),
        "v2"
    );
    let (_, core) = bench.raw("GET", "/api/v1", JSON, Json::Null);
    let pods = core["resources"]
        .as_array()
        .unwrap()
        .iter()
        .find(|kind| kind["name"] == "pods")
        .unwrap()
        .clone();
    assert_eq!(
        (&pods["shortNames"], &pods["singularName"]),
        (&json!(["po"]), &json!("pod"))
    );
    let version = bench
        .runtime
        .block_on(bench.client.apiserver_version())
        .unwrap();
    assert_eq!(version.major, "1");
}

#[test]
fn lists_are_selected() {
    let bench = Bench::with_pods();
    let names = |namespace: Option<&str>, params: ListParams| {
        let api: Api<Pod> = match namespace {
            Some(namespace) => Api::namespaced(bench.client.clone(), namespace),
            None => Api::all(bench.client.clone()),
        };
        let found = bench.runtime.block_on(api.list(&params)).unwrap();
        let name = |pod: Pod| {
            format!(
                "{}/{}",
                pod.metadata.namespace.unwrap(),
                pod.metadata.name.unwrap()
            )
        };
        found
            .items
            .into_iter()
            .map(name)
            .collect::<Vec<_>>()
            .join(" ")
    };
    let labels = |text: &str| ListParams::default().labels(text);
    let fields = |text: &str| ListParams::default().fields(text);
    assert_eq!(names(None, ListParams::default()), "one/a one/b two/a");
    assert_eq!(names(Some("one"), ListParams::default()), "one/a one/b");
    assert_eq!(
        names(None, labels("app in (web, x),app!=db")),
        "one/a two/a"
    );
    assert_eq!(names(None, labels("app notin (web)")), "one/b");
    assert_eq!(names(None, labels("!app")), "");
    assert_eq!(names(None, fields("spec.nodeName=y")), "one/b two/a");
    assert_eq!(
        names(None, fields("spec.nodeName=y,status.phase=Running")),
        "two/a"
    );
    assert_eq!(names(None, fields("metadata.namespace!=one")), "two/a");
    let wrong = bench
        .runtime
        .block_on(bench.pods().list(&fields("spec.x=1")))
        .unwrap_err();
    assert_eq!(code(wrong).0, 400);
}

#[test]
fn lists_come_in_pages() {
    let bench = Bench::with_pods();
    let page = |token: &str| {
        bench
            .raw(
                "GET",
                &format!("/api/v1/pods?limit=2&continue={token}"),
                JSON,
                Json::Null,
            )
            .1
    };
    let first = page("");
    assert_eq!(first["items"].as_array().unwrap().len(), 2);
    assert_eq!(first["metadata"]["remainingItemCount"], 1);
    assert!(
        first["items"][0]["kind"].is_null(),
        "as in a real list of a built-in kind"
    );
    let second = page(first["metadata"]["continue"].as_str().unwrap());
    assert_eq!(second["items"][0]["metadata"]["namespace"], "two");
    assert!(second["metadata"]["continue"].is_null());
    let (code, reason, _) =
        bench.status("GET", "/api/v1/pods?limit=2&continue=zzz", JSON, Json::Null);
    assert_eq!((code, &*reason), (410, "Expired"));
}

#[test]
fn refusals_are_status_objects() {
    let bench = Bench::with_pods();
    let status = |method: &str, path: &str, content_type: &str, body: Json| {
        let (code, reason, _) = bench.status(method, path, content_type, body);
        (code, reason)
    };
    let is = |code: u16, reason: &str| (code, reason.to_owned());
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}});
    assert_eq!(
        status("GET", "/api/v1/namespaces/one/pods/zz", JSON, Json::Null),
        is(404, "NotFound")
    );
    assert_eq!(
        status("GET", "/api/v1/namespaces/one/gadgets", JSON, Json::Null),
        is(404, "NotFound")
    );
    assert_eq!(
        status("GET", "/apis/none", JSON, Json::Null),
        is(404, "NotFound")
    );
    assert_eq!(
        status("POST", "/api/v1/namespaces/one/pods", JSON, pod.clone()),
        is(409, "AlreadyExists")
    );
    let nameless = json!({"metadata": {}});
    assert_eq!(
        status("POST", "/api/v1/namespaces/one/pods", JSON, nameless),
        is(422, "Invalid")
    );
    assert_eq!(
        status("POST", "/api/v1/pods", JSON, pod),
        is(400, "BadRequest")
    );
    assert_eq!(
        status("POST", POD, JSON, json!({})),
        is(405, "MethodNotAllowed")
    );
    assert_eq!(
        status("GET", "/api/v1/pods?watch=true", JSON, Json::Null),
        is(405, "MethodNotAllowed")
    );
    let renamed = json!({"metadata": {"name": "b"}});
    assert_eq!(
        status("PUT", POD, JSON, renamed.clone()),
        is(400, "BadRequest")
    );
    assert_eq!(status("PATCH", POD, MERGE, renamed), is(422, "Invalid"));
    assert_eq!(
        status("PATCH", POD, "application/json-patch+json", json!([])),
        is(415, "UnsupportedMediaType")
    );
    let stale = json!({"metadata": {"resourceVersion": "0"}, "spec": {"x": 1}});
    assert_eq!(status("PATCH", POD, MERGE, stale), is(409, "Conflict"));
    let other = json!({"preconditions": {"uid": "other"}});
    assert_eq!(status("DELETE", POD, JSON, other), is(409, "Conflict"));
    let (_, about) = bench.raw("GET", "/api/v1/namespaces/one/pods/zz", JSON, Json::Null);
    assert_eq!(
        about["details"]["name"], "zz",
        "tells an absent object from an absent kind"
    );
    assert_eq!(bench.store.writes(), 3, "nothing was written");
}

#[test]
fn patches_follow_their_kind() {
    let bench = Bench::with_pods();
    let strategic = json!({"spec": {"containers": [{"name": "d", "image": "j"}]}});
    let pod = bench.pods();
    let (params, strategic) = (PatchParams::default(), Patch::Strategic(&strategic));
    let patched = bench
        .runtime
        .block_on(pod.patch("a", &params, &strategic))
        .unwrap();
    let containers = patched.spec.unwrap().containers;
    assert_eq!(containers.len(), 2);
    let merge =
        json!({"metadata": {"labels": {"app": null}}, "spec": {"containers": [{"name": "e"}]}});
    let patched = bench
        .runtime
        .block_on(pod.patch("a", &PatchParams::default(), &Patch::Merge(&merge)))
        .unwrap();
    assert_eq!(patched.spec.unwrap().containers.len(), 1);
    assert!(
        !patched
            .metadata
            .labels
            .unwrap_or_default()
            .contains_key("app")
    );
    bench.store.put(json!({"apiVersion": "example.com/v2", "kind": "Widget", "metadata": {"namespace": "one", "name": "w"}}));
    let path = "/apis/example.com/v2/namespaces/one/widgets/w";
    assert_eq!(
        bench.raw("PATCH", path, STRATEGIC, json!({"spec": {}})).0,
        415
    );
    assert_eq!(
        bench
            .raw("PATCH", path, MERGE, json!({"spec": {"size": 2}}))
            .1["spec"]["size"],
        2
    );
}

#[test]
fn a_dry_run_writes_nothing() {
    let bench = Bench::with_pods();
    let before = bench.store.writes();
    let patch = json!({"spec": {"nodeName": "z"}});
    let (code, patched) = bench.raw("PATCH", &format!("{POD}?dryRun=All"), MERGE, patch.clone());
    assert_eq!((code, &patched["spec"]["nodeName"]), (200, &json!("z")));
    let new = json!({"metadata": {"name": "new"}});
    assert_eq!(
        bench
            .raw("POST", "/api/v1/namespaces/one/pods?dryRun=All", JSON, new)
            .0,
        201
    );
    let taken = json!({"metadata": {"name": "a"}});
    assert_eq!(
        bench
            .raw(
                "POST",
                "/api/v1/namespaces/one/pods?dryRun=All",
                JSON,
                taken
            )
            .0,
        409
    );
    let whole = bench.store.stored("pods", "one", "a").unwrap();
    assert_eq!(
        bench
            .raw("PUT", &format!("{POD}?dryRun=All"), JSON, whole.clone())
            .0,
        200
    );
    assert_eq!(
        bench
            .raw("DELETE", &format!("{POD}?dryRun=All"), JSON, Json::Null)
            .0,
        200
    );
    let params = DeleteParams {
        dry_run: true,
        ..DeleteParams::default()
    };
    bench
        .runtime
        .block_on(bench.pods().delete("a", &params))
        .unwrap();
    let stale = json!({"metadata": {"resourceVersion": "0"}, "spec": {"x": 1}});
    let (code, _) = bench.raw("PATCH", &format!("{POD}?dryRun=All"), MERGE, stale);
    assert_eq!(code, 409, "refused as the write would be");
    assert_eq!(bench.store.writes(), before);
    assert_eq!(bench.store.stored("pods", "one", "a").unwrap(), whole);
    assert_eq!(bench.raw("PATCH", POD, MERGE, patch).0, 200);
    assert_eq!(
        bench.store.writes(),
        before + 1,
        "without dryRun the same is written"
    );
}

#[test]
fn a_lease_is_replaced_only_by_who_has_seen_it() {
    let bench = Bench::new();
    let leases: Api<Lease> = Api::namespaced(bench.client.clone(), "one");
    let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l"}, "spec": {}});
    let lease: Lease = serde_json::from_value(lease).unwrap();
    let run = |lease: Lease, holder: &str| {
        let mut lease = lease;
        lease.spec.get_or_insert_default().holder_identity = Some(holder.to_owned());
        bench
            .runtime
            .block_on(leases.replace("l", &PostParams::default(), &lease))
    };
    let first = bench
        .runtime
        .block_on(leases.create(&PostParams::default(), &lease))
        .unwrap();
    assert_eq!(first.metadata.namespace.as_deref(), Some("one"));
    let again = bench
        .runtime
        .block_on(leases.create(&PostParams::default(), &lease))
        .unwrap_err();
    assert_eq!(code(again), (409, "AlreadyExists".to_owned()));
    run(first.clone(), "a").unwrap();
    assert_eq!(
        code(run(first, "b").unwrap_err()),
        (409, "Conflict".to_owned())
    );
}

#[test]
fn a_delete_means_one_uid() {
    let bench = Bench::with_pods();
    let uid = bench.store.stored("pods", "one", "a").unwrap()["metadata"]["uid"]
        .as_str()
        .unwrap()
        .to_owned();
    let delete = |uid: &str| {
        let preconditions = Some(Preconditions {
            uid: Some(uid.to_owned()),
            resource_version: None,
        });
        let params = DeleteParams {
            preconditions,
            ..DeleteParams::default()
        };
        bench.runtime.block_on(bench.pods().delete("a", &params))
    };
    assert_eq!(code(delete("other").unwrap_err()).0, 409);
    delete(&uid).unwrap();
    assert_eq!(bench.store.stored("pods", "one", "a"), None);
    assert_eq!(code(delete(&uid).unwrap_err()).0, 404);
}

#[test]
fn logs_take_their_parameters() {
    let bench = Bench::with_pods();
    bench.store.set_log("one", "a", "1\n2\n3");
    let log = |params: LogParams| {
        bench
            .runtime
            .block_on(bench.pods().logs("a", &params))
            .unwrap()
    };
    assert_eq!(log(LogParams::default()), "1\n2\n3");
    assert_eq!(
        log(LogParams {
            limit_bytes: Some(3),
            ..LogParams::default()
        }),
        "1\n2"
    );
    let params = LogParams {
        container: Some("c".into()),
        tail_lines: Some(1),
        since_seconds: Some(60),
        previous: true,
        ..LogParams::default()
    };
    assert_eq!(log(params), "Some(\"c\") Some(60s) true 3");
    let none = bench
        .runtime
        .block_on(bench.pods().logs("zz", &LogParams::default()))
        .unwrap_err();
    assert_eq!(code(none).0, 404);
}

#[test]
fn a_server_that_is_away_refuses_connections() {
    let bench = Bench::with_pods();
    bench.store.go_down(std::time::Duration::from_secs(1));
    let error = bench.runtime.block_on(bench.pods().get("a")).unwrap_err();
    let kube::Error::Service(inner) = error else {
        panic!("{error}")
    };
    let io = inner.downcast_ref::<std::io::Error>().unwrap();
    assert_eq!(io.kind(), std::io::ErrorKind::ConnectionRefused);
    assert!(io.to_string().contains("k3s is restarting"));
}
