//! What a lab's behaviour says of a host: its time, its services, what will happen.

use rhai::{Array, Dynamic, Engine};

use super::{LabHost, Said};
use crate::lab::systemd;
use crate::lab::world::{Activity, Happening, Place, World};

/// Makes the words known.
pub fn register(engine: &mut Engine) {
    // Seconds since 1970 in the lab.
    engine.register_get("now", |host: &mut LabHost| {
        host.with(|world| Ok(world.seconds()))
    });
    engine.register_fn("date", |seconds: i64| -> Said<String> {
        let time = jiff::Timestamp::from_second(seconds).map_err(|error| error.to_string())?;
        Ok(time.strftime("%b %e %H:%M:%S %Y GMT").to_string())
    });
    engine.register_fn("other", |host: &mut LabHost, name: &str| -> Said<Dynamic> {
        let there = host.with(|world| Ok(world.hosts.contains_key(name)))?;
        Ok(if there {
            let place = Place::Host(name.to_owned());
            Dynamic::from(LabHost::new(host.world.clone(), place, host.access))
        } else {
            Dynamic::UNIT
        })
    });
    engine.register_get("others", |host: &mut LabHost| -> Said<Array> {
        let own = host.name().to_owned();
        let names = host.with(|world| Ok(world.hosts.keys().cloned().collect::<Vec<_>>()))?;
        let others = names.into_iter().filter(|name| *name != own);
        Ok(others.map(Dynamic::from).collect())
    });
    engine.register_fn("log", |host: &mut LabHost, text: &str| {
        host.change(|world| {
            let now = world.now;
            if let Some(host) = world.hosts.get_mut(host.name()) {
                host.log(now, text);
            }
            Ok(())
        })
    });
    // The text of a unit's file as systemd has read it; () if it has none.
    engine.register_fn("unit_file", |host: &mut LabHost, unit: &str| {
        host.with(|world| {
            let unit = known(world, host.name(), unit)?;
            let loaded = world.hosts[host.name()].units[&unit].loaded.clone();
            Ok(loaded.map_or(Dynamic::UNIT, Dynamic::from))
        })
    });
    states(engine);
}

fn states(engine: &mut Engine) {
    for (word, activity) in [
        ("started", Activity::Active),
        ("starting", Activity::Starting),
        ("stopped", Activity::Inactive),
        ("failed", Activity::Failed),
        // Its process has exited; systemd will start it again.
        ("restarting", Activity::AutoRestart),
    ] {
        engine.register_fn(word, move |host: &mut LabHost, unit: &str| {
            host.change(|world| {
                let unit = known(world, host.name(), unit)?;
                systemd::set(
                    world,
                    host.name(),
                    &unit,
                    activity,
                    i32::from(matches!(activity, Activity::Failed | Activity::AutoRestart)),
                );
                Ok(())
            })
        });
    }
    // Announces what `on_event` describes; void if the unit is started or stopped before.
    engine.register_fn(
        "after",
        |host: &mut LabHost, time: &str, unit: &str, event: &str| -> Said<()> {
            let time = crate::text::duration::parse(time).map_err(|error| error.to_string())?;
            host.change(|world| {
                let unit = known(world, host.name(), unit)?;
                let generation = world.hosts[host.name()].units[&unit].generation;
                let happening = Happening::Taught {
                    host: host.name().to_owned(),
                    unit,
                    generation,
                    event: event.to_owned(),
                };
                world.plan(
                    i64::try_from(time.as_millis()).unwrap_or(i64::MAX / 4),
                    happening,
                );
                Ok(())
            })
        },
    );
}

/// The full name of a unit that is there.
fn known(world: &World, host: &str, unit: &str) -> Result<String, String> {
    let unit = systemd::full_name(unit);
    let units = world.hosts.get(host).map(|host| &host.units);
    match units.is_some_and(|units| units.contains_key(&unit)) {
        true => Ok(unit),
        false => Err(format!("{host} has no unit {unit}")),
    }
}
