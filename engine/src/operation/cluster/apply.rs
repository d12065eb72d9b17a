//! `kube.apply`: an object as its manifest says, by server-side apply.

use std::sync::{Mutex, PoisonError};

use serde_json::Value as Json;

use super::create::named;
use super::{arguments_of, names_secret, object_in, state_of};
use crate::model::{Image, ObjectRef, Subject, Value};
use crate::operation::{Change, Failure};
use crate::transport::{
    ActingFleet, Cancel, ClusterObserver, ObservingFleet, PatchKind, TransportError, covers,
};

/// Applies a manifest: what it names is as it says afterwards, made if it is not there; what it does not name belongs
/// to others. Lists of built-in kinds are merged by the server, which knows their keys; so the state that is wanted is
/// what the server says it would be (`dryRun=All`), in a dry run as well as before the real request.
#[derive(Debug)]
pub struct ApplyObject {
    object: ObjectRef,
    manifest: Json,
    force: bool,
    /// What the server would make of it.
    preview: Mutex<Option<Json>>,
}

impl ApplyObject {
    /// Takes a manifest. With `force`, fields that another manager has set are taken over; without, they are a conflict.
    pub fn new(
        observer: &dyn ClusterObserver,
        manifest: Json,
        force: bool,
    ) -> Result<Self, Failure> {
        let (object, manifest) = named("kube.apply", observer, manifest)?;
        Ok(Self {
            object,
            manifest,
            force,
            preview: Mutex::new(None),
        })
    }
}

impl Change for ApplyObject {
    fn kind(&self) -> &str {
        "kube.apply"
    }

    fn arguments(&self) -> Value {
        let mut entries = arguments_of(&self.object);
        entries.push(("object", self.manifest.clone().into()));
        entries.push(("force", self.force.into()));
        Value::from_entries(entries)
    }

    fn summary(&self) -> String {
        format!("apply {}", self.object)
    }

    fn subject(&self) -> Subject {
        Subject::Object(self.object.clone())
    }

    fn observe(&self, fleet: &dyn ObservingFleet, _: &Cancel) -> Result<Image, Failure> {
        let observer = fleet.cluster_observer()?;
        let before = super::observe_object(&*observer, &self.object)?;
        let mut preview = self.preview.lock().unwrap_or_else(PoisonError::into_inner);
        if preview.is_none() {
            *preview = Some(state_of(observer.would_apply(&self.manifest, self.force)?));
        }
        Ok(before)
    }

    fn wanted(&self, before: &Image) -> Result<Image, Failure> {
        let preview = self.preview.lock().unwrap_or_else(PoisonError::into_inner);
        let preview = preview.as_ref().unwrap_or(&self.manifest);
        match object_in(before, &self.object)? {
            // Only what differs is ours: what the server writes by itself moves on.
            Some(found) if covers(PatchKind::Merge, found, preview) => Ok(before.clone()),
            _ => Ok(Image::Object(Some(preview.clone()))),
        }
    }

    fn apply(
        &self,
        fleet: &dyn ActingFleet,
        _: &Image,
        _: &Image,
        _: &Cancel,
    ) -> Result<(), Failure> {
        fleet
            .cluster_actor()?
            .apply(&self.manifest, self.force)
            .map(drop)
            .map_err(|error| match error {
                TransportError::Refused { ref why, .. } if why.contains("conflict") => {
                    Failure::Failed(
                        super::failed(error.to_string())
                            .hint("another manager has set these fields: leave them out, or take them over with #{ force: true }"),
                    )
                }
                error => error.into(),
            })
    }

    fn reversible(&self) -> Result<(), String> {
        match names_secret(&self.object) {
            true => Err(format!(
                "what {} held before is not kept in the journal",
                self.object
            )),
            false => Ok(()),
        }
    }

    fn reached(&self, after: &Image, now: &Image) -> bool {
        match (after, now) {
            (Image::Object(Some(after)), Image::Object(Some(now))) => {
                covers(PatchKind::Merge, now, after)
            }
            _ => false,
        }
    }
}
