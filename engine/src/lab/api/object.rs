//! What the server does with one object.

use serde_json::{Value as Json, json};

use super::query::Query;
use super::status::{Answer, Refusal};
use super::{ApiBackend, ApiRefusal};
use crate::transport::{LogQuery, ObjectKind, PatchKind, merged};

/// How often a patch without a resource version is tried against concurrent writers, as in a real server.
const PATCH_TRIES: usize = 5;

/// An object's address.
pub(super) struct Address<'a> {
    pub kind: &'a ObjectKind,
    pub namespace: Option<&'a str>,
    pub name: &'a str,
}

impl Address<'_> {
    fn refused(&self, refusal: ApiRefusal) -> Refusal {
        Refusal::of(refusal, self.kind, self.name)
    }

    /// Whether `object` is what the address says; a server refuses a body that says otherwise.
    fn check(&self, object: &Json) -> Result<(), Refusal> {
        let said = |value: &Json| value.as_str().map(str::to_owned);
        for (field, found, wanted) in [
            ("kind", said(&object["kind"]), Some(&*self.kind.kind)),
            (
                "apiVersion",
                said(&object["apiVersion"]),
                Some(&*self.kind.api_version),
            ),
            (
                "namespace",
                said(&object["metadata"]["namespace"]),
                self.namespace,
            ),
            (
                "name",
                said(&object["metadata"]["name"]),
                Some(self.name).filter(|name| !name.is_empty()),
            ),
        ] {
            if let (Some(found), Some(wanted)) = (found, wanted)
                && found != wanted
            {
                return Err(Refusal::bad_request(format!(
                    "the {field} of the object ({found}) does not match the {field} on the request ({wanted})"
                )));
            }
        }
        Ok(())
    }
}

/// Kinds that the API server itself serves, rather than by a definition.
pub(super) fn is_built_in(kind: &ObjectKind) -> bool {
    match kind.api_version.split_once('/') {
        Some((group, _)) => !group.contains('.') || group.ends_with(".k8s.io"),
        None => true,
    }
}

pub(super) fn get(backend: &dyn ApiBackend, at: &Address<'_>) -> Result<Json, Refusal> {
    let found = backend.get(at.kind, at.namespace, at.name);
    let found = found.map_err(|why| Refusal::unavailable(&why))?;
    found.ok_or_else(|| Refusal::no_object(at.kind, at.name))
}

