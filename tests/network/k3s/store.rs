//! The objects of the cluster, kept in a file; controllers that make deleted pods again; nodes whose heart stops.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use jiff::Timestamp;
use runbook::lab::api::{ApiBackend, ApiRefusal};
use runbook::transport::{LogQuery, ObjectKind};
use serde_json::{Value as Json, json};

/// API version, kind, plural, in namespaces.
const KINDS: &[(&str, &str, &str, bool)] = &[
    ("v1", "Namespace", "namespaces", false),
    ("v1", "Node", "nodes", false),
    ("v1", "Pod", "pods", true),
    ("apps/v1", "StatefulSet", "statefulsets", true),
    ("apps/v1", "ReplicaSet", "replicasets", true),
    ("coordination.k8s.io/v1", "Lease", "leases", true),
];

/// A node that was silent for this long (seconds) is not Ready: 40 in life.
const SILENCE: i64 = 4;

type Key = (String, String, String);

struct State {
    objects: BTreeMap<Key, Json>,
    version: u64,
}

/// The store.
pub struct Store {
    file: PathBuf,
    state: Mutex<State>,
}

impl Store {
    /// What the file holds, else what a new cluster begins with.
    pub fn open(file: &Path, first: &Path) -> anyhow::Result<Self> {
        let new = !file.exists();
        let path = if new { first } else { file };
        let text = std::fs::read(path).with_context(|| path.display().to_string())?;
        let objects: Vec<Json> = serde_json::from_slice(&text)?;
        let store = Self {
            file: file.to_owned(),
            state: Mutex::new(State {
                objects: BTreeMap::new(),
                version: 0,
            }),
        };
        let mut state = store.state();
        for mut object in objects {
            if new {
                state.born(&mut object);
            }
            let version = object["metadata"]["resourceVersion"].as_str();
            let version = version
                .and_then(|version| version.parse().ok())
                .unwrap_or(0);
            state.version = state.version.max(version);
            let kind = kinds().find(|kind| object["kind"] == kind.kind);
            let kind = kind.with_context(|| format!("no such kind: {}", object["kind"]))?;
            state.objects.insert(key_of(&kind, &object), object);
        }
        drop(state);
        Ok(store)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes all objects to the file.
    fn keep(&self, state: &State) -> Result<(), ApiRefusal> {
        let write = || -> anyhow::Result<()> {
            let directory = self.file.parent().context("a file has a place")?;
            std::fs::create_dir_all(directory)?;
            let objects: Vec<&Json> = state.objects.values().collect();
            let new = self.file.with_extension("new");
            std::fs::write(&new, serde_json::to_vec(&objects)?)?;
            Ok(std::fs::rename(new, &self.file)?)
        };
        write().map_err(|why| ApiRefusal::Down(format!("{why:#}")))
    }
}

impl State {
    fn stamp(&mut self, object: &mut Json) {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
    }

    fn born(&mut self, object: &mut Json) {
        object["metadata"]["uid"] = uuid::Uuid::new_v4().to_string().into();
        object["metadata"]["creationTimestamp"] = now().into();
        self.stamp(object);
    }

    /// The first part of the pod network that no node has.
    fn free_subnet(&self) -> String {
        let taken = |cidr: &str| {
            let mut nodes = self.objects.values();
            nodes.any(|object| object["kind"] == "Node" && object["spec"]["podCIDR"] == cidr)
        };
        let mut all = (0..=255).map(|n| format!("10.42.{n}.0/24"));
        all.find(|cidr| !taken(cidr)).unwrap_or_default()
    }

