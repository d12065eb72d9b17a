//! Nodes that only helper pods reach: every kind of word on them, the engine killed at many records, the API server
//! and the kubelet killed under a run, permissions refused, and nothing left behind.

#[path = "support/bench.rs"]
mod bench;
#[path = "support/cluster.rs"]
mod cluster;

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use bench::{Bench, said};
use cluster::{Cluster, wait_for};
use serde_json::json;

const BOOK: &str = r#"
runbook #{ title: "Words on nodes", params: #{ dir: #{ help: "where on the nodes" }, more: #{ default: "true" } } };
let dir = param("dir");
let nodes = ["node-1", "node-2", "node-3"].map(|name| node(name));
step "Look" {
    each(nodes, #{ parallel: 3 }, |node| {
        expect("the host's name", trimmed(node.probe(["hostname"]).stdout), node.name);
        expect("the host's first process", trimmed(node.probe(["cat", "/proc/1/comm"]).stdout), "systemd");
        ensure(!node.file(dir).exists(), "nothing was here before");
    });
}
step "Act" {
    each(nodes, #{ parallel: 3 }, |node| {
        node.run(sh `mkdir ${dir}`, #{ undo: sh `rm -r ${dir}` });
        node.file(`${dir}/app.conf`).write("size=1\n");
        node.file(`${dir}/app.conf`).set_line("size", 2);
        node.run(sh `echo one >> ${dir}/counter`);
    });
    nodes[0].run(param("more"));
    each(nodes, #{ parallel: 3 }, |node| {
        node.run(["tee", "-a", `${dir}/counter`], #{ stdin: "two\n" });
        node.run(["systemctl", "is-active", "k3s-agent", "k3s"], #{ expect_exit: "any" });
    });
}
step "Verify" {
    each(nodes, |node| {
        expect("the size", trimmed(node.probe(sh `sed -n s/^size=//p ${dir}/app.conf`).stdout), "2");
        expect("the counter", node.file(`${dir}/counter`).read(), "one\ntwo\n");
    });
}
"#;

/// One run of the book, in a place of its own on the nodes.
struct Trial<'a> {
    cluster: &'a Cluster,
    bench: Bench,
    namespace: String,
    access: PathBuf,
    place: String,
}

impl<'a> Trial<'a> {
    fn new(cluster: &'a Cluster, name: &str) -> Self {
        let bench = Bench::new();
        let namespace = cluster.namespace(name);
        let access = cluster.operator(&bench, &namespace);
        bench.write("nodes.rhai", BOOK);
        let place = format!("/var/tmp/{namespace}");
        Self {
            cluster,
            bench,
            namespace,
            access,
            place,
        }
    }

    fn command(&self, verb: &[&str]) -> std::process::Command {
        let mut command = self.bench.command(verb);
        command.env("KUBECONFIG", &self.access);
        command
    }

    fn run(&self, more: &[&str]) -> std::process::Command {
        let place = format!("dir={}", self.place);
        let mut arguments = vec!["run", "nodes.rhai", "--yes", "-e", &place];
        arguments.extend(more);
        self.command(&arguments)
    }

    fn exits(&self, status: i32, verb: &[&str]) -> String {
        let output = self.command(verb).output().unwrap();
        let text = said(&output);
        assert_eq!(output.status.code(), Some(status), "{verb:?}\n{text}");
        text
    }

    /// Every command took effect once on every node, every change is there.
    fn judge(&self, when: &str) {
        for node in self.cluster.nodes() {
            let read = |file: &str| self.cluster.file(&node, &format!("{}/{file}", self.place));
            assert_eq!(read("counter"), "one\ntwo\n", "{when}: {node}");
            assert_eq!(read("app.conf"), "size=2\n", "{when}: {node}");
        }
    }

    fn untouched(&self) -> bool {
        self.cluster
            .nodes()
            .iter()
            .all(|node| !self.cluster.exists(node, &self.place))
    }

