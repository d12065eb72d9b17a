//! `pod(namespace, name)`: a container to look into and to run things in.

use std::fmt;
use std::sync::Arc;

use rhai::{Dynamic, Engine, EvalAltResult, Map, NativeCallContext};

use super::super::convert::to_dynamic;
use super::super::session::{Session, misuse};
use super::host::{probe, run};
use crate::model::{Target, TargetPath};
use crate::operation::{Action, FileQuestion, LookAtFile};

/// A pod, as scripts hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    namespace: String,
    name: String,
    container: Option<String>,
}

impl Pod {
    fn target(&self) -> Target {
        Target::Pod {
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            container: self.container.clone(),
        }
    }
}

impl fmt::Display for Pod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.target().fmt(f)
    }
}

/// Registers the words.
pub fn register(engine: &mut Engine, session: &Arc<Session>) {
    engine.register_type_with_name::<Pod>("pod");
    engine.register_fn("to_string", |pod: &mut Pod| pod.to_string());
    engine.register_get("name", |pod: &mut Pod| pod.name.clone());
    engine.register_get("namespace", |pod: &mut Pod| pod.namespace.clone());
    engine.register_fn("pod", |namespace: &str, name: &str| Pod {
        namespace: namespace.into(),
        name: name.into(),
        container: None,
    });
    engine.register_fn("pod", |namespace: &str, name: &str, container: &str| Pod {
        namespace: namespace.into(),
        name: name.into(),
        container: Some(container.into()),
    });
    let words = session.clone();
    engine.register_fn(
        "probe",
        move |context: NativeCallContext, pod: Pod, command: Dynamic| {
            probe(&words, &context, pod.target(), &command, Map::new())
        },
    );
    let words = session.clone();
    engine.register_fn(
        "probe",
        move |context: NativeCallContext, pod: Pod, command: Dynamic, options: Map| {
            probe(&words, &context, pod.target(), &command, options)
        },
    );
    let words = session.clone();
    engine.register_fn(
        "run",
        move |context: NativeCallContext, pod: Pod, command: Dynamic| {
            run(&words, &context, pod.target(), &command, Map::new())
        },
    );
    let words = session.clone();
    engine.register_fn(
        "run",
        move |context: NativeCallContext, pod: Pod, command: Dynamic, options: Map| {
            run(&words, &context, pod.target(), &command, options)
        },
    );
    let words = session.clone();
    engine.register_fn(
        "read",
        move |context: NativeCallContext,
              pod: Pod,
              path: &str|
              -> Result<Dynamic, Box<EvalAltResult>> {
            let path = TargetPath::parse(path).map_err(|why| misuse(&context, why))?;
            let look = LookAtFile {
                target: pod.target(),
                path,
                question: FileQuestion::Read,
            };
            words
                .perform(&context, pod.target(), Action::Observe(&look))
                .map(|value| to_dynamic(&value))
        },
    );
}
