//! What a dry run knows that the targets do not: the effects that it has planned. Later looks are answered from
//! here, or are unknown until the run (M5).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value as Json;

use crate::model::{FileState, Image, ObjectRef, Subject, Target, TargetPath, Unknown, Value};
use crate::operation::Affects;
use crate::operation::cluster::state_of;
use crate::transport::{
    Cancel, Clock, ClusterObserver, Command, FileKind, FileStat, ListQuery, LogQuery, ObjectKind,
    Observer, ObservingFleet, Output, PatchKind, Proposal, TransportError, Verdict, difference,
    merged,
};

/// The planned effects.
#[derive(Default)]
struct Planned {
    files: HashMap<(Target, TargetPath), FileState>,
    /// What was planned last on a target.
    latest: HashMap<Target, String>,
    /// What was planned last for a file.
    file_causes: HashMap<(Target, TargetPath), String>,
    objects: HashMap<ObjectRef, Option<Json>>,
    scripted: HashMap<(Target, String), Value>,
    /// Targets of which nothing is known any more, and because of what.
    unsettled: HashMap<Target, String>,
    /// Files that a command may change, and because of what.
    unsettled_files: HashMap<(Target, TargetPath), String>,
    /// Kinds in a namespace whose objects a controller will replace under names nobody knows.
    unsettled_lists: HashMap<(String, Option<String>), String>,
}

/// A fleet that can only look, seen through the planned effects.
pub struct Overlay {
    fleet: Arc<dyn ObservingFleet>,
    planned: Arc<Mutex<Planned>>,
}

impl Overlay {
    /// Nothing planned yet.
    pub fn new(fleet: Arc<dyn ObservingFleet>) -> Self {
        Self {
            fleet,
            planned: Arc::default(),
        }
    }

    fn planned(&self) -> MutexGuard<'_, Planned> {
        lock(&self.planned)
    }

    /// A change is planned: its subject is as wanted from now on.
    pub fn plan_change(
        &self,
        target: &Target,
        subject: &Subject,
        after: &Image,
        because: &str,
        affects: &Affects,
    ) {
        let mut planned = self.planned();
        planned.latest.insert(target.clone(), because.to_owned());
        match (subject, after) {
            (Subject::File(path), Image::File(state)) => {
                planned
                    .file_causes
                    .insert((target.clone(), path.clone()), because.to_owned());
                planned
                    .files
                    .insert((target.clone(), path.clone()), state.clone());
            }
            (Subject::Object(object), Image::Object(after)) => {
                if after.is_none() {
                    let list = (object.kind.clone(), object.namespace.clone());
                    planned.unsettled_lists.insert(list, because.to_owned());
                }
                planned.objects.insert(object.clone(), after.clone());
            }
            (Subject::Scripted(what), Image::Value(value)) => {
                planned
                    .scripted
                    .insert((target.clone(), what.clone()), value.clone());
                drop(planned);
                self.plan_effect(target, because, affects);
            }
            _ => {}
        }
    }

    /// An effect whose result nobody knows is planned.
    pub fn plan_effect(&self, target: &Target, because: &str, affects: &Affects) {
        let mut planned = self.planned();
        let because = because.to_owned();
        planned.latest.insert(target.clone(), because.clone());
        match affects {
            Affects::WholeTarget => {
                planned.unsettled.entry(target.clone()).or_insert(because);
            }
            Affects::TargetAndCluster => {
                planned
                    .unsettled
                    .entry(target.clone())
                    .or_insert_with(|| because.clone());
                planned.unsettled.entry(Target::Cluster).or_insert(because);
            }
            Affects::Files(paths) => {
                for path in paths {
                    planned.files.remove(&(target.clone(), path.clone()));
                    planned
                        .unsettled_files
                        .insert((target.clone(), path.clone()), because.clone());
                }
            }
        }
    }

    /// What makes a look at this target (at this file of it) unknown.
    pub fn unknown(&self, target: &Target, file: Option<&TargetPath>) -> Option<Unknown> {
        let planned = self.planned();
        if let Some(path) = file {
            let place = (target.clone(), path.clone());
            if planned.files.contains_key(&place) {
                return None;
            }
            if let Some(because) = planned.unsettled_files.get(&place) {
                return Some(Unknown::because(because));
            }
        }
        planned.unsettled.get(target).map(Unknown::because)
    }

    /// What was planned last on this target, if anything was: what fails now may succeed after it.
    pub fn latest(&self, target: &Target) -> Option<Unknown> {
        self.planned().latest.get(target).map(Unknown::because)
    }

    /// What was planned last on any target.
    pub fn anything(&self) -> bool {
        !self.planned().latest.is_empty()
    }

    /// The plan for a file of this target that a command names: it would read what is not there yet.
    pub fn named_file(&self, target: &Target, command: &str) -> Option<Unknown> {
        let planned = self.planned();
        planned
            .file_causes
            .iter()
            .find(|((place, path), _)| place == target && command.contains(path.as_str()))
            .map(|(_, because)| Unknown::because(because))
    }

    /// What a plan for this file assumes: that no planned command changes it.
    pub fn assumption(&self, target: &Target, subject: &Subject) -> Option<String> {
        let planned = self.planned();
        let because = match subject {
            Subject::File(path) => planned
                .unsettled_files
                .get(&(target.clone(), path.clone()))
                .or_else(|| planned.unsettled.get(target)),
            _ => planned.unsettled.get(target),
        };
        because.map(|because| format!("{because} leaves it as it is now"))
    }

    /// What is planned for something that the script observes itself.
    pub fn scripted(&self, target: &Target, subject: &Subject) -> Option<Value> {
        match subject {
            Subject::Scripted(what) => self
                .planned()
                .scripted
                .get(&(target.clone(), what.clone()))
                .cloned(),
            _ => None,
        }
    }
}