    /// The controller of a pod that has gone makes another: a StatefulSet under the same name.
    fn again(&mut self, gone: &Json) {
        let owners = gone["metadata"]["ownerReferences"].as_array();
        let owner =
            owners.and_then(|owners| owners.iter().find(|owner| owner["controller"] == true));
        let Some(owner) = owner else {
            return;
        };
        let mut pod = gone.clone();
        pod["status"] = json!({"phase": "Pending"});
        if let Some(metadata) = pod["metadata"].as_object_mut() {
            metadata.remove("deletionTimestamp");
            metadata.remove("annotations");
        }
        self.born(&mut pod);
        if owner["kind"] != "StatefulSet" {
            let tail: String = uuid::Uuid::new_v4().simple().to_string()[..5].to_owned();
            let name = owner["name"].as_str().unwrap_or_default();
            pod["metadata"]["name"] = format!("{name}-{tail}").into();
        }
        let text = |field: &str| {
            pod["metadata"][field]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        let key = ("pods".to_owned(), text("namespace"), text("name"));
        self.objects.insert(key, pod);
    }
}

fn kinds() -> impl Iterator<Item = ObjectKind> {
    KINDS
        .iter()
        .map(|(api_version, kind, plural, namespaced)| ObjectKind {
            api_version: (*api_version).into(),
            kind: (*kind).into(),
            plural: (*plural).into(),
            namespaced: *namespaced,
        })
}

fn key_of(kind: &ObjectKind, object: &Json) -> Key {
    let text = |field: &str| {
        object["metadata"][field]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    (kind.plural.clone(), text("namespace"), text("name"))
}

fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A node that has not been heard of is not Ready.
fn judged(mut object: Json) -> Json {
    if object["kind"] == "Node" {
        let heard = object["status"]["conditions"][0]["lastHeartbeatTime"].as_str();
        let heard = heard.and_then(|time| time.parse::<Timestamp>().ok());
        let silent = heard.is_none_or(|at| Timestamp::now().as_second() - at.as_second() > SILENCE);
        if silent && !object["status"]["conditions"].is_null() {
            object["status"]["conditions"][0]["status"] = "Unknown".into();
        }
    }
    object
}

impl ApiBackend for Store {
    fn available(&self) -> Result<(), String> {
        Ok(())
    }

    fn kinds(&self) -> Vec<ObjectKind> {
        kinds().collect()
    }

    fn get(
        &self,
        kind: &ObjectKind,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Json>, String> {
        let key = (
            kind.plural.clone(),
            namespace.unwrap_or_default().to_owned(),
            name.to_owned(),
        );
        Ok(self.state().objects.get(&key).cloned().map(judged))
    }

    fn list(&self, kind: &ObjectKind, namespace: Option<&str>) -> Result<Vec<Json>, String> {
        let state = self.state();
        let found = state.objects.iter().filter(|((plural, place, _), _)| {
            *plural == kind.plural && namespace.is_none_or(|namespace| place == namespace)
        });
        Ok(found.map(|(_, object)| judged(object.clone())).collect())
    }

    /// What the kubelet put down as the pod's log.
    fn logs(
        &self,
        namespace: &str,
        pod: &str,
        _query: &LogQuery,
    ) -> Result<Option<String>, String> {
        let key = ("pods".to_owned(), namespace.to_owned(), pod.to_owned());
        let log = |pod: &Json| {
            let annotations = &pod["metadata"]["annotations"];
            annotations["network.runbook/log"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        Ok(self.state().objects.get(&key).map(log))
    }

    fn create(&self, kind: &ObjectKind, mut object: Json) -> Result<Json, ApiRefusal> {
        let mut state = self.state();
        let key = key_of(kind, &object);
        if state.objects.contains_key(&key) {
            return Err(ApiRefusal::AlreadyExists);
        }
        if kind.kind == "Node" {
            // One at a time, or two nodes that register together would get the same.
            object["spec"]["podCIDR"] = state.free_subnet().into();
        }
        state.born(&mut object);
        state.objects.insert(key, object.clone());
        self.keep(&state)?;
        Ok(object)
    }

    fn replace(&self, kind: &ObjectKind, mut object: Json) -> Result<Json, ApiRefusal> {
        let mut state = self.state();
        let key = key_of(kind, &object);
        let old = state.objects.get(&key).ok_or(ApiRefusal::NotFound)?;
        let seen = &object["metadata"]["resourceVersion"];
        if !seen.is_null() && *seen != old["metadata"]["resourceVersion"] {
            return Err(ApiRefusal::Conflict("the object has been modified".into()));
        }
        state.stamp(&mut object);
        state.objects.insert(key, object.clone());
        self.keep(&state)?;
        Ok(object)
    }

    /// The first deletion of a pod marks it; the kubelet, when its network is gone, deletes it for good.
    fn delete(
        &self,
        kind: &ObjectKind,
        namespace: Option<&str>,
        name: &str,
        uid: Option<&str>,
    ) -> Result<Option<Json>, ApiRefusal> {
        let mut state = self.state();
        let key = (
            kind.plural.clone(),
            namespace.unwrap_or_default().to_owned(),
            name.to_owned(),
        );
        let Some(mut found) = state.objects.get(&key).cloned() else {
            return Ok(None);
        };
        if uid.is_some_and(|uid| found["metadata"]["uid"] != uid) {
            return Err(ApiRefusal::Conflict(
                "the UID in the precondition does not match".into(),
            ));
        }
        if kind.kind == "Pod" && found["metadata"]["deletionTimestamp"].is_null() {
            found["metadata"]["deletionTimestamp"] = now().into();
            state.stamp(&mut found);
            state.objects.insert(key, found.clone());
        } else {
            state.objects.remove(&key);
            if kind.kind == "Pod" {
                state.again(&found);
            }
        }
        self.keep(&state)?;
        Ok(Some(found))
    }
}
