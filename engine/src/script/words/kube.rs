//! `kube`: the cluster's API.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rhai::{Dynamic, Engine, EvalAltResult, Map, NativeCallContext};

use super::super::convert::{to_dynamic, to_value};
use super::super::failure;
use super::super::session::{Session, misuse};
use super::options::Options;
use crate::model::{ObjectRef, Target, Value};
use crate::operation::cluster::{
    ApplyObject, Condition, CreateObject, DeleteObject, GetObject, ListObjects, PatchObject,
    PodLogs, RestartRollout, UniqueName, resolve, resolve_kind,
};
use crate::operation::{Action, Change, Failure, Observation, Wait};
use crate::transport::{ListQuery, LogQuery, PatchKind};

type Evaluated = Result<Dynamic, Box<EvalAltResult>>;

/// The word `kube`.
#[derive(Clone, Debug)]
pub struct Kube;

fn raise(context: &NativeCallContext, failure: Failure) -> Box<EvalAltResult> {
    failure::raise(failure, context.call_position())
}

fn look(
    session: &Session,
    context: &NativeCallContext,
    observation: &dyn Observation,
) -> Evaluated {
    session
        .perform(context, Target::Cluster, Action::Observe(observation))
        .map(|value| to_dynamic(&value))
}

fn change(session: &Session, context: &NativeCallContext, change: &dyn Change) -> Evaluated {
    session
        .perform(context, Target::Cluster, Action::Change(change))
        .map(|value| to_dynamic(&value))
}

fn object(
    session: &Session,
    context: &NativeCallContext,
    kind: &str,
    namespace: Option<&str>,
    name: &str,
) -> Result<ObjectRef, Box<EvalAltResult>> {
    let cluster = session
        .executor()
        .cluster()
        .map_err(|failure| raise(context, failure))?;
    resolve(&*cluster, kind, namespace, name).map_err(|failure| raise(context, failure))
}

/// Registers the words.
pub fn register(engine: &mut Engine, session: &Arc<Session>) {
    engine.register_type_with_name::<Kube>("kube");
    reading(engine, session);
    waiting(engine, session);
    writing(engine, session);
    workloads(engine, session);
}

fn reading(engine: &mut Engine, session: &Arc<Session>) {
    let words = session.clone();
    engine.register_fn(
        "get",
        move |context: NativeCallContext, _: Kube, kind: &str, name: &str| -> Evaluated {
            let object = object(&words, &context, kind, None, name)?;
            look(&words, &context, &GetObject { object })
        },
    );
    let words = session.clone();
    engine.register_fn(
        "get",
        move |context: NativeCallContext,
              _: Kube,
              kind: &str,
              namespace: &str,
              name: &str|
              -> Evaluated {
            let object = object(&words, &context, kind, Some(namespace), name)?;
            look(&words, &context, &GetObject { object })
        },
    );
    let words = session.clone();
    engine.register_fn(
        "list",
        move |context: NativeCallContext, _: Kube, kind: &str, options: Map| -> Evaluated {
            let query = list_query(options).map_err(|why| misuse(&context, why))?;
            let cluster = words
                .executor()
                .cluster()
                .map_err(|failure| raise(&context, failure))?;
            let kind = resolve_kind(&*cluster, kind).map_err(|failure| raise(&context, failure))?;
            look(&words, &context, &ListObjects { kind, query })
        },
    );
    let words = session.clone();
    engine.register_fn(
        "logs",
        move |context: NativeCallContext,
              _: Kube,
              namespace: &str,
              pod: &str,
              options: Map|
              -> Evaluated {
            let query = log_query(options).map_err(|why| misuse(&context, why))?;
            let logs = PodLogs {
                namespace: namespace.to_owned(),
                pod: pod.to_owned(),
                query,
            };
            look(&words, &context, &logs)
        },
    );
}

