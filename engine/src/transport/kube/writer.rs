//! The part of the API that writes.
//!
//! A request that was sent and whose answer got lost may have had its effect. Where the request says what it expects
//! to find (a uid, a resource version), asking the object settles it; elsewhere the outcome is reported as unknown.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use jiff::Timestamp;
use kube::api::{DeleteParams, EvictParams, Patch, PatchParams, PostParams, Preconditions};
use serde_json::Value as Json;

use super::access::Keep;
use super::exchange::{Exchange, Patience, Repeat, Stop};
use super::reader::{KubeReader, built, ended, json};
use super::trouble::Trouble;
use super::{lost, path, refused};
use crate::model::{ObjectRef, Target};
use crate::transport::{
    Cancel, ClusterActor, ClusterObserver, ListQuery, LogQuery, ObjectKind, PatchKind, Proposal,
    TransportError, Verdict, covers,
};

/// Who changed a field, as the server keeps it in `managedFields`.
pub(super) const MANAGER: &str = "runbook";

/// A cluster's API that can be read and written.
pub struct KubeCluster {
    reader: KubeReader,
}

impl KubeCluster {
    /// Reads and writes through a client; its connections live on `runtime`.
    pub fn new(client: kube::Client, runtime: tokio::runtime::Handle) -> Self {
        Self {
            reader: KubeReader::new(client, runtime),
        }
    }

    /// Reads and writes the cluster of a kubeconfig; see [`KubeReader::from_kubeconfig`].
    pub fn from_kubeconfig(
        path: Option<&Path>,
        context: Option<&str>,
        runtime: tokio::runtime::Handle,
    ) -> Result<Self, TransportError> {
        let reader = KubeReader::from_kubeconfig(path, context, runtime)?;
        Ok(Self { reader })
    }

    /// Its part that only reads.
    pub fn into_reader(self) -> KubeReader {
        self.reader
    }

    /// With other settings for its reader: clock, patience, hook, interruption.
    #[must_use]
    pub fn with(self, set: impl FnOnce(KubeReader) -> KubeReader) -> Self {
        Self {
            reader: set(self.reader),
        }
    }

    /// What its calls share.
    pub(super) fn exchange(&self) -> &Arc<Exchange> {
        self.reader.exchange()
    }

    /// The same cluster for the end of a run: with little patience, and also after an interruption.
    pub(super) fn for_cleanup(&self, patience: Duration) -> Self {
        let mut exchange = self.exchange().with_patience(patience);
        exchange.cancel = Cancel::default();
        Self {
            reader: KubeReader::of(exchange),
        }
    }

    /// The same cluster without telling anybody that it waits.
    pub(super) fn silent(&self) -> Self {
        let mut exchange = self.exchange().with_patience(self.exchange().patience);
        exchange.hook = Arc::new(|_| {});
        exchange.cancel = Cancel::default();
        Self {
            reader: KubeReader::of(exchange),
        }
    }

    /// The time, by the run's clock.
    pub(super) fn now(&self) -> Timestamp {
        self.exchange().clock.now()
    }

    /// How long it is since then.
    pub(super) fn elapsed(&self, since: Timestamp) -> Duration {
        Duration::try_from(self.now().duration_since(since)).unwrap_or_default()
    }

    /// Lets time pass between two looks.
    pub(super) fn pause(&self, duration: Duration) -> Result<(), TransportError> {
        let exchange = self.exchange();
        match exchange.clock.sleep(duration, &exchange.cancel) {
            true => Ok(()),
            false => Err(TransportError::Interrupted),
        }
    }

    fn send(
        &self,
        patience: &mut Patience,
        repeat: Repeat,
        request: &Request<Vec<u8>>,
    ) -> Result<Json, Stop> {
        let answer = self.reader.exchange.send(patience, repeat, request)?;
        json(&answer).map_err(Stop::Failed)
    }

    /// A patch that expects a resource version. An answer that got lost is made up for by asking the object.
    fn patch_expecting(
        &self,
        object: &ObjectRef,
        (kind, patch): (PatchKind, &Json),
        version: &str,
        request: &Request<Vec<u8>>,
    ) -> Result<Json, TransportError> {
        let call = format!("patch {object}");
        let changed = || TransportError::Changed {
            target: Target::Cluster,
            what: object.to_string(),
        };
        let mut patience = self.reader.exchange.patience();
        let mut in_doubt = false;
        loop {
            match self.send(&mut patience, Repeat::UnlessUnknown, request) {
                Ok(answer) => return Ok(answer),
                Err(Stop::Refused(trouble)) if trouble.code() == 409 && !in_doubt => {
                    return Err(changed());
                }
                Err(Stop::Refused(trouble)) if trouble.code() == 409 => {}
                Err(Stop::Failed(TransportError::Lost { .. })) => {}
                Err(stop) => return Err(ended(stop, &call)),
            }
            in_doubt = true;
            let now = self.get(object)?;
            let now = now.ok_or_else(|| refused(format!("{call}: it is gone")))?;
            if now["metadata"]["resourceVersion"] == version {
                // Not applied (yet): sent again, it is applied once or refused with a conflict.
                let again = self
                    .reader
                    .exchange
                    .wait_or_give_up(&mut patience, &Trouble::unanswered());
                again.map_err(|_| lost(format!("{call}: no answer, again and again")))?;
                continue;
            }
            return match covers(kind, &now, patch) {
                true => Ok(now),
                false => Err(changed()),
            };
        }
    }

