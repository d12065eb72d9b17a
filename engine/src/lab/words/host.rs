//! What can be said of one host or pod: files, units, commands.

use rhai::{Array, Dynamic, Engine, Map};

use super::{LabHost, Said};
use crate::lab::program::{Access, Outcome, Session};
use crate::lab::shell::matches;
use crate::lab::systemd;
use crate::lab::world::{Entry, Place, World};

/// Makes the words known.
pub fn register(engine: &mut Engine) {
    engine.register_get("name", |host: &mut LabHost| host.name().to_owned());
    engine.register_fn("to_string", |host: &mut LabHost| host.name().to_owned());
    engine.register_fn("to_debug", |host: &mut LabHost| host.name().to_owned());
    files(engine);
    units(engine);
    commands(engine);
}

fn files(engine: &mut Engine) {
    engine.register_fn("read", |host: &mut LabHost, path: &str| host.read(path));
    engine.register_fn("exists", |host: &mut LabHost, path: &str| {
        host.look(|session| session.exists(path))
    });
    engine.register_fn("files", |host: &mut LabHost, path: &str| {
        let names = host.look(|session| session.directory(path).unwrap_or_default())?;
        Said::Ok(names.into_iter().map(Dynamic::from).collect::<Array>())
    });
    engine.register_fn("mode", |host: &mut LabHost, path: &str| {
        let mode = host.look(|session| session.stat(path).map(|stat| i64::from(stat.mode)))?;
        Said::Ok(mode.map_or(Dynamic::UNIT, Dynamic::from))
    });
    engine.register_fn("write", |host: &mut LabHost, path: &str, text: &str| {
        host.write(path, text, None)
    });
    engine.register_fn(
        "write",
        |host: &mut LabHost, path: &str, text: &str, mode: i64| host.write(path, text, Some(mode)),
    );
    engine.register_fn(
        "edit",
        |host: &mut LabHost, path: &str, old: &str, new: &str| -> Said<()> {
            let text = host.read(path)?.into_string().unwrap_or_default();
            if !text.contains(old) {
                return Err(
                    format!("{} on {} has no {old:?}; it is:\n{text}", path, host.name()).into(),
                );
            }
            host.write(path, &text.replace(old, new), None)
        },
    );
    engine.register_fn("remove", |host: &mut LabHost, path: &str| {
        host.change(|world| {
            let machine = machine(world, &host.place)?;
            machine
                .files
                .remove(path)
                .map_err(|why| format!("{path}: {why}"))
        })
    });
}

fn units(engine: &mut Engine) {
    // What a unit does, as `systemctl is-active` says it; () for a unit that is not there.
    engine.register_fn("unit", |host: &mut LabHost, name: &str| {
        host.with(|world| {
            let Place::Host(place) = &host.place else {
                return Ok(Dynamic::UNIT);
            };
            let unit = world
                .hosts
                .get(place)
                .and_then(|host| host.units.get(&systemd::full_name(name)));
            Ok(unit.map_or(Dynamic::UNIT, |unit| unit.activity.word().into()))
        })
    });
    // How many commands were run here, those that only look among them.
    engine.register_get("contacts", |host: &mut LabHost| {
        host.with(|world| {
            let contacts = world.counts.contacts.get(host.name());
            Ok(contacts.map_or(0, |times| i64::from(*times)))
        })
    });
    // How often commands ran whose whole text matches a pattern with `*` and `?`.
    engine.register_fn("ran", |host: &mut LabHost, pattern: &str| {
        host.with(|world| {
            let is_here = |target: &str| match &host.place {
                Place::Host(name) => target == name,
                Place::Pod(pod) => target
                    .strip_prefix("pod/")
                    .and_then(|rest| rest.strip_prefix(pod.as_str()))
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
            };
            let targets = world.counts.commands.iter();
            Ok(targets
                .filter(|(target, _)| is_here(target))
                .flat_map(|(_, commands)| commands)
                .filter(|(command, _)| matches(pattern, command))
                .map(|(_, times)| i64::from(*times))
                .sum::<i64>())
        })
    });
}

fn commands(engine: &mut Engine) {
    engine.register_fn("sh", |host: &mut LabHost, text: &str| -> Said<String> {
        let outcome = host.run(text)?;
        let out = String::from_utf8_lossy(&outcome.stdout).into_owned();
        match outcome.status {
            Some(0) => Ok(out),
            status => Err(format!(
                "`{text}` on {} ended with {}:\n{out}{}",
                host.name(),
                status.map_or("no exit status".to_owned(), |status| status.to_string()),
                String::from_utf8_lossy(&outcome.stderr)
            )
            .into()),
        }
    });
    engine.register_fn("try_sh", |host: &mut LabHost, text: &str| -> Said<Map> {
        let outcome = host.run(text)?;
        let said = |bytes: &[u8]| Dynamic::from(String::from_utf8_lossy(bytes).into_owned());
        let status = outcome
            .status
            .map_or(Dynamic::UNIT, |status| i64::from(status).into());
        Ok(Map::from([
            ("exit".into(), status),
            ("stdout".into(), said(&outcome.stdout)),
            ("stderr".into(), said(&outcome.stderr)),
        ]))
    });
}

impl LabHost {
    fn look<T>(&self, look: impl FnOnce(&Session) -> T) -> Said<T> {
        self.with(|world| Ok(look(&Session::new(world, self.place.clone(), Access::Look))))
    }

    /// A file's text; () where there is none.
    fn read(&self, path: &str) -> Said<Dynamic> {
        let read = self.look(|session| session.read(path).ok())?;
        Ok(read.map_or(Dynamic::UNIT, |bytes| {
            String::from_utf8_lossy(&bytes).into_owned().into()
        }))
    }

    /// Writes a file and makes the directories above it; a mode that is not given stays, or is 0644.
    fn write(&self, path: &str, text: &str, mode: Option<i64>) -> Said<()> {
        let mode = mode
            .map(|mode| u32::try_from(mode).map_err(|_| format!("{mode} is no file mode")))
            .transpose()?;
        self.change(|world| {
            let now = world.seconds();
            let files = &mut machine(world, &self.place)?.files;
            let wrong = |why| format!("{path}: {why}");
            let above = path.rsplit_once('/').map_or("", |(above, _)| above);
            files.make_directories(above, now).map_err(wrong)?;
            let known = match files.get(path) {
                Ok((_, Entry::File(image, ..))) => Some(image.clone()),
                _ => None,
            };
            let mut image = known.unwrap_or_else(|| crate::lab::world::plain(vec![], 0o644));
            image.content = text.as_bytes().to_vec();
            image.mode = mode.unwrap_or(image.mode);
            files.put(path, image, now).map_err(wrong)
        })
    }

    fn run(&self, text: &str) -> Said<Outcome> {
        self.with(|world| {
            let words = ["sh".to_owned(), "-c".to_owned(), text.to_owned()];
            Ok(Session::new(world, self.place.clone(), self.access).run_argv(&words, &[]))
        })
    }
}

fn machine<'a>(
    world: &'a mut World,
    place: &Place,
) -> Result<&'a mut crate::lab::world::Machine, String> {
    world.machine_mut(place).ok_or_else(|| match place {
        Place::Host(name) | Place::Pod(name) => format!("{name} is not there any more"),
    })
}
