//! Deployments, StatefulSets and DaemonSets: they see to it that their pods exist.

use serde_json::{Value as Json, json};

use super::{key, store};
use crate::lab::definition::{ContainerDefinition, WorkloadDefinition, WorkloadKind};
use crate::lab::world::{Happening, Millis, Workload, World, suffix};

/// From a pod's deletion to its end.
const TERMINATION: Millis = 2_000;
/// From a pod's creation to its start: scheduling and the image.
pub(super) const SCHEDULING: Millis = 2_500;

/// Puts a workload and its pods, which run at once.
pub fn add_workload(world: &mut World, definition: &WorkloadDefinition) {
    let kind = definition.kind;
    let plural = plural(kind);
    let object = workload_object(definition);
    let own_key = key(plural, Some(&definition.namespace), &definition.name);
    let object = store(world, &own_key, object);
    if kind == WorkloadKind::Deployment {
        let name = replica_set_name(&definition.name);
        let mut set = object.clone();
        set["kind"] = "ReplicaSet".into();
        set["metadata"] = json!({
            "name": name, "namespace": definition.namespace, "labels": object["spec"]["template"]["metadata"]["labels"],
            "ownerReferences": [owner("apps/v1", "Deployment", &object)],
        });
        let key = key("replicasets", Some(&definition.namespace), &name);
        store(world, &key, set);
    }
    world.workloads.insert(
        own_key.clone(),
        Workload {
            kind,
            nodes: definition.nodes.clone(),
            logs: definition.logs.iter().copied().collect(),
            generations: vec![0; definition.nodes.len()],
        },
    );
    reconcile(world, &own_key);
}

fn plural(kind: WorkloadKind) -> &'static str {
    match kind {
        WorkloadKind::Deployment => "deployments",
        WorkloadKind::StatefulSet => "statefulsets",
        WorkloadKind::DaemonSet => "daemonsets",
    }
}