    /// The name of the object that a manifest describes.
    pub(super) fn reference(object: &Json) -> Result<ObjectRef, TransportError> {
        let text = |field: &str, value: &Json| {
            let text = value.as_str().filter(|text| !text.is_empty());
            text.map(str::to_owned)
                .ok_or_else(|| refused(format!("an object to create needs `{field}`")))
        };
        Ok(ObjectRef {
            api_version: text("apiVersion", &object["apiVersion"])?,
            kind: text("kind", &object["kind"])?,
            namespace: object["metadata"]["namespace"].as_str().map(str::to_owned),
            name: text("metadata.name", &object["metadata"]["name"])?,
        })
    }
}

impl ClusterObserver for KubeCluster {
    fn kind(&self, name: &str) -> Result<ObjectKind, TransportError> {
        self.reader.kind(name)
    }

    fn get(&self, object: &ObjectRef) -> Result<Option<Json>, TransportError> {
        self.reader.get(object)
    }

    fn list(&self, kind: &ObjectKind, query: &ListQuery) -> Result<Vec<Json>, TransportError> {
        self.reader.list(kind, query)
    }

    fn would_apply(&self, manifest: &Json, force: bool) -> Result<Json, TransportError> {
        self.reader.would_apply(manifest, force)
    }

    fn would(&self, proposal: &Proposal<'_>) -> Result<Verdict, TransportError> {
        self.reader.would(proposal)
    }

    fn logs(&self, namespace: &str, pod: &str, query: &LogQuery) -> Result<String, TransportError> {
        self.reader.logs(namespace, pod, query)
    }
}

impl ClusterActor for KubeCluster {
    fn patch(
        &self,
        object: &ObjectRef,
        kind: PatchKind,
        patch: &Json,
        resource_version: Option<&str>,
    ) -> Result<Json, TransportError> {
        let (collection, name) = path::place(&self.reader.kind_of(object)?, object)?;
        if !patch.is_object() {
            return Err(refused(format!("patch {object}: a patch is a map")));
        }
        let mut body = patch.clone();
        if let Some(version) = resource_version {
            // In the body the version is a precondition: another one on the server is a conflict.
            if !body["metadata"].is_object() {
                body["metadata"] = Json::Object(serde_json::Map::new());
            }
            body["metadata"]["resourceVersion"] = version.into();
        }
        let params = PatchParams {
            field_manager: Some(MANAGER.into()),
            ..PatchParams::default()
        };
        let request = built(match kind {
            PatchKind::Merge => collection.patch(name, &params, &Patch::Merge(&body)),
            PatchKind::Strategic => collection.patch(name, &params, &Patch::Strategic(&body)),
        })?;
        match resource_version {
            Some(version) => self.patch_expecting(object, (kind, patch), version, &request),
            None => {
                let mut patience = self.reader.exchange.patience();
                self.send(&mut patience, Repeat::UnlessUnknown, &request)
                    .map_err(|stop| ended(stop, &format!("patch {object}")))
            }
        }
    }

    fn apply(&self, manifest: &Json, force: bool) -> Result<Json, TransportError> {
        self.reader
            .server_side_apply(manifest, force, Keep::Everything)
    }

    fn create(&self, object: &Json) -> Result<Json, TransportError> {
        let name = Self::reference(object)?;
        let kind = self.reader.kind_of(&name)?;
        let (collection, _) = path::place(&kind, &name)?;
        let params = PostParams {
            field_manager: Some(MANAGER.into()),
            ..PostParams::default()
        };
        let request = built(collection.create(&params, object.to_string().into_bytes()))?;
        let mut patience = self.reader.exchange.patience();
        self.send(&mut patience, Repeat::UnlessUnknown, &request)
            .map_err(|stop| ended(stop, &format!("create {name}")))
    }

    fn evict(&self, pod: &ObjectRef, uid: &str) -> Result<(), TransportError> {
        let (collection, name) = path::place(&self.reader.kind_of(pod)?, pod)?;
        let params = EvictParams {
            delete_options: Some(with_uid(uid)),
            post_options: PostParams::default(),
        };
        let request = built(collection.evict(name, &params))?;
        // A budget answers 429 as long as it allows no disruption: that is waited for like anything that is not ready.
        self.remove(pod, uid, &request, "evict")
    }

    fn delete(&self, object: &ObjectRef, uid: &str) -> Result<(), TransportError> {
        let (collection, name) = path::place(&self.reader.kind_of(object)?, object)?;
        let request = built(collection.delete(name, &with_uid(uid)))?;
        self.remove(object, uid, &request, "delete")
    }
}

pub(super) fn with_uid(uid: &str) -> DeleteParams {
    DeleteParams {
        preconditions: Some(Preconditions {
            uid: Some(uid.to_owned()),
            resource_version: None,
        }),
        ..DeleteParams::background()
    }
}

impl KubeCluster {
    /// Sends a request that removes the object with this uid and no other.
    fn remove(
        &self,
        object: &ObjectRef,
        uid: &str,
        request: &Request<Vec<u8>>,
        word: &str,
    ) -> Result<(), TransportError> {
        let mut patience = self.reader.exchange.patience();
        // With the uid, twice is the same as once: what has the name next is not touched.
        match self
            .reader
            .exchange
            .send(&mut patience, Repeat::Always, request)
        {
            Ok(_) => Ok(()),
            Err(Stop::Refused(trouble)) if trouble.object_is_absent() => Ok(()),
            Err(Stop::Refused(trouble)) if trouble.code() == 409 => {
                let now = self.get(object)?;
                match now.is_some_and(|now| now["metadata"]["uid"] == uid) {
                    true => Err(ended(Stop::Refused(trouble), &format!("{word} {object}"))),
                    false => Ok(()),
                }
            }
            Err(stop) => Err(ended(stop, &format!("{word} {object}"))),
        }
    }
}
