//! What is known of real clusters, checked against the lab.

mod k3s_facts;
mod network_facts;
mod pod_facts;
mod state_facts;
mod tls_facts;

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use super::fleet::ActingLab;
use super::world::World;
use super::{Lab, LabAccess};
use crate::model::{HostName, OperationId, Target};
use crate::transport::{
    ActingFleet, Actor, Cancel, Command, Completion, Exit, Launch, ObservingFleet, Output, Program,
    SilentSink, TransportError,
};

const NODES: [&str; 3] = ["k3s-agent-1", "k3s-agent-2", "k3s-server-1"];

/// A lab in a directory of its own.
struct Bench {
    directory: TempDir,
    lab: Arc<Lab>,
    fleet: ActingLab,
    operations: std::cell::Cell<u64>,
}

impl Bench {
    fn new() -> Self {
        Self::of("k3s-double-tunnel")
    }

    fn of(name: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let lab = Lab::open(name, directory.path(), LabAccess::ReadWrite).unwrap();
        let fleet = super::LabFleet::acting(lab.clone(), no_cluster()).unwrap();
        Self {
            directory,
            lab,
            fleet,
            operations: std::cell::Cell::new(0),
        }
    }

    fn target(name: &str) -> Target {
        match name.split_once('/') {
            Some((namespace, name)) => Target::Pod {
                namespace: namespace.into(),
                name: name.into(),
                container: None,
            },
            None => Target::Host(HostName::parse(name).unwrap()),
        }
    }

    fn actor(&self, name: &str) -> Arc<dyn Actor> {
        self.fleet.actor(&Self::target(name)).unwrap()
    }

    fn try_probe(&self, name: &str, text: &str) -> Result<Output, TransportError> {
        self.fleet.observer(&Self::target(name)).unwrap().probe(
            &shell(text),
            Duration::from_secs(60),
            &Cancel::default(),
        )
    }

    /// Exit status and both streams.
    fn probe(&self, name: &str, text: &str) -> (i32, String) {
        status(self.try_probe(name, text).unwrap())
    }

    fn marker(&self) -> OperationId {
        self.operations.set(self.operations.get() + 1);
        OperationId::parse(&format!("{:016x}", self.operations.get())).unwrap()
    }

    fn launch(&self, text: &str) -> Launch {
        Launch {
            marker: self.marker(),
            attempt: 1,
            epoch: 1,
            command: shell(text),
            timeout: None,
            detach: false,
        }
    }

    fn run(&self, name: &str, text: &str) -> (i32, String) {
        let completion = self
            .actor(name)
            .launch(&self.launch(text), &SilentSink, &Cancel::default())
            .unwrap();
        match completion {
            Completion::Ended(output) => status(output),
            Completion::Started => (0, String::new()),
        }
    }

    fn ok(&self, name: &str, text: &str) -> String {
        let (status, output) = self.run(name, text);
        assert_eq!(status, 0, "{name}: {text}: {output}");
        output
    }

    fn wait(&self, seconds: u64) {
        assert!(
            self.fleet
                .clock()
                .sleep(Duration::from_secs(seconds), &Cancel::default())
        );
    }

    fn world<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        self.lab.glance(|world| (look(world), false)).unwrap()
    }

    fn mtu(&self, name: &str, link: &str) -> u32 {
        let (status, text) = self.probe(name, &format!("cat /sys/class/net/{link}/mtu"));
        assert_eq!(status, 0, "{text}");
        text.trim().parse().unwrap()
    }

    /// Moves Flannel of a node to the LAN, without the waiting.
    fn migrate(&self, name: &str) {
        self.ok(
            name,
            "sed -i 's/^\\(flannel-iface: *\"*\\)tailscale0/\\1eth0/' /etc/rancher/k3s/config.yaml",
        );
        let unit = if name.contains("server") {
            "k3s"
        } else {
            "k3s-agent"
        };
        self.ok(name, &format!("systemctl --no-block restart {unit}"));
    }

    fn migrate_all(&self) {
        for node in NODES {
            self.migrate(node);
        }
        self.wait(60);
    }

    fn delete_pod(&self, pod: &str) {
        self.lab
            .change(|world| super::cluster::delete_pod(world, pod))
            .unwrap()
            .unwrap();
    }

    /// The running pod of a workload on a node.
    fn pod(&self, prefix: &str, node: &str) -> (String, String) {
        self.world(|world| {
            world
                .sandboxes
                .iter()
                .find(|(pod, sandbox)| pod.starts_with(prefix) && sandbox.node == node)
                .map(|(pod, sandbox)| (pod.clone(), sandbox.address.clone()))
                .unwrap_or_else(|| panic!("no pod {prefix} on {node}"))
        })
    }
}

fn shell(text: &str) -> Command {
    Command {
        program: Program::Shell(text.into()),
        stdin: None,
        env: Default::default(),
    }
}

fn status(output: Output) -> (i32, String) {
    let Exit::Code(status) = output.exit else {
        panic!("{output:?}");
    };
    (
        status,
        format!("{}{}", output.stdout.text(), output.stderr.text()),
    )
}

fn no_cluster() -> super::fleet::ClusterHook {
    Arc::new(|_| Err(TransportError::Interrupted))
}
