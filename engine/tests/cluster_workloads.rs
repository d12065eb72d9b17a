//! The words for what runs in a cluster, against a real API server, controllers, scheduler and kubelets: planned, run,
//! undone, and killed in between.

#[path = "support/bench.rs"]
mod bench;
#[path = "support/cluster.rs"]
mod cluster;

use std::path::Path;

use bench::Bench;
use cluster::{Cluster, wait_for};
use serde_json::json;

const BOOK: &str = r#"
runbook #{ title: "What runs", params: #{ ns: #{ help: "the namespace" } } };
let ns = param("ns");
let image = "runbook.test/busybox:1.35";

step "Look into a pod" {
    let talker = pod(ns, "talker");
    expect("its own name", trimmed(talker.probe(["hostname"]).stdout), "talker");
    expect("a file of it", talker.read("/tmp/here"), "first\n");
    expect("the end of its log", trimmed(kube.logs(ns, "talker", #{ container: "main", since: "1h", tail: 1 })), "second");
    let events = kube.events(ns, "pods", "talker");
    ensure(events.some(|event| event.reason == "Started"), "the kubelet says that it started the pod");
}
step "Act in a pod" {
    pod(ns, "talker").run(["sh", "-c", "echo once >> /tmp/here"]);
}
step "Deploy" {
    let labels = #{ app: "front" };
    kube.apply(#{
        apiVersion: "apps/v1", kind: "Deployment", metadata: #{ name: "front", namespace: ns, labels: labels },
        spec: #{
            replicas: 1, selector: #{ matchLabels: labels },
            template: #{
                metadata: #{ labels: labels },
                spec: #{
                    terminationGracePeriodSeconds: 0,
                    containers: [#{ name: "main", image: image, command: ["sh", "-c", "echo up; exec sleep 3600"] }],
                },
            },
        },
    });
    kube.wait("deployments.apps", ns, "front", "rolled out", #{ timeout: "2m" });
    kube.scale("deployments.apps", ns, "front", 2);
    kube.wait("deployments.apps", ns, "front", "status.readyReplicas=2", #{ timeout: "2m" });
}
step "Make its pods anew" {
    kube.rollout_restart("deployments.apps", ns, "front");
    kube.wait("deployments.apps", ns, "front", "rolled out", #{ timeout: "2m" });
}
step "Run once" {
    let answer = kube.run_pod(ns, image, ["sh", "-c", "echo from a pod; exit 3"], #{ expect_exit: 3, timeout: "2m" });
    expect("its log", trimmed(answer.stdout), "from a pod");
}
step "Evict" {
    let guest = kube.get("pods", ns, "guest");
    kube.evict(ns, "guest", #{ uid: guest.metadata.uid });
    kube.wait("pods", ns, "guest", "deleted", #{ timeout: "2m" });
}
step "Verify" {
    expect("how often the command ran", pod(ns, "talker").read("/tmp/here"), "first\nonce\n");
}
"#;

fn prepare(cluster: &Cluster, name: &str) -> String {
    let namespace = cluster.namespace(name);
    let node = cluster.nodes().remove(0);
    let talk = "echo first > /tmp/here; echo first; echo second; exec sleep 3600";
    cluster.pod(&namespace, "talker", &node, talk);
    cluster.pod(&namespace, "guest", &node, "exec sleep 3600");
    wait_for("the pod has spoken", || {
        let log = format!("/api/v1/namespaces/{namespace}/pods/talker/log");
        String::from_utf8_lossy(&cluster.tool(&["api", "GET", &log]).stdout).contains("second")
    });
    namespace
}

/// The names of the pods of the namespace.
fn pods(cluster: &Cluster, namespace: &str) -> Vec<String> {
    let list = cluster.get(&format!("/api/v1/namespaces/{namespace}/pods"));
    let items = list["items"].as_array().unwrap().iter();
    items
        .map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned())
        .collect()
}

fn arguments<'a>(book: &'a Path, access: &'a Path, parameter: &'a str) -> [&'a str; 7] {
    let (book, access) = (book.to_str().unwrap(), access.to_str().unwrap());
    [
        "run",
        book,
        "--kubeconfig",
        access,
        "-e",
        parameter,
        "--yes",
    ]
}

#[test]
#[ignore = "needs the test cluster: .ci/cluster"]
fn what_runs_is_planned_without_a_write_then_changed_and_put_back() {
    let cluster = Cluster::there();
    let bench = Bench::new();
    let namespace = prepare(&cluster, "workloads");
    let access = cluster.operator(&bench, &namespace);
    let book = bench.write("workloads.rhai", BOOK);
    let parameter = format!("ns={namespace}");
    let run = arguments(&book, &access, &parameter);

    let plan = bench.exits(0, &[&run[..], &["--dry-run", "--diff"]].concat());
    for change in ["front", "guest", "echo once"] {
        assert!(plan.contains(change), "{change} is not planned:\n{plan}");
    }
    assert_eq!(
        cluster.mutations(&namespace, "operator"),
        Vec::<String>::new(),
        "a dry run wrote"
    );
    assert_eq!(pods(&cluster, &namespace), ["guest", "talker"]);

    bench.exits(0, &run);
    let front = format!("/apis/apps/v1/namespaces/{namespace}/deployments/front");
    let deployment = cluster.get(&front);
    assert_eq!(deployment["status"]["readyReplicas"], json!(2));
    let restarted = "/spec/template/metadata/annotations/runbook.dev~1restarted-by";
    assert!(
        deployment.pointer(restarted).is_some(),
        "it was not restarted: {deployment:#}"
    );
    let now = pods(&cluster, &namespace);
    assert!(
        !now.contains(&"guest".to_owned()) && now.iter().all(|name| !name.starts_with("runbook-")),
        "{now:?}"
    );

    let undone = bench.exits(0, &["undo", &bench.newest(), "--yes"]);
    for left in ["cannot be restarted back", "a command without `undo:`"] {
        assert!(undone.contains(left), "{left} is not said:\n{undone}");
    }
    assert!(!cluster.has(&front), "the deployment is still there");
    assert!(
        cluster.has(&format!("/api/v1/namespaces/{namespace}/pods/guest")),
        "the evicted pod is not back"
    );
}

/// What took effect, with one name for the pods that are called after their operation.
fn effects(cluster: &Cluster, namespace: &str) -> Vec<String> {
    let named = regex::Regex::new("runbook-[0-9a-f]{16}").unwrap();
    let all = cluster.effects(namespace, "operator").into_iter();
    all.map(|effect| named.replace_all(&effect, "ONCE").into_owned())
        .collect()
}

#[test]
#[ignore = "needs the test cluster: .ci/cluster"]
fn killed_at_any_record_what_runs_is_changed_once() {
    let cluster = Cluster::there();
    let mut wanted = Vec::new();
    // Without a kill first: that is what each killed run must come to.
    for point in (0..).step_by(6) {
        let bench = Bench::new();
        let namespace = prepare(&cluster, &format!("workload-kills-{point}"));
        let access = cluster.operator(&bench, &namespace);
        let book = bench.write("workloads.rhai", BOOK);
        let parameter = format!("ns={namespace}");
        let mut run = bench.command(&arguments(&book, &access, &parameter));
        if point > 0 {
            run.env("RUNBOOK_CRASH_AT", point.to_string());
        }
        let finished = run.output().unwrap().status.code() == Some(0);
        if !finished {
            bench.exits(0, &["resume", "--yes"]);
        }
        let came_to = effects(&cluster, &namespace);
        if point == 0 {
            assert!(finished && came_to.len() >= 6, "{came_to:#?}");
            wanted = came_to;
            continue;
        }
        assert_eq!(came_to, wanted, "killed at record {point}");
        if finished {
            assert!(point > 24, "no more than {point} records");
            return;
        }
    }
}
