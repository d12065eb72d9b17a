//! `kube.rollout_restart`: new pods for a workload, once.

use serde_json::json;

use super::{PatchObject, arguments_of};
use crate::model::{Image, ObjectRef, OperationId, Subject, Value};
use crate::operation::{Change, Failure};
use crate::transport::{ActingFleet, Cancel, ObservingFleet, PatchKind};

/// The annotation of the pod template. Its value is the operation's name and not the time, as `kubectl` has it: applied
/// again after a crash it is the same restart and not another.
const ANNOTATION: &str = "runbook.dev/restarted-by";

/// Restarts the pods of a deployment, stateful set or daemon set.
#[derive(Clone, Debug)]
pub struct RestartRollout {
    object: ObjectRef,
    patch: PatchObject,
}

impl RestartRollout {
    /// The restart that this operation is. None stands for a dry run, which has no names.
    pub fn new(object: ObjectRef, operation: Option<&OperationId>) -> Result<Self, Failure> {
        if !["Deployment", "StatefulSet", "DaemonSet"].contains(&object.kind.as_str()) {
            return Err(Failure::Misuse(format!(
                "kube.rollout_restart restarts deployments, stateful sets and daemon sets, not {object}"
            )));
        }
        let value = operation.map_or("(the operation's name)", OperationId::as_str);
        let patch = json!({ "spec": { "template": { "metadata": { "annotations": { ANNOTATION: value } } } } });
        Ok(Self {
            patch: PatchObject::new(object.clone(), PatchKind::Merge, patch)?,
            object,
        })
    }
}

impl Change for RestartRollout {
    fn kind(&self) -> &str {
        "kube.rollout_restart"
    }

    fn arguments(&self) -> Value {
        // Not the annotation: it follows from the operation, which a dry run cannot name.
        Value::from_entries(arguments_of(&self.object))
    }

    fn summary(&self) -> String {
        format!("restart the pods of {}", self.object)
    }

    fn subject(&self) -> Subject {
        self.patch.subject()
    }

    fn observe(&self, fleet: &dyn ObservingFleet, cancel: &Cancel) -> Result<Image, Failure> {
        self.patch.observe(fleet, cancel)
    }

    fn wanted(&self, before: &Image) -> Result<Image, Failure> {
        self.patch.wanted(before)
    }

    fn apply(
        &self,
        fleet: &dyn ActingFleet,
        before: &Image,
        after: &Image,
        cancel: &Cancel,
    ) -> Result<(), Failure> {
        self.patch.apply(fleet, before, after, cancel)
    }

    fn reached(&self, after: &Image, now: &Image) -> bool {
        self.patch.reached(after, now)
    }

    fn rehearse(
        &self,
        fleet: &dyn ObservingFleet,
        after: &Image,
    ) -> Result<Option<String>, Failure> {
        self.patch.rehearse(fleet, after)
    }

    fn reversible(&self) -> Result<(), String> {
        Err("pods that were restarted cannot be restarted back".into())
    }
}
