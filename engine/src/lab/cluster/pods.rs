//! The kubelet's part of a pod's life: sandbox, link, addresses, readiness.

use std::net::Ipv4Addr;

use serde_json::{Value as Json, json};

use super::{key, reconcile, store};
use crate::lab::network::{Address, Link, LinkKind, PROXY_NEEDS, add_port, remove_link};
use crate::lab::program::{Access, Session};
use crate::lab::world::{
    Happening, Host, Kubelet, Machine, Millis, Place, Sandbox, World, hash, mac, plain,
};

/// When the kubelet tries again what it could not do.
const RETRY: Millis = 2_000;
/// From a container's start to its readiness.
const READINESS: Millis = 4_000;

/// The key of the workload that a pod belongs to.
pub(super) fn workload_of(pod: &Json) -> Option<String> {
    let replica = pod["metadata"]["annotations"]["lab.runbook/replica"].as_str()?;
    Some(replica.rsplit_once('#')?.0.to_owned())
}

/// A terminating pod's containers have ended: its link, its sandbox and its object go.
pub fn pod_gone(world: &mut World, pod: &str, uid: &str) {
    let Some((pod_key, object)) = find(world, pod, uid) else {
        return;
    };
    let node = node_of(&object);
    if world.hosts.contains_key(&node) && !kubelet_works(world, &node) {
        let what = Happening::PodGone {
            pod: pod.to_owned(),
            uid: uid.to_owned(),
        };
        return world.plan(RETRY, what);
    }
    remove_sandbox(world, pod);
    world.objects.remove(&pod_key);
    if let Some(workload) = workload_of(&object) {
        reconcile(world, &workload);
    }
}

/// The kubelet starts a pod: the CNI plugins make its link with the MTU that subnet.env gives at this moment.
pub fn pod_start(world: &mut World, pod: &str, uid: &str) {
    let Some((pod_key, mut object)) = find(world, pod, uid) else {
        return;
    };
    let node = node_of(&object);
    let host_network = object["spec"]["hostNetwork"] == true;
    let mtu = world.hosts.get(&node).and_then(flannel_mtu);
    if !kubelet_works(world, &node) || (mtu.is_none() && !host_network) {
        let what = Happening::PodStart {
            pod: pod.to_owned(),
            uid: uid.to_owned(),
        };
        return world.plan(RETRY, what);
    }
    let address = if host_network {
        node_address(world, &node)
    } else {
        connect(world, pod, &object, &node, uid, mtu.unwrap_or(1500))
    };
    if host_network {
        let sandbox = Sandbox {
            machine: pod_machine(pod, &object, &node, world.seconds()),
            node: node.clone(),
            uid: uid.to_owned(),
            host_network,
            address: address.clone(),
            veth: String::new(),
            started: world.now,
            too_small_until: Some(world.now),
            output: None,
        };
        world.sandboxes.insert(pod.to_owned(), sandbox);
    }
    let now = world.kubernetes_time();
    let containers = container_statuses(&object, &now, false);
    object["status"] = json!({
        "phase": "Running",
        "hostIP": node_address(world, &node),
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": now,
        "conditions": conditions(false, &now),
        "containerStatuses": containers,
    });
    store(world, &pod_key, object);
    let what = Happening::PodReady {
        pod: pod.to_owned(),
        uid: uid.to_owned(),
    };
    world.plan(READINESS, what);
}

/// A pod's containers are ready; a pod that only runs a command has run it.
pub fn pod_ready(world: &mut World, pod: &str, uid: &str) {
    let Some((pod_key, mut object)) = find(world, pod, uid) else {
        return;
    };
    if !kubelet_works(world, &node_of(&object)) {
        let what = Happening::PodReady {
            pod: pod.to_owned(),
            uid: uid.to_owned(),
        };
        return world.plan(RETRY, what);
    }
    if let Some(status) = run_to_completion(world, pod, &object) {
        object["status"]["phase"] = if status == 0 { "Succeeded" } else { "Failed" }.into();
        object["status"]["containerStatuses"][0]["state"] = json!({
            "terminated": {"exitCode": status, "reason": if status == 0 { "Completed" } else { "Error" }}
        });
    } else {
        let now = world.kubernetes_time();
        object["status"]["conditions"] = conditions(true, &now);
        object["status"]["containerStatuses"] = container_statuses(&object, &now, true);
    }
    store(world, &pod_key, object);
}

