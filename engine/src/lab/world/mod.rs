//! The whole state of a simulated cluster: plain data that is stored as JSON (`store/`), and what has become of it since (`change.rs`).

mod build;
mod change;
mod counters;
mod files;
mod launches;
mod machine;
mod outcome;
mod reboot;
mod time;
mod tracked;
mod traffic;

pub use change::Change;
pub use counters::Counters;
pub use files::{Entry, FileError, FileTree, plain};
pub use launches::{LaunchRecord, LaunchState, Process};
pub use machine::{Activity, Backend, Host, Kubelet, Machine, Sandbox, Unit, UnitKind, Vtep};
pub use reboot::{booted, reboot};
pub use time::{Event, Happening};
pub use tracked::Tracked;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::behaviour::Behaviour;
use super::definition::{ImageDefinition, LogTopic, PublicEndpoint, WorkloadKind};
use super::fleet::{Chance, Fault, LateRequest};

/// Milliseconds, since the epoch where it is a point in time.
pub type Millis = i64;

/// Everything that is, in one lab.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct World {
    /// The lab's time.
    pub now: Millis,
    /// Until when traffic is in the counters.
    pub settled: Millis,
    /// Counts everything that needs a number: events, resource versions, process ids.
    pub serial: u64,
    /// What is going to happen.
    pub events: Vec<Event>,
    /// Hosts by name.
    pub hosts: Tracked<Host>,
    /// What runs in pods, by `namespace/name`.
    pub sandboxes: Tracked<Sandbox>,
    /// The API's objects by `plural/namespace/name` (see [`crate::lab::cluster::key`]).
    pub objects: Tracked<Json>,
    /// The controllers' knowledge of workloads, by the key of their object.
    pub workloads: Tracked<Workload>,
    /// Images by reference.
    pub images: BTreeMap<String, ImageDefinition>,
    /// What the Internet sees.
    pub public_endpoint: Option<PublicEndpoint>,
    /// Launched commands by `marker/attempt`.
    pub launches: Tracked<LaunchRecord>,
    /// How often what ran.
    pub counts: Counts,
    /// Faults that are still to come.
    pub faults: Vec<Fault>,
    /// Faults by chance, reproducible by their seed.
    #[serde(default)]
    pub chance: Option<Chance>,
    /// Requests that are still on their way, oldest first.
    #[serde(default)]
    pub late: Vec<LateRequest>,
    /// What the lab's texts have taught it; not part of its state.
    #[serde(skip)]
    pub behaviour: Arc<Behaviour>,
}

/// How often commands ran: the proof that nothing ran twice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Starts by marker (all attempts).
    pub markers: Tracked<u32>,
    /// Starts of launched commands by target, then by command.
    pub commands: Tracked<BTreeMap<String, u32>>,
    /// All commands by target, probes too.
    pub contacts: Tracked<u32>,
    /// Faults that struck, by kind.
    #[serde(default)]
    pub faults: BTreeMap<String, u32>,
    /// Requests that came late or a second time, and were refused.
    #[serde(default)]
    pub refused: u32,
}

/// What a controller knows of a workload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Workload {
    /// Its kind.
    pub kind: WorkloadKind,
    /// The node of each replica.
    pub nodes: Vec<String>,
    /// What its pods log.
    pub logs: Vec<LogTopic>,
    /// How many pods each replica has had.
    pub generations: Vec<u32>,
}

/// Where a command runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// On a host, as root.
    Host(String),
    /// In a container of a pod, by `namespace/name`.
    Pod(String),
}

impl World {
    /// Nothing at all: what stands in for a world that is somewhere else.
    pub fn empty() -> Self {
        Self {
            now: 0,
            settled: 0,
            serial: 0,
            events: vec![],
            hosts: Tracked::default(),
            sandboxes: Tracked::default(),
            objects: Tracked::default(),
            workloads: Tracked::default(),
            images: BTreeMap::new(),
            public_endpoint: None,
            launches: Tracked::default(),
            counts: Counts::default(),
            faults: vec![],
            chance: None,
            late: vec![],
            behaviour: Arc::default(),
        }
    }

    /// The next number.
    pub fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// The lab's time in seconds since the epoch.
    pub fn seconds(&self) -> i64 {
        self.now / 1000
    }

    /// The lab's time.
    pub fn timestamp(&self) -> jiff::Timestamp {
        timestamp(self.now)
    }

    /// The lab's time as Kubernetes writes it.
    pub fn kubernetes_time(&self) -> String {
        kubernetes_time(self.now)
    }

    /// The machine at a place, for reading. A pod on the host's network has its own files and programs, but
    /// see [`World::network_machine`].
    pub fn machine(&self, place: &Place) -> Option<&Machine> {
        match place {
            Place::Host(name) => self.hosts.get(name).map(|host| &host.machine),
            Place::Pod(key) => self.sandboxes.get(key).map(|sandbox| &sandbox.machine),
        }
    }

    /// The machine at a place.
    pub fn machine_mut(&mut self, place: &Place) -> Option<&mut Machine> {
        match place {
            Place::Host(name) => self.hosts.get_mut(name).map(|host| &mut host.machine),
            Place::Pod(key) => self
                .sandboxes
                .get_mut(key)
                .map(|sandbox| &mut sandbox.machine),
        }
    }

    /// The place whose network namespace is seen from a place: the node's for a pod on the host's network.
    pub fn network_place(&self, place: &Place) -> Place {
        match place {
            Place::Pod(key) => match self.sandboxes.get(key) {
                Some(sandbox) if sandbox.host_network => Place::Host(sandbox.node.clone()),
                _ => place.clone(),
            },
            Place::Host(_) => place.clone(),
        }
    }

    /// The machine whose links are seen from a place.
    pub fn network_machine(&self, place: &Place) -> Option<&Machine> {
        self.machine(&self.network_place(place))
    }
}

/// Milliseconds as a timestamp.
pub fn timestamp(millis: Millis) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

/// Milliseconds as Kubernetes writes a time: whole seconds, `Z`.
pub fn kubernetes_time(millis: Millis) -> String {
    timestamp(millis).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A stable number for a name: what the lab has instead of chance.
pub fn hash(parts: &[&str]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part.as_bytes());
        hasher.update(&[0]);
    }
    let bytes: [u8; 8] = hasher.finalize().as_bytes()[..8]
        .try_into()
        .expect("a hash has 32 bytes");
    u64::from_le_bytes(bytes)
}

/// A stable word of Kubernetes' suffix alphabet.
pub fn suffix(parts: &[&str], length: usize) -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut number = hash(parts);
    (0..length)
        .map(|_| {
            let letter = LETTERS[(number % LETTERS.len() as u64) as usize];
            number /= LETTERS.len() as u64;
            letter as char
        })
        .collect()
}

/// A stable, locally administered hardware address.
pub fn mac(parts: &[&str]) -> String {
    let bytes = hash(parts).to_le_bytes();
    format!(
        "{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}",
        (bytes[0] & 0xfc) | 0x02,
        bytes[1],
        bytes[2],
        bytes[3],
        bytes[4],
        bytes[5]
    )
}

/// A stable UUID.
pub fn uuid(parts: &[&str]) -> String {
    let high = hash(parts);
    let low = hash(&[&parts.join("\n"), "low"]);
    uuid::Builder::from_random_bytes((u128::from(high) << 64 | u128::from(low)).to_le_bytes())
        .into_uuid()
        .to_string()
}