pub(super) fn create(
    backend: &dyn ApiBackend,
    kind: &ObjectKind,
    namespace: Option<&str>,
    query: &Query,
    mut object: Json,
) -> Result<Json, Refusal> {
    if !object.is_object() || !object["metadata"].is_object() {
        return Err(Refusal::bad_request("the object has no metadata"));
    }
    let at = Address {
        kind,
        namespace,
        name: "",
    };
    at.check(&object)?;
    if kind.namespaced && namespace.is_none() {
        return Err(Refusal::bad_request(
            "an empty namespace may not be set during creation",
        ));
    }
    if !object["metadata"]["resourceVersion"].is_null() {
        return Err(Refusal::bad_request(
            "resourceVersion should not be set on objects to be created",
        ));
    }
    object["apiVersion"] = kind.api_version.clone().into();
    object["kind"] = kind.kind.clone().into();
    if let Some(namespace) = namespace {
        object["metadata"]["namespace"] = namespace.into();
    }
    let name = object["metadata"]["name"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let at = Address {
        kind,
        namespace,
        name: &name,
    };
    if !query.dry_run() {
        return backend
            .create(kind, object)
            .map_err(|refusal| at.refused(refusal));
    }
    let taken = backend.get(kind, namespace, &name);
    match taken.map_err(|why| Refusal::unavailable(&why))? {
        Some(_) => Err(at.refused(ApiRefusal::AlreadyExists)),
        None => Ok(object),
    }
}

pub(super) fn replace(
    backend: &dyn ApiBackend,
    at: &Address<'_>,
    query: &Query,
    object: Json,
) -> Result<Json, Refusal> {
    at.check(&object)?;
    write(backend, at, query, &get(backend, at)?, object)
}

/// Stores a new form of an object, or only says what it would be.
fn write(
    backend: &dyn ApiBackend,
    at: &Address<'_>,
    query: &Query,
    current: &Json,
    object: Json,
) -> Result<Json, Refusal> {
    let (seen, stored) = (
        &object["metadata"]["resourceVersion"],
        &current["metadata"]["resourceVersion"],
    );
    if !seen.is_null() && seen != stored {
        return Err(at.refused(modified()));
    }
    match query.dry_run() {
        true => Ok(object),
        false => backend
            .replace(at.kind, object)
            .map_err(|refusal| at.refused(refusal)),
    }
}

fn modified() -> ApiRefusal {
    ApiRefusal::Conflict(
        "the object has been modified; please apply your changes to the latest version and try again".into(),
    )
}

/// What the body of a PATCH is.
pub(super) enum PatchBody {
    /// A patch of this kind.
    Patch(PatchKind),
    /// A manifest to be applied (server-side apply).
    Manifest,
}

/// What a content type says of the body.
pub(super) fn patch_body(content_type: &str, kind: &ObjectKind) -> Result<PatchBody, Refusal> {
    match content_type.split(';').next().unwrap_or_default().trim() {
        "application/merge-patch+json" => Ok(PatchBody::Patch(PatchKind::Merge)),
        "application/strategic-merge-patch+json" if is_built_in(kind) => {
            Ok(PatchBody::Patch(PatchKind::Strategic))
        }
        "application/apply-patch+yaml" => Ok(PatchBody::Manifest),
        other => Err(Refusal::unsupported_media(other)),
    }
}

/// Server-side apply, as far as one manager goes: what the manifest names is as it says, made if it is missing. The lab
/// keeps no `managedFields`, so there are no conflicts between managers, and what a manifest no longer names stays.
pub(super) fn apply(
    backend: &dyn ApiBackend,
    at: &Address<'_>,
    query: &Query,
    manifest: &Json,
) -> Result<Json, Refusal> {
    at.check(manifest)?;
    let found = backend.get(at.kind, at.namespace, at.name);
    match found.map_err(|why| Refusal::unavailable(&why))? {
        None => create(backend, at.kind, at.namespace, query, manifest.clone()),
        Some(_) => {
            let kind = match is_built_in(at.kind) {
                true => PatchKind::Strategic,
                false => PatchKind::Merge,
            };
            patch(backend, at, query, kind, manifest)
        }
    }
}

pub(super) fn patch(
    backend: &dyn ApiBackend,
    at: &Address<'_>,
    query: &Query,
    kind: PatchKind,
    patch: &Json,
) -> Result<Json, Refusal> {
    if !patch.is_object() {
        return Err(Refusal::bad_request("a patch is a map"));
    }
    let asked = patch["metadata"]["resourceVersion"].as_str();
    for _ in 0..PATCH_TRIES {
        let current = get(backend, at)?;
        let new = merged(kind, &current, patch);
        unchanged_identity(at, &current, &new)?;
        match write(backend, at, query, &current, new) {
            // Somebody else wrote between our read and write, and the caller did not say that this matters.
            Err(refusal) if asked.is_none() && refusal == at.refused(modified()) => {}
            other => return other,
        }
    }
    Err(at.refused(modified()))
}

fn unchanged_identity(at: &Address<'_>, current: &Json, new: &Json) -> Result<(), Refusal> {
    for field in ["name", "namespace", "uid", "creationTimestamp"] {
        if current["metadata"][field] != new["metadata"][field] {
            let why = format!("metadata.{field}: field is immutable");
            return Err(Refusal::invalid(at.kind, at.name, &why));
        }
    }
    Ok(())
}

pub(super) fn delete(
    backend: &dyn ApiBackend,
    at: &Address<'_>,
    query: &Query,
    options: &Json,
) -> Result<Json, Refusal> {
    let uid = options["preconditions"]["uid"].as_str();
    let current = get(backend, at)?;
    if let Some(version) = options["preconditions"]["resourceVersion"].as_str()
        && current["metadata"]["resourceVersion"] != version
    {
        let why =
            "the ResourceVersion in the precondition does not match the ResourceVersion in record";
        return Err(Refusal::conflict(at.kind, at.name, why));
    }
    if let Some(uid) = uid
        && current["metadata"]["uid"] != uid
    {
        let found = current["metadata"]["uid"].as_str().unwrap_or_default();
        let why = format!(
            "the UID in the precondition ({uid}) does not match the UID in record ({found})"
        );
        return Err(Refusal::conflict(at.kind, at.name, &why));
    }
    let dry = query.dry_run()
        || options["dryRun"]
            .as_array()
            .is_some_and(|list| list.contains(&json!("All")));
    if dry {
        return Ok(current);
    }
    let deleted = backend.delete(at.kind, at.namespace, at.name, uid);
    let deleted = deleted.map_err(|refusal| at.refused(refusal))?;
    deleted.ok_or_else(|| Refusal::no_object(at.kind, at.name))
}

pub(super) fn log(
    backend: &dyn ApiBackend,
    pods: &ObjectKind,
    namespace: &str,
    pod: &str,
    query: &Query,
) -> Result<Answer, Refusal> {
    let number = |name: &str| query.number(name).map_err(Refusal::bad_request);
    let wanted = LogQuery {
        container: query.text("container").map(str::to_owned),
        since: number("sinceSeconds")?.map(std::time::Duration::from_secs),
        tail: number("tailLines")?.and_then(|lines| i64::try_from(lines).ok()),
        previous: query.flag("previous"),
    };
    let limit = number("limitBytes")?.and_then(|limit| usize::try_from(limit).ok());
    let log = backend
        .logs(namespace, pod, &wanted)
        .map_err(|why| Refusal::unavailable(&why))?;
    let log = log.ok_or_else(|| Refusal::no_object(pods, pod))?;
    Ok(Answer::text(match limit {
        Some(limit) if log.len() > limit => {
            let end = (0..=limit)
                .rev()
                .find(|end| log.is_char_boundary(*end))
                .unwrap_or(0);
            log[..end].to_owned()
        }
        _ => log,
    }))
}
