//! `host`, `hosts`, and what can be asked of a host and run on it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rhai::{Array, Dynamic, Engine, EvalAltResult, ImmutableString, Map, NativeCallContext};

use super::super::convert::{to_dynamic, to_value};
use super::super::session::{Session, misuse};
use super::options::Options;
use super::program::{environment, plain, program};
use crate::model::{HostName, Target, TargetPath, Unknown};
use crate::operation::{Action, Affects, Guard, ProbeCommand, RunCommand};
use crate::transport::Command;

/// How long a probe may take if the script does not say: 60 seconds.
const PROBE_TIMEOUT: Duration = Duration::from_secs(60);

type Evaluated = Result<Dynamic, Box<EvalAltResult>>;

/// A host, as scripts hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host(HostName);

impl Host {
    /// Its name.
    pub fn name(&self) -> &HostName {
        &self.0
    }

    /// It as a target.
    pub fn target(&self) -> Target {
        Target::Host(self.0.clone())
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Registers the words.
pub fn register(engine: &mut Engine, session: &Arc<Session>) {
    engine.register_type_with_name::<Host>("host");
    engine.register_get("name", |host: &mut Host| host.0.to_string());
    engine.register_fn("to_string", |host: &mut Host| host.to_string());
    engine.register_fn("to_debug", |host: &mut Host| host.to_string());
    engine.register_fn("==", |a: Host, b: Host| a == b);
    engine.register_fn("!=", |a: Host, b: Host| a != b);
    lookup(engine, session);
    let words = session.clone();
    engine.register_fn(
        "var",
        move |context: NativeCallContext, host: Host, name: &str| {
            variable(&words, &context, &host, name)
        },
    );
    let words = session.clone();
    engine.register_fn("var", move |host: Host, name: &str, otherwise: Dynamic| {
        let variables = words.parts.inventory.variables(host.name());
        variables.get(name).map_or(otherwise, to_dynamic)
    });
    let words = session.clone();
    engine.register_fn(
        "probe",
        move |context: NativeCallContext, host: Host, command: Dynamic| {
            probe(&words, &context, host.target(), &command, Map::new())
        },
    );
    let words = session.clone();
    engine.register_fn(
        "probe",
        move |context: NativeCallContext, host: Host, command: Dynamic, options: Map| {
            probe(&words, &context, host.target(), &command, options)
        },
    );
    let words = session.clone();
    engine.register_fn(
        "run",
        move |context: NativeCallContext, host: Host, command: Dynamic| {
            run(&words, &context, host.target(), &command, Map::new())
        },
    );
    let words = session.clone();
    engine.register_fn(
        "run",
        move |context: NativeCallContext, host: Host, command: Dynamic, options: Map| {
            run(&words, &context, host.target(), &command, options)
        },
    );
}

fn lookup(engine: &mut Engine, session: &Arc<Session>) {
    let words = session.clone();
    engine.register_fn(
        "host",
        move |context: NativeCallContext, name: &str| -> Result<Host, Box<EvalAltResult>> {
            let known = HostName::parse(name)
                .ok()
                .filter(|name| words.parts.inventory.has(name));
            let Some(name) = known else {
                return Err(misuse(&context, unknown_host(&words, name)));
            };
            if words.is_chosen(&name) {
                Ok(Host(name))
            } else {
                Err(misuse(
                    &context,
                    format!("host `{name}` is left out by --limit"),
                ))
            }
        },
    );
    let words = session.clone();
    engine.register_fn(
        "node",
        move |context: NativeCallContext, name: &str| -> Result<Host, Box<EvalAltResult>> {
            let node = HostName::parse(name).map_err(|why| misuse(&context, why))?;
            let inventory = &words.parts.inventory;
            // A host of this name is the node, by the inventory's way to it; any other is reached by a helper pod.
            if inventory.has(&node) && !words.is_chosen(&node) {
                return Err(misuse(
                    &context,
                    format!("host `{node}` is left out by --limit"),
                ));
            }
            Ok(Host(node))
        },
    );
    let words = session.clone();
    engine.register_fn("hosts", move || -> Array {
        words
            .parts
            .hosts
            .iter()
            .map(|name| Dynamic::from(Host(name.clone())))
            .collect()
    });
    let words = session.clone();
    engine.register_fn(
        "hosts",
        move |context: NativeCallContext, group: &str| -> Result<Array, Box<EvalAltResult>> {
            let Some(members) = words.parts.inventory.group(group) else {
                return Err(misuse(
                    &context,
                    format!("the inventory has no group `{group}`"),
                ));
            };
            let chosen = members.into_iter().filter(|name| words.is_chosen(name));
            Ok(chosen.map(|name| Dynamic::from(Host(name))).collect())
        },
    );
}

fn unknown_host(session: &Session, name: &str) -> String {
    let near =
        crate::text::suggest::closest(name, session.parts.inventory.hosts().map(HostName::as_str));
    let near = near
        .map(|near| format!("; did you mean `{near}`?"))
        .unwrap_or_default();
    format!("the inventory has no host `{name}`{near}")
}

fn variable(session: &Session, context: &NativeCallContext, host: &Host, name: &str) -> Evaluated {
    let variables = session.parts.inventory.variables(host.name());
    match variables.get(name) {
        Some(value) => Ok(to_dynamic(value)),
        None => {
            let near = crate::text::suggest::closest(name, variables.keys().map(String::as_str));
            let near = near
                .map(|near| format!("; did you mean `{near}`?"))
                .unwrap_or_default();
            Err(misuse(
                context,
                format!("host `{host}` has no variable `{name}` in the inventory{near}"),
            ))
        }
    }
}

/// `probe` on a host or pod.
pub fn probe(
    session: &Session,
    context: &NativeCallContext,
    target: Target,
    command: &Dynamic,
    options: Map,
) -> Evaluated {
    if let Some(unknown) = command.read_lock::<Unknown>() {
        return Ok(Dynamic::from(unknown.clone()));
    }
    let probe = probe_of(target.clone(), command, options).map_err(|why| misuse(context, why))?;
    session
        .perform(context, target, Action::Observe(&probe))
        .map(|value| to_dynamic(&value))
}

fn probe_of(target: Target, command: &Dynamic, options: Map) -> Result<ProbeCommand, String> {
    let mut options = Options::of("probe", options);
    let probe = ProbeCommand {
        target,
        command: Command {
            program: program(command)?,
            stdin: options.text("stdin")?.map(String::into_bytes),
            env: environment(options.take("env"))?,
        },
        timeout: options.duration("timeout")?.unwrap_or(PROBE_TIMEOUT),
        expect_exit: exits(options.take("expect_exit"))?,
    };
    options.end()?;
    Ok(probe)
}

/// `expect_exit: 0`, `[0, 3]`, or `"any"` (an empty list).
pub(super) fn exits(value: Option<Dynamic>) -> Result<Vec<i32>, String> {
    let wrong = || "`expect_exit` is an exit status, an array of them, or \"any\"".to_owned();
    let Some(value) = value else {
        return Ok(vec![0]);
    };
    if value
        .read_lock::<ImmutableString>()
        .is_some_and(|text| text.as_str() == "any")
    {
        return Ok(Vec::new());
    }
    let one = |value: &Dynamic| {
        value
            .as_int()
            .ok()
            .and_then(|code| i32::try_from(code).ok())
            .ok_or_else(wrong)
    };
    match value.read_lock::<Array>() {
        Some(codes) if !codes.is_empty() => codes.iter().map(one).collect(),
        Some(_) => Err(wrong()),
        None => Ok(vec![one(&value)?]),
    }
}

/// `run` on a host.
pub fn run(
    session: &Session,
    context: &NativeCallContext,
    target: Target,
    command: &Dynamic,
    options: Map,
) -> Evaluated {
    let command = run_of(command, options).map_err(|why| misuse(context, why))?;
    session
        .perform(context, target, Action::Command(&command))
        .map(|value| to_dynamic(&value))
}

fn run_of(command: &Dynamic, options: Map) -> Result<RunCommand, String> {
    let mut options = Options::of("run", options);
    let mut guards = Vec::new();
    if let Some(command) = options.take("unless") {
        guards.push(Guard::Unless(
            program(&command).map_err(|why| format!("`unless`: {why}"))?,
        ));
    }
    if let Some(path) = options.text("creates")? {
        guards.push(Guard::Creates(TargetPath::parse(&path)?));
    }
    let command = RunCommand {
        command: Command {
            stdin: options.text("stdin")?.map(String::into_bytes),
            env: environment(options.take("env"))?,
            ..plain(program(command)?)
        },
        guards,
        undo: options
            .take("undo")
            .map(|undo| program(&undo).map_err(|why| format!("`undo`: {why}")))
            .transpose()?,
        undone_by: options.text("undone_by")?,
        detach: options.flag("detach")?.unwrap_or(false),
        timeout: options.duration("timeout")?,
        expect_exit: exits(options.take("expect_exit"))?,
        planned: options.text("planned")?,
        affects: affects(options.take("affects"))?,
    };
    options.end()?;
    Ok(command)
}

/// `affects: []` or a list of files; `"cluster"` for the cluster's objects besides the target.
pub fn affects(value: Option<Dynamic>) -> Result<Affects, String> {
    let Some(value) = value else {
        return Ok(Affects::WholeTarget);
    };
    match to_value(&value)? {
        crate::model::Value::List(items) => items
            .iter()
            .map(|item| TargetPath::parse(item.as_text().unwrap_or_default()))
            .collect::<Result<_, _>>()
            .map(Affects::Files)
            .map_err(|why| format!("`affects`: {why}")),
        crate::model::Value::Text(text) if text == "cluster" => Ok(Affects::TargetAndCluster),
        _ => {
            Err("`affects` is an array of files that the command may change, or \"cluster\"".into())
        }
    }
}
