//! Flannel with the VXLAN backend, as far as links and files go (flannel: pkg/backend/vxlan, k3s: pkg/agent/flannel).

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::Value as Json;

use crate::command::{ip, mtu, run};
use crate::config::Settings;

/// VXLAN over IPv4.
const OVERHEAD: u64 = 50;

/// The link below Flannel.
#[derive(Debug)]
pub struct Below {
    pub name: String,
    pub address: String,
    pub mtu: u64,
}

/// The link that `flannel-iface` names, else that of the default route. It must be there, up, and have an address.
pub fn interface(settings: &Settings) -> anyhow::Result<Below> {
    let name = match settings.last("flannel-iface") {
        Some(name) => name.to_owned(),
        None => ip("route show default")?
            .first()
            .and_then(|route| Some(route["dev"].as_str()?.to_owned()))
            .context("no default route")?,
    };
    let shown = ip(&format!("addr show dev {name}"))
        .with_context(|| format!("unable to find interface {name}"))?;
    let link = &shown[0];
    let up = link["flags"]
        .as_array()
        .is_some_and(|flags| flags.contains(&"UP".into()));
    if !up {
        bail!("unable to find interface {name}: it is down");
    }
    let address = link["addr_info"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|one| one["family"] == "inet" && one["scope"] == "global")
        .and_then(|one| one["local"].as_str())
        .with_context(|| format!("unable to find IPv4 address for interface {name}"))?;
    Ok(Below {
        address: address.to_owned(),
        mtu: link["mtu"].as_u64().context("a link has an MTU")?,
        name,
    })
}

/// The node's part of the pod network, such as `10.42.1`.
#[derive(Clone, Debug)]
pub struct Subnet(pub String);

/// What other nodes need to know of this one.
#[derive(Debug)]
pub struct Vtep {
    pub address: String,
    pub hardware: String,
}

/// Makes flannel.1 (anew only where parent or source address differ, not for an MTU alone: vxlan/device.go
/// vxlanLinksIncompat) and replaces subnet.env.
pub fn start(below: &Below, subnet: &Subnet) -> anyhow::Result<Vtep> {
    let Subnet(net) = subnet;
    let wanted = below.mtu - OVERHEAD;
    let known = ip("-d link show dev flannel.1").ok();
    let fits = known.as_ref().is_some_and(|links| {
        let data = &links[0]["linkinfo"]["info_data"];
        data["link"] == *below.name && data["local"] == *below.address
    });
    if !fits {
        let same = known
            .and_then(|links| Some(format!("address {}", links[0]["address"].as_str()?)))
            .unwrap_or_default();
        // Its absence is what is wanted.
        let _ = run("ip link del flannel.1");
        run(&format!(
            "ip link add flannel.1 {same} mtu {wanted} type vxlan id 1 local {} dev {} dstport 8472 nolearning",
            below.address, below.name
        ))?;
        run(&format!("ip addr add {net}.0/32 dev flannel.1"))?;
        run("ip link set flannel.1 up")?;
    }
    write_subnet_file(net, wanted)?;
    let hardware = ip("link show dev flannel.1")?[0]["address"]
        .as_str()
        .context("flannel.1 has a hardware address")?
        .to_owned();
    Ok(Vtep {
        address: below.address.clone(),
        hardware,
    })
}

/// Atomically, at each start; nobody removes it when k3s stops.
fn write_subnet_file(net: &str, mtu: u64) -> anyhow::Result<()> {
    let directory = Path::new("/run/flannel");
    std::fs::create_dir_all(directory)?;
    let mut file = std::fs::File::create(directory.join(".subnet.env"))?;
    write!(
        file,
        "FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_SUBNET={net}.1/24\nFLANNEL_MTU={mtu}\nFLANNEL_IPMASQ=true\n"
    )?;
    std::fs::rename(directory.join(".subnet.env"), directory.join("subnet.env"))?;
    Ok(())
}

/// The MTU that the CNI plugin reads at each ADD.
pub fn subnet_mtu() -> anyhow::Result<u64> {
    let text = std::fs::read_to_string("/run/flannel/subnet.env")?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("FLANNEL_MTU="));
    Ok(line.context("subnet.env without FLANNEL_MTU")?.parse()?)
}

/// Routes to the other nodes by what they announce: route, neighbour and forwarding entry for each. Nothing happens
/// while flannel.1 is gone: this Flannel, like older ones, does not make it again by itself.
pub fn follow(nodes: &[Json], own_name: &str, known: &mut Vec<String>) {
    if mtu("flannel.1").is_none() {
        return known.clear();
    }
    for node in nodes {
        let annotations = &node["metadata"]["annotations"];
        let (Some(net), Some(address), Some(hardware)) = (
            node["spec"]["podCIDR"]
                .as_str()
                .and_then(|cidr| cidr.strip_suffix(".0/24")),
            annotations["flannel.alpha.coreos.com/public-ip"].as_str(),
            annotations["network.runbook/vtep"].as_str(),
        ) else {
            continue;
        };
        let told = format!("{net} {address} {hardware}");
        if node["metadata"]["name"] == own_name || known.contains(&told) {
            continue;
        }
        let commands = [
            format!("ip neigh replace {net}.0 lladdr {hardware} dev flannel.1 nud permanent"),
            // `replace` would keep the old destination beside the new one.
            format!("bridge fdb del {hardware} dev flannel.1"),
            format!("bridge fdb add {hardware} dev flannel.1 dst {address} self permanent"),
            format!("ip route replace {net}.0/24 via {net}.0 dev flannel.1 onlink"),
        ];
        for command in commands {
            if let Err(why) = run(&command)
                && !command.contains("fdb del")
            {
                println!("level=error msg=\"{why:#}\"");
            }
        }
        known.retain(|line| !line.starts_with(&format!("{net} ")));
        known.push(told);
    }
}
