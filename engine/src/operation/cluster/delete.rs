//! `kube.delete`: one particular object, by its uid, and no other of the same name.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use serde_json::Value as Json;

use super::verdict::rehearse;
use super::{arguments_of, failed, state_of};
use crate::model::{Image, ObjectRef, Subject, Value};
use crate::operation::{Change, Failure};
use crate::transport::{ActingFleet, Cancel, ClusterActor, ObservingFleet, Proposal};

/// How long an object may take to go, besides its own grace period: its finalizers have work to do.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long between two looks at an object that is going.
const EVERY: Duration = Duration::from_secs(1);

/// How an object is made to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Delete,
    /// As the disruption budgets allow it.
    Evict,
}

/// Deletes the object with a uid and waits until it is gone. What has its name afterwards is another object and does
/// not matter: a stateful set makes its pods again under their names.
#[derive(Debug)]
pub struct DeleteObject {
    object: ObjectRef,
    uid: String,
    way: Way,
    /// Whether the run itself has made it, for a time only.
    temporary: bool,
    /// Why it could not be put back, as far as it has been seen.
    lasting: Mutex<Option<String>>,
}

impl DeleteObject {
    /// The object of this name with this uid. The uid comes from what the script has seen, so that a run that goes
    /// on after a crash means the same object.
    pub fn new(object: ObjectRef, uid: impl Into<String>) -> Result<Self, Failure> {
        let uid = uid.into();
        match uid.is_empty() {
            true => Err(Failure::Misuse(format!(
                "kube.delete of {object} needs the `uid` of the object that it means"
            ))),
            false => Ok(Self {
                object,
                uid,
                way: Way::Delete,
                temporary: false,
                lasting: Mutex::new(None),
            }),
        }
    }

    /// An object that the run has made for a time only. Its uid is empty in a dry run, which makes none.
    pub fn of_temporary(object: ObjectRef, uid: String) -> Self {
        Self {
            object,
            uid,
            way: Way::Delete,
            temporary: true,
            lasting: Mutex::new(None),
        }
    }

    /// The same, but a pod that disruption budgets protect goes only when they allow it.
    pub fn evicting(pod: ObjectRef, uid: impl Into<String>) -> Result<Self, Failure> {
        if pod.kind != "Pod" {
            return Err(Failure::Misuse(format!("only pods are evicted, not {pod}")));
        }
        let delete = Self::new(pod, uid)?;
        Ok(Self {
            way: Way::Evict,
            ..delete
        })
    }

    /// The object, if it still is the one that is meant. In a dry run an object may have no uid: one that an earlier
    /// step would create or change.
    fn mine(&self, found: Option<Json>) -> Option<Json> {
        found.filter(|found| match found["metadata"]["uid"].as_str() {
            Some(uid) => uid == self.uid,
            None => true,
        })
    }

