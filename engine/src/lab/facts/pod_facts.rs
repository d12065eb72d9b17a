use super::Bench;
use crate::lab::api::ApiBackend as _;
use crate::lab::cluster::{LabApi, kinds};
use crate::transport::{LogQuery, ObjectKind};

fn kind(plural: &str) -> ObjectKind {
    kinds()
        .into_iter()
        .find(|kind| kind.plural == plural)
        .unwrap()
}

#[test]
fn a_deleted_proxy_comes_back_with_the_mtu_of_the_moment_and_stops_complaining() {
    let bench = Bench::new();
    let api = LabApi::new(bench.lab.clone());
    let pod = "ts-authentik-x7k2p-0";
    let log = |api: &LabApi| {
        let query = LogQuery {
            since: Some(std::time::Duration::from_secs(60)),
            ..LogQuery::default()
        };
        api.logs("tailscale", pod, &query).unwrap().unwrap()
    };
    assert!(log(&api).contains("sendmmsg: message too long"));
    bench.migrate_all();
    let old = api
        .get(&kind("pods"), Some("tailscale"), pod)
        .unwrap()
        .unwrap();
    let uid = old["metadata"]["uid"].as_str().unwrap();
    let wrong = api.delete(&kind("pods"), Some("tailscale"), pod, Some("other"));
    assert!(wrong.is_err(), "another pod's uid");
    api.delete(&kind("pods"), Some("tailscale"), pod, Some(uid))
        .unwrap();
    bench.wait(90);
    let new = api
        .get(&kind("pods"), Some("tailscale"), pod)
        .unwrap()
        .unwrap();
    assert_ne!(new["metadata"]["uid"], old["metadata"]["uid"]);
    assert_eq!(new["spec"]["nodeName"], old["spec"]["nodeName"]);
    assert_eq!(new["status"]["conditions"][3]["status"], "True");
    assert_eq!(bench.mtu(&format!("tailscale/{pod}"), "eth0"), 1450);
    assert!(!log(&api).contains("sendmmsg"), "{}", log(&api));
    assert!(
        log(&api).contains("http: TLS handshake error from"),
        "scanners go on"
    );
}

#[test]
fn when_the_last_small_pod_of_a_node_is_gone_its_bridge_grows_by_itself() {
    let bench = Bench::new();
    bench.migrate_all();
    let node = "k3s-agent-2";
    let pods = |bench: &Bench| -> Vec<String> {
        bench.world(|world| {
            world
                .sandboxes
                .iter()
                .filter(|(_, sandbox)| sandbox.node == node && !sandbox.host_network)
                .map(|(pod, _)| pod.clone())
                .collect()
        })
    };
    for pod in pods(&bench) {
        assert_eq!(bench.mtu(node, "cni0"), 1230, "before {pod} is renewed");
        bench.delete_pod(&pod);
        bench.wait(15);
    }
    assert_eq!(bench.mtu(node, "cni0"), 1450);
    assert!(pods(&bench).iter().all(|pod| {
        bench.world(|world| world.sandboxes[pod].machine.link("eth0").unwrap().mtu == 1450)
    }));
}

#[test]
fn only_standalone_ingress_proxies_are_userspace_and_labels_are_the_operators() {
    let bench = Bench::new();
    let api = LabApi::new(bench.lab.clone());
    let mut seen = vec![];
    for pod in api.list(&kind("pods"), Some("tailscale")).unwrap() {
        let labels = &pod["metadata"]["labels"];
        if labels["tailscale.com/managed"] != "true" {
            continue;
        }
        let name = pod["metadata"]["name"].as_str().unwrap();
        let userspace = bench
            .probe(&format!("tailscale/{name}"), "echo $TS_USERSPACE")
            .1;
        let parent = labels["tailscale.com/parent-resource-type"]
            .as_str()
            .unwrap();
        assert_eq!(userspace.trim() == "true", parent == "ingress", "{name}");
        assert_eq!(pod["spec"]["containers"][0]["name"], "tailscale");
        seen.push(name.to_owned());
    }
    assert_eq!(
        seen,
        [
            "ingress-proxies-0",
            "ingress-proxies-1",
            "ts-authentik-x7k2p-0",
            "ts-media-q4m9d-0",
            "ts-postgres-w2n8r-0"
        ]
    );
}

#[test]
fn an_image_without_ip_says_so_and_a_pods_link_needs_privilege() {
    let bench = Bench::new();
    let (pod, _) = bench.pod("apps/media", "k3s-agent-1");
    let (status, text) = bench.probe(&pod, "ip link show eth0");
    assert_eq!(status, 127, "{text}");
    assert_eq!(bench.mtu(&pod, "eth0"), 1230, "but /sys shows it");
    let (pod, _) = bench.pod("monitoring/netcheck", "k3s-agent-1");
    let (status, text) = bench.run(&pod, "ip link set eth0 mtu 1450");
    assert!(
        status == 2 && text.contains("Operation not permitted"),
        "{text}"
    );
}

#[test]
fn a_pod_that_only_runs_a_command_ends_with_its_output() {
    let bench = Bench::new();
    let api = LabApi::new(bench.lab.clone());
    let pod = serde_json::json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "mtu-test", "namespace": "default"},
        "spec": {"restartPolicy": "Never", "nodeName": "k3s-agent-2", "containers": [
            {"name": "t", "image": "busybox:1.37", "command": ["ip", "link", "show", "eth0"]}]},
    });
    api.create(&kind("pods"), pod.clone()).unwrap();
    assert_eq!(
        api.create(&kind("pods"), pod).unwrap_err(),
        crate::lab::api::ApiRefusal::AlreadyExists
    );
    bench.wait(10);
    let pod = api
        .get(&kind("pods"), Some("default"), "mtu-test")
        .unwrap()
        .unwrap();
    assert_eq!(pod["status"]["phase"], "Succeeded");
    let log = api
        .logs("default", "mtu-test", &LogQuery::default())
        .unwrap()
        .unwrap();
    assert!(log.contains("mtu 1230"), "{log}");
}

#[test]
fn a_replacement_with_an_old_version_is_refused() {
    let bench = Bench::new();
    let api = LabApi::new(bench.lab.clone());
    let mut lease = serde_json::json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l", "namespace": "default"}, "spec": {}});
    let first = api.create(&kind("leases"), lease.clone()).unwrap();
    lease["metadata"]["resourceVersion"] = first["metadata"]["resourceVersion"].clone();
    lease["spec"]["holderIdentity"] = "a".into();
    api.replace(&kind("leases"), lease.clone()).unwrap();
    lease["spec"]["holderIdentity"] = "b".into();
    assert!(matches!(
        api.replace(&kind("leases"), lease).unwrap_err(),
        crate::lab::api::ApiRefusal::Conflict(_)
    ));
}
