//! The node's object in the API: addresses, annotations, Ready.

use serde_json::{Value as Json, json};

use super::config::Arguments;
use super::service;
use crate::lab::cluster;
use crate::lab::definition::Role;
use crate::lab::world::{Kubelet, World};

/// Creates or updates the Node of a host whose kubelet has just come up.
pub fn register(world: &mut World, name: &str, arguments: &Arguments) {
    let Some(host) = world.hosts.get(name) else {
        return;
    };
    let Some(vtep) = host.vtep.clone() else {
        return;
    };
    let flannel_mac = host
        .machine
        .link("flannel.1")
        .and_then(|link| link.mac.clone());
    // Without an explicit node-ip, k3s takes it from Flannel's interface.
    let node_ip = arguments
        .last("node-ip")
        .map_or_else(|| vtep.address.clone(), str::to_owned);
    let role = host.role;
    let pod_subnets: Vec<String> = [&host.pod_subnet, &host.pod_subnet_v6]
        .into_iter()
        .filter(|subnet| !subnet.is_empty())
        .cloned()
        .collect();
    let boot_id = host.boot_id.clone();
    let key = cluster::key("nodes", None, name);
    let mut node = world
        .objects
        .get(&key)
        .cloned()
        .unwrap_or_else(|| new_node(world, name, role, &pod_subnets));
    let annotations = &mut node["metadata"]["annotations"];
    annotations["k3s.io/node-args"] = arguments.annotation(role).into();
    annotations["k3s.io/internal-ip"] = node_ip.clone().into();
    annotations["flannel.alpha.coreos.com/public-ip"] = vtep.address.into();
    annotations["flannel.alpha.coreos.com/backend-type"] = vtep.backend.annotation().into();
    annotations["flannel.alpha.coreos.com/kube-subnet-manager"] = "true".into();
    annotations["flannel.alpha.coreos.com/backend-data"] =
        json!({"VNI": 1, "VtepMAC": flannel_mac}).to_string().into();
    if let Some(address) = vtep.address_v6 {
        annotations["flannel.alpha.coreos.com/public-ipv6"] = address.into();
    }
    let addresses = node_ip
        .split(',')
        .map(|address| json!({"type": "InternalIP", "address": address}));
    let hostname = json!({"type": "Hostname", "address": name});
    node["status"]["addresses"] = addresses.chain([hostname]).collect();
    node["status"]["nodeInfo"]["bootID"] = boot_id.into();
    cluster::store(world, &key, node);
    set_ready(world, name, true);
}

fn new_node(world: &World, name: &str, role: Role, pod_subnets: &[String]) -> Json {
    let images: Vec<Json> = world
        .images
        .keys()
        .map(|image| json!({"names": [image], "sizeBytes": 40_000_000}))
        .collect();
    let mut labels = json!({
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "arm64",
        "node.kubernetes.io/instance-type": "k3s",
    });
    if role == Role::Server {
        labels["node-role.kubernetes.io/control-plane"] = "true".into();
    }
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": {}},
        "spec": {"podCIDR": pod_subnets.first(), "podCIDRs": pod_subnets, "providerID": format!("k3s://{name}")},
        "status": {
            "conditions": [],
            "images": images,
            "nodeInfo": {
                "kernelVersion": "6.12.47-lab", "osImage": "Debian GNU/Linux 13 (trixie)", "operatingSystem": "linux",
                "architecture": "arm64", "containerRuntimeVersion": "containerd://2.1.4-k3s1", "kubeletVersion": "v1.34.1+k3s1",
            },
        },
    })
}

/// Sets the Ready condition; its transition time moves only when it changes.
fn set_ready(world: &mut World, name: &str, ready: bool) {
    let key = cluster::key("nodes", None, name);
    let now = world.kubernetes_time();
    let Some(mut node) = world.objects.get(&key).cloned() else {
        return;
    };
    let status = if ready { "True" } else { "Unknown" };
    let old = &node["status"]["conditions"][0];
    let since = if old["status"] == status {
        old["lastTransitionTime"].clone()
    } else {
        now.clone().into()
    };
    let (reason, message) = if ready {
        ("KubeletReady", "kubelet is posting ready status")
    } else {
        ("NodeStatusUnknown", "Kubelet stopped posting node status.")
    };
    node["status"]["conditions"] = json!([{
        "type": "Ready", "status": status, "reason": reason, "message": message,
        "lastHeartbeatTime": now, "lastTransitionTime": since,
    }]);
    cluster::store(world, &key, node);
}

/// A node whose kubelet has been silent for long enough becomes NotReady; until then its Ready is stale.
pub fn judge_node(world: &mut World, name: &str) {
    let Some(host) = world.hosts.get(name) else {
        return;
    };
    let Kubelet::Down(since) = host.kubelet else {
        return;
    };
    let silent = world.now - since;
    if silent < service::NOT_READY_AFTER || world.api_down().is_some() {
        // The judge itself is away, or a newer silence has its own hour.
        let wait = (service::NOT_READY_AFTER - silent).max(5_000);
        let host = name.to_owned();
        return world.plan(wait, crate::lab::world::Happening::JudgeNode { host });
    }
    set_ready(world, name, false);
}

/// An etcd server whose address changes is no member any more (k3s#4296).
pub(super) fn lost_etcd_member(world: &World, name: &str, arguments: &Arguments) -> Option<String> {
    let host = world.hosts.get(name)?;
    let etcd = arguments
        .last("cluster-init")
        .is_some_and(|value| value == "true");
    if host.role != Role::Server || !etcd {
        return None;
    }
    let node = world.objects.get(&cluster::key("nodes", None, name))?;
    let known = node["status"]["addresses"][0]["address"].as_str()?;
    let wanted = match arguments.last("node-ip") {
        Some(ip) => ip.split(',').next().unwrap_or(ip).to_owned(),
        None => super::flannel::interface(host, arguments)
            .ok()??
            .1
            .to_string(),
    };
    (wanted != known).then(|| {
        format!("level=fatal msg=\"starting kubernetes: preparing server: start managed database: this server ({wanted}) is a not a member of the etcd cluster. Found [{name}=https://{known}:2380]\"")
    })
}
