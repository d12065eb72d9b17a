//! Bad luck on request: `fail_connection`, `fail_command`, `reboot`.

use std::sync::Arc;

use rhai::Engine;

use super::bench::Bench;
use crate::lab::fleet::{Fault, FaultKind};
use crate::lab::words::{Said, WorldAccess, within};
use crate::lab::world::World;

/// The words and what they do.
const WORDS: [(&str, FaultKind); 3] = [
    ("fail_connection", FaultKind::LoseConnection),
    ("fail_command", FaultKind::Fail),
    ("reboot", FaultKind::RebootAtStart),
];

/// Makes the words known: each takes a host (or a pod, `namespace/name`) and either which exchange from now on is
/// struck, or a pattern of the command's text.
pub fn register(engine: &mut Engine, bench: &Arc<Bench>) {
    for (word, kind) in WORDS {
        let here = bench.clone();
        engine.register_fn(word, move |target: &str, nth: i64| -> Said<()> {
            let nth = u32::try_from(nth).ok().filter(|nth| *nth > 0);
            let nth = nth.ok_or_else(|| format!("{word}: the first exchange is number 1"))?;
            strike(&here, kind, target, nth, None)
        });
        let here = bench.clone();
        engine.register_fn(word, move |target: &str, pattern: &str| -> Said<()> {
            strike(&here, kind, target, 1, Some(pattern))
        });
    }
}

fn strike(
    bench: &Arc<Bench>,
    kind: FaultKind,
    target: &str,
    nth: u32,
    pattern: Option<&str>,
) -> Said<()> {
    let world: &dyn WorldAccess = &**bench;
    within(world, |world| {
        known(world, target)?;
        let so_far = world.counts.contacts.get(target).copied().unwrap_or(0);
        world.faults.push(Fault {
            kind,
            target: target.to_owned(),
            nth: if pattern.is_some() { nth } else { so_far + nth },
            matching: pattern.map(str::to_owned),
            done: false,
        });
        Ok(())
    })
}

fn known(world: &World, target: &str) -> Result<(), String> {
    if world.hosts.contains_key(target) || world.sandboxes.contains_key(target) {
        return Ok(());
    }
    let hosts: Vec<_> = world.hosts.keys().cloned().collect();
    Err(format!(
        "the lab has no host and no pod {target:?}; hosts: {}",
        hosts.join(", ")
    ))
}
