//! The control plane's view of nodes: whether their kubelets are there, and what is said when they are not.

use serde_json::json;

use super::{key, store};
use crate::lab::definition::Role;
use crate::lab::world::{Happening, Kubelet, Millis, World};

/// When the control plane calls a silent node NotReady (kube-controller-manager's `--node-monitor-grace-period`: 40 s,
/// since 1.32 50 s).
const NOT_READY_AFTER: Millis = 45_000;
/// When a judge who could not judge tries again.
const RETRY: Millis = 5_000;

/// A node's kubelet has come up and posts that it is ready.
pub fn kubelet_comes(world: &mut World, name: &str) {
    if let Some(host) = world.hosts.get_mut(name) {
        host.kubelet = Kubelet::Up;
    }
    set_ready(world, name, true);
}

/// A node's kubelet has gone, if it was there; its node looks ready until the control plane has waited long enough.
pub fn kubelet_goes(world: &mut World, name: &str) {
    let now = world.now;
    let Some(host) = world.hosts.get_mut(name) else {
        return;
    };
    if host.role == Role::Plain {
        // It has none, and nobody would judge it.
        return;
    }
    if host.kubelet == Kubelet::Up {
        host.kubelet = Kubelet::Down(now);
    }
    let host = name.to_owned();
    world.plan(NOT_READY_AFTER, Happening::JudgeNode { host });
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
    if silent < NOT_READY_AFTER || world.api_down().is_some() {
        // The judge itself is away, or a newer silence has its own hour.
        let wait = (NOT_READY_AFTER - silent).max(RETRY);
        let host = name.to_owned();
        return world.plan(wait, Happening::JudgeNode { host });
    }
    set_ready(world, name, false);
}

/// Sets the Ready condition; its transition time moves only when it changes.
fn set_ready(world: &mut World, name: &str, ready: bool) {
    let key = key("nodes", None, name);
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
    store(world, &key, node);
}
