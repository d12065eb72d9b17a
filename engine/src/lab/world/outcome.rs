//! What a world has come to: everything that two ways to the same end must share, and nothing that tells them apart
//! (times, numbers that count attempts).

use serde_json::{Map, Value as Json, json};

use super::{Entry, Kubelet, Machine, World};

/// Fields of objects that say when or how often, and not what.
const PASSING: [&str; 14] = [
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
    "lastTransitionTime",
    "lastHeartbeatTime",
    "lastProbeTime",
    "startTime",
    "startedAt",
    "finishedAt",
    "renewTime",
    "acquireTime",
    "containerID",
    "bootID",
];

impl World {
    /// Hosts with files, links, units; pods; objects. Two runs to the same end give the same.
    pub fn outcome(&self) -> Json {
        let hosts: Map<String, Json> = self
            .hosts
            .iter()
            .map(|(name, host)| {
                let units: Map<String, Json> = host
                    .units
                    .iter()
                    .map(|(name, unit)| (name.clone(), unit.activity.word().into()))
                    .collect();
                let state = json!({
                    "files": files(&host.machine),
                    "links": links(&host.machine),
                    "units": units,
                    "sysctls": host.sysctls,
                    "kubelet": host.kubelet == Kubelet::Up,
                    "flannel": host.vtep,
                });
                (name.clone(), state)
            })
            .collect();
        let pods: Map<String, Json> = self
            .sandboxes
            .iter()
            .map(|(pod, sandbox)| {
                let state = json!({
                    "node": sandbox.node, "links": links(&sandbox.machine), "files": files(&sandbox.machine),
                });
                (pod.clone(), state)
            })
            .collect();
        let objects: Map<String, Json> = self
            .objects
            .iter()
            .map(|(key, object)| (key.clone(), lasting(object)))
            .collect();
        json!({"hosts": hosts, "pods": pods, "objects": objects})
    }
}

fn files(machine: &Machine) -> Map<String, Json> {
    let entries = machine.files.entries();
    entries
        .map(|(path, entry)| {
            let what = match entry {
                Entry::File(image, ..) => json!({
                    "content": String::from_utf8_lossy(&image.content), "mode": format!("{:04o}", image.mode),
                    "owner": format!("{}:{}", image.uid, image.gid),
                }),
                Entry::Directory(mode, ..) => json!({"directory": format!("{mode:04o}")}),
                Entry::Symlink(target) => json!({"link": target}),
            };
            (path.to_owned(), what)
        })
        .collect()
}

fn links(machine: &Machine) -> Map<String, Json> {
    let links = machine.links.iter();
    links
        .map(|link| {
            let addresses: Vec<String> = link
                .addresses
                .iter()
                .map(|address| format!("{}/{}", address.ip, address.prefix))
                .collect();
            let what = json!({"mtu": link.mtu, "up": link.up, "master": link.master, "addresses": addresses});
            (link.name.clone(), what)
        })
        .collect()
}

fn lasting(value: &Json) -> Json {
    match value {
        Json::Object(entries) => entries
            .iter()
            .filter(|(key, _)| !PASSING.contains(&key.as_str()))
            .map(|(key, value)| (key.clone(), lasting(value)))
            .collect::<Map<_, _>>()
            .into(),
        Json::Array(items) => items.iter().map(lasting).collect(),
        other => other.clone(),
    }
}
