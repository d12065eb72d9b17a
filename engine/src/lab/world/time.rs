//! Virtual time: it moves when somebody waits, and what is due happens on the way.

use serde::{Deserialize, Serialize};

use super::{Activity, Host, Kubelet, Millis, Place, World};
use crate::lab::definition::Reach;
use crate::lab::{behaviour, cluster, fleet, systemd};

/// Something that is going to happen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Millis,
    /// Order among events of the same time.
    pub serial: u64,
    /// What.
    pub what: Happening,
}

/// The things that can happen by themselves.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happening {
    /// The control plane judges whether a node is still there.
    JudgeNode {
        /// Host.
        host: String,
    },
    /// A timer's time has come.
    Timer {
        /// Host.
        host: String,
        /// The timer.
        unit: String,
        /// The start that this belongs to.
        generation: u64,
    },
    /// A transient service runs its command.
    Service {
        /// Host.
        host: String,
        /// The service.
        unit: String,
        /// The start that this belongs to.
        generation: u64,
    },
    /// A launched command goes on.
    Process {
        /// `marker/attempt`.
        launch: String,
    },
    /// A pod that is being terminated is gone.
    PodGone {
        /// `namespace/name`.
        pod: String,
        /// Which pod of that name.
        uid: String,
    },
    /// The kubelet starts a pod.
    PodStart {
        /// `namespace/name`.
        pod: String,
        /// Which pod of that name.
        uid: String,
    },
    /// A pod's containers are ready.
    PodReady {
        /// `namespace/name`.
        pod: String,
        /// Which pod of that name.
        uid: String,
    },
    /// Something that the lab's behaviour has announced.
    Taught {
        /// Host.
        host: String,
        /// The unit that it belongs to.
        unit: String,
        /// The start of that unit.
        generation: u64,
        /// Its name.
        event: String,
    },
    /// A host comes back from a reboot.
    Booted {
        /// Host.
        host: String,
    },
}

/// How long the kubelet must be away before the connection through it is given up.
const CONNECTION_GRACE: Millis = 20_000;

impl World {
    /// Plans something.
    pub fn plan(&mut self, delay: Millis, what: Happening) {
        let serial = self.next_serial();
        self.events.push(Event {
            at: self.now + delay,
            serial,
            what,
        });
    }

    /// Lets time pass; everything that is due on the way happens in its order. Returns whether anything did.
    pub fn advance(&mut self, duration: Millis) -> bool {
        let end = self.now + duration.max(0);
        let mut happened = false;
        while let Some(position) = self.first_due(end) {
            let event = self.events.swap_remove(position);
            self.flow_until(event.at);
            happened = true;
            self.happen(event.what);
        }
        // What happened may itself have taken longer than was asked for.
        self.flow_until(end);
        happened
    }

    fn first_due(&self, end: Millis) -> Option<usize> {
        (0..self.events.len())
            .filter(|index| self.events[*index].at <= end)
            .min_by_key(|index| (self.events[*index].at, self.events[*index].serial))
    }

    fn flow_until(&mut self, time: Millis) {
        self.now = self.now.max(time);
    }

    fn happen(&mut self, what: Happening) {
        // Links may come, go or change with it; what traffic they had until now is counted first. Programs see to that
        // themselves.
        if !matches!(
            what,
            Happening::Process { .. } | Happening::Service { .. } | Happening::Timer { .. }
        ) {
            self.settle();
        }
        match what {
            Happening::JudgeNode { host } => cluster::judge_node(self, &host),
            Happening::Timer {
                host,
                unit,
                generation,
            } => systemd::timer_due(self, &host, &unit, generation),
            Happening::Service {
                host,
                unit,
                generation,
            } => systemd::service_runs(self, &host, &unit, generation),
            Happening::Process { launch } => fleet::continue_process(self, &launch),
            Happening::PodGone { pod, uid } => cluster::pod_gone(self, &pod, &uid),
            Happening::PodStart { pod, uid } => cluster::pod_start(self, &pod, &uid),
            Happening::PodReady { pod, uid } => cluster::pod_ready(self, &pod, &uid),
            Happening::Taught {
                host,
                unit,
                generation,
                event,
            } => {
                let current = self.hosts.get(&host).is_some_and(|host| {
                    let unit = host.units.get(&unit);
                    host.down_until.is_none()
                        && unit.is_some_and(|unit| unit.generation == generation)
                });
                if current {
                    behaviour::event(self, &host, &event);
                }
            }
            Happening::Booted { host } => super::booted(self, &host),
        }
    }

    /// Why the API does not answer, if it does not.
    pub fn api_down(&self) -> Option<String> {
        let servers = || {
            self.hosts
                .iter()
                .filter(|(_, host)| host.role == crate::lab::definition::Role::Server)
        };
        let runs = |host: &Host| {
            let unit = host.units.get(host.role.unit());
            host.down_until.is_none() && unit.is_some_and(|unit| unit.activity == Activity::Active)
        };
        // Several servers share etcd, which answers while more than half of its members run.
        if servers().filter(|(_, host)| runs(host)).count() > servers().count() / 2 {
            return None;
        }
        let address = servers()
            .find_map(|(_, host)| host.machine.link("eth0")?.ipv4())
            .map_or_else(|| "server".to_owned(), |address| address.to_string());
        Some(format!(
            "dial tcp {address}:6443: connect: connection refused (k3s is not running on the server)"
        ))
    }

    /// Why a place cannot be reached, if it cannot.
    pub fn unreachable(&self, place: &Place) -> Option<String> {
        match place {
            Place::Host(name) => {
                let host = self.hosts.get(name)?;
                if host.down_until.is_some() {
                    return Some("the host is rebooting: no route to host".into());
                }
                match (host.reach, host.kubelet) {
                    (Reach::Kubelet, Kubelet::Down(since))
                        if self.now - since > CONNECTION_GRACE =>
                    {
                        Some(format!(
                            "its kubelet has not answered for {} s (dial tcp {name}:10250: connect: connection refused)",
                            (self.now - since) / 1000
                        ))
                    }
                    _ => None,
                }
            }
            Place::Pod(key) => {
                let sandbox = self.sandboxes.get(key)?;
                if let Some(down) = self.api_down() {
                    return Some(down);
                }
                let host = self.hosts.get(&sandbox.node)?;
                match (host.kubelet, host.down_until) {
                    (Kubelet::Up, None) => None,
                    _ => Some(format!(
                        "error dialing backend: dial tcp {}:10250: connect: connection refused",
                        sandbox.node
                    )),
                }
            }
        }
    }
}