    /// No helper pod of anybody is there, or all that are there are already going.
    fn no_helpers(&self, when: &str) {
        let mut left = Vec::new();
        wait_for("helper pods have gone", || {
            left = self.cluster.pods_with(HELPERS);
            left.is_empty()
        });
        assert!(left.is_empty(), "{when}: {left:?}");
    }
}

/// The label that every temporary pod carries.
const HELPERS: &str = "app.kubernetes.io/managed-by=runbook";

#[test]
#[ignore = "needs the test cluster: .ci/cluster"]
fn words_on_nodes_are_planned_done_and_undone() {
    let cluster = Cluster::there();
    let trial = Trial::new(&cluster, "node-words");

    let plan = trial.run(&["--dry-run", "--diff"]).output().unwrap();
    let text = said(&plan);
    assert_eq!(plan.status.code(), Some(0), "{text}");
    assert!(
        text.contains("+size=1") || text.contains("+size=2"),
        "{text}"
    );
    assert!(trial.untouched(), "a dry run wrote on a node");
    let pods = "/api/v1/namespaces/kube-system/pods";
    for request in cluster.mutations(&trial.namespace, "operator") {
        assert!(
            request.contains(pods),
            "a dry run asked for more than its announced helper pods: {request}"
        );
    }
    trial.no_helpers("after the dry run");

    let declined = trial
        .run(&["--dry-run", "--no-observer-pods"])
        .output()
        .unwrap();
    assert!(declined.status.code() != Some(64), "{}", said(&declined));

    let run = trial.run(&[]).output().unwrap();
    assert_eq!(run.status.code(), Some(0), "{}", said(&run));
    trial.judge("a plain run");
    trial.no_helpers("after the run");

    trial.exits(0, &["undo", &trial.bench.newest(), "--yes"]);
    assert!(trial.untouched(), "undo left something");
    trial.no_helpers("after the undo");
    assert!(trial.exits(0, &["gc"]).len() < 2000);
}

/// How many records the kills are spread over: `RUNBOOK_CLUSTER_KILLS` kills, 8 by default.
#[test]
#[ignore = "needs the test cluster: .ci/cluster"]
fn killed_with_helper_pods_left_behind_a_run_goes_on_and_gc_leaves_nothing() {
    let cluster = Cluster::there();
    let kills: usize =
        std::env::var("RUNBOOK_CLUSTER_KILLS").map_or(8, |number| number.parse().unwrap());
    let whole = Trial::new(&cluster, "node-whole");
    let run = whole.run(&[]).output().unwrap();
    assert_eq!(run.status.code(), Some(0), "{}", said(&run));
    whole.judge("without a kill");
    let records = whole.bench.records();
    assert!(records > 30, "{records} records");

    let mut killed = 0;
    for kill in 1..=kills {
        let point = (kill * records / (kills + 1)).max(1);
        let trial = Trial::new(&cluster, &format!("node-kill-{kill}"));
        let output = trial
            .run(&[])
            .env("RUNBOOK_CRASH_AT", point.to_string())
            .output()
            .unwrap();
        if output.status.code().is_none() {
            killed += 1;
            // Half of the runs are given up instead of resumed: their pods are gc's to find.
            if kill % 2 == 0 {
                trial.exits(0, &["resume", "--yes"]);
                trial.judge(&format!("killed at {point} of {records}"));
            }
        }
        trial.exits(0, &["gc"]);
        trial.no_helpers(&format!("killed at {point} of {records}, after gc"));
    }
    assert!(
        killed * 10 >= kills * 9,
        "only {killed} of {kills} were killed"
    );
}

