//! `kube.run_pod(namespace, image, command, options)`: a program in a pod of its own, once. Four operations: the pod is
//! created under the operation's name, waited for, its log read, and removed.

use std::sync::Arc;
use std::time::Duration;

use rhai::{Dynamic, Engine, EvalAltResult, Map, NativeCallContext};
use serde_json::Value as Json;

use super::super::convert::{to_dynamic, to_value};
use super::super::failure;
use super::super::session::{Session, misuse};
use super::host::exits;
use super::kube::Kube;
use super::options::Options;
use super::program::program;
use crate::model::{ObjectRef, Target, Value};
use crate::operation::cluster::{
    CreateObject, DeleteObject, GetObject, PodEnd, PodLogs, PodRun, exit_of,
};
use crate::operation::{Action, Failure, judged};
use crate::transport::{Captured, Exit, LogQuery, Output};

/// How long a program may take if the script does not say: a test takes seconds.
const TIMEOUT: Duration = Duration::from_secs(300);

/// Registers the word.
pub fn register(engine: &mut Engine, session: &Arc<Session>) {
    for_pods(engine, session, false);
    for_pods(engine, session, true);
}

fn for_pods(engine: &mut Engine, session: &Arc<Session>, with_options: bool) {
    let words = session.clone();
    type Evaluated = Result<Dynamic, Box<EvalAltResult>>;
    if with_options {
        engine.register_fn(
            "run_pod",
            move |context: NativeCallContext,
                  _: Kube,
                  namespace: &str,
                  image: &str,
                  command: Dynamic,
                  options: Map|
                  -> Evaluated {
                run_pod(&words, &context, (namespace, image), &command, options)
            },
        );
    } else {
        engine.register_fn(
            "run_pod",
            move |context: NativeCallContext,
                  _: Kube,
                  namespace: &str,
                  image: &str,
                  command: Dynamic|
                  -> Evaluated {
                run_pod(&words, &context, (namespace, image), &command, Map::new())
            },
        );
    }
}

fn run_pod(
    session: &Session,
    context: &NativeCallContext,
    (namespace, image): (&str, &str),
    command: &Dynamic,
    options: Map,
) -> Result<Dynamic, Box<EvalAltResult>> {
    let (run, expect_exit) =
        read(namespace, image, command, options).map_err(|why| misuse(context, why))?;
    let raise = |failure| failure::raise(failure, context.call_position());
    let operation = session.next_name();
    let pod = run.pod(operation.as_ref());
    let manifest = run.manifest(operation.as_ref(), session.executor().run_id().as_ref());
    let cluster = session.executor().cluster().map_err(raise)?;
    let create = CreateObject::temporary(&*cluster, manifest, operation).map_err(raise)?;
    session.perform(context, Target::Cluster, Action::Change(&create))?;

    let ended = wait_for_its_end(session, context, &run, &pod)?;
    let logs = PodLogs {
        namespace: namespace.to_owned(),
        pod: pod.name.clone(),
        query: LogQuery::default(),
    };
    let log = session.perform(context, Target::Cluster, Action::Observe(&logs))?;
    let uid = match &ended {
        Value::Unknown(_) => String::new(),
        ended => Json::from(ended)["metadata"]["uid"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
    };
    let delete = DeleteObject::of_temporary(pod, uid);
    session.perform(context, Target::Cluster, Action::Change(&delete))?;
    for value in [&ended, &log] {
        if let Value::Unknown(_) = value {
            return Ok(to_dynamic(value));
        }
    }
    result(&run, &Json::from(&ended), &log, &expect_exit)
        .map(|value| to_dynamic(&value))
        .map_err(raise)
}

fn wait_for_its_end(
    session: &Session,
    context: &NativeCallContext,
    run: &PodRun,
    pod: &ObjectRef,
) -> Result<Value, Box<EvalAltResult>> {
    let get = GetObject {
        object: pod.clone(),
    };
    let end = PodEnd {
        what: format!("the end of pod {}/{}", run.namespace, pod.name),
        timeout: run.patience(),
        look: &|| session.executor().look(&Target::Cluster, &get),
    };
    session.perform(context, Target::Cluster, Action::Wait(&end))
}

/// What the script gets; an error where the exit status is not one of those that it expects.
fn result(run: &PodRun, pod: &Json, log: &Value, expect: &[i32]) -> Result<Value, Failure> {
    let output = Output {
        exit: Exit::Code(exit_of(pod)?),
        // The API serves both streams as one.
        stdout: Captured {
            bytes: log.to_string().into_bytes(),
            dropped: 0,
        },
        stderr: Captured::default(),
    };
    judged(
        &output,
        expect,
        &run.program,
        &Target::Cluster,
        Some(run.timeout),
    )
}

fn read(
    namespace: &str,
    image: &str,
    command: &Dynamic,
    options: Map,
) -> Result<(PodRun, Vec<i32>), String> {
    let mut options = Options::of("kube.run_pod", options);
    let expect_exit = exits(options.take("expect_exit"))?;
    let spec = match options.take("spec") {
        Some(spec) => Json::from(&to_value(&spec)?),
        None => Json::Object(serde_json::Map::new()),
    };
    let timeout = options.duration("timeout")?.unwrap_or(TIMEOUT);
    let node = options.text("node")?;
    let host_network = options.flag("host_network")?.unwrap_or(false);
    options.end()?;
    if namespace.is_empty() || image.is_empty() {
        return Err("kube.run_pod needs a namespace and an image".into());
    }
    if !spec.is_object() {
        return Err("`spec` of kube.run_pod is a map, as in a pod's manifest".into());
    }
    let run = PodRun {
        namespace: namespace.to_owned(),
        image: image.to_owned(),
        program: program(command)?,
        timeout,
        node,
        host_network,
        spec,
    };
    Ok((run, expect_exit))
}