fn lock(planned: &Mutex<Planned>) -> MutexGuard<'_, Planned> {
    planned.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ObservingFleet for Overlay {
    fn observer(&self, target: &Target) -> Result<Arc<dyn Observer>, TransportError> {
        let inner = self.fleet.observer(target)?;
        Ok(Arc::new(OverlayObserver {
            inner,
            target: target.clone(),
            planned: self.planned.clone(),
        }))
    }

    fn expect(&self, targets: &mut dyn Iterator<Item = Target>) {
        self.fleet.expect(targets);
    }

    fn cluster_observer(&self) -> Result<Arc<dyn ClusterObserver>, TransportError> {
        let inner = self.fleet.cluster_observer()?;
        Ok(Arc::new(OverlayCluster {
            inner,
            planned: self.planned.clone(),
        }))
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.fleet.clock()
    }
}

struct OverlayObserver {
    inner: Arc<dyn Observer>,
    target: Target,
    planned: Arc<Mutex<Planned>>,
}

impl OverlayObserver {
    fn file(&self, path: &TargetPath) -> Option<FileState> {
        lock(&self.planned)
            .files
            .get(&(self.target.clone(), path.clone()))
            .cloned()
    }
}

impl Observer for OverlayObserver {
    fn probe(
        &self,
        command: &Command,
        timeout: Duration,
        cancel: &Cancel,
    ) -> Result<Output, TransportError> {
        self.inner.probe(command, timeout, cancel)
    }

    fn read_file(&self, path: &TargetPath) -> Result<FileState, TransportError> {
        match self.file(path) {
            Some(state) => Ok(state),
            None => self.inner.read_file(path),
        }
    }

    fn stat(&self, path: &TargetPath) -> Result<Option<FileStat>, TransportError> {
        match self.file(path) {
            Some(FileState::Absent) => Ok(None),
            Some(FileState::Present(image)) => Ok(Some(FileStat {
                kind: FileKind::File,
                size: image.content.len() as u64,
                mode: image.mode,
                uid: image.uid,
                gid: image.gid,
                modified: 0,
                inode: 0,
            })),
            None => self.inner.stat(path),
        }
    }
}

struct OverlayCluster {
    inner: Arc<dyn ClusterObserver>,
    planned: Arc<Mutex<Planned>>,
}

/// A planned state with what the server keeps beside it: its identity and its status stay.
fn as_served(planned: Json, now: &Json) -> Json {
    merged(
        PatchKind::Merge,
        now,
        &difference(&state_of(now.clone()), &planned),
    )
}

fn reference(object: &Json) -> Option<ObjectRef> {
    let text = |value: &Json| value.as_str().map(str::to_owned);
    Some(ObjectRef {
        api_version: text(&object["apiVersion"])?,
        kind: text(&object["kind"])?,
        namespace: text(&object["metadata"]["namespace"]),
        name: text(&object["metadata"]["name"])?,
    })
}

impl ClusterObserver for OverlayCluster {
    fn kind(&self, name: &str) -> Result<ObjectKind, TransportError> {
        self.inner.kind(name)
    }

    fn get(&self, object: &ObjectRef) -> Result<Option<Json>, TransportError> {
        let planned = lock(&self.planned).objects.get(object).cloned();
        match planned {
            // Its name is given in the run: the server cannot be asked about it, and it is not there.
            None if object.name.contains(Unknown::MARK) => Ok(None),
            None => self.inner.get(object),
            Some(Some(planned)) if object.name.contains(Unknown::MARK) => Ok(Some(planned)),
            Some(None) => Ok(None),
            Some(Some(planned)) => Ok(Some(match self.inner.get(object)? {
                Some(now) => as_served(planned, &now),
                None => planned,
            })),
        }
    }

    fn list(&self, kind: &ObjectKind, query: &ListQuery) -> Result<Vec<Json>, TransportError> {
        let found = self.inner.list(kind, query)?;
        let planned = lock(&self.planned);
        Ok(found
            .into_iter()
            .filter_map(|object| {
                match reference(&object).and_then(|name| planned.objects.get(&name)) {
                    Some(planned) => planned.clone().map(|planned| as_served(planned, &object)),
                    None => Some(object),
                }
            })
            .collect())
    }

    fn would_apply(&self, manifest: &Json, force: bool) -> Result<Json, TransportError> {
        self.inner.would_apply(manifest, force)
    }

    fn would(&self, proposal: &Proposal<'_>) -> Result<Verdict, TransportError> {
        let object = match *proposal {
            Proposal::Create(object) => reference(object),
            Proposal::Patch { object, .. } | Proposal::Delete { object, .. } => {
                Some(object.clone())
            }
        };
        // The server knows it as it is now, and not as it would be by then.
        if object.is_some_and(|object| lock(&self.planned).objects.contains_key(&object)) {
            return Ok(Verdict::Premature);
        }
        self.inner.would(proposal)
    }

    fn logs(&self, namespace: &str, pod: &str, query: &LogQuery) -> Result<String, TransportError> {
        self.inner.logs(namespace, pod, query)
    }
}

impl Overlay {
    /// What makes a list of this kind unknown: planned deletions whose objects a controller will replace.
    pub fn unknown_list(&self, kind: &str, namespace: Option<&str>) -> Option<Unknown> {
        let planned = self.planned();
        let concerned = |(other, place): &&(String, Option<String>)| {
            other == kind && (namespace.is_none() || place.as_deref() == namespace)
        };
        let because = planned
            .unsettled_lists
            .keys()
            .find(concerned)
            .and_then(|key| planned.unsettled_lists.get(key));
        because.map(Unknown::because)
    }
}
