//! An opened lab: its world in memory, in step with the state on disk.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::catalog;
use super::fleet::{Chance, Fault};
use super::store::{Store, Version};
use super::world::{Counts, Host, World};
use super::{LabError, network};
use crate::model::Value;

/// Faults to inject, separated by commas (see [`Fault::parse`]); among them one plan by chance (see [`Chance::parse`]).
const FAULTS: &str = "RUNBOOK_LAB_FAULT";

/// Set for measurements: the lab's state is kept in memory only and ends with the process. Storing what each exchange has
/// changed, as targets that outlive the engine need it, costs as much as the engine.
const IN_MEMORY: &str = "RUNBOOK_LAB_IN_MEMORY";

/// What a lab is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabAccess {
    /// Nothing is ever written: what passes, passes in memory.
    ReadOnly,
    /// Effects are stored.
    ReadWrite,
}

/// An opened lab. Shared by the threads of a run; other processes may have it open too.
#[derive(Debug)]
pub struct Lab {
    name: String,
    title: String,
    access: LabAccess,
    /// Where its state is kept; none: in memory only.
    store: Option<Store>,
    /// The lab's beginning, for when nothing is stored yet.
    beginning: World,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    world: World,
    /// Which stored version `world` continues; none: the beginning.
    version: Option<Version>,
}

/// What a lab is like, for people and for `lab show --json`.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Its name.
    pub name: String,
    /// One line.
    pub title: String,
    /// Its time.
    pub now: String,
    /// Hosts with their links (name and MTU), Flannel's interface, k3s's state.
    pub hosts: Vec<serde_json::Value>,
    /// Pods with node, address and MTU.
    pub pods: Vec<serde_json::Value>,
    /// How often what ran.
    pub counts: Counts,
}

impl Lab {
    /// Opens a built-in lab by name, or one in a file by its path. Its state is kept in `state_dir`; the first
    /// opening for writing makes it.
    pub fn open(
        name_or_path: &str,
        state_dir: &Path,
        access: LabAccess,
    ) -> Result<Arc<Self>, LabError> {
        let lab = catalog::find(name_or_path)?;
        let (faults, chance) = faults_from_environment()?;
        let beginning = World::build(&lab.definition).map_err(|wrong| lab.texts.error(wrong))?;
        let lab = Self {
            store: std::env::var_os(IN_MEMORY)
                .is_none()
                .then(|| Store::new(state_dir, &lab.name)),
            name: lab.name,
            title: lab.definition.title,
            access,
            state: Mutex::new(State {
                world: beginning.clone(),
                version: None,
            }),
            beginning,
        };
        lab.begin(faults, chance)?;
        Ok(Arc::new(lab))
    }