fn waiting(engine: &mut Engine, session: &Arc<Session>) {
    let words = session.clone();
    engine.register_fn(
        "events",
        move |context: NativeCallContext,
              _: Kube,
              namespace: &str,
              kind: &str,
              name: &str|
              -> Evaluated {
            let object = object(&words, &context, kind, Some(namespace), name)?;
            let query = ListQuery {
                namespace: Some(namespace.to_owned()),
                labels: None,
                fields: Some(format!(
                    "involvedObject.kind={},involvedObject.name={}",
                    object.kind, object.name
                )),
            };
            let cluster = words
                .executor()
                .cluster()
                .map_err(|failure| raise(&context, failure))?;
            let kind =
                resolve_kind(&*cluster, "events").map_err(|failure| raise(&context, failure))?;
            look(&words, &context, &ListObjects { kind, query })
        },
    );
    let words = session.clone();
    engine.register_fn(
        "wait",
        move |context: NativeCallContext,
              _: Kube,
              kind: &str,
              namespace: &str,
              name: &str,
              condition: &str,
              options: Map|
              -> Evaluated {
            let mut options = Options::of("kube.wait", options);
            let read = |options: &mut Options| -> Result<_, String> {
                Ok((options.duration("timeout")?, options.duration("every")?))
            };
            let (timeout, every) = read(&mut options).map_err(|why| misuse(&context, why))?;
            options.end().map_err(|why| misuse(&context, why))?;
            let timeout = timeout.ok_or_else(|| {
                misuse(
                    &context,
                    "kube.wait needs a `timeout`: nobody waits for ever (#{ timeout: \"5m\" })",
                )
            })?;
            let object = object(&words, &context, kind, Some(namespace), name)?;
            let wait = ObjectWait {
                session: &words,
                what: format!("{object}: {condition}"),
                condition: Condition::parse(condition)
                    .map_err(|failure| raise(&context, failure))?,
                object,
                timeout,
                every: every.unwrap_or(EVERY).max(Duration::from_millis(50)),
            };
            words
                .perform(&context, Target::Cluster, Action::Wait(&wait))
                .map(|value| to_dynamic(&value))
        },
    );
}

/// How often a condition is looked at if the script does not say: every second.
const EVERY: Duration = Duration::from_secs(1);

/// Waits until a condition of an object holds; gives the object as it is then.
struct ObjectWait<'a> {
    session: &'a Session,
    what: String,
    object: ObjectRef,
    condition: Condition,
    timeout: Duration,
    every: Duration,
}

impl Wait for ObjectWait<'_> {
    fn what(&self) -> &str {
        &self.what
    }

    fn arguments(&self) -> Value {
        Value::from_entries([
            ("what", Value::from(self.what.clone())),
            ("timeout_ms", Value::Int(self.timeout.as_millis() as i64)),
        ])
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }

    fn every(&self) -> Duration {
        self.every
    }

    fn check(&self) -> Result<Option<Value>, Failure> {
        let get = GetObject {
            object: self.object.clone(),
        };
        let found = self.session.executor().look(&Target::Cluster, &get)?;
        if let Value::Unknown(unknown) = found {
            return Err(Failure::PlanEnds(unknown));
        }
        let object = (found != Value::Null).then(|| serde_json::Value::from(&found));
        Ok(self.condition.holds(object.as_ref()).then_some(found))
    }
}

/// What changes workloads and their pods.
fn workloads(engine: &mut Engine, session: &Arc<Session>) {
    let words = session.clone();
    engine.register_fn(
        "scale",
        move |context: NativeCallContext,
              _: Kube,
              kind: &str,
              namespace: &str,
              name: &str,
              replicas: i64|
              -> Evaluated {
            let object = object(&words, &context, kind, Some(namespace), name)?;
            let scale = PatchObject::scale(object, replicas);
            change(
                &words,
                &context,
                &scale.map_err(|failure| raise(&context, failure))?,
            )
        },
    );
    let words = session.clone();
    engine.register_fn(
        "rollout_restart",
        move |context: NativeCallContext,
              _: Kube,
              kind: &str,
              namespace: &str,
              name: &str|
              -> Evaluated {
            let object = object(&words, &context, kind, Some(namespace), name)?;
            let operation = words.next_name();
            let restart = RestartRollout::new(object, operation.as_ref());
            change(
                &words,
                &context,
                &restart.map_err(|failure| raise(&context, failure))?,
            )
        },
    );
    let words = session.clone();
    engine.register_fn(
        "evict",
        move |context: NativeCallContext,
              _: Kube,
              namespace: &str,
              name: &str,
              options: Map|
              -> Evaluated {
            let mut options = Options::of("kube.evict", options);
            let uid = options
                .text("uid")
                .map_err(|why| misuse(&context, why))?
                .unwrap_or_default();
            options.end().map_err(|why| misuse(&context, why))?;
            let pod = object(&words, &context, "pods", Some(namespace), name)?;
            let evict =
                DeleteObject::evicting(pod, uid).map_err(|failure| raise(&context, failure))?;
            change(&words, &context, &evict)
        },
    );
    let words = session.clone();
    engine.register_fn(
        "unique_name",
        move |context: NativeCallContext, _: Kube, prefix: &str| -> Evaluated {
            let name = UniqueName {
                prefix: prefix.to_owned(),
                operation: words.next_name(),
            };
            look(&words, &context, &name)
        },
    );
}

fn list_query(options: Map) -> Result<ListQuery, String> {
    let mut options = Options::of("kube.list", options);
    let query = ListQuery {
        namespace: options.text("namespace")?,
        labels: options.text("labels")?,
        fields: options.text("fields")?,
    };
    options.end()?;
    Ok(query)
}

