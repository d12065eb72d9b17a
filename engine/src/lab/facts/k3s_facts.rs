use super::{Bench, NODES};
use crate::lab::cluster::key;
use crate::transport::{ActingFleet as _, Cancel, InFlight, SilentSink, TransportError};

fn annotation(bench: &Bench, node: &str, name: &str) -> String {
    bench.world(|world| {
        world.objects[&key("nodes", None, node)]["metadata"]["annotations"][name]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    })
}

fn ready(bench: &Bench, node: &str) -> String {
    bench.world(|world| {
        world.objects[&key("nodes", None, node)]["status"]["conditions"][0]["status"]
            .as_str()
            .unwrap()
            .to_owned()
    })
}

fn subnet_file(bench: &Bench, node: &str) -> (String, i64) {
    let text = bench.probe(node, "cat /run/flannel/subnet.env").1;
    let mtime = bench.probe(node, "stat -c %Y /run/flannel/subnet.env").1;
    (text, mtime.trim().parse().unwrap())
}

#[test]
fn a_restart_moves_flannel_and_leaves_bridge_and_pods_as_they_were() {
    let bench = Bench::new();
    let node = "k3s-agent-2";
    let (text, before) = subnet_file(&bench, node);
    assert!(text.contains("FLANNEL_MTU=1230"));
    bench.migrate(node);
    // Stale until Flannel has started, though the service is active.
    bench.wait(4);
    assert_eq!(bench.probe(node, "systemctl is-active k3s-agent").0, 0);
    assert_eq!(subnet_file(&bench, node), (text, before));
    bench.wait(10);
    let (text, after) = subnet_file(&bench, node);
    assert!(
        text.contains("FLANNEL_MTU=1450") && after > before,
        "{text}"
    );
    assert_eq!(bench.mtu(node, "flannel.1"), 1450);
    assert_eq!(bench.mtu(node, "cni0"), 1230);
    let (pod, _) = bench.pod("monitoring/netcheck", node);
    assert_eq!(bench.mtu(&pod, "eth0"), 1230);
    assert_eq!(
        annotation(&bench, node, "flannel.alpha.coreos.com/public-ip"),
        "192.168.1.13"
    );
    assert!(annotation(&bench, node, "k3s.io/node-args").contains(r#""--flannel-iface","eth0""#));
    assert!(
        annotation(&bench, "k3s-agent-1", "flannel.alpha.coreos.com/public-ip")
            .starts_with("100.64.")
    );
    // node-ip is explicit: the node's address stays.
    assert_eq!(
        annotation(&bench, node, "k3s.io/internal-ip"),
        "100.64.0.13"
    );
}

#[test]
fn a_second_restart_changes_no_link() {
    let bench = Bench::new();
    bench.migrate_all();
    let links = |bench: &Bench| bench.probe("k3s-agent-1", "ip -j -d link show").1;
    let before = links(&bench);
    bench.ok("k3s-agent-1", "systemctl --no-block restart k3s-agent");
    bench.wait(30);
    assert_eq!(links(&bench), before);
}

#[test]
fn moving_there_and_back_restores_every_link() {
    let bench = Bench::new();
    let links = |bench: &Bench| NODES.map(|node| bench.probe(node, "ip -j -d link show").1);
    let before = links(&bench);
    bench.migrate_all();
    let (pod, _) = bench.pod("tailscale/ts-media", "k3s-agent-2");
    bench.delete_pod(&pod);
    bench.wait(20);
    assert_ne!(links(&bench), before);
    for node in NODES {
        bench.ok(
            node,
            "sed -i 's/^\\(flannel-iface: *\"*\\)eth0/\\1tailscale0/' /etc/rancher/k3s/config.yaml",
        );
        let unit = if node.contains("server") {
            "k3s"
        } else {
            "k3s-agent"
        };
        bench.ok(node, &format!("systemctl --no-block restart {unit}"));
    }
    bench.wait(60);
    bench.delete_pod(&pod);
    bench.wait(20);
    assert_eq!(links(&bench), before);
}

#[test]
fn a_missing_interface_locks_the_node_out_and_a_timer_armed_before_brings_it_back() {
    let bench = Bench::new();
    let node = "k3s-agent-1";
    bench.ok(
        node,
        "cp -p /etc/rancher/k3s/config.yaml /root/config.backup",
    );
    bench.ok(
        node,
        "systemd-run --unit=rollback --on-active=5min --collect sh -c 'cp -p /root/config.backup /etc/rancher/k3s/config.yaml; systemctl --no-block restart k3s-agent'",
    );
    bench.ok(
        node,
        "sed -i 's/\"tailscale0\"/eth9/' /etc/rancher/k3s/config.yaml",
    );
    bench.ok(node, "systemctl --no-block restart k3s-agent");
    bench.wait(10);
    assert_eq!(
        bench.probe(node, "systemctl is-active k3s-agent"),
        (3, "activating\n".into())
    );
    assert!(
        bench
            .probe(node, "journalctl -u k3s-agent")
            .1
            .contains("unable to find interface eth9")
    );
    assert_eq!(ready(&bench, node), "True", "still stale");
    bench.wait(60);
    assert_eq!(ready(&bench, node), "Unknown");
    let error = bench.try_probe(node, "true").unwrap_err();
    assert!(
        matches!(error, TransportError::Unreachable { .. }),
        "{error}"
    );
    bench.wait(280);
    assert_eq!(bench.probe(node, "systemctl is-active k3s-agent").0, 0);
    assert_eq!(ready(&bench, node), "True");
    assert_eq!(bench.probe(node, "systemctl is-active rollback.timer").0, 3);
}

#[test]
fn a_timer_that_was_stopped_does_nothing_and_its_name_is_free_again() {
    let bench = Bench::new();
    let node = "k3s-agent-1";
    let arm = "systemd-run --unit=rollback --on-active=300 --collect touch /tmp/fired";
    bench.ok(node, arm);
    assert_eq!(bench.probe(node, "systemctl is-active rollback.timer").0, 0);
    assert_eq!(bench.run(node, arm).0, 1, "the name is taken");
    bench.ok(node, "systemctl stop rollback.timer");
    bench.wait(400);
    assert_eq!(bench.probe(node, "test -e /tmp/fired").0, 1);
}

#[test]
fn without_an_explicit_node_ip_the_nodes_address_moves_and_an_etcd_server_is_no_member_any_more() {
    let bench = Bench::new();
    bench.ok(
        "k3s-agent-1",
        "sed -i 's/^node-ip.*//' /etc/rancher/k3s/config.yaml",
    );
    bench.migrate("k3s-agent-1");
    bench.wait(30);
    assert_eq!(
        annotation(&bench, "k3s-agent-1", "k3s.io/internal-ip"),
        "192.168.1.12"
    );
    bench.ok(
        "k3s-server-1",
        "sed -i 's/^node-ip.*/cluster-init: true/' /etc/rancher/k3s/config.yaml",
    );
    bench.migrate("k3s-server-1");
    bench.wait(60);
    assert!(bench.world(|world| world.api_down()).is_some());
    let log = bench.probe("k3s-server-1", "journalctl -u k3s -n 1").1;
    assert!(log.contains("not a member of the etcd cluster"), "{log}");
}

#[test]
fn the_servers_restart_takes_the_api_away_and_agents_wait_for_it() {
    let bench = Bench::new();
    bench.ok("k3s-server-1", "systemctl --no-block restart k3s");
    assert!(
        bench
            .world(|world| world.api_down())
            .unwrap()
            .contains("refused")
    );
    bench.migrate("k3s-agent-1");
    bench.wait(8);
    assert_eq!(
        bench.mtu("k3s-agent-1", "flannel.1"),
        1230,
        "its Flannel needs the API"
    );
    bench.wait(30);
    assert!(bench.world(|world| world.api_down()).is_none());
    assert_eq!(bench.mtu("k3s-agent-1", "flannel.1"), 1450);
}

#[test]
fn a_restart_in_the_foreground_cuts_its_own_connection_and_the_gate_knows_its_end() {
    let bench = Bench::new();
    let launch = bench.launch("systemctl restart k3s-agent");
    let actor = bench.actor("k3s-agent-1");
    let error = actor
        .launch(&launch, &SilentSink, &Cancel::default())
        .unwrap_err();
    assert!(matches!(error, TransportError::Lost { .. }), "{error}");
    bench.wait(10);
    let state = actor.inquire(&launch.marker, 1).unwrap();
    assert!(matches!(state, InFlight::Ended(_)), "{state:?}");
    // On the server the connection does not depend on k3s.
    bench.ok("k3s-server-1", "systemctl restart k3s");
    let _ = bench.fleet.actor(&Bench::target("k3s-server-1")).unwrap();
}

#[test]
fn a_reboot_takes_what_the_kernel_and_run_had_and_k3s_makes_it_again() {
    let bench = Bench::of("k3s-double-tunnel-wireguard");
    let node = "k3s-server-1";
    assert_eq!(bench.mtu(node, "flannel-wg"), 1200);
    bench.ok(node, "touch /run/here");
    let reboot = bench.launch("reboot");
    let lost = bench
        .actor(node)
        .launch(&reboot, &SilentSink, &Cancel::default());
    assert!(matches!(lost, Err(TransportError::Lost { .. })), "{lost:?}");
    bench.wait(46);
    assert_eq!(bench.probe(node, "test -e /run/here").0, 1);
    assert_eq!(bench.probe(node, "ip link show dev flannel-wg").0, 1);
    assert_eq!(bench.probe(node, "ip link show dev tailscale0").0, 0);
    bench.wait(60);
    assert_eq!(bench.mtu(node, "flannel-wg"), 1200);
    assert_eq!(ready(&bench, node), "True");
}

#[test]
fn a_start_of_what_is_starting_changes_nothing() {
    let bench = Bench::new();
    let node = "k3s-server-1";
    bench.ok(node, "systemctl --no-block restart k3s");
    bench.wait(10);
    bench.ok(node, "systemctl --no-block start k3s");
    bench.wait(4);
    assert_eq!(bench.probe(node, "systemctl is-active k3s").0, 0);
}
