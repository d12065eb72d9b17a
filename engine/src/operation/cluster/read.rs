//! Words that look.

use crate::model::{ObjectRef, OperationId, Unknown, Value};
use crate::operation::{Failure, Observation};
use crate::transport::{Cancel, ListQuery, LogQuery, ObjectKind, ObservingFleet};

use super::{arguments_of, veil};

/// `kube.get`: one object as a map, or nothing.
#[derive(Clone, Debug)]
pub struct GetObject {
    /// Which; see [`super::resolve`].
    pub object: ObjectRef,
}

impl Observation for GetObject {
    fn kind(&self) -> &str {
        "kube.get"
    }

    fn arguments(&self) -> Value {
        Value::from_entries(arguments_of(&self.object))
    }

    fn summary(&self) -> String {
        format!("get {}", self.object)
    }

    fn observe(&self, fleet: &dyn ObservingFleet, _: &Cancel) -> Result<Value, Failure> {
        let found = fleet.cluster_observer()?.get(&self.object)?;
        Ok(found.map_or(Value::Null, |found| Value::from(veil(found))))
    }
}

/// `kube.list`: objects of a kind as a list of maps, sorted by namespace and name.
#[derive(Clone, Debug)]
pub struct ListObjects {
    /// The kind; see [`super::resolve_kind`].
    pub kind: ObjectKind,
    /// Which of them.
    pub query: ListQuery,
}

impl Observation for ListObjects {
    fn kind(&self) -> &str {
        "kube.list"
    }

    fn arguments(&self) -> Value {
        Value::from_entries([
            ("api_version", Value::from(self.kind.api_version.clone())),
            ("kind", self.kind.kind.clone().into()),
            ("namespace", self.query.namespace.clone().into()),
            ("labels", self.query.labels.clone().into()),
            ("fields", self.query.fields.clone().into()),
        ])
    }

    fn summary(&self) -> String {
        let mut text = format!("list {}", self.kind.plural);
        if let Some(namespace) = &self.query.namespace {
            text.push_str(&format!(" in {namespace}"));
        }
        for selector in [&self.query.labels, &self.query.fields]
            .into_iter()
            .flatten()
        {
            text.push_str(&format!(" where {selector}"));
        }
        text
    }

    fn listed(&self) -> Option<(String, Option<String>)> {
        Some((self.kind.kind.clone(), self.query.namespace.clone()))
    }

    fn observe(&self, fleet: &dyn ObservingFleet, _: &Cancel) -> Result<Value, Failure> {
        let found = fleet.cluster_observer()?.list(&self.kind, &self.query)?;
        Ok(Value::from(found.into_iter().map(veil).collect::<Vec<_>>()))
    }
}

/// `kube.logs`: the log of a pod's container as text.
#[derive(Clone, Debug)]
pub struct PodLogs {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// Which part.
    pub query: LogQuery,
}

impl Observation for PodLogs {
    fn kind(&self) -> &str {
        "kube.logs"
    }

    fn arguments(&self) -> Value {
        let millis =
            |since: std::time::Duration| i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        Value::from_entries([
            ("namespace", Value::from(self.namespace.clone())),
            ("pod", self.pod.clone().into()),
            ("container", self.query.container.clone().into()),
            ("since_ms", self.query.since.map(millis).into()),
            ("tail", self.query.tail.into()),
            ("previous", self.query.previous.into()),
        ])
    }

    fn summary(&self) -> String {
        format!("logs of pod {}/{}", self.namespace, self.pod)
    }

    fn may_come_too_early(&self) -> bool {
        true
    }

    fn observe(&self, fleet: &dyn ObservingFleet, _: &Cancel) -> Result<Value, Failure> {
        let log = fleet
            .cluster_observer()?
            .logs(&self.namespace, &self.pod, &self.query)?;
        Ok(Value::Text(log))
    }
}

/// `kube.unique_name`: a name for an object that no other operation of any run has, and that this one has again when it
/// is repeated after a crash.
#[derive(Clone, Debug)]
pub struct UniqueName {
    /// Its beginning.
    pub prefix: String,
    /// The operation; none in a dry run, which has no names.
    pub operation: Option<OperationId>,
}

impl Observation for UniqueName {
    fn kind(&self) -> &str {
        "kube.unique_name"
    }

    fn arguments(&self) -> Value {
        Value::from_entries([("prefix", Value::from(self.prefix.clone()))])
    }

    fn summary(&self) -> String {
        format!("a name that begins with {}", self.prefix)
    }

    fn observe(&self, _: &dyn ObservingFleet, _: &Cancel) -> Result<Value, Failure> {
        let end = self
            .operation
            .as_ref()
            .map_or(Unknown::MARK, OperationId::as_str);
        Ok(Value::Text(format!("{}-{end}", self.prefix)))
    }
}
