//! The words against a store in memory, through the real client.

mod existence;
mod patching;
mod reading;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::*;
use crate::lab::api::client;
use crate::lab::api::testing::{MemoryApi, TestClock, runtime};
use crate::model::{Subject, Target};
use crate::operation::{Change, Failure, Observation};
use crate::transport::kube::KubeCluster;
use crate::transport::{
    ActingFleet, Actor, Cancel, Clock, ClusterActor, ClusterObserver, ListQuery, LogQuery,
    Observer, ObservingFleet, PatchKind, TransportError,
};

/// A fleet that has only a cluster.
struct Bench {
    _runtime: tokio::runtime::Runtime,
    clock: Arc<TestClock>,
    store: Arc<MemoryApi>,
    cluster: Arc<KubeCluster>,
}

impl Bench {
    fn new() -> Self {
        let runtime = runtime();
        let clock = TestClock::new();
        let store = MemoryApi::new(clock.clone());
        let client = client(store.clone(), runtime.handle());
        let time = clock.clone();
        let cluster = KubeCluster::new(client, runtime.handle().clone())
            .with(|reader| reader.with_clock(time));
        Self {
            _runtime: runtime,
            clock,
            store,
            cluster: Arc::new(cluster),
        }
    }

    fn deployment(&self) -> ObjectRef {
        self.store.put(json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"namespace": "one", "name": "d", "labels": {"app": "d"}, "generation": 1, "managedFields": [{}]},
            "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "a", "image": "i:1"}, {"name": "b", "image": "j"}]}}},
            "status": {"readyReplicas": 1}}));
        resolve(&*self.cluster, "deploy", Some("one"), "d").unwrap()
    }

    fn stored(&self) -> Json {
        self.store.stored("deployments", "one", "d").unwrap()
    }

    /// What an executor does with a change; the images before and after.
    fn make(&self, change: &dyn Change) -> Result<(Image, Image), Failure> {
        let cancel = Cancel::default();
        let before = change.observe(self, &cancel)?;
        let after = change.wanted(&before)?;
        if !change.reached(&after, &before) {
            change.apply(self, &before, &after, &cancel)?;
            let now = change.observe(self, &cancel)?;
            assert!(
                change.reached(&after, &now),
                "wanted {after:?}\nfound {now:?}"
            );
        }
        Ok((before, after))
    }

    fn look(&self, object: &ObjectRef) -> Image {
        observe_object(&*self.cluster, object).unwrap()
    }
}

impl ObservingFleet for Bench {
    fn observer(&self, target: &Target) -> Result<Arc<dyn Observer>, TransportError> {
        panic!("no word on the cluster asks for {target}")
    }
    fn cluster_observer(&self) -> Result<Arc<dyn ClusterObserver>, TransportError> {
        Ok(self.cluster.clone())
    }
    fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }
}

impl ActingFleet for Bench {
    fn actor(&self, target: &Target) -> Result<Arc<dyn Actor>, TransportError> {
        panic!("no word on the cluster asks for {target}")
    }
    fn cluster_actor(&self) -> Result<Arc<dyn ClusterActor>, TransportError> {
        Ok(self.cluster.clone())
    }
    fn close(&self) {}
}

fn words(failure: &Failure) -> String {
    match failure {
        Failure::Failed(report) => {
            let part = |part: &Option<String>| part.clone().unwrap_or_default();
            format!(
                "{} | {} | {}",
                report.message,
                part(&report.detail),
                part(&report.hint)
            )
        }
        other => other.to_string(),
    }
}

fn patch(object: &ObjectRef, kind: PatchKind, patch: Json) -> PatchObject {
    PatchObject::new(object.clone(), kind, patch).unwrap()
}

fn one(key: &str, value: Option<&str>) -> BTreeMap<String, Option<String>> {
    BTreeMap::from([(key.to_owned(), value.map(str::to_owned))])
}
