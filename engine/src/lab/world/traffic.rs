//! What flows through the links of hosts and pods while time passes.
//!
//! It is counted when somebody looks, or before a link changes: time that passes does not touch every host of a lab.

use super::counters::{Counters, Traffic};
use super::{Host, Millis, Place, Sandbox, World};
use crate::lab::network::PROXY_NEEDS;

impl World {
    /// Counts what has flowed until now; needed before anything that decides how well traffic does.
    pub fn settle(&mut self) {
        let elapsed = self.now - self.settled;
        if elapsed <= 0 {
            return;
        }
        self.settled = self.now;
        for sandbox in self.sandboxes.values_mut() {
            let traffic = of_pod(sandbox);
            sandbox.machine.counters.flow(traffic, elapsed);
        }
        for host in self.hosts.values_mut() {
            let traffic = of_host(host);
            host.machine.counters.flow(traffic, elapsed);
        }
    }

    /// The counters that are seen from a place, as of now.
    pub fn counters(&self, place: &Place) -> Option<Counters> {
        let elapsed: Millis = self.now - self.settled;
        let (traffic, machine) = match self.network_place(place) {
            Place::Pod(pod) => {
                let sandbox = self.sandboxes.get(&pod)?;
                (of_pod(sandbox), &sandbox.machine)
            }
            Place::Host(name) => {
                let host = self.hosts.get(&name)?;
                (of_host(host), &host.machine)
            }
        };
        let mut counters = machine.counters.clone();
        counters.flow(traffic, elapsed);
        Some(counters)
    }
}

fn of_pod(sandbox: &Sandbox) -> Traffic {
    let proxy = !sandbox.host_network && sandbox.too_small_until.is_none();
    match sandbox.machine.link("eth0") {
        Some(link) if link.mtu < PROXY_NEEDS => Traffic::Tunnelled { proxy },
        _ => Traffic::Healthy,
    }
}

fn of_host(host: &Host) -> Traffic {
    match host.machine.link("flannel.1") {
        Some(link) if link.mtu < PROXY_NEEDS => Traffic::Tunnelled { proxy: false },
        _ => Traffic::Healthy,
    }
}
