//! The dead man's switch on a node: a wrong interface locks the node out, and it comes back by itself.

#[path = "support/bench.rs"]
mod bench;

use bench::Bench;

const BOOK: &str = r#"runbook #{ title: "A wrong interface", params: #{ after: #{ default: "5min", help: "rollback" } } };
import "std/k3s" as k3s;
import "std/systemd" as systemd;
let node = k3s::nodes().filter(|node| node.name == "k3s-agent-2")[0];
step "Stage and arm" {
    let path = k3s::stage(node, "eth9");
    if param("after") != "" { k3s::arm_rollback(node, path, param("after")); }
}
step "Restart" { systemd::restart_now(node.host, node.unit, "cluster"); }
"#;

const TEST: &str = r#"
fn locked_out(cluster) {
    cluster.wait("2m");
    let node = cluster.host("k3s-agent-2");
    expect("k3s", node.unit("k3s-agent"), "activating");
    expect_contains("its log", node.sh("journalctl -u k3s-agent"), "unable to find interface eth9");
    expect("the node's Ready", cluster.object("nodes", "k3s-agent-2").status.conditions[0].status, "Unknown");
    // The way to this node is its kubelet.
    run_book("look.rhai").exits(4);
    cluster.wait("10m");
    node
}

test "it comes back" {
    let cluster = lab("k3s-double-tunnel");
    let before = cluster.host("k3s-agent-2").read("/etc/rancher/k3s/config.yaml");
    run_book("wrong.rhai");
    let node = locked_out(cluster);
    expect("the configuration", node.read("/etc/rancher/k3s/config.yaml"), before);
    expect("k3s", node.unit("k3s-agent"), "active");
    expect("the node's Ready", cluster.object("nodes", "k3s-agent-2").status.conditions[0].status, "True");
    run_book("look.rhai").succeeds();
}

test "without the switch it stays away" {
    let cluster = lab("k3s-double-tunnel");
    run_book("wrong.rhai", #{ vars: #{ after: "" } });
    expect("k3s", locked_out(cluster).unit("k3s-agent"), "activating");
}
"#;

#[test]
fn a_node_that_was_locked_out_comes_back_by_itself_and_only_because_of_the_switch() {
    let bench = Bench::new();
    bench.write("wrong.rhai", BOOK);
    bench.write(
        "look.rhai",
        "runbook #{ title: \"Look\" };\nstep \"Look\" { host(\"k3s-agent-2\").probe([\"true\"]); }\n",
    );
    bench.write("wrong_test.rhai", TEST);
    let text = bench.exits(0, &["test"]);
    assert!(text.contains("2 passed, 0 failed"), "{text}");
}
