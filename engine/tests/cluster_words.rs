//! Each word of the cluster against a real API server: dry run, run, replay and undo.

#[path = "support/bench.rs"]
mod bench;
#[path = "support/cluster.rs"]
mod cluster;

use std::path::Path;

use bench::Bench;
use cluster::Cluster;
use serde_json::{Value as Json, json};

const WORDS: &str = r#"
runbook #{ title: "Words of the cluster", params: #{ ns: #{ help: "the namespace" } } };
let ns = param("ns");
step "Look" {
    let found = kube.list("configmaps", #{ namespace: ns, labels: "kind=sample" });
    expect("how many there are", found.len(), 2);
    expect("its data", kube.get("configmaps", ns, "old").data.a, "1");
    expect("a pod's log", trimmed(kube.logs(ns, "talker", #{ tail: 1 })), "second");
}
step "Change" {
    kube.create(#{
        apiVersion: "v1", kind: "ConfigMap", metadata: #{ name: "made", namespace: ns }, data: #{ a: "new" },
    });
    kube.patch("configmaps", ns, "old", #{ data: #{ b: "2" } });
    kube.label("configmaps", ns, "old", #{ colour: "red", kind: () });
    kube.annotate("configmaps", ns, "old", #{ "test/note": "it's \"quoted\"" });
    kube.patch("widgets.test.runbook", ns, "one", #{ spec: #{ size: 2 } });
    kube.delete("configmaps", ns, "doomed", #{ uid: kube.get("configmaps", ns, "doomed").metadata.uid });
}
step "Verify" {
    expect("the new data", kube.get("configmaps", ns, "old").data.b, "2");
    expect("the widget", kube.get("widgets.test.runbook", ns, "one").spec.size, 2);
}
"#;

fn config_map(name: &str, labels: &Json, data: &Json) -> Json {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "labels": labels}, "data": data,
    })
}

/// A kind that no client was built with.
fn define_widgets(cluster: &Cluster) {
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    if !cluster.has(&format!("{path}/widgets.test.runbook")) {
        cluster.create(
            path,
            &json!({
                "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                "metadata": {"name": "widgets.test.runbook"},
                "spec": {
                    "group": "test.runbook", "scope": "Namespaced",
                    "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
                    "versions": [{
                        "name": "v1", "served": true, "storage": true,
                        "schema": {"openAPIV3Schema": {
                            "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                        }},
                    }],
                },
            }),
        );
    }
    cluster::wait_for("the new kind is served", || {
        cluster.has("/apis/test.runbook/v1/widgets")
    });
}

/// A namespace as the runbook expects it.
fn prepare(cluster: &Cluster, name: &str) -> String {
    define_widgets(cluster);
    let namespace = cluster.namespace(name);
    let maps = format!("/api/v1/namespaces/{namespace}/configmaps");
    let sample = json!({"kind": "sample"});
    cluster.create(&maps, &config_map("old", &sample, &json!({"a": "1"})));
    cluster.create(
        &maps,
        &config_map("doomed", &sample, &json!({"keep": "me"})),
    );
    cluster.create(
        &format!("/apis/test.runbook/v1/namespaces/{namespace}/widgets"),
        &json!({
            "apiVersion": "test.runbook/v1", "kind": "Widget", "metadata": {"name": "one"},
            "spec": {"size": 1, "shape": "round"},
        }),
    );
    let node = cluster.nodes().remove(0);
    let talk = "echo first; echo second; sleep 3600";
    cluster.pod(&namespace, "talker", &node, talk);
    cluster::wait_for("the pod has spoken", || {
        let log = format!("/api/v1/namespaces/{namespace}/pods/talker/log");
        String::from_utf8_lossy(&cluster.tool(&["api", "GET", &log]).stdout).contains("second")
    });
    namespace
}

/// What the test may compare: the objects without what the API server counts by itself.
fn state(cluster: &Cluster, namespace: &str) -> Json {
    let mut found = Vec::new();
    for path in [
        format!("/api/v1/namespaces/{namespace}/configmaps"),
        format!("/apis/test.runbook/v1/namespaces/{namespace}/widgets"),
    ] {
        for item in cluster.get(&path)["items"].as_array().unwrap() {
            found.push(json!({
                "name": item["metadata"]["name"], "labels": item["metadata"]["labels"],
                "annotations": item["metadata"]["annotations"],
                "data": item["data"], "spec": item["spec"],
            }));
        }
    }
    Json::Array(found)
}

fn arguments<'a>(book: &'a Path, access: &'a Path, parameter: &'a str) -> Vec<&'a str> {
    vec![
        "run",
        book.to_str().unwrap(),
        "--kubeconfig",
        access.to_str().unwrap(),
        "-e",
        parameter,
        "--yes",
    ]
}

#[test]
#[ignore = "needs the test cluster: .ci/cluster"]
fn words_are_planned_without_a_write_then_done_replayed_and_undone() {
    let cluster = Cluster::there();
    let bench = Bench::new();
    let namespace = prepare(&cluster, "words");
    let access = cluster.operator(&bench, &namespace);
    let book = bench.write("words.rhai", WORDS);
    let parameter = format!("ns={namespace}");
    let run = arguments(&book, &access, &parameter);
    let before = state(&cluster, &namespace);

    let plan = bench.exits(0, &[&run[..], &["--dry-run", "--diff"]].concat());
    for change in ["made", "old", "one", "doomed"] {
        assert!(
            plan.contains(change),
            "{change} is not in the plan:\n{plan}"
        );
    }
    assert_eq!(state(&cluster, &namespace), before, "{plan}");
    assert_eq!(
        cluster.mutations(&namespace, "operator"),
        Vec::<String>::new(),
        "a dry run wrote"
    );

    bench.exits(0, &run);
    let after = state(&cluster, &namespace);
    assert_eq!(after[0]["name"], "kube-root-ca.crt");
    assert_eq!(after[1]["data"], json!({"a": "new"}), "{after:#}");
    let old = &after[2];
    assert_eq!(old["data"], json!({"a": "1", "b": "2"}), "{after:#}");
    assert_eq!(old["labels"], json!({"colour": "red"}), "{after:#}");
    assert_eq!(old["annotations"]["test/note"], "it's \"quoted\"");
    assert_eq!(after[3]["spec"], json!({"size": 2, "shape": "round"}));
    assert!(
        !cluster.mutations(&namespace, "operator").is_empty(),
        "the audit log misses what a run writes, so it proves nothing of a dry run"
    );

    bench.exits(0, &["undo", &bench.newest(), "--yes"]);
    assert_eq!(state(&cluster, &namespace), before);
}

#[test]
#[ignore = "needs the test cluster: .ci/cluster"]
fn killed_at_any_record_each_word_takes_effect_once() {
    let cluster = Cluster::there();
    let mut effects = Vec::new();
    // Without a kill first: that is what each killed run must come to.
    for point in (0..).step_by(3) {
        let bench = Bench::new();
        let namespace = prepare(&cluster, &format!("kills-{point}"));
        let access = cluster.operator(&bench, &namespace);
        let book = bench.write("words.rhai", WORDS);
        let parameter = format!("ns={namespace}");
        let mut run = bench.command(&arguments(&book, &access, &parameter));
        if point > 0 {
            run.env("RUNBOOK_CRASH_AT", point.to_string());
        }
        let finished = run.output().unwrap().status.code() == Some(0);
        if !finished {
            bench.exits(0, &["resume", "--yes"]);
        }
        let came_to = cluster.effects(&namespace, "operator");
        if point == 0 {
            assert!(finished && came_to.len() >= 6, "{came_to:#?}");
            effects = came_to;
            continue;
        }
        assert_eq!(came_to, effects, "killed at record {point}");
        if finished {
            assert!(point > 12, "no more than {point} records");
            return;
        }
    }
}

#[test]
#[ignore = "needs the test cluster: .ci/cluster"]
fn gc_gives_back_a_dead_runs_lease_and_leaves_that_of_another_alone() {
    let cluster = Cluster::there();
    let lease = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/runbook";
    for taken_over in [false, true] {
        let bench = Bench::new();
        let namespace = prepare(&cluster, &format!("gc-lease-{taken_over}"));
        let access = cluster.operator(&bench, &namespace);
        let book = bench.write("words.rhai", WORDS);
        let parameter = format!("ns={namespace}");
        let mut run = bench.command(&arguments(&book, &access, &parameter));
        let killed = run.env("RUNBOOK_CRASH_AT", "18").output().unwrap();
        assert_eq!(killed.status.code(), None, "{}", bench::said(&killed));
        assert!(cluster.has(lease), "killed before the lease was taken");
        if taken_over {
            let other = json!({
                "metadata": {"labels": {"runbook.dev/run": "20260101-000000-others"}},
                "spec": {"holderIdentity": "run 20260101-000000-others by bob@desk"},
            });
            cluster.api("PATCH", lease, Some(&other));
        }
        let said = bench.exits(0, &["gc"]);
        assert_eq!(said.contains("gave back"), !taken_over, "{said}");
        assert_eq!(cluster.has(lease), taken_over, "{said}");
        // It is nobody's business any more.
        let again = bench.exits(0, &["gc"]);
        assert!(again.contains("nothing is left behind"), "{again}");
        if taken_over {
            cluster.does(&["api", "DELETE", lease]);
        }
    }
}
