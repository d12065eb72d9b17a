//! The test cluster: real programs of Kubernetes on this machine (docs/test-cluster.md). The tests that use it are
//! ignored unless `.ci/cluster` runs them.
#![allow(dead_code)] // each test file uses a part of it

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::bench::Bench;

pub struct Cluster {
    /// Where the cluster's state is.
    directory: PathBuf,
}

impl Cluster {
    /// The cluster that `RUNBOOK_TEST_CLUSTER` names. A test that was asked for fails without one.
    pub fn there() -> Self {
        let directory = std::env::var_os("RUNBOOK_TEST_CLUSTER")
            .expect("RUNBOOK_TEST_CLUSTER names no cluster: run these tests by .ci/cluster");
        Self {
            directory: PathBuf::from(directory),
        }
    }

    /// The program that made the cluster.
    pub fn tool(&self, arguments: &[&str]) -> Output {
        let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cluster/cluster");
        Command::new(tool)
            .arg("-d")
            .arg(&self.directory)
            .args(arguments)
            .output()
            .unwrap()
    }

    /// The same, and it must succeed.
    pub fn does(&self, arguments: &[&str]) -> String {
        let output = self.tool(arguments);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            super::bench::said(&output)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// The administrator's kubeconfig.
    pub fn administrator(&self) -> PathBuf {
        self.directory.join("conf/admin.kubeconfig")
    }

    /// The names of the nodes.
    pub fn nodes(&self) -> Vec<String> {
        names(&self.get("/api/v1/nodes"))
    }

    /// One request as the administrator; the answer.
    pub fn api(&self, method: &str, path: &str, body: Option<&Json>) -> Json {
        let body = body.map(Json::to_string);
        let mut arguments = vec!["api", method, path];
        arguments.extend(body.as_deref());
        serde_json::from_str(&self.does(&arguments)).unwrap()
    }

    pub fn get(&self, path: &str) -> Json {
        self.api("GET", path, None)
    }

    /// Whether there is an object at this path.
    pub fn has(&self, path: &str) -> bool {
        self.tool(&["api", "GET", path]).status.success()
    }

    pub fn create(&self, path: &str, object: &Json) {
        self.api("POST", path, Some(object));
    }

    /// A namespace of this test's own, without anything in it but what Kubernetes puts there.
    pub fn namespace(&self, name: &str) -> String {
        let unique = format!("{name}-{}", std::process::id());
        self.create(
            "/api/v1/namespaces",
            &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": unique}}),
        );
        wait_for("the namespace's service account", || {
            self.has(&format!(
                "/api/v1/namespaces/{unique}/serviceaccounts/default"
            ))
        });
        unique
    }

    /// A ServiceAccount that may do what these rules say, in the whole cluster; the path of its kubeconfig, in the bench.
    pub fn account(&self, bench: &Bench, namespace: &str, name: &str, rules: &Json) -> PathBuf {
        self.create(
            &format!("/api/v1/namespaces/{namespace}/serviceaccounts"),
            &json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}),
        );
        let role = format!("{namespace}-{name}");
        self.create(
            "/apis/rbac.authorization.k8s.io/v1/clusterroles",
            &json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
                "metadata": {"name": role}, "rules": rules,
            }),
        );
        self.create(
            "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
            &json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
                "metadata": {"name": role},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
                "subjects": [{"kind": "ServiceAccount", "namespace": namespace, "name": name}],
            }),
        );
        let text = self.does(&["token", namespace, name]);
        bench.write(&format!("{name}.kubeconfig"), &text)
    }

    /// Everything allowed.
    pub fn operator(&self, bench: &Bench, namespace: &str) -> PathBuf {
        let all = json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]);
        self.account(bench, namespace, "operator", &all)
    }

    /// What a ServiceAccount asked the API server to change, as the audit log has it: verb, path, status. Left out are what
    /// changes nothing by its nature: server-side dry runs, and questions asked by creating a review.
    pub fn mutations(&self, namespace: &str, account: &str) -> Vec<String> {
        let user = format!("system:serviceaccount:{namespace}:{account}");
        let log = std::fs::read_to_string(self.directory.join("log/audit.log")).unwrap();
        log.lines()
            .filter_map(|line| serde_json::from_str::<Json>(line).ok())
            .filter(|event| event["user"]["username"] == user.as_str())
            .filter(|event| event["stage"] == "ResponseComplete")
            .filter_map(|event| {
                let verb = event["verb"].as_str()?;
                let path = event["requestURI"].as_str()?;
                let writes = !["get", "list", "watch"].contains(&verb);
                let asks = path.contains("dryRun=All") || path.contains("accessreviews");
                let code = &event["responseStatus"]["code"];
                (writes && !asks).then(|| format!("{verb} {path} {code}"))
            })
            .collect()
    }

    /// Of these only what took effect, in any order, without the namespace's name. The Lease is left out: how often it
    /// is renewed is a matter of time.
    pub fn effects(&self, namespace: &str, account: &str) -> Vec<String> {
        let mut found: Vec<String> = self
            .mutations(namespace, account)
            .into_iter()
            .filter(|request| request.ends_with(" 200") || request.ends_with(" 201"))
            .filter(|request| !request.contains("/leases"))
            .map(|request| request.replace(namespace, "NAMESPACE"))
            .collect();
        found.sort();
        found
    }

    /// The root directory of a node, seen from outside.
    pub fn root(&self, node: &str) -> PathBuf {
        self.directory.join("nodes").join(node).join("root")
    }

    fn outside(&self, node: &str, path: &str) -> PathBuf {
        self.root(node).join(path.trim_start_matches('/'))
    }

    /// A file of a node, seen from outside; empty if it is not there.
    pub fn file(&self, node: &str, path: &str) -> String {
        std::fs::read_to_string(self.outside(node, path)).unwrap_or_default()
    }

    /// Whether a node has this path.
    pub fn exists(&self, node: &str, path: &str) -> bool {
        self.outside(node, path).exists()
    }

    /// Which process the API server is: its id and when it started.
    pub fn apiserver(&self) -> String {
        std::fs::read_to_string(self.directory.join("pid/apiserver")).unwrap()
    }

    /// A pod that runs a command until it is deleted, and waits until it runs.
    pub fn pod(&self, namespace: &str, name: &str, node: &str, script: &str) {
        self.create(
            &format!("/api/v1/namespaces/{namespace}/pods"),
            &json!({
                "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}},
                "spec": {
                    "nodeName": node, "terminationGracePeriodSeconds": 0,
                    "containers": [{"name": "main", "image": BUSYBOX, "command": ["sh", "-c", script]}],
                },
            }),
        );
        wait_for("the pod runs", || {
            self.get(&format!("/api/v1/namespaces/{namespace}/pods/{name}"))["status"]["phase"]
                == "Running"
        });
    }

    /// The names of the pods in the whole cluster that carry this label.
    pub fn pods_with(&self, label: &str) -> Vec<String> {
        names(&self.get(&format!(
            "/api/v1/pods?labelSelector={}",
            label.replace('=', "%3D").replace('/', "%2F")
        )))
    }
}

/// The one image of the cluster with a shell in it.
pub const BUSYBOX: &str = "runbook.test/busybox:1.35";

fn names(list: &Json) -> Vec<String> {
    list["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|item| Some(item["metadata"]["name"].as_str()?.to_owned()))
        .collect()
}

/// Waits until something is so. The bound is for a cluster that hangs, not a measure of anything.
pub fn wait_for(what: &str, mut there: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !there() {
        assert!(
            begin.elapsed() < Duration::from_secs(120),
            "waited in vain for: {what}"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}
