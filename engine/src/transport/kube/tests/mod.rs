//! The real client against a store in memory, with accidents on the way between them.

mod keeping;
mod reading;
mod socket;
mod waiting;
mod writing;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response};
use kube::client::Body;
use serde_json::{Value as Json, json};

use super::*;
use crate::lab::api::client as lab_client;
use crate::lab::api::testing::{MemoryApi, TestClock, runtime};
use crate::model::ObjectRef;
use crate::transport::{
    Cancel, Clock as _, ClusterActor as _, ClusterObserver as _, ListQuery, LogQuery, PatchKind,
};

/// What happens on the way to the server; gets the number of the request (from 1) and the request.
type Way = dyn Fn(usize, &mut Request<Body>) -> Accident + Send + Sync;

enum Accident {
    None,
    /// The server answers this instead; nothing is carried out.
    Answer(u16, Json),
    /// The connection breaks before the server has read the request.
    CutBefore,
    /// The server carries the request out, and its answer is lost.
    CutAfter,
}

/// A cluster with a store, a clock and accidents.
struct Bench {
    _runtime: tokio::runtime::Runtime,
    clock: Arc<TestClock>,
    store: Arc<MemoryApi>,
    cluster: KubeCluster,
    requests: Arc<AtomicUsize>,
    told: Arc<Mutex<Vec<String>>>,
}

impl Bench {
    fn new() -> Self {
        Self::with(|_, _| Accident::None)
    }

    fn with(way: impl Fn(usize, &mut Request<Body>) -> Accident + Send + Sync + 'static) -> Self {
        let runtime = runtime();
        let clock = TestClock::new();
        let store = MemoryApi::new(clock.clone());
        let (requests, told) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new(Mutex::new(Vec::new())),
        );
        let inner = lab_client(store.clone(), runtime.handle());
        let client = accident_prone(inner, Arc::new(way), requests.clone(), &runtime);
        let (hook, time) = (told.clone(), clock.clone());
        let cluster = KubeCluster::new(client, runtime.handle().clone()).with(|reader| {
            let hook = move |away: &Away| hook.lock().unwrap().push(away.to_string());
            reader.with_clock(time).on_retry(hook)
        });
        Self {
            _runtime: runtime,
            clock,
            store,
            cluster,
            requests,
            told,
        }
    }

    fn put_map(&self, name: &str) -> Json {
        self.store
            .put(json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"namespace": "one", "name": name}, "data": {"a": "1"}}))
    }

    fn data(&self) -> Json {
        self.store.stored("configmaps", "one", "m").unwrap()["data"].clone()
    }

    fn sent(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn accident_prone(
    inner: kube::Client,
    way: Arc<Way>,
    requests: Arc<AtomicUsize>,
    runtime: &tokio::runtime::Runtime,
) -> kube::Client {
    let service = tower::service_fn(move |mut request: Request<Body>| {
        let (inner, number) = (inner.clone(), requests.fetch_add(1, Ordering::SeqCst) + 1);
        let accident = way(number, &mut request);
        async move {
            let cut = || std::io::Error::from(std::io::ErrorKind::ConnectionReset);
            match accident {
                Accident::None => inner.send(request).await.map_err(tower::BoxError::from),
                Accident::CutBefore => Err(cut().into()),
                Accident::CutAfter => {
                    inner.send(request).await?;
                    Err(cut().into())
                }
                Accident::Answer(code, json) => {
                    let body = Body::from(json.to_string().into_bytes());
                    Ok(Response::builder().status(code).body(body)?)
                }
            }
        }
    });
    let _inside = runtime.enter();
    kube::Client::new(service, "default")
}

fn status(code: u16, reason: &str, message: &str) -> Json {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message})
}

fn object(api_version: &str, kind: &str, name: &str) -> ObjectRef {
    ObjectRef {
        api_version: api_version.into(),
        kind: kind.into(),
        namespace: Some("one".into()),
        name: name.into(),
    }
}

fn map() -> ObjectRef {
    object("v1", "ConfigMap", "m")
}

fn version(object: &Json) -> Option<&str> {
    object["metadata"]["resourceVersion"].as_str()
}

/// Only patches have accidents.
fn on_patch(
    number: usize,
    accident: Accident,
) -> impl Fn(usize, &mut Request<Body>) -> Accident + Send + Sync {
    let (patches, accident) = (AtomicUsize::new(0), Mutex::new(Some(accident)));
    move |_, request| {
        let this = request.method() == http::Method::PATCH
            && patches.fetch_add(1, Ordering::SeqCst) + 1 == number;
        this.then(|| accident.lock().unwrap().take())
            .flatten()
            .unwrap_or(Accident::None)
    }
}