fn running(trial: &Trial, more: &[&str]) -> Child {
    trial
        .run(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits until a run has come to where the test holds it; one that ended before says why.
fn held_up(mut child: Child, reached: &Path) -> Child {
    let mut ended = false;
    wait_for("the run is in the middle of a command", || {
        ended = child.try_wait().unwrap().is_some();
        ended || reached.exists()
    });
    if ended {
        panic!("{}", said(&child.wait_with_output().unwrap()));
    }
    child
}

fn ends_well(child: Child) {
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

/// A command for the first node that waits until the test lets it go on.
fn held(trial: &Trial) -> (String, PathBuf, PathBuf) {
    let here = format!("{0}/reached", trial.place);
    let on = format!("{0}/go-on", trial.place);
    let script = format!("more=touch {here}; until [ -e {on} ]; do sleep 0.1; done");
    let root = trial.cluster.root("node-1");
    let outside = |path: &str| root.join(path.trim_start_matches('/'));
    let (here, on) = (outside(&here), outside(&on));
    (script, here, on)
}

fn under(name: &str, trouble: impl FnOnce(&Cluster)) {
    let cluster = Cluster::there();
    let trial = Trial::new(&cluster, name);
    let (script, reached, go_on) = held(&trial);
    let child = held_up(running(&trial, &["-e", &script]), &reached);
    trouble(&cluster);
    std::fs::write(&go_on, "").unwrap();
    ends_well(child);
    trial.judge(name);
    trial.no_helpers(name);
}

#[test]
#[ignore = "needs the test cluster: .ci/cluster"]
fn a_run_survives_the_death_of_the_api_server() {
    under("api-killed", |cluster| {
        cluster.does(&["kill-apiserver"]);
        cluster.does(&["start-apiserver"]);
    });
}

#[test]
#[ignore = "needs the test cluster: .ci/cluster"]
fn a_command_ends_while_the_api_server_is_away() {
    let cluster = Cluster::there();
    let trial = Trial::new(&cluster, "api-away");
    let (script, reached, go_on) = held(&trial);
    let child = held_up(running(&trial, &["-e", &script]), &reached);
    cluster.does(&["kill-apiserver"]);
    std::fs::write(&go_on, "").unwrap();
    cluster.does(&["start-apiserver"]);
    ends_well(child);
    trial.judge("the API server was away");
}

#[test]
#[ignore = "needs the test cluster: .ci/cluster"]
fn a_run_survives_the_death_of_the_kubelet() {
    under("kubelet-killed", |cluster| {
        cluster.does(&["kill-kubelet", "node-1"]);
        wait_for("the kubelet runs again", || {
            let active = ["on", "node-1", "systemctl", "is-active", "kubelet"];
            cluster.tool(&active).status.success()
        });
    });
}

#[test]
#[ignore = "needs the test cluster: .ci/cluster"]
fn a_run_survives_the_restart_of_k3s_that_it_causes_itself() {
    let cluster = Cluster::there();
    let trial = Trial::new(&cluster, "own-restart");
    let before = cluster.apiserver();
    ends_well(running(&trial, &["-e", "more=systemctl restart k3s"]));
    assert_ne!(
        cluster.apiserver(),
        before,
        "the API server was not restarted"
    );
    trial.judge("k3s restarted by the run");
    trial.no_helpers("k3s restarted by the run");
}

#[test]
#[ignore = "needs the test cluster: .ci/cluster"]
fn permissions_that_are_missing_are_told_before_anything_is_touched() {
    let cluster = Cluster::there();
    let bench = Bench::new();
    let namespace = cluster.namespace("refused");
    let rules = json!([{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list"]}]);
    let access = cluster.account(&bench, &namespace, "guest", &rules);
    let book = bench.write("nodes.rhai", BOOK);
    let place = format!("dir=/var/tmp/{namespace}");
    let text = refused(&bench, &book, &access, &place);
    for missing in ["create", "delete", "pods/exec", "leases"] {
        assert!(text.contains(missing), "{missing} is not told:\n{text}");
    }
    assert_eq!(
        cluster.mutations(&namespace, "guest"),
        Vec::<String>::new(),
        "something was tried"
    );
    for node in cluster.nodes() {
        assert!(!cluster.exists(&node, &format!("/var/tmp/{namespace}")));
    }
}

fn refused(bench: &Bench, book: &Path, access: &Path, place: &str) -> String {
    let arguments = ["run", book.to_str().unwrap(), "--yes", "-e", place];
    let output = bench
        .command(&arguments)
        .env("KUBECONFIG", access)
        .output()
        .unwrap();
    let text = said(&output);
    assert_ne!(output.status.code(), Some(0), "{text}");
    text
}
