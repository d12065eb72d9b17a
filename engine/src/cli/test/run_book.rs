//! `run_book`, `dry_run`, and what a test asks of a run: `run.changes`, `run.questions`, `run.resume()` …

use std::sync::Arc;

use rhai::{Array, Dynamic, Engine, ImmutableString, Map, NativeCallContext};
use serde_json::Value as Json;

use super::bench::{Bench, Call};
use super::file::place;
use super::told::Told;
use crate::lab::words::{Said, to_dynamic, to_json};
use crate::text::suggest::closest;

/// What can be given to a run.
const OPTIONS: [&str; 7] = [
    "vars", "answers", "yes", "limit", "secrets", "parallel", "crash_at",
];

/// A run, as a test holds it.
#[derive(Clone)]
pub struct TestRun {
    bench: Arc<Bench>,
    told: Arc<Told>,
}

/// Makes the words known.
pub fn register(engine: &mut Engine, bench: &Arc<Bench>) {
    engine.register_type_with_name::<TestRun>("run");
    for (word, dry) in [("run_book", false), ("dry_run", true)] {
        let here = bench.clone();
        engine.register_fn(word, move |context: NativeCallContext, book: &str| {
            start(&here, &context, book, &Map::new(), dry)
        });
        let here = bench.clone();
        engine.register_fn(
            word,
            move |context: NativeCallContext, book: &str, options: Map| {
                start(&here, &context, book, &options, dry)
            },
        );
    }
    engine.register_fn("resume", |run: &mut TestRun| {
        again(run, "resume", &Map::new())
    });
    engine.register_fn("resume", |run: &mut TestRun, options: Map| {
        again(run, "resume", &options)
    });
    engine.register_fn("undo", |run: &mut TestRun| undo(run));
    engine.register_fn("succeeds", |run: &mut TestRun| ends_with(run, 0));
    engine.register_fn("exits", |run: &mut TestRun, status: i64| {
        ends_with(run, status)
    });
    getters(engine);
}

fn getters(engine: &mut Engine) {
    engine.register_get("exit", |run: &mut TestRun| i64::from(run.told.exit));
    engine.register_get("ending", |run: &mut TestRun| run.told.ending.clone());
    engine.register_get("message", |run: &mut TestRun| run.told.message.clone());
    engine.register_get("text", |run: &mut TestRun| run.told.text.clone());
    engine.register_get("id", |run: &mut TestRun| {
        run.told.run.clone().map_or(Dynamic::UNIT, Dynamic::from)
    });
    engine.register_get("notes", |run: &mut TestRun| texts(&run.told.notes));
    engine.register_get("steps", |run: &mut TestRun| texts(&run.told.steps));
    engine.register_get("plan_ends", |run: &mut TestRun| texts(&run.told.ends));
    engine.register_get("operations", |run: &mut TestRun| {
        maps(run.told.operations.iter())
    });
    // What changed something, or in a dry run would.
    engine.register_get("changes", |run: &mut TestRun| {
        maps(run.told.with_outcome(&["changed", "planned"]))
    });
    engine.register_get("commands", |run: &mut TestRun| {
        let effects = run.told.with_outcome(&["changed", "planned", "failed"]);
        maps(effects.filter(|operation| operation["class"] == "command"))
    });
    engine.register_get("questions", |run: &mut TestRun| {
        let asked = run.told.of_class("ask");
        let text = |operation: &Json| operation["summary"].as_str().unwrap_or_default().to_owned();
        texts(&asked.map(text).collect::<Vec<_>>())
    });
    engine.register_get("failures", |run: &mut TestRun| {
        maps(run.told.with_outcome(&["failed"]))
    });
    engine.register_fn("table", |run: &mut TestRun, title: &str| -> Said<Dynamic> {
        let tables = &run.told.tables;
        match tables
            .iter()
            .rev()
            .find(|(known, _)| known.starts_with(title))
        {
            Some((_, rows)) => Ok(to_dynamic(rows)),
            None => {
                let titles: Vec<_> = tables
                    .iter()
                    .map(|(title, _)| format!("{title:?}"))
                    .collect();
                Err(format!(
                    "the run showed no table {title:?}; it showed {}",
                    titles.join(", ")
                )
                .into())
            }
        }
    });
}

fn texts(items: &[String]) -> Array {
    items
        .iter()
        .map(|item| Dynamic::from(item.clone()))
        .collect()
}

fn maps<'a>(items: impl Iterator<Item = &'a Json>) -> Array {
    items.map(to_dynamic).collect()
}

fn ends_with(run: &TestRun, status: i64) -> Said<TestRun> {
    let exit = i64::from(run.told.exit);
    if exit == status {
        return Ok(run.clone());
    }
    let message = format!(
        "the run ended with exit status {exit}, not {status}: {}",
        run.told.message
    );
    Err(super::claims::Claim::broken(
        message.trim_end_matches([':', ' ']),
        Some(run.told.text.trim_end().to_owned()),
    ))
}

