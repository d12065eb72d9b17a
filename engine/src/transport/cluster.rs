//! The cluster's API as operations see it: objects as JSON, kinds by name.

use std::time::Duration;

use serde_json::Value as Json;

use crate::model::ObjectRef;

use super::TransportError;

/// A kind of object as discovery knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectKind {
    /// API version, such as `v1` or `apps/v1`.
    pub api_version: String,
    /// Kind, such as `Pod`.
    pub kind: String,
    /// Plural name in URLs, such as `pods`.
    pub plural: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
}

/// What to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// Namespace; none for all.
    pub namespace: Option<String>,
    /// Label selector, as in `kubectl -l`.
    pub labels: Option<String>,
    /// Field selector, as in `kubectl --field-selector`.
    pub fields: Option<String>,
}

/// Which part of a container's log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// Container; none for the pod's only or default one.
    pub container: Option<String>,
    /// Only what is younger than this.
    pub since: Option<Duration>,
    /// Only the last lines.
    pub tail: Option<i64>,
    /// Of the container's previous life.
    pub previous: bool,
}

/// How a patch is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchKind {
    /// RFC 7386: maps are merged, null removes, everything else replaces.
    Merge,
    /// Kubernetes strategic merge: lists of built-in kinds are merged by key.
    Strategic,
}

/// An object that is made for a time only: it is written down before it is made, so that it is found again whatever
/// happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Temporary {
    /// Which.
    pub object: ObjectRef,
    /// In words, such as `helper pod on node n1`.
    pub what: String,
}

/// An effect that the API server is asked about and does not have (`dryRun=All`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Proposal<'a> {
    /// To create this object.
    Create(&'a Json),
    /// To patch an object.
    Patch {
        /// Which.
        object: &'a ObjectRef,
        /// How the patch is meant.
        kind: PatchKind,
        /// The patch.
        patch: &'a Json,
    },
    /// To delete the object with a uid.
    Delete {
        /// Which.
        object: &'a ObjectRef,
        /// Its uid.
        uid: &'a str,
    },
}

/// What the API server says to a [`Proposal`]: validation, admission, quotas and our permissions had their look.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It would do it; this is what would come of it.
    Accepted(Json),
    /// It would refuse it, in its words.
    Refused(String),
    /// We may not ask, and why.
    NotAsked(String),
    /// What it would judge is not what will be there by then: an earlier step of the plan changes it.
    Premature,
}

/// The part of the API that only reads.
pub trait ClusterObserver: Send + Sync {
    /// The kind that a user means by `name`: `pod`, `pods`, `Pod`, `deployments.apps`, `apps/v1/Deployment`.
    fn kind(&self, name: &str) -> Result<ObjectKind, TransportError>;

    /// One object, or none.
    fn get(&self, object: &ObjectRef) -> Result<Option<Json>, TransportError>;

    /// Objects of a kind, sorted by namespace and name.
    fn list(&self, kind: &ObjectKind, query: &ListQuery) -> Result<Vec<Json>, TransportError>;

    /// What the API would make of this manifest by server-side apply, without keeping it (`dryRun=All`).
    fn would_apply(&self, manifest: &Json, force: bool) -> Result<Json, TransportError>;

    /// What the API server says to an effect that is not to happen (`dryRun=All`).
    fn would(&self, proposal: &Proposal<'_>) -> Result<Verdict, TransportError>;

    /// A container's log as text.
    fn logs(&self, namespace: &str, pod: &str, query: &LogQuery) -> Result<String, TransportError>;
}

/// The part of the API that writes.
pub trait ClusterActor: ClusterObserver {
    /// Patches an object; refused with [`TransportError::Changed`] unless it still has `resource_version`.
    fn patch(
        &self,
        object: &ObjectRef,
        kind: PatchKind,
        patch: &Json,
        resource_version: Option<&str>,
    ) -> Result<Json, TransportError>;

    /// Applies a manifest on the server: made if it is missing, else changed where it differs. Twice is the same as once.
    fn apply(&self, manifest: &Json, force: bool) -> Result<Json, TransportError>;

    /// Creates an object (its namespace and name are in it).
    fn create(&self, object: &Json) -> Result<Json, TransportError>;

    /// Evicts the pod with this `uid`: deletes it when the disruption budgets allow it, and waits until they do. One
    /// that is already gone is no error.
    fn evict(&self, pod: &ObjectRef, uid: &str) -> Result<(), TransportError>;

    /// Deletes the object with this `uid`; one that is already gone, or whose name now belongs to another, is
    /// no error: what was to go is gone.
    fn delete(&self, object: &ObjectRef, uid: &str) -> Result<(), TransportError>;
}
