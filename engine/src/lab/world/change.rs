//! What has become of a world since it was stored.

use serde::{Deserialize, Serialize};

use super::{Counts, World};

/// The entries that have changed, with all that is small, as a world of its own; and what is no more.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Change {
    world: World,
    #[serde(default, skip_serializing_if = "Gone::is_empty")]
    gone: Gone,
}

/// Names of entries that are no more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Gone {
    hosts: Vec<String>,
    sandboxes: Vec<String>,
    objects: Vec<String>,
    workloads: Vec<String>,
    launches: Vec<String>,
    markers: Vec<String>,
    commands: Vec<String>,
    contacts: Vec<String>,
}

impl Gone {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl World {
    /// What has changed since the last time; images and what the lab's texts have taught never do.
    pub fn take_change(&mut self) -> Change {
        let mut gone = Gone::default();
        let world = Self {
            now: self.now,
            settled: self.settled,
            serial: self.serial,
            events: self.events.clone(),
            hosts: self.hosts.take(&mut gone.hosts),
            sandboxes: self.sandboxes.take(&mut gone.sandboxes),
            objects: self.objects.take(&mut gone.objects),
            workloads: self.workloads.take(&mut gone.workloads),
            images: Default::default(),
            public_endpoint: self.public_endpoint.clone(),
            launches: self.launches.take(&mut gone.launches),
            counts: Counts {
                markers: self.counts.markers.take(&mut gone.markers),
                commands: self.counts.commands.take(&mut gone.commands),
                contacts: self.counts.contacts.take(&mut gone.contacts),
                faults: self.counts.faults.clone(),
                refused: self.counts.refused,
            },
            faults: self.faults.clone(),
            chance: self.chance.clone(),
            late: self.late.clone(),
            behaviour: Default::default(),
        };
        Change { world, gone }
    }

    /// Takes over what has changed elsewhere.
    pub fn apply(&mut self, change: Change) {
        let Change { world, gone } = change;
        // By name, so that a part of the world that is new is not forgotten here.
        let World {
            now,
            settled,
            serial,
            events,
            hosts,
            sandboxes,
            objects,
            workloads,
            images: _,
            public_endpoint,
            launches,
            counts,
            faults,
            chance,
            late,
            behaviour: _,
        } = world;
        self.now = now;
        self.settled = settled;
        self.serial = serial;
        self.events = events;
        self.hosts.apply(hosts, gone.hosts);
        self.sandboxes.apply(sandboxes, gone.sandboxes);
        self.objects.apply(objects, gone.objects);
        self.workloads.apply(workloads, gone.workloads);
        self.public_endpoint = public_endpoint;
        self.launches.apply(launches, gone.launches);
        self.counts.markers.apply(counts.markers, gone.markers);
        self.counts.commands.apply(counts.commands, gone.commands);
        self.counts.contacts.apply(counts.contacts, gone.contacts);
        self.counts.faults = counts.faults;
        self.counts.refused = counts.refused;
        self.faults = faults;
        self.chance = chance;
        self.late = late;
    }

    /// Whether an entry may have changed that nobody has stored.
    pub fn is_touched(&self) -> bool {
        self.hosts.is_touched()
            || self.sandboxes.is_touched()
            || self.objects.is_touched()
            || self.workloads.is_touched()
            || self.launches.is_touched()
            || self.counts.markers.is_touched()
            || self.counts.commands.is_touched()
            || self.counts.contacts.is_touched()
    }

    /// All of it is stored.
    pub fn forget_changes(&mut self) {
        self.hosts.settle();
        self.sandboxes.settle();
        self.objects.settle();
        self.workloads.settle();
        self.launches.settle();
        self.counts.markers.settle();
        self.counts.commands.settle();
        self.counts.contacts.settle();
    }
}
