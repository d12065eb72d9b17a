//! The interpreter of tests: `test "name" { … }`, the lab, and what the other files of this folder add.

use std::sync::Arc;

use rhai::{Array, Dynamic, Engine, EvalAltResult, Map, Scope};

use super::bench::Bench;
use super::claims::Claim;
use super::file::{Case, TestFile, place};
use super::{Failure, claims, faults, run_book};
use crate::lab::cluster;
use crate::lab::program::Access;
use crate::lab::words::{
    LabHost, Said, WorldAccess, engine as lab_engine, to_dynamic, to_json, within,
};
use crate::lab::world::Place;
use crate::model::SourcePosition;

/// The lab of a test, as its script holds it.
#[derive(Clone)]
pub struct TestLab {
    world: Arc<dyn WorldAccess>,
}

/// An interpreter that can parse tests and run none.
pub fn for_checking() -> Engine {
    let mut engine = lab_engine();
    test_syntax(&mut engine, (0, 0));
    engine
}

/// Runs one test of a file.
pub fn evaluate(file: &TestFile, case: &Case, bench: &Arc<Bench>) -> Result<(), Failure> {
    let mut engine = lab_engine();
    let reached = test_syntax(&mut engine, (case.line, case.column));
    engine.set_module_resolver(rhai::module_resolvers::FileModuleResolver::new_with_path(
        &file.folder,
    ));
    lab(&mut engine, bench);
    claims::register(&mut engine);
    faults::register(&mut engine, bench);
    run_book::register(&mut engine, bench);
    let failure = |error: &EvalAltResult| of_error(error, file);
    let ast = engine.compile(&file.text).map_err(|error| Failure {
        message: error.to_string(),
        detail: None,
        position: None,
    })?;
    engine
        .run_ast_with_scope(&mut Scope::new(), &ast)
        .map_err(|error| failure(&error))?;
    if reached.load(std::sync::atomic::Ordering::SeqCst) {
        return Ok(());
    }
    Err(Failure {
        message: "the test was never reached: tests stand at the top of the file, not in functions or conditions".into(),
        detail: None,
        position: Some(SourcePosition {
            file: file.name.clone(),
            line: case.line,
            column: case.column,
        }),
    })
}

/// `test "name" { … }`: evaluated if it is the one that stands there, else passed over.
fn test_syntax(engine: &mut Engine, chosen: (u32, u32)) -> Arc<std::sync::atomic::AtomicBool> {
    let reached = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let mark = reached.clone();
    engine
        .register_custom_syntax(
            ["test", "$string$", "$block$"],
            false,
            move |context, inputs| {
                if place(inputs[0].position()) != chosen {
                    return Ok(Dynamic::UNIT);
                }
                mark.store(true, std::sync::atomic::Ordering::SeqCst);
                // What the block gives is nobody's.
                let _ = context.eval_expression_tree(&inputs[1])?;
                Ok(Dynamic::UNIT)
            },
        )
        .expect("the symbols of our own syntax are valid identifiers");
    reached
}

fn lab(engine: &mut Engine, bench: &Arc<Bench>) {
    engine.register_type_with_name::<TestLab>("lab");
    let here = bench.clone();
    engine.register_fn("lab", move |name: &str| -> Said<TestLab> {
        opened(&here, name, None)
    });
    let here = bench.clone();
    engine.register_fn("lab", move |name: &str, changes: Map| -> Said<TestLab> {
        opened(&here, name, Some(changes))
    });
    engine.register_fn("host", |lab: &mut TestLab, name: &str| -> Said<LabHost> {
        within(&*lab.world, |world| {
            if world.hosts.contains_key(name) {
                return Ok(());
            }
            let known: Vec<_> = world.hosts.keys().cloned().collect();
            Err(format!(
                "the lab has no host {name:?}; it has {}",
                known.join(", ")
            ))
        })?;
        let place = Place::Host(name.to_owned());
        Ok(LabHost::new(lab.world.clone(), place, Access::Change))
    });
    engine.register_fn("pod", |lab: &mut TestLab, name: &str| -> Said<LabHost> {
        within(&*lab.world, |world| {
            if world.sandboxes.contains_key(name) {
                return Ok(());
            }
            let known: Vec<_> = world.sandboxes.keys().cloned().collect();
            Err(format!(
                "the lab has no pod {name:?}; it has {}",
                known.join(", ")
            ))
        })?;
        let place = Place::Pod(name.to_owned());
        Ok(LabHost::new(lab.world.clone(), place, Access::Change))
    });
    engine.register_get("hosts", |lab: &mut TestLab| -> Said<Array> {
        let world = lab.world.clone();
        let names = within(&*world, |world| {
            Ok(world.hosts.keys().cloned().collect::<Vec<_>>())
        })?;
        let host = |name| LabHost::new(world.clone(), Place::Host(name), Access::Change);
        Ok(names
            .into_iter()
            .map(|name| Dynamic::from(host(name)))
            .collect())
    });
    engine.register_get("pods", |lab: &mut TestLab| {
        within(&*lab.world, |world| {
            let pods = world.sandboxes.iter();
            Ok(pods
                .map(|(pod, sandbox)| {
                    let mtu = sandbox.machine.link("eth0").map(|link| link.mtu);
                    to_dynamic(&serde_json::json!({
                        "name": pod, "node": sandbox.node, "address": sandbox.address,
                        "host_network": sandbox.host_network, "mtu": mtu,
                    }))
                })
                .collect::<Array>())
        })
    });
    objects(engine);
    engine.register_fn("wait", |lab: &mut TestLab, time: &str| -> Said<()> {
        let time = crate::text::duration::parse(time).map_err(|error| error.to_string())?;
        within(&*lab.world, |world| {
            world.advance(i64::try_from(time.as_millis()).unwrap_or(i64::MAX / 4));
            Ok(())
        })
    });
}

