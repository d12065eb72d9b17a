//! The main job on real links: `tailscale-mtu` on nodes that only helper pods reach, while the API server is killed and
//! restarted under it, by the runbook itself and by the test. Then undone.

#[path = "support/bench.rs"]
mod bench;
#[path = "support/cluster.rs"]
mod cluster;

use std::process::Stdio;

use bench::{Bench, said};
use cluster::{BUSYBOX, Cluster, wait_for};
use serde_json::json;

/// Flannel's MTU on a node, and what the kernel says of the links.
fn layers(cluster: &Cluster, node: &str) -> (String, String, String) {
    let mtu = |link: &str| {
        cluster
            .does(&["on", node, "cat", &format!("/sys/class/net/{link}/mtu")])
            .trim()
            .to_owned()
    };
    let subnet = cluster.does(&["on", node, "cat", "/run/flannel/subnet.env"]);
    let flannel = subnet
        .lines()
        .find_map(|line| line.strip_prefix("FLANNEL_MTU="))
        .unwrap()
        .to_owned();
    (flannel, mtu("flannel.1"), mtu("cni0"))
}

/// Proxies as the operator makes them, as far as the runbook looks: one on each node.
fn expose(cluster: &Cluster, namespace: &str) {
    let labels = json!({
        "app": "ts-web", "tailscale.com/managed": "true", "tailscale.com/parent-resource": "web",
        "tailscale.com/parent-resource-type": "proxygroup",
    });
    let spread = json!([{
        "maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "ts-web"}},
    }]);
    cluster.create(
        &format!("/apis/apps/v1/namespaces/{namespace}/statefulsets"),
        &json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "ts-web"},
            "spec": {
                "replicas": 3, "podManagementPolicy": "Parallel", "serviceName": "ts-web",
                "selector": {"matchLabels": {"app": "ts-web"}},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "terminationGracePeriodSeconds": 0, "topologySpreadConstraints": spread,
                        "containers": [{
                            "name": "tailscale", "image": BUSYBOX,
                            "command": ["sh", "-c", "echo 'sendmmsg: message too long'; exec sleep 86400"],
                            "env": [{"name": "TS_USERSPACE", "value": "false"}],
                        }],
                    },
                },
            },
        }),
    );
    wait_for("the proxies are ready", || ready(cluster, namespace) == 3);
}

fn ready(cluster: &Cluster, namespace: &str) -> i64 {
    let set = format!("/apis/apps/v1/namespaces/{namespace}/statefulsets/ts-web");
    cluster.get(&set)["status"]["readyReplicas"]
        .as_i64()
        .unwrap_or(0)
}

#[test]
#[ignore = "needs the test cluster: .ci/cluster"]
fn the_main_job_on_nodes_behind_helper_pods_while_the_api_server_dies() {
    let cluster = Cluster::there();
    let bench = Bench::new();
    let namespace = cluster.namespace("job");
    let access = cluster.operator(&bench, &namespace);
    expose(&cluster, &namespace);
    for node in cluster.nodes() {
        let (flannel, vtep, _) = layers(&cluster, &node);
        assert_eq!(
            (flannel.as_str(), vtep.as_str()),
            ("1230", "1230"),
            "{node}"
        );
    }
    let parameter = format!("namespace={namespace}");
    let run = ["run", "tailscale-mtu", "--yes", "-e", &parameter];

    let plan = bench
        .command(&[&run[..], &["--dry-run"]].concat())
        .env("KUBECONFIG", &access)
        .output()
        .unwrap();
    assert_eq!(plan.status.code(), Some(0), "{}", said(&plan));
    for request in cluster.mutations(&namespace, "operator") {
        assert!(
            request.contains("/namespaces/kube-system/pods"),
            "a dry run asked for more than its helper pods: {request}"
        );
    }

    let child = bench
        .command(&run)
        .env("KUBECONFIG", &access)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The first node that has staged its file: from here on the run changes things.
    wait_for("the run has begun to change the nodes", || {
        let config = "/etc/rancher/k3s/config.yaml";
        cluster.file("node-3", config).contains("eth0")
    });
    let before = cluster.apiserver();
    cluster.does(&["kill-apiserver"]);
    cluster.does(&["start-apiserver"]);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_ne!(cluster.apiserver(), before);
    for node in cluster.nodes() {
        let all = ("1450".to_owned(), "1450".to_owned(), "1450".to_owned());
        assert_eq!(layers(&cluster, &node), all, "{node}\n{}", said(&output));
    }
    wait_for("the proxies are ready again", || {
        ready(&cluster, &namespace) == 3
    });

    let undo = bench
        .command(&["undo", &bench.newest(), "--yes"])
        .env("KUBECONFIG", &access)
        .output()
        .unwrap();
    assert_eq!(undo.status.code(), Some(0), "{}", said(&undo));
    for node in cluster.nodes() {
        assert_eq!(layers(&cluster, &node).0, "1230", "{node}");
    }
    wait_for("helper pods have gone", || {
        cluster
            .pods_with("app.kubernetes.io/managed-by=runbook")
            .is_empty()
    });
}
