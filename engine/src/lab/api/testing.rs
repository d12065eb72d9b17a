//! A store of objects in memory, with a clock of its own and an API server that can be away.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::{ApiBackend, ApiRefusal};
use crate::transport::{Cancel, Clock, LogQuery, ObjectKind};

/// A clock that passes when somebody sleeps by it.
#[derive(Debug)]
pub(crate) struct TestClock(Mutex<Timestamp>);

impl TestClock {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new("2030-01-01T00:00:00Z".parse().unwrap())))
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn sleep(&self, duration: Duration, cancel: &Cancel) -> bool {
        *self.0.lock().unwrap() += duration;
        cancel.requested().is_none()
    }
}

/// Plural, name, kind and API version of what the store serves.
const KINDS: &[(&str, &str, &str, bool)] = &[
    ("v1", "Pod", "pods", true),
    ("v1", "Node", "nodes", false),
    ("v1", "Namespace", "namespaces", false),
    ("v1", "ConfigMap", "configmaps", true),
    ("v1", "Secret", "secrets", true),
    ("apps/v1", "Deployment", "deployments", true),
    ("coordination.k8s.io/v1", "Lease", "leases", true),
    ("example.com/v2", "Widget", "widgets", true),
    ("example.com/v1", "Widget", "widgets", true),
    ("broken.example.com/v1", "Shard", "shards", false),
];

type Key = (String, String, String);

#[derive(Default)]
struct State {
    objects: BTreeMap<Key, Json>,
    logs: BTreeMap<(String, String), String>,
    version: u64,
    down_until: Option<Timestamp>,
    going_until: BTreeMap<Key, Timestamp>,
}

/// The store.
pub(crate) struct MemoryApi {
    clock: Arc<TestClock>,
    state: Mutex<State>,
}

impl MemoryApi {
    pub fn new(clock: Arc<TestClock>) -> Arc<Self> {
        Arc::new(Self {
            clock,
            state: Mutex::default(),
        })
    }

    /// The API server is away for this long, by the store's clock.
    pub fn go_down(&self, time: Duration) {
        self.state.lock().unwrap().down_until = Some(self.clock.now() + time);
    }

    /// Puts an object into the store as it is, with uid and resource version.
    pub fn put(&self, object: Json) -> Json {
        let kind = self.kind_of(&object);
        self.create(&kind, object).unwrap()
    }

    pub fn set_log(&self, namespace: &str, pod: &str, text: &str) {
        let key = (namespace.to_owned(), pod.to_owned());
        self.state.lock().unwrap().logs.insert(key, text.to_owned());
    }

    /// The object as it is stored.
    pub fn stored(&self, plural: &str, namespace: &str, name: &str) -> Option<Json> {
        let key = (plural.to_owned(), namespace.to_owned(), name.to_owned());
        self.state.lock().unwrap().objects.get(&key).cloned()
    }

    /// Changes an object behind everybody's back.
    pub fn meddle(
        &self,
        plural: &str,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Json),
    ) {
        let key = (plural.to_owned(), namespace.to_owned(), name.to_owned());
        let mut state = self.state.lock().unwrap();
        state.version += 1;
        let version = state.version.to_string();
        let object = state.objects.get_mut(&key).unwrap();
        change(object);
        object["metadata"]["resourceVersion"] = version.into();
    }

    /// The number of writes so far.
    pub fn writes(&self) -> u64 {
        self.state.lock().unwrap().version
    }

    fn kind_of(&self, object: &Json) -> ObjectKind {
        let fits = |kind: &ObjectKind| {
            object["apiVersion"] == *kind.api_version && object["kind"] == *kind.kind
        };
        self.kinds().into_iter().find(fits).unwrap()
    }

    fn key(kind: &ObjectKind, namespace: Option<&str>, name: &str) -> Key {
        (
            kind.plural.clone(),
            namespace.unwrap_or_default().to_owned(),
            name.to_owned(),
        )
    }

    fn key_of(kind: &ObjectKind, object: &Json) -> Key {
        let metadata = &object["metadata"];
        Self::key(
            kind,
            metadata["namespace"].as_str(),
            metadata["name"].as_str().unwrap_or_default(),
        )
    }

    /// Objects that were deleted and whose time has come are gone.
    fn settled(&self) -> std::sync::MutexGuard<'_, State> {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap();
        let gone: Vec<Key> = state
            .going_until
            .iter()
            .filter(|(_, until)| **until <= now)
            .map(|(key, _)| key.clone())
            .collect();
        for key in gone {
            state.objects.remove(&key);
            state.going_until.remove(&key);
        }
        state
    }
}

