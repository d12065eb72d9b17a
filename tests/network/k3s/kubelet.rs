//! The kubelet's part: the node's object, heartbeats, and pods as network namespaces on veth pairs of cni0.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value as Json, json};

use crate::command::{mtu, run};
use crate::config::{Role, Settings};
use crate::flannel::{self, Below, Subnet, Vtep};
use crate::http;

/// Between two rounds.
const ROUND: Duration = Duration::from_millis(200);
/// A heartbeat each so many rounds.
const HEARTBEAT: u32 = 5;

/// This node.
pub struct Node {
    pub name: String,
    pub role: Role,
    /// Address and port of the API server.
    pub server: String,
    pub settings: Settings,
    pub link: Below,
}

impl Node {
    fn path(&self) -> String {
        format!("/api/v1/nodes/{}", self.name)
    }

    /// Makes the node's object, or brings it up to date. Gives the part of the pod network that the server has given it.
    pub fn register(&self) -> anyhow::Result<Subnet> {
        // Without node-ip, the address is that of Flannel's interface (k3s: pkg/cli).
        let address = self.settings.last("node-ip").unwrap_or(&self.link.address);
        let mut labels = json!({"kubernetes.io/hostname": self.name});
        if self.role == Role::Server {
            labels["node-role.kubernetes.io/control-plane"] = "true".into();
        }
        let object = json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": self.name, "labels": labels, "annotations": {
                "k3s.io/node-args": self.settings.flattened(self.role),
                "flannel.alpha.coreos.com/backend-type": "vxlan",
            }},
            "status": {"addresses": [
                {"type": "InternalIP", "address": address}, {"type": "Hostname", "address": self.name},
            ]},
        });
        let nodes = self.nodes()?;
        let own = nodes
            .iter()
            .find(|node| node["metadata"]["name"] == *self.name);
        let cidr = match own.and_then(|node| node["spec"]["podCIDR"].as_str()) {
            Some(cidr) => {
                http::patch(&self.server, &self.path(), &object)?;
                cidr.to_owned()
            }
            None => {
                let created = http::ask(&self.server, "POST", "/api/v1/nodes", Some(&object))?;
                let created: Json = serde_json::from_slice(&created)?;
                let cidr = created["spec"]["podCIDR"].as_str();
                cidr.context("the server gave no part of the pod network")?
                    .to_owned()
            }
        };
        Ok(Subnet(cidr.trim_end_matches(".0/24").to_owned()))
    }

    fn nodes(&self) -> anyhow::Result<Vec<Json>> {
        items(&http::get(&self.server, "/api/v1/nodes")?)
    }

    fn heartbeat(&self, vtep: &Vtep) -> anyhow::Result<()> {
        let now = jiff::Timestamp::now()
            .strftime("%Y-%m-%dT%H:%M:%SZ")
            .to_string();
        let beat = json!({
            "metadata": {"annotations": {
                "flannel.alpha.coreos.com/public-ip": vtep.address,
                "network.runbook/vtep": vtep.hardware,
            }},
            "status": {"conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": now}]},
        });
        http::patch(&self.server, &self.path(), &beat).map(drop)
    }
}

fn items(body: &[u8]) -> anyhow::Result<Vec<Json>> {
    let mut list: Json = serde_json::from_slice(body)?;
    Ok(serde_json::from_value(list["items"].take())?)
}

/// Lives until the process ends. A server that is away is tried again.
pub fn live(node: &Node, vtep: &Vtep, subnet: &Subnet) -> anyhow::Result<()> {
    let mut known = Vec::new();
    let mut last = String::new();
    for round in 0u32.. {
        let result = (|| {
            if round % HEARTBEAT == 0 {
                node.heartbeat(vtep)?;
                flannel::follow(&node.nodes()?, &node.name, &mut known);
            }
            pods(node, subnet)
        })();
        // Said once, not in each round.
        let said = result
            .err()
            .map(|why| format!("{why:#}"))
            .unwrap_or_default();
        if said != last && !said.is_empty() {
            println!("level=error msg=\"{said}\"");
        }
        last = said;
        std::thread::sleep(ROUND);
    }
    Ok(())
}