/// After a reboot every pod of a node is started again, with new links.
pub fn restart_pods_after_boot(world: &mut World, node: &str) {
    let pods: Vec<(String, String)> = world
        .sandboxes
        .iter()
        .filter(|(_, sandbox)| sandbox.node == node)
        .map(|(pod, sandbox)| (pod.clone(), sandbox.uid.clone()))
        .collect();
    for (pod, uid) in pods {
        remove_sandbox(world, &pod);
        if let Some((pod_key, mut object)) = find(world, &pod, &uid) {
            let now = world.kubernetes_time();
            object["status"]["conditions"] = conditions(false, &now);
            store(world, &pod_key, object);
        }
        world.plan(
            super::workloads::SCHEDULING,
            Happening::PodStart { pod, uid },
        );
    }
    if let Some(host) = world.hosts.get_mut(node) {
        // A node without pods may have no bridge yet.
        let _ = remove_link(&mut host.machine, "cni0");
    }
}

/// Runs the command of a pod that is not to be restarted; `None` if it has none or goes on for ever.
fn run_to_completion(world: &mut World, pod: &str, object: &Json) -> Option<i32> {
    let container = &object["spec"]["containers"][0];
    let mut words = strings(&container["command"]);
    words.extend(strings(&container["args"]));
    let endless = words.first().is_none_or(|word| word == "sleep")
        || words.iter().any(|word| word.contains("sleep "));
    if object["spec"]["restartPolicy"] != "Never" || endless {
        return None;
    }
    let outcome =
        Session::new(world, Place::Pod(pod.to_owned()), Access::Change).run_argv(&words, &[]);
    let text = String::from_utf8_lossy(&[outcome.stdout, outcome.stderr].concat()).into_owned();
    if let Some(sandbox) = world.sandboxes.get_mut(pod) {
        sandbox.output = Some(text);
    }
    Some(outcome.status.unwrap_or(137))
}

fn find(world: &World, pod: &str, uid: &str) -> Option<(String, Json)> {
    let (namespace, name) = pod.split_once('/')?;
    let pod_key = key("pods", Some(namespace), name);
    let object = world.objects.get(&pod_key)?;
    (object["metadata"]["uid"] == uid).then(|| (pod_key, object.clone()))
}

fn kubelet_works(world: &World, node: &str) -> bool {
    world
        .hosts
        .get(node)
        .is_some_and(|host| host.kubelet == Kubelet::Up && host.down_until.is_none())
        && world.api_down().is_none()
}

