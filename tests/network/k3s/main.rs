//! A `k3s` for the network lab (tests/network): it does to links, files and objects what a k3s does when it starts,
//! with the real tools of the kernel, and nothing else of Kubernetes.
//!
//! - `config`: config.yaml, config.yaml.d and arguments, in k3s' order
//! - `flannel`: the interface, flannel.1, subnet.env, the other nodes
//! - `kubelet`: heartbeats, pods as network namespaces on veth pairs
//! - `api`, `store`: the API server (servers only), over the lab's own implementation of it
//! - `forward`: a way to the node's sshd that lives and dies with the kubelet
//! - `http`, `command`: both ends of a request, and programs of the host
//!
//! Seconds are scaled down: what takes k3s half a minute takes this one about two seconds.
#![forbid(unsafe_code)]

mod api;
mod command;
mod config;
mod flannel;
mod forward;
mod http;
mod kubelet;
mod store;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};

use config::{Role, Settings};

/// Where a test says that the next start fails: the file's text is the error.
const FAIL: &str = "/etc/network-lab/fail-start";
/// The port of the API server.
const API_PORT: u16 = 6443;
/// How long a start takes before anything happens.
const STARTING: Duration = Duration::from_millis(700);
/// Between two tries for what is not there yet.
const RETRY: Duration = Duration::from_millis(500);

fn main() -> anyhow::Result<()> {
    let mut words = std::env::args().skip(1);
    let role = match words.next().as_deref() {
        Some("server") => Role::Server,
        Some("agent") => Role::Agent,
        _ => bail!("k3s server|agent [--OPTION VALUE]…"),
    };
    let settings = Settings::read(role, words.collect())?;
    std::thread::sleep(STARTING);
    if let Ok(why) = std::fs::read_to_string(FAIL) {
        bail!("{}", why.trim());
    }
    let server = match role {
        Role::Server => {
            api::serve(API_PORT)?;
            format!("127.0.0.1:{API_PORT}")
        }
        Role::Agent => settings
            .last("server")
            .context("an agent needs `server`")?
            .trim_start_matches("http://")
            .to_owned(),
    };
    while let Err(why) = http::get(&server, "/readyz") {
        println!("level=info msg=\"Waiting for the server at {server}: {why:#}\"");
        std::thread::sleep(RETRY);
    }
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname")?
        .trim()
        .to_owned();
    let link = loop {
        match flannel::interface(&settings) {
            Ok(link) => break link,
            // k3s goes on trying: no kubelet until then.
            Err(why) => {
                println!(
                    "level=error msg=\"Waiting to retrieve agent configuration; server is not ready: {why:#}\""
                );
                std::thread::sleep(RETRY);
            }
        }
    };
    let node = kubelet::Node {
        name,
        role,
        server,
        settings,
        link,
    };
    let subnet = loop {
        match node.register() {
            Ok(subnet) => break subnet,
            Err(why) => println!("level=error msg=\"Unable to register node: {why:#}\""),
        }
        std::thread::sleep(RETRY);
    };
    notify_ready();
    let vtep = flannel::start(&node.link, &subnet)?;
    forward::start();
    kubelet::live(&node, &vtep, &subnet)
}

/// Tells the supervisor of the unit that the service is active; what comes after may still take its time.
fn notify_ready() {
    if let Some(state) = std::env::var_os("NOTIFY_STATE")
        && Path::new(&state).exists()
    {
        // The supervisor sees for itself when this process has gone.
        let _ = std::fs::write(state, "active\n");
    }
}
