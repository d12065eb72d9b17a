//! What stands behind the in-process Kubernetes API: the simulated cluster's objects.

use serde_json::Value as Json;

use crate::transport::{LogQuery, ObjectKind};

/// A store of objects with the behaviour of an API server.
pub trait ApiBackend: Send + Sync {
    /// Err: the API server is down or restarting (connection refused), with words.
    fn available(&self) -> Result<(), String>;

    /// The kinds that the API serves.
    fn kinds(&self) -> Vec<ObjectKind>;

    /// One object, or none.
    fn get(
        &self,
        kind: &ObjectKind,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Json>, String>;

    /// All objects of a kind, sorted by namespace and name.
    fn list(&self, kind: &ObjectKind, namespace: Option<&str>) -> Result<Vec<Json>, String>;

    /// A container's log; `None` if there is no such pod.
    fn logs(&self, namespace: &str, pod: &str, query: &LogQuery) -> Result<Option<String>, String>;

    /// Creates an object and returns it as stored.
    fn create(&self, kind: &ObjectKind, object: Json) -> Result<Json, ApiRefusal>;

    /// Replaces an object; when `metadata.resourceVersion` is present it must still be the stored one.
    fn replace(&self, kind: &ObjectKind, object: Json) -> Result<Json, ApiRefusal>;

    /// Deletes an object (with this `uid`, if given); `None` if it was not there.
    fn delete(
        &self,
        kind: &ObjectKind,
        namespace: Option<&str>,
        name: &str,
        uid: Option<&str>,
    ) -> Result<Option<Json>, ApiRefusal>;
}

/// Why the API did not do it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApiRefusal {
    /// The API server is down.
    Down(String),
    /// There is no such object.
    NotFound,
    /// There is one of this name already.
    AlreadyExists,
    /// The object is no longer what the caller saw.
    Conflict(String),
    /// The object is not acceptable.
    Invalid(String),
}