fn workload_object(definition: &WorkloadDefinition) -> Json {
    let containers: Vec<Json> = definition.containers.iter().map(container).collect();
    let mut labels = definition.labels.clone();
    if labels.is_empty() {
        labels.insert("app".into(), definition.name.clone());
    }
    let mut pod_spec = json!({"containers": containers, "restartPolicy": "Always"});
    if definition.host_network {
        pod_spec["hostNetwork"] = true.into();
    }
    let replicas = definition.nodes.len();
    let mut spec = json!({
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod_spec},
    });
    let status = if definition.kind == WorkloadKind::DaemonSet {
        json!({"desiredNumberScheduled": replicas, "numberReady": replicas, "currentNumberScheduled": replicas})
    } else {
        spec["replicas"] = replicas.into();
        json!({"replicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas})
    };
    json!({
        "apiVersion": "apps/v1",
        "kind": definition.kind.as_str(),
        "metadata": {"name": definition.name, "namespace": definition.namespace, "labels": labels},
        "spec": spec,
        "status": status,
    })
}

fn container(definition: &ContainerDefinition) -> Json {
    let env: Vec<Json> = definition
        .env
        .iter()
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    let mut container = json!({
        "name": definition.name,
        "image": definition.image,
        "imagePullPolicy": definition.pull.as_deref().unwrap_or("IfNotPresent"),
        "env": env,
    });
    if definition.privileged {
        container["securityContext"] = json!({"privileged": true});
    }
    container
}

fn owner(api_version: &str, kind: &str, object: &Json) -> Json {
    json!({
        "apiVersion": api_version, "kind": kind, "name": object["metadata"]["name"], "uid": object["metadata"]["uid"],
        "controller": true, "blockOwnerDeletion": true,
    })
}

fn replica_set_name(deployment: &str) -> String {
    format!("{deployment}-{}", suffix(&[deployment, "template"], 9))
}

/// Creates the pods that a workload lacks. A replica has a place of its own: its node never changes.
pub fn reconcile(world: &mut World, workload_key: &str) {
    let (Some(workload), Some(object)) = (
        world.workloads.get(workload_key).cloned(),
        world.objects.get(workload_key).cloned(),
    ) else {
        return;
    };
    let namespace = text(&object["metadata"]["namespace"]);
    let name = text(&object["metadata"]["name"]);
    let wanted = object["spec"]["replicas"]
        .as_u64()
        .map_or(workload.nodes.len(), |replicas| replicas as usize);
    for slot in 0..workload.nodes.len() {
        let present = world.objects.iter().any(|(key, pod)| {
            key.starts_with("pods/")
                && pod["metadata"]["annotations"]["lab.runbook/replica"]
                    == format!("{workload_key}#{slot}")
                // A ReplicaSet replaces a pod that is being terminated at once; the others wait for its end.
                && (workload.kind != WorkloadKind::Deployment
                    || pod["metadata"]["deletionTimestamp"].is_null())
        });
        if present || slot >= wanted {
            continue;
        }
        let generation = next_generation(world, workload_key, slot);
        let pod_name = match workload.kind {
            WorkloadKind::StatefulSet => format!("{name}-{slot}"),
            WorkloadKind::DaemonSet => format!(
                "{name}-{}",
                unique(&[&name, &slot.to_string(), &generation])
            ),
            WorkloadKind::Deployment => format!(
                "{}-{}",
                replica_set_name(&name),
                unique(&[&name, &slot.to_string(), &generation])
            ),
        };
        let owner = match workload.kind {
            WorkloadKind::Deployment => {
                let set = key("replicasets", Some(&namespace), &replica_set_name(&name));
                let Some(set) = world.objects.get(&set) else {
                    continue;
                };
                owner("apps/v1", "ReplicaSet", set)
            }
            kind => owner("apps/v1", kind.as_str(), &object),
        };
        create_pod(world, workload_key, slot, &object, &pod_name, owner);
    }
}

fn unique(parts: &[&str]) -> String {
    suffix(parts, 5)
}

fn next_generation(world: &mut World, workload_key: &str, slot: usize) -> String {
    let Some(count) = world
        .workloads
        .get_mut(workload_key)
        .and_then(|workload| workload.generations.get_mut(slot))
    else {
        return String::new();
    };
    *count += 1;
    count.to_string()
}

fn create_pod(
    world: &mut World,
    workload_key: &str,
    slot: usize,
    workload: &Json,
    name: &str,
    owner: Json,
) {
    let template = &workload["spec"]["template"];
    let namespace = text(&workload["metadata"]["namespace"]);
    let mut labels = template["metadata"]["labels"].clone();
    if owner["kind"] == "StatefulSet" {
        labels["statefulset.kubernetes.io/pod-name"] = name.into();
    }
    let mut annotations = template["metadata"]["annotations"].clone();
    annotations["lab.runbook/replica"] = format!("{workload_key}#{slot}").into();
    let mut spec = template["spec"].clone();
    if let Some(node) = world
        .workloads
        .get(workload_key)
        .and_then(|workload| workload.nodes.get(slot))
    {
        spec["nodeName"] = node.clone().into();
    }
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels, "annotations": annotations, "ownerReferences": [owner]},
        "spec": spec,
        "status": {"phase": "Pending", "conditions": []},
    });
    let pod_key = key("pods", Some(&namespace), name);
    let pod = store(world, &pod_key, pod);
    world.plan(
        SCHEDULING,
        Happening::PodStart {
            pod: format!("{namespace}/{name}"),
            uid: text(&pod["metadata"]["uid"]),
        },
    );
}

/// Begins a pod's termination; its controller replaces it when its kind does.
pub fn delete_pod(world: &mut World, pod: &str) -> Option<Json> {
    let (namespace, name) = pod.split_once('/')?;
    let pod_key = key("pods", Some(namespace), name);
    let mut object = world.objects.get(&pod_key)?.clone();
    if !object["metadata"]["deletionTimestamp"].is_null() {
        return Some(object);
    }
    object["metadata"]["deletionTimestamp"] = world.kubernetes_time().into();
    object["metadata"]["deletionGracePeriodSeconds"] = 30.into();
    let object = store(world, &pod_key, object);
    let uid = text(&object["metadata"]["uid"]);
    let gone = Happening::PodGone {
        pod: pod.to_owned(),
        uid,
    };
    world.plan(TERMINATION, gone);
    if let Some(workload) = super::pods::workload_of(&object) {
        reconcile(world, &workload);
    }
    Some(object)
}

fn text(value: &Json) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