fn log_query(options: Map) -> Result<LogQuery, String> {
    let mut options = Options::of("kube.logs", options);
    let query = LogQuery {
        container: options.text("container")?,
        since: options.duration("since")?,
        tail: options
            .count("tail")?
            .and_then(|lines| i64::try_from(lines).ok()),
        previous: options.flag("previous")?.unwrap_or(false),
    };
    options.end()?;
    Ok(query)
}

fn writing(engine: &mut Engine, session: &Arc<Session>) {
    let words = session.clone();
    engine.register_fn(
        "delete",
        move |context: NativeCallContext,
              _: Kube,
              kind: &str,
              namespace: &str,
              name: &str,
              options: Map|
              -> Evaluated {
            let mut options = Options::of("kube.delete", options);
            let uid = options
                .text("uid")
                .map_err(|why| misuse(&context, why))?
                .unwrap_or_default();
            options.end().map_err(|why| misuse(&context, why))?;
            let object = object(&words, &context, kind, Some(namespace), name)?;
            let delete =
                DeleteObject::new(object, uid).map_err(|failure| raise(&context, failure))?;
            change(&words, &context, &delete)
        },
    );
    let words = session.clone();
    engine.register_fn(
        "patch",
        move |context: NativeCallContext,
              _: Kube,
              kind: &str,
              namespace: &str,
              name: &str,
              patch: Map|
              -> Evaluated {
            let patch = to_value(&Dynamic::from_map(patch)).map_err(|why| misuse(&context, why))?;
            let object = object(&words, &context, kind, Some(namespace), name)?;
            let patch = PatchObject::new(object, PatchKind::Merge, serde_json::Value::from(&patch));
            change(
                &words,
                &context,
                &patch.map_err(|failure| raise(&context, failure))?,
            )
        },
    );
    let words = session.clone();
    engine.register_fn(
        "create",
        move |context: NativeCallContext, _: Kube, manifest: Map| -> Evaluated {
            let manifest =
                to_value(&Dynamic::from_map(manifest)).map_err(|why| misuse(&context, why))?;
            let cluster = words
                .executor()
                .cluster()
                .map_err(|failure| raise(&context, failure))?;
            let manifest = serde_json::Value::from(&manifest);
            let create = CreateObject::new(&*cluster, manifest, words.next_name());
            change(
                &words,
                &context,
                &create.map_err(|failure| raise(&context, failure))?,
            )
        },
    );
    let words = session.clone();
    engine.register_fn(
        "apply",
        move |context: NativeCallContext, _: Kube, manifest: Map| -> Evaluated {
            apply(&words, &context, manifest, Map::new())
        },
    );
    let words = session.clone();
    engine.register_fn(
        "apply",
        move |context: NativeCallContext, _: Kube, manifest: Map, options: Map| -> Evaluated {
            apply(&words, &context, manifest, options)
        },
    );
    for (word, label) in [("label", true), ("annotate", false)] {
        let words = session.clone();
        engine.register_fn(
            word,
            move |context: NativeCallContext,
                  _: Kube,
                  kind: &str,
                  namespace: &str,
                  name: &str,
                  entries: Map|
                  -> Evaluated {
                let entries = entries_of(entries).map_err(|why| misuse(&context, why))?;
                let object = object(&words, &context, kind, Some(namespace), name)?;
                let patch = if label {
                    PatchObject::label(object, &entries)
                } else {
                    PatchObject::annotate(object, &entries)
                };
                change(
                    &words,
                    &context,
                    &patch.map_err(|failure| raise(&context, failure))?,
                )
            },
        );
    }
}

fn apply(session: &Session, context: &NativeCallContext, manifest: Map, options: Map) -> Evaluated {
    let mut options = Options::of("kube.apply", options);
    let force = options
        .flag("force")
        .map_err(|why| misuse(context, why))?
        .unwrap_or(false);
    options.end().map_err(|why| misuse(context, why))?;
    let manifest = to_value(&Dynamic::from_map(manifest)).map_err(|why| misuse(context, why))?;
    let cluster = session
        .executor()
        .cluster()
        .map_err(|failure| raise(context, failure))?;
    let applied = ApplyObject::new(&*cluster, serde_json::Value::from(&manifest), force);
    change(
        session,
        context,
        &applied.map_err(|failure| raise(context, failure))?,
    )
}

/// Labels or annotations; `()` removes one.
fn entries_of(map: Map) -> Result<BTreeMap<String, Option<String>>, String> {
    map.iter()
        .map(|(key, value)| {
            let value = match to_value(value)? {
                Value::Null => None,
                other => Some(other.to_string()),
            };
            Ok((key.to_string(), value))
        })
        .collect()
}