impl ApiBackend for MemoryApi {
    fn available(&self) -> Result<(), String> {
        match self.state.lock().unwrap().down_until {
            Some(until) if self.clock.now() < until => Err("k3s is restarting".into()),
            _ => Ok(()),
        }
    }

    fn kinds(&self) -> Vec<ObjectKind> {
        let kinds = KINDS
            .iter()
            .map(|(api_version, kind, plural, namespaced)| ObjectKind {
                api_version: (*api_version).into(),
                kind: (*kind).into(),
                plural: (*plural).into(),
                namespaced: *namespaced,
            });
        kinds.collect()
    }

    fn get(
        &self,
        kind: &ObjectKind,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Json>, String> {
        Ok(self
            .settled()
            .objects
            .get(&Self::key(kind, namespace, name))
            .cloned())
    }

    fn list(&self, kind: &ObjectKind, namespace: Option<&str>) -> Result<Vec<Json>, String> {
        let state = self.settled();
        let found = state.objects.iter().filter(|((plural, place, _), _)| {
            *plural == kind.plural && namespace.is_none_or(|namespace| place == namespace)
        });
        Ok(found.map(|(_, object)| object.clone()).collect())
    }

    fn logs(&self, namespace: &str, pod: &str, query: &LogQuery) -> Result<Option<String>, String> {
        let state = self.settled();
        let log = state.logs.get(&(namespace.to_owned(), pod.to_owned()));
        Ok(log.map(|log| {
            let lines: Vec<&str> = log.lines().collect();
            let tail = query
                .tail
                .map_or(lines.len(), |tail| tail as usize)
                .min(lines.len());
            let text = lines[lines.len() - tail..].join("\n");
            match (&query.container, query.since, query.previous) {
                (None, None, false) => text,
                (container, since, previous) => {
                    format!("{container:?} {since:?} {previous} {text}")
                }
            }
        }))
    }

    fn create(&self, kind: &ObjectKind, mut object: Json) -> Result<Json, ApiRefusal> {
        let key = Self::key_of(kind, &object);
        let mut state = self.settled();
        if key.2.is_empty() {
            return Err(ApiRefusal::Invalid("metadata.name: Required value".into()));
        }
        if state.objects.contains_key(&key) {
            return Err(ApiRefusal::AlreadyExists);
        }
        state.version += 1;
        object["metadata"]["resourceVersion"] = state.version.to_string().into();
        object["metadata"]["uid"] = format!("uid-{}", state.version).into();
        object["metadata"]["creationTimestamp"] = "2030-01-01T00:00:00Z".into();
        state.objects.insert(key, object.clone());
        Ok(object)
    }

    fn replace(&self, kind: &ObjectKind, mut object: Json) -> Result<Json, ApiRefusal> {
        let key = Self::key_of(kind, &object);
        let mut state = self.settled();
        let old = state.objects.get(&key).ok_or(ApiRefusal::NotFound)?.clone();
        let seen = &object["metadata"]["resourceVersion"];
        if !seen.is_null() && *seen != old["metadata"]["resourceVersion"] {
            return Err(ApiRefusal::Conflict("the object has been modified".into()));
        }
        if object == old {
            return Ok(old);
        }
        state.version += 1;
        object["metadata"]["resourceVersion"] = state.version.to_string().into();
        state.objects.insert(key, object.clone());
        Ok(object)
    }

    /// An object with a grace period goes when that has passed; others at once.
    fn delete(
        &self,
        kind: &ObjectKind,
        namespace: Option<&str>,
        name: &str,
        uid: Option<&str>,
    ) -> Result<Option<Json>, ApiRefusal> {
        let key = Self::key(kind, namespace, name);
        let mut state = self.settled();
        let Some(found) = state.objects.get_mut(&key) else {
            return Ok(None);
        };
        if uid.is_some_and(|uid| found["metadata"]["uid"] != uid) {
            return Err(ApiRefusal::Conflict(
                "the UID in the precondition does not match".into(),
            ));
        }
        let grace = found["spec"]["terminationGracePeriodSeconds"]
            .as_u64()
            .unwrap_or(0);
        found["metadata"]["deletionTimestamp"] = json!("2030-01-01T00:00:00Z");
        let found = found.clone();
        let until = self.clock.now() + Duration::from_secs(grace);
        state.going_until.entry(key).or_insert(until);
        drop(state);
        drop(self.settled());
        Ok(Some(found))
    }
}

/// A runtime of a test's own.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}
