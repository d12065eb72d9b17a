//! What a lab's own Rhai texts teach it: programs, what services do when they start, stop or reload, and what happens
//! later.
//!
//! A text is evaluated once, when the lab is opened, and registers closures. Each is called within the transaction of
//! whoever needs it: the world is lent to it for that time and taken back whole, so that a killed engine finds all of
//! what it did or nothing.

mod loan;
mod syntax;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use rhai::{AST, Dynamic, Engine, EvalAltResult, FnPtr};

use super::program::{Access, Io, Ran};
use super::systemd::Job;
use super::words::{self, LabHost};
use super::world::{Place, World};

/// What a closure is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hook {
    /// `program "name" |host, args| …`.
    Program(String),
    /// `on_restart "unit" |host| …`: whenever the unit starts.
    Starts(String),
    /// `on_beginning "unit" |host| …`: what a unit has done that runs at the lab's beginning; as when it starts, if absent.
    Beginning(String),
    /// `on_stop "unit" |host| …`.
    Stops(String),
    /// `on_reload "unit" |host| …`.
    Reloads(String),
    /// `on_event "name" |host| …`: what `host.after(…)` has announced.
    Event(String),
}

/// A closure with the text that it stands in.
#[derive(Clone)]
struct Taught {
    closure: FnPtr,
    ast: Arc<AST>,
    file: String,
}

/// Everything that a lab was taught.
#[derive(Default)]
pub struct Behaviour {
    engine: Option<Engine>,
    taught: BTreeMap<Hook, Taught>,
}

impl fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.taught.keys()).finish()
    }
}

impl Behaviour {
    /// Reads the texts in their order; what comes later takes the place of the same before.
    pub fn read(texts: &[(String, String)]) -> Result<Arc<Self>, String> {
        if texts.is_empty() {
            return Ok(Arc::default());
        }
        let registered = syntax::Registered::default();
        let mut engine = words::engine();
        syntax::register(&mut engine, &registered);
        let words = words::names(&engine);
        let mut taught = BTreeMap::new();
        for (file, text) in texts {
            let ast = engine
                .compile(text)
                .map_err(|error| told(file, &parse_error(&error.to_string())))?;
            if let Some(why) = shadowed(&ast, text, &words) {
                return Err(told(file, &why));
            }
            engine
                .run_ast(&ast)
                .map_err(|error| told(file, &error.to_string()))?;
            let ast = Arc::new(ast);
            for (hook, closure) in registered.take() {
                let item = Taught {
                    closure,
                    ast: ast.clone(),
                    file: file.clone(),
                };
                taught.insert(hook, item);
            }
        }
        Ok(Arc::new(Self {
            engine: Some(engine),
            taught,
        }))
    }

    /// Whether it was taught this.
    pub fn knows(&self, hook: &Hook) -> bool {
        self.taught.contains_key(hook)
    }

    fn call(
        &self,
        hook: &Hook,
        world: &mut World,
        place: &Place,
        access: Access,
        more: Vec<Dynamic>,
    ) -> Option<Result<Dynamic, String>> {
        let (taught, engine) = (self.taught.get(hook)?, self.engine.as_ref()?);
        let called = loan::lend(world, |world| {
            let host = LabHost::new(world, place.clone(), access);
            let mut arguments = vec![Dynamic::from(host)];
            arguments.extend(more);
            taught
                .closure
                .call::<Dynamic>(engine, &taught.ast, arguments)
        });
        Some(called.map_err(|error| told(&taught.file, &message(&error))))
    }
}

/// A function of a text that has the name of a word: the interpreter would call it in place of the word, also from
/// within itself, without an end.
fn shadowed(ast: &AST, text: &str, words: &BTreeSet<String>) -> Option<String> {
    let function = ast
        .iter_functions()
        .find(|function| words.contains(function.name))?;
    let name = function.name;
    let mut lines = text.lines().zip(1..);
    let line = lines.find(|(line, _)| {
        let rest = line.trim_start().strip_prefix("fn ");
        rest.is_some_and(|rest| rest.trim_start().starts_with(name))
    });
    let place = line.map_or(String::new(), |(_, line)| format!(" (line {line})"));
    Some(format!(
        "the function `{name}` has the name of a word of labs and would be called in its place: give it another name, such as `the_{name}`{place}"
    ))
}

/// What the parser says, with what it does not.
fn parse_error(what: &str) -> String {
    if what.contains("Expecting ';'") {
        return format!("{what}: the block of a closure ends with `}};`");
    }
    what.to_owned()
}