    fn remember(&self, found: &Json) {
        let why = why_not_put_back(&self.object, found);
        *self.lasting.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    fn wait_until_gone(
        &self,
        actor: &dyn ClusterActor,
        fleet: &dyn ActingFleet,
        grace: Duration,
        cancel: &Cancel,
    ) -> Result<(), Failure> {
        let clock = fleet.clock();
        let until = clock.now() + (grace + PATIENCE);
        loop {
            let Some(found) = self.mine(actor.get(&self.object)?) else {
                return Ok(());
            };
            if clock.now() >= until {
                return Err(self.stays(&found));
            }
            if !clock.sleep(EVERY, cancel) {
                return Err(Failure::Interrupted);
            }
        }
    }

    fn stays(&self, found: &Json) -> Failure {
        let finalizers = found["metadata"]["finalizers"].as_array();
        let names: Vec<&str> = finalizers
            .into_iter()
            .flatten()
            .filter_map(Json::as_str)
            .collect();
        let report = failed(format!("{} was deleted, but is still there", self.object));
        Failure::Failed(match names.is_empty() {
            true => report.hint(
                "see whether its node and its kubelet run; it goes when they say that it ended",
            ),
            false => report
                .detail(format!("it waits for its finalizers: {}", names.join(", ")))
                .hint(
                    "see whether the controllers of these finalizers run; resume when it is gone",
                ),
        })
    }
}

/// Why undo could not put an object back, if it could not.
fn why_not_put_back(object: &ObjectRef, found: &Json) -> Option<String> {
    let owners = found["metadata"]["ownerReferences"].as_array();
    let controller = owners
        .into_iter()
        .flatten()
        .find(|owner| owner["controller"] == true);
    if let Some(owner) = controller {
        let text = |field: &str| owner[field].as_str().unwrap_or_default();
        return Some(format!(
            "{object} is made again by its controller ({} {}); nothing to put back",
            text("kind"),
            text("name")
        ));
    }
    let lost = match &*object.kind {
        "Namespace" => "everything in it went with it",
        "CustomResourceDefinition" => "all objects of its kind went with it",
        "PersistentVolume" | "PersistentVolumeClaim" => "its data may be gone with it",
        "Node" => "its kubelet registers it again when it starts",
        "Secret" => "its contents are not kept in the journal",
        "Event" => "events are not kept for long anyway",
        _ => return None,
    };
    Some(format!("{object} cannot be put back: {lost}"))
}

impl Change for DeleteObject {
    fn kind(&self) -> &str {
        match self.way {
            Way::Delete => "kube.delete",
            Way::Evict => "kube.evict",
        }
    }

    fn arguments(&self) -> Value {
        let mut entries = arguments_of(&self.object);
        if !self.temporary {
            entries.push(("uid", self.uid.clone().into()));
        }
        Value::from_entries(entries)
    }

    fn summary(&self) -> String {
        match self.way {
            Way::Delete => format!("delete {}", self.object),
            Way::Evict => format!("evict {}", self.object),
        }
    }

    fn subject(&self) -> Subject {
        Subject::Object(self.object.clone())
    }

    fn observe(&self, fleet: &dyn ObservingFleet, _: &Cancel) -> Result<Image, Failure> {
        let found = self.mine(fleet.cluster_observer()?.get(&self.object)?);
        if let Some(found) = &found {
            self.remember(found);
        }
        Ok(Image::Object(found.map(state_of)))
    }

    fn wanted(&self, _: &Image) -> Result<Image, Failure> {
        Ok(Image::Object(None))
    }

    fn apply(
        &self,
        fleet: &dyn ActingFleet,
        before: &Image,
        _: &Image,
        cancel: &Cancel,
    ) -> Result<(), Failure> {
        let grace = match before {
            Image::Object(Some(before)) => before["spec"]["terminationGracePeriodSeconds"].as_u64(),
            _ => None,
        };
        let actor = fleet.cluster_actor()?;
        match self.way {
            Way::Delete => actor.delete(&self.object, &self.uid)?,
            Way::Evict => actor.evict(&self.object, &self.uid)?,
        }
        self.wait_until_gone(
            &*actor,
            fleet,
            Duration::from_secs(grace.unwrap_or(0)),
            cancel,
        )
    }

    fn rehearse(&self, fleet: &dyn ObservingFleet, _: &Image) -> Result<Option<String>, Failure> {
        let proposal = Proposal::Delete {
            object: &self.object,
            uid: &self.uid,
        };
        match self.way {
            Way::Delete => rehearse(&*fleet.cluster_observer()?, &self.object, &proposal, None),
            // Budgets are waited for: what they say now is not what they say then.
            Way::Evict => Ok(None),
        }
    }

    fn removes(&self) -> Option<&ObjectRef> {
        self.temporary.then_some(&self.object)
    }

    fn reversible(&self) -> Result<(), String> {
        if self.temporary {
            return Err("it was there for a time only".into());
        }
        match &*self.lasting.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(why) => Err(why.clone()),
            None => Ok(()),
        }
    }
}