/// The name of a pod's network namespace.
fn namespace_of(pod: &Json) -> String {
    let uid = pod["metadata"]["uid"].as_str().unwrap_or_default();
    format!("cni-{}", &uid[..uid.len().min(8)])
}

fn pods(node: &Node, subnet: &Subnet) -> anyhow::Result<()> {
    let path = format!("/api/v1/pods?fieldSelector=spec.nodeName%3D{}", node.name);
    let pods = items(&http::get(&node.server, &path)?)?;
    let mut there: BTreeMap<String, ()> = run("ip netns list")?
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .map(|name| (name.to_owned(), ()))
        .collect();
    for pod in &pods {
        let path = format!(
            "/api/v1/namespaces/{}/pods/{}",
            pod["metadata"]["namespace"].as_str().unwrap_or_default(),
            pod["metadata"]["name"].as_str().unwrap_or_default()
        );
        let space = namespace_of(pod);
        let has_space = there.remove(&space).is_some();
        if !pod["metadata"]["deletionTimestamp"].is_null() {
            if has_space {
                run(&format!("ip netns del {space}"))?;
            }
            http::ask(&node.server, "DELETE", &path, None)?;
        } else if pod["status"]["phase"] != "Running" {
            let (address, log) = match pod["spec"]["hostNetwork"] == true {
                true => (node.link.address.clone(), String::new()),
                false => connect(pod, &space, has_space, subnet)?,
            };
            let running = json!({
                "metadata": {"annotations": {"network.runbook/log": log}},
                "status": {
                    "phase": "Running", "podIP": address, "podIPs": [{"ip": address}],
                    "conditions": [{"type": "Ready", "status": "True"}],
                },
            });
            http::patch(&node.server, &path, &running)?;
        }
    }
    Ok(())
}

/// The CNI plugins' ADD: the MTU is read from subnet.env now; the bridge is given one only when it is made.
fn connect(
    pod: &Json,
    space: &str,
    half: bool,
    subnet: &Subnet,
) -> anyhow::Result<(String, String)> {
    let Subnet(net) = subnet;
    let size = flannel::subnet_mtu()?;
    if half {
        run(&format!("ip netns del {space}"))?;
    }
    if mtu("cni0").is_none() {
        run(&format!("ip link add cni0 mtu {size} type bridge"))?;
        run(&format!("ip addr add {net}.1/24 dev cni0"))?;
        run("ip link set cni0 up")?;
    }
    let address = free_address(net)?;
    let veth = format!("veth{}", &space[4..]);
    for command in [
        format!("ip netns add {space}"),
        format!("ip link add {veth} mtu {size} type veth peer name eth0 mtu {size} netns {space}"),
        format!("ip link set {veth} master cni0 up"),
        format!("ip -n {space} link set lo up"),
        format!("ip -n {space} addr add {address}/24 dev eth0"),
        format!("ip -n {space} link set eth0 up"),
        format!("ip -n {space} route add default via {net}.1"),
    ] {
        run(&command)?;
    }
    Ok((address, log(pod, space, net)))
}

/// The first address that no pod of this node has.
fn free_address(net: &str) -> anyhow::Result<String> {
    let mut taken = Vec::new();
    for line in run("ip netns list")?.lines() {
        let Some(space) = line.split_whitespace().next() else {
            continue;
        };
        taken.push(run(&format!("ip -n {space} -4 -o addr show dev eth0")).unwrap_or_default());
    }
    (2..255)
        .map(|n| format!("{net}.{n}"))
        .find(|address| {
            !taken
                .iter()
                .any(|shown| shown.contains(&format!(" {address}/")))
        })
        .context("no address is free")
}

/// What a Tailscale proxy would say of its link: a full WireGuard datagram (1340 bytes) is really sent from the pod's
/// namespace, unfragmented. Kernel and link decide.
fn log(pod: &Json, space: &str, net: &str) -> String {
    if pod["metadata"]["labels"]["tailscale.com/managed"] != "true" {
        return String::new();
    }
    let sent = run(&format!(
        "ip netns exec {space} ping -M do -c 1 -W 1 -s 1312 {net}.1"
    ));
    match sent {
        Err(why) if format!("{why:#}").to_lowercase().contains("too long") => {
            "magicsock: sendmmsg: message too long\n".repeat(3)
        }
        _ => "magicsock: derp-1 connected\n".into(),
    }
}