fn start(
    bench: &Arc<Bench>,
    context: &NativeCallContext,
    book: &str,
    options: &Map,
    dry: bool,
) -> Said<TestRun> {
    let given = Given::read(options)?;
    let mut arguments: Vec<String> = vec!["run".into(), book.into()];
    arguments.extend(["--lab".into(), bench.lab_name()?]);
    if dry {
        arguments.push("--dry-run".into());
    }
    arguments.extend(given.run.clone());
    arguments.extend(given.talk.clone());
    let call = Call {
        arguments,
        env: given.env.clone(),
    };
    let told = if dry || given.crashes {
        bench.engine(&call, &bench.state())?
    } else {
        let called = place(context.call_position());
        bench.run(
            call,
            given.resume(None),
            format!("run_book({book:?})"),
            Some(called),
        )?
    };
    Ok(TestRun {
        bench: bench.clone(),
        told: Arc::new(told),
    })
}

fn again(run: &TestRun, command: &str, options: &Map) -> Said<TestRun> {
    let given = Given::read(options)?;
    if !given.run.is_empty() {
        return Err(format!(
            "{command} takes answers, yes, secrets and crash_at: a run keeps its parameters"
        )
        .into());
    }
    let told = run
        .bench
        .engine(&given.resume(run.told.run.as_deref()), &run.bench.state())?;
    Ok(TestRun {
        bench: run.bench.clone(),
        told: Arc::new(told),
    })
}

fn undo(run: &TestRun) -> Said<TestRun> {
    let id = run
        .told
        .run
        .as_deref()
        .ok_or("a dry run leaves nothing to undo")?;
    let call = Call {
        arguments: vec!["undo".into(), id.into(), "--yes".into()],
        env: Vec::new(),
    };
    let told = run.bench.engine(&call, &run.bench.state())?;
    Ok(TestRun {
        bench: run.bench.clone(),
        told: Arc::new(Told {
            run: Some(id.to_owned()),
            ..told
        }),
    })
}

/// The options of a run as arguments.
#[derive(Default)]
struct Given {
    /// Only for `run`.
    run: Vec<String>,
    /// For `run` and `resume`.
    talk: Vec<String>,
    env: Vec<(String, String)>,
    crashes: bool,
}

impl Given {
    fn read(options: &Map) -> Said<Self> {
        let mut given = Self {
            talk: vec!["-o".into(), "json".into()],
            ..Self::default()
        };
        for (key, value) in options {
            given.take(key, value)?;
        }
        Ok(given)
    }

    fn take(&mut self, key: &str, value: &Dynamic) -> Said<()> {
        match key {
            "vars" => {
                for (name, value) in pairs(key, value)? {
                    self.run.extend(["-e".into(), format!("{name}={value}")]);
                }
            }
            "answers" => {
                for (name, value) in pairs(key, value)? {
                    self.talk
                        .extend(["--answer".into(), format!("{name}={value}")]);
                }
            }
            "secrets" => {
                for (name, value) in pairs(key, value)? {
                    self.env.push((format!("RUNBOOK_SECRET_{name}"), value));
                }
            }
            "yes" => {
                let yes = value
                    .as_bool()
                    .map_err(|kind| format!("yes: true or false, not a {kind}"))?;
                self.talk.extend(yes.then(|| "--yes".to_owned()));
            }
            "limit" => self.run.extend(["--limit".into(), plain(value)?]),
            "parallel" => self.run.extend(["--parallel".into(), plain(value)?]),
            "crash_at" => {
                self.env.push(("RUNBOOK_CRASH_AT".into(), plain(value)?));
                self.crashes = true;
            }
            other => {
                let near = closest(other, OPTIONS).map(|near| format!("; did you mean `{near}`?"));
                return Err(format!(
                    "a run has no option `{other}`{} (options: {})",
                    near.unwrap_or_default(),
                    OPTIONS.join(", ")
                )
                .into());
            }
        }
        Ok(())
    }

    fn resume(&self, run: Option<&str>) -> Call {
        let mut arguments = vec!["resume".to_owned()];
        arguments.extend(run.map(str::to_owned));
        arguments.extend(self.talk.clone());
        // A resumed run is not killed again, unless it is asked for.
        let env = self.env.clone();
        Call { arguments, env }
    }
}

fn pairs(key: &str, value: &Dynamic) -> Said<Vec<(String, String)>> {
    let map = value.read_lock::<Map>().ok_or_else(|| {
        format!("{key}: a map of names and values, such as #{{ name: \"value\" }}")
    })?;
    map.iter()
        .map(|(name, value)| Ok((name.to_string(), plain(value)?)))
        .collect()
}

/// A value as the command line takes it.
fn plain(value: &Dynamic) -> Said<String> {
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return Ok(text.to_string());
    }
    Ok(to_json(value)?.to_string())
}