fn objects(engine: &mut Engine) {
    engine.register_fn("object", |lab: &mut TestLab, kind: &str, name: &str| {
        object(lab, &cluster::key(kind, None, name))
    });
    engine.register_fn(
        "object",
        |lab: &mut TestLab, kind: &str, namespace: &str, name: &str| {
            object(lab, &cluster::key(kind, Some(namespace), name))
        },
    );
    engine.register_fn("objects", |lab: &mut TestLab, kind: &str| {
        within(&*lab.world, |world| {
            let prefix = format!("{kind}/");
            let objects = world.objects.iter();
            let of_kind = objects.filter(|(key, _)| key.starts_with(&prefix));
            Ok(of_kind
                .map(|(_, object)| to_dynamic(object))
                .collect::<Array>())
        })
    });
    engine.register_fn("put", |lab: &mut TestLab, object: Map| -> Said<()> {
        let object = to_json(&Dynamic::from_map(object))?;
        within(&*lab.world, |world| cluster::new_object(world, object))
    });
}

fn object(lab: &TestLab, key: &str) -> Said<Dynamic> {
    within(&*lab.world, |world| {
        Ok(world.objects.get(key).map_or(Dynamic::UNIT, to_dynamic))
    })
}

fn opened(bench: &Arc<Bench>, name: &str, changes: Option<Map>) -> Said<TestLab> {
    let changes = changes
        .map(|changes| to_json(&Dynamic::from_map(changes)))
        .transpose()?;
    bench.open_lab(name, changes)?;
    Ok(TestLab {
        world: bench.clone(),
    })
}

/// What an error of the interpreter says, and where in the file of tests it arose.
fn of_error(error: &EvalAltResult, file: &TestFile) -> Failure {
    let (innermost, position) = descend(error, error.position());
    let (message, detail) = match innermost {
        EvalAltResult::ErrorRuntime(thrown, _) => match thrown.read_lock::<Claim>() {
            Some(claim) => (claim.message.clone(), claim.detail.clone()),
            None => first_line(&thrown.to_string()),
        },
        other => {
            let text = other.to_string();
            let cut = text.rfind(" (line ").unwrap_or(text.len());
            first_line(&text[..cut])
        }
    };
    let (line, column) = place(position);
    Failure {
        message,
        detail,
        position: (!position.is_none()).then(|| SourcePosition {
            file: file.name.clone(),
            line,
            column,
        }),
    }
}

/// The first line is the message, the rest the detail.
fn first_line(text: &str) -> (String, Option<String>) {
    match text.split_once('\n') {
        Some((first, rest)) => (first.to_owned(), Some(rest.trim_end().to_owned())),
        None => (text.to_owned(), None),
    }
}

/// The error at the bottom of a chain of calls, and the innermost place of it in the file itself.
fn descend(error: &EvalAltResult, position: rhai::Position) -> (&EvalAltResult, rhai::Position) {
    let better = |candidate: rhai::Position| {
        if candidate.is_none() {
            position
        } else {
            candidate
        }
    };
    match error {
        EvalAltResult::ErrorInFunctionCall(_, source, inner, at) if source.is_empty() => descend(
            inner,
            if inner.position().is_none() {
                better(*at)
            } else {
                inner.position()
            },
        ),
        EvalAltResult::ErrorInFunctionCall(_, _, inner, at)
        | EvalAltResult::ErrorInModule(_, inner, at) => {
            // Inside a module: the place that counts is where this file calls it.
            let outer = better(*at);
            (descend(inner, outer).0, outer)
        }
        other => (other, better(other.position())),
    }
}