    /// A lab that is kept in memory only, for simulations of many thousand runs: it lives as long as this handle,
    /// and whoever works on it may come and go, as targets outlive the engines that work on them.
    pub fn in_memory(name: &str, world: World) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            title: name.to_owned(),
            access: LabAccess::ReadWrite,
            store: None,
            state: Mutex::new(State {
                world: world.clone(),
                version: None,
            }),
            beginning: world,
        })
    }

    /// Takes over what is stored, or stores the beginning; adds faults that are not there yet (one that has
    /// happened stays, marked, so that a resumed run does not meet it again).
    fn begin(&self, faults: Vec<Fault>, chance: Option<Chance>) -> Result<(), LabError> {
        let mut state = self.state();
        let _lock = self.lock()?;
        self.refresh(&mut state)?;
        let mut news = state.version.is_none();
        for fault in faults {
            if !state.world.faults.iter().any(|known| known.is_like(&fault)) {
                state.world.faults.push(fault);
                news = true;
            }
        }
        // A plan of another seed takes the place of the one before; the same goes on where it was.
        if let Some(chance) = chance
            && !state
                .world
                .chance
                .as_ref()
                .is_some_and(|known| known.is_like(&chance))
        {
            state.world.chance = Some(chance);
            news = true;
        }
        if news && self.access == LabAccess::ReadWrite {
            self.save(&mut state)?;
        }
        Ok(())
    }

    /// Keeps other processes away from what is stored, if this one may write.
    fn lock(&self) -> Result<Option<std::fs::File>, LabError> {
        match (&self.store, self.access) {
            (Some(store), LabAccess::ReadWrite) => store.lock().map(Some),
            _ => Ok(None),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it was opened for.
    pub fn access(&self) -> LabAccess {
        self.access
    }

    /// Puts a lab back to its beginning.
    pub fn reset(name_or_path: &str, state_dir: &Path) -> Result<(), LabError> {
        let store = Store::new(state_dir, &catalog::find(name_or_path)?.name);
        let _lock = store.lock()?;
        store.remove()
    }

    /// Its hosts and what the inventory says of each.
    pub fn host_variables(&self) -> Result<BTreeMap<String, BTreeMap<String, Value>>, LabError> {
        self.glance(|world| {
            let of_host = |host: &Host| {
                let vars = host.vars.iter();
                vars.map(|(name, value)| (name.clone(), value.clone().into()))
                    .collect()
            };
            let hosts = world.hosts.iter();
            let all = hosts.map(|(name, host)| (name.clone(), of_host(host)));
            (all.collect(), false)
        })
    }

    /// How often which marker and which command ran.
    pub fn counts(&self) -> Result<Counts, LabError> {
        self.glance(|world| (world.counts.clone(), false))
    }

    /// What the lab is like.
    pub fn summary(&self) -> Result<Summary, LabError> {
        self.glance(|world| {
            let summary = Summary {
                name: self.name.clone(),
                title: self.title.clone(),
                now: world.timestamp().to_string(),
                hosts: world.hosts.keys().filter_map(|name| host_summary(world, name)).collect(),
                pods: world
                    .sandboxes
                    .iter()
                    .map(|(pod, sandbox)| {
                        serde_json::json!({
                            "pod": pod, "node": sandbox.node, "address": sandbox.address, "host_network": sandbox.host_network,
                            "mtu": sandbox.machine.link("eth0").map(|link| link.mtu),
                        })
                    })
                    .collect(),
                counts: world.counts.clone(),
            };
            (summary, false)
        })
    }

    /// Looks at the world as it is now. Time may move in it; that is stored only if something happened (the
    /// second value) and the lab is open for writing, for time that passed unseen is no loss.
    pub fn glance<T>(&self, look: impl FnOnce(&mut World) -> (T, bool)) -> Result<T, LabError> {
        let mut state = self.state();
        let _lock = self.lock()?;
        self.refresh(&mut state)?;
        let (answer, happened) = look(&mut state.world);
        if happened && self.access == LabAccess::ReadWrite {
            self.save(&mut state)?;
        }
        Ok(answer)
    }

    /// Changes the world in one transaction.
    pub fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> Result<T, LabError> {
        if self.access == LabAccess::ReadOnly {
            return Err(LabError::ReadOnly);
        }
        let mut state = self.state();
        let _lock = self.lock()?;
        self.refresh(&mut state)?;
        let answer = change(&mut state.world);
        self.save(&mut state)?;
        Ok(answer)
    }

    /// Takes over what another process has stored. Time never goes back.
    fn refresh(&self, state: &mut State) -> Result<(), LabError> {
        let Some(store) = &self.store else {
            return Ok(());
        };
        if store.is_at(state.version.as_ref())? {
            return Ok(());
        }
        let seen = state.world.now;
        let first = state.version.is_none();
        self.take_over(store, state)?;
        if state.version.is_some() && !first && state.world.now < seen {
            let behind = seen - state.world.now;
            state.world.advance(behind);
        }
        Ok(())
    }

    /// Makes the world what is stored.
    fn take_over(&self, store: &Store, state: &mut State) -> Result<(), LabError> {
        // What was seen to happen here and stored by nobody is not what has happened.
        if let Some(version) = state.version.take()
            && !state.world.is_touched()
        {
            state.version = store.follow(&mut state.world, &version).unwrap_or(None);
        }
        if state.version.is_some() {
            return Ok(());
        }
        state.world = self.beginning.clone();
        if let Some((world, version)) = store.load()? {
            state.world = world;
            state.version = Some(version);
        }
        // What the lab was taught is in its files, not in its state.
        state.world.behaviour = self.beginning.behaviour.clone();
        Ok(())
    }

    /// Stores the world; where that fails, memory no longer counts.
    fn save(&self, state: &mut State) -> Result<(), LabError> {
        let Some(store) = &self.store else {
            state.world.forget_changes();
            return Ok(());
        };
        match store.save(&mut state.world, state.version.as_ref()) {
            Ok(version) => {
                state.version = Some(version);
                Ok(())
            }
            Err(error) => {
                state.world = self.beginning.clone();
                state.version = None;
                Err(error)
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic inside left the memory half changed; what is on disk is whole and is read again.
        self.state
            .lock()
            .unwrap_or_else(|poisoned: PoisonError<_>| {
                let mut state = poisoned.into_inner();
                state.version = None;
                state.world = self.beginning.clone();
                state
            })
    }
}

fn host_summary(world: &World, name: &str) -> Option<serde_json::Value> {
    let host = world.hosts.get(name)?;
    let links: serde_json::Map<_, _> = host
        .machine
        .links
        .iter()
        .filter(|link| !matches!(link.kind, network::LinkKind::Veth { .. }))
        .map(|link| (link.name.clone(), link.mtu.into()))
        .collect();
    if host.role == super::definition::Role::Plain {
        let units: serde_json::Map<_, _> = host
            .units
            .iter()
            .map(|(name, unit)| (name.clone(), unit.activity.word().into()))
            .collect();
        return Some(serde_json::json!({"name": name, "links": links, "units": units}));
    }
    Some(serde_json::json!({
        "name": name, "links": links, "flannel": host.vtep,
        "k3s": host.units.get(host.role.unit()).map(|unit| unit.activity),
        "kubelet": host.kubelet,
    }))
}

fn faults_from_environment() -> Result<(Vec<Fault>, Option<Chance>), LabError> {
    let text = std::env::var(FAULTS).unwrap_or_default();
    let (mut faults, mut chance) = (Vec::new(), None);
    for part in text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        if part.starts_with("seed:") {
            chance = Some(Chance::parse(part).map_err(LabError::Fault)?);
        } else {
            faults.push(Fault::parse(part).map_err(LabError::Fault)?);
        }
    }
    Ok((faults, chance))
}
