use super::{Bench, NODES};

fn ping(bench: &Bench, from: &str, to: &str, mtu: u32) -> (i32, String) {
    bench.probe(from, &format!("ping -M do -s {} -c 1 -W 1 {to}", mtu - 28))
}

#[test]
fn the_broken_cluster_has_1230_everywhere_and_its_pods_reach_each_other() {
    let bench = Bench::new();
    for node in NODES {
        assert_eq!(bench.mtu(node, "flannel.1"), 1230);
        assert_eq!(bench.mtu(node, "cni0"), 1230);
    }
    let (from, _) = bench.pod("monitoring/netcheck", NODES[0]);
    let (_, to) = bench.pod("monitoring/netcheck", NODES[1]);
    assert_eq!(ping(&bench, &from, &to, 1230).0, 0);
    let (status, text) = ping(&bench, &from, &to, 1231);
    assert_eq!(status, 1);
    assert!(text.contains("message too long, mtu=1230"), "{text}");
}

#[test]
fn mixed_tunnel_ends_stop_pod_traffic_between_nodes_but_not_between_hosts() {
    let bench = Bench::new();
    let (from, _) = bench.pod("monitoring/netcheck", "k3s-agent-1");
    let (_, to) = bench.pod("monitoring/netcheck", "k3s-agent-2");
    bench.migrate("k3s-agent-1");
    bench.wait(30);
    assert_eq!(ping(&bench, &from, &to, 100).0, 1);
    assert_eq!(ping(&bench, "k3s-agent-1", "192.168.1.13", 1500).0, 0);
    bench.migrate("k3s-agent-2");
    bench.wait(30);
    assert_eq!(ping(&bench, &from, &to, 100).0, 0);
}

#[test]
fn a_bridge_forced_above_a_small_port_makes_a_hole_without_a_word() {
    let bench = Bench::new();
    bench.migrate_all();
    let (from, _) = bench.pod("monitoring/netcheck", "k3s-agent-1");
    let (_, to) = bench.pod("monitoring/netcheck", "k3s-agent-2");
    bench.delete_pod(&from);
    bench.wait(20);
    let (from, _) = bench.pod("monitoring/netcheck", "k3s-agent-1");
    // The bridge still follows its ports: the sender is told.
    let (status, text) = ping(&bench, &from, &to, 1450);
    assert_eq!(status, 1);
    assert!(
        text.contains("Frag needed and DF set (mtu = 1230)"),
        "{text}"
    );
    bench.ok("k3s-agent-2", "ip link set cni0 mtu 1450");
    let (status, text) = ping(&bench, &from, &to, 1450);
    assert_eq!(status, 1);
    assert!(
        text.contains("100% packet loss") && !text.contains("Frag"),
        "{text}"
    );
    assert_eq!(ping(&bench, &from, &to, 1230).0, 0);
}

#[test]
fn a_new_pod_cannot_reach_an_old_one_on_its_node_at_full_size() {
    let bench = Bench::new();
    bench.migrate_all();
    let (old, address) = bench.pod("apps/media", "k3s-agent-1");
    assert_eq!(bench.mtu(&old, "eth0"), 1230);
    let (pod, _) = bench.pod("monitoring/netcheck", "k3s-agent-1");
    bench.delete_pod(&pod);
    bench.wait(20);
    let (new, _) = bench.pod("monitoring/netcheck", "k3s-agent-1");
    assert_ne!(new, pod);
    assert_eq!(bench.mtu(&new, "eth0"), 1450);
    let (status, text) = ping(&bench, &new, &address, 1450);
    assert_eq!(status, 1);
    assert!(!text.contains("Frag"), "{text}");
    assert_eq!(ping(&bench, &new, &address, 1230).0, 0);
}

#[test]
fn the_firewall_variant_is_seen_in_its_rules_not_by_a_udp_probe_and_cuts_the_node_off() {
    let bench = Bench::of("k3s-double-tunnel-ufw");
    let (status, text) = bench.probe("k3s-agent-1", "nc -u -z -w 2 192.168.1.13 8472");
    assert_eq!(status, 0, "silence looks like an open port: {text}");
    let (_, rules) = bench.probe("k3s-agent-2", "ufw status");
    assert!(rules.contains("8472/udp on tailscale0"), "{rules}");
    let (_, rules) = bench.probe("k3s-agent-2", "nft list ruleset");
    assert!(
        rules.contains("iifname \"tailscale0\" udp dport 8472 accept"),
        "{rules}"
    );
    bench.migrate_all();
    let (from, _) = bench.pod("monitoring/netcheck", "k3s-agent-1");
    let (_, to) = bench.pod("monitoring/netcheck", "k3s-agent-2");
    assert_eq!(ping(&bench, &from, &to, 100).0, 1);
}

#[test]
fn a_busybox_ping_has_no_df() {
    let bench = Bench::new();
    let (pod, _) = bench.pod("kube-system/traefik", "k3s-agent-1");
    let (status, text) = ping(&bench, &pod, "10.42.1.1", 100);
    assert_eq!(status, 1);
    assert!(text.contains("invalid option -- 'M'"), "{text}");
}

#[test]
fn ip_json_shows_what_a_runbook_reads() {
    let bench = Bench::new();
    let (_, text) = bench.probe("k3s-agent-1", "ip -j -d link show dev flannel.1");
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json[0]["mtu"], 1230);
    assert_eq!(json[0]["linkinfo"]["info_data"]["link"], "tailscale0");
    assert_eq!(json[0]["linkinfo"]["info_data"]["port"], 8472);
    let (_, text) = bench.probe("k3s-agent-1", "ip -j route get 192.168.1.13");
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json[0]["dev"], "eth0");
    let (status, text) = bench.probe("k3s-agent-1", "ip -j link show dev nope");
    assert_eq!(
        (status, text.trim()),
        (1, "Device \"nope\" does not exist.")
    );
}