/// What the interpreter says, after the file and the place in it: `FILE:LINE:COLUMN: WHAT`.
fn told(file: &str, what: &str) -> String {
    let placed = || {
        let (rest, place) = what.strip_suffix(')')?.rsplit_once(" (line ")?;
        let (line, column) = place.split_once(", position ")?;
        Some(format!("{file}:{line}:{column}: {rest}"))
    };
    placed().unwrap_or_else(|| format!("{file}: {what}"))
}

/// What an error says, without the names of the closures around it.
fn message(error: &EvalAltResult) -> String {
    match error {
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _) => message(inner),
        EvalAltResult::ErrorRuntime(thrown, position) => format!("{thrown} ({position})"),
        other => other.to_string(),
    }
}

/// Runs a program that the lab was taught; none if it was not.
///
/// What the closure gives is what the program prints; a number is its exit status; a map has `exit`, `stdout` and
/// `stderr`. What it throws is written to stderr, and the exit status is 1.
pub fn program(
    world: &mut World,
    place: &Place,
    access: Access,
    args: &[String],
    io: &mut Io,
) -> Option<Ran> {
    let name = args.first()?;
    let base = name.rsplit('/').next().unwrap_or(name);
    let behaviour = world.behaviour.clone();
    let words = args[1..].iter().map(|word| Dynamic::from(word.clone()));
    let more = vec![Dynamic::from_array(words.collect())];
    let said = behaviour.call(&Hook::Program(base.to_owned()), world, place, access, more)?;
    Some(match said {
        Err(why) => io.fail(1, &format!("{base}: {why}")),
        Ok(value) if value.is_int() => Ok(value.as_int().map_or(1, |status| status as i32)),
        Ok(value) => match value.read_lock::<rhai::Map>() {
            Some(said) => {
                let text = |key: &str| said.get(key).map(ToString::to_string).unwrap_or_default();
                io.print(&text("stdout"));
                io.err.extend_from_slice(text("stderr").as_bytes());
                let status = said.get("exit").and_then(|status| status.as_int().ok());
                Ok(status.unwrap_or(0) as i32)
            }
            None if value.is_unit() => Ok(0),
            None => {
                io.print(&value.to_string());
                Ok(0)
            }
        },
    })
}

/// How a service came out of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Started {
    /// It runs.
    Up,
    /// It is still on its way; an event will say more.
    Starting,
    /// It failed, for this reason.
    Failed(String),
}

/// What a unit does in a job, where the lab was taught that.
///
/// The closure may give `"starting"`: then the unit stays `activating` until `host.started(unit)` is said. What it throws
/// makes the unit fail.
pub fn service(world: &mut World, host: &str, unit: &str, job: Job) -> Option<Started> {
    let name = unit.strip_suffix(".service").unwrap_or(unit).to_owned();
    let hook = match job {
        Job::Start | Job::Restart => Hook::Starts(name),
        Job::Stop => Hook::Stops(name),
        Job::Reload => Hook::Reloads(name),
    };
    let behaviour = world.behaviour.clone();
    let place = Place::Host(host.to_owned());
    let said = behaviour.call(&hook, world, &place, Access::Change, vec![])?;
    Some(match said {
        Err(why) => Started::Failed(why),
        Ok(value) if value.to_string() == "starting" => Started::Starting,
        Ok(_) => Started::Up,
    })
}

/// What a unit has done that runs at the lab's beginning; what it throws is an error of the lab.
pub fn beginning(world: &mut World, host: &str, unit: &str) -> Result<(), String> {
    let behaviour = world.behaviour.clone();
    let name = unit.strip_suffix(".service").unwrap_or(unit);
    let hooks = [
        Hook::Beginning(name.to_owned()),
        Hook::Starts(name.to_owned()),
    ];
    let Some(hook) = hooks.into_iter().find(|hook| behaviour.knows(hook)) else {
        return Ok(());
    };
    let place = Place::Host(host.to_owned());
    let said = behaviour.call(&hook, world, &place, Access::Change, vec![]);
    said.map_or(Ok(()), |said| said.map(|_| ()))
}

/// Something that was announced happens. What goes wrong in it is written to the host's log.
pub fn event(world: &mut World, host: &str, name: &str) {
    let behaviour = world.behaviour.clone();
    let place = Place::Host(host.to_owned());
    let hook = Hook::Event(name.to_owned());
    let said = behaviour.call(&hook, world, &place, Access::Change, vec![]);
    let trouble = match said {
        Some(Ok(_)) => return,
        Some(Err(why)) => why,
        None => format!(
            "the lab was not taught what happens at {name:?}: on_event {name:?} |host| {{ … }}"
        ),
    };
    tracing::warn!(host, event = name, "the lab's behaviour failed: {trouble}");
    let now = world.now;
    if let Some(host) = world.hosts.get_mut(host) {
        host.log(
            now,
            &format!("level=error msg=\"the lab's behaviour failed: {trouble}\""),
        );
    }
}