fn node_of(pod: &Json) -> String {
    pod["spec"]["nodeName"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn node_address(world: &World, node: &str) -> String {
    world
        .objects
        .get(&key("nodes", None, node))
        .map_or_else(String::new, |node| {
            node["status"]["addresses"][0]["address"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        })
}

/// The MTU that the flannel CNI plugin reads at each ADD.
fn flannel_mtu(host: &Host) -> Option<u32> {
    host.machine
        .files
        .text("/run/flannel/subnet.env")?
        .lines()
        .find_map(|line| line.strip_prefix("FLANNEL_MTU="))?
        .parse()
        .ok()
}

/// Makes the pod's sandbox and link; the bridge too, if it is the node's first. Returns the pod's address.
fn connect(world: &mut World, pod: &str, object: &Json, node: &str, uid: &str, mtu: u32) -> String {
    let (now, seconds) = (world.now, world.seconds());
    let mut machine = pod_machine(pod, object, node, seconds);
    let Some(host) = world.hosts.get_mut(node) else {
        return String::new();
    };
    let Some(subnet) = Address::parse(&host.pod_subnet) else {
        return String::new();
    };
    let gateway = Address {
        ip: Ipv4Addr::from(u32::from(subnet.network()) + 1),
        prefix: subnet.prefix,
    };
    make_bridge(host, node, gateway, mtu);
    host.last_pod_address = match host.last_pod_address {
        0 | 1 | 254.. => 2,
        last => last + 1,
    };
    let ip = Ipv4Addr::from(u32::from(subnet.network()) + u32::from(host.last_pod_address));
    // Named after the replica, not the pod: a cluster that was put back has the same links.
    let replica = object["metadata"]["annotations"]["lab.runbook/replica"]
        .as_str()
        .unwrap_or(pod);
    let veth = format!("veth{:08x}", hash(&[replica, "veth"]) as u32);
    let index = host
        .machine
        .free_index(10 + (hash(&[replica, "index"]) % 900) as u32);
    add_port(
        &mut host.machine,
        Link {
            index,
            name: veth.clone(),
            kind: LinkKind::Veth {
                pod: pod.to_owned(),
            },
            mac: Some(mac(&[replica, "host end"])),
            mtu,
            up: true,
            addresses: vec![],
            addresses_v6: vec![],
            master: Some("cni0".into()),
        },
    );
    machine.links.push(Link {
        index: 2,
        name: "eth0".into(),
        kind: LinkKind::PodEnd { peer: index },
        mac: Some(mac(&[replica, "pod end"])),
        mtu,
        up: true,
        addresses: vec![Address {
            ip,
            prefix: subnet.prefix,
        }],
        addresses_v6: vec![],
        master: None,
    });
    let sandbox = Sandbox {
        machine,
        node: node.to_owned(),
        uid: uid.to_owned(),
        host_network: false,
        address: ip.to_string(),
        veth,
        started: now,
        too_small_until: (mtu >= PROXY_NEEDS).then_some(now),
        output: None,
    };
    world.sandboxes.insert(pod.to_owned(), sandbox);
    ip.to_string()
}

/// The bridge plugin sets the MTU at creation only.
fn make_bridge(host: &mut Host, node: &str, gateway: Address, mtu: u32) {
    if host.machine.link("cni0").is_some() {
        return;
    }
    let bridge = Link {
        index: host.machine.free_index(5),
        name: "cni0".into(),
        kind: LinkKind::Bridge { mtu_by_hand: false },
        mac: Some(mac(&[node, "cni0"])),
        mtu,
        up: true,
        addresses: vec![gateway],
        addresses_v6: vec![],
        master: None,
    };
    add_port(&mut host.machine, bridge);
}

fn pod_machine(pod: &str, object: &Json, node: &str, now: i64) -> Machine {
    let mut machine = Machine::default();
    machine.links.push(Link {
        index: 1,
        name: "lo".into(),
        kind: LinkKind::Loopback,
        mac: None,
        mtu: 65_536,
        up: true,
        addresses: vec![Address {
            ip: Ipv4Addr::LOCALHOST,
            prefix: 8,
        }],
        addresses_v6: vec![],
        master: None,
    });
    let name = pod.split_once('/').map_or(pod, |(_, name)| name);
    let hostname = if object["spec"]["hostNetwork"] == true {
        node
    } else {
        name
    };
    let namespace = pod
        .split_once('/')
        .map_or("default", |(namespace, _)| namespace);
    let resolv = format!(
        "search {namespace}.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.43.0.10\noptions ndots:5\n"
    );
    for directory in ["/etc", "/tmp"] {
        machine
            .files
            .make_directories(directory, now)
            .expect("a new tree takes a directory");
    }
    for (path, text) in [
        ("/etc/hostname", format!("{hostname}\n")),
        ("/etc/resolv.conf", resolv),
    ] {
        machine
            .files
            .put(path, plain(text.into_bytes(), 0o644), now)
            .expect("its directory was just made");
    }
    machine
}

fn remove_sandbox(world: &mut World, pod: &str) {
    let Some(sandbox) = world.sandboxes.remove(pod) else {
        return;
    };
    if let Some(host) = world.hosts.get_mut(&sandbox.node) {
        // The link may be gone already, removed by hand.
        let _ = remove_link(&mut host.machine, &sandbox.veth);
    }
}

fn conditions(ready: bool, now: &str) -> Json {
    let ready = if ready { "True" } else { "False" };
    json!([
        {"type": "PodScheduled", "status": "True", "lastTransitionTime": now},
        {"type": "Initialized", "status": "True", "lastTransitionTime": now},
        {"type": "ContainersReady", "status": ready, "lastTransitionTime": now},
        {"type": "Ready", "status": ready, "lastTransitionTime": now},
    ])
}

fn container_statuses(pod: &Json, now: &str, ready: bool) -> Json {
    let containers = pod["spec"]["containers"].as_array().cloned();
    containers
        .unwrap_or_default()
        .iter()
        .map(|container| {
            json!({
                "name": container["name"], "image": container["image"], "ready": ready, "started": true, "restartCount": 0,
                "state": {"running": {"startedAt": now}},
            })
        })
        .collect()
}

fn strings(value: &Json) -> Vec<String> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|word| word.as_str().map(str::to_owned))
        .collect()
}
