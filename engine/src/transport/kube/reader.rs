//! The part of the API that only reads.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Request;
use kube::api::{ListParams, LogParams};
use kube::core::params::GetParams;
use serde_json::Value as Json;

use super::access::Keep;
use super::discovery::{Catalog, discover};
use super::exchange::{Away, Exchange, Repeat, Stop};
use super::{connect, kinds, path, refused};
use crate::model::ObjectRef;
use crate::transport::{
    Cancel, Clock, ClusterObserver, ListQuery, LogQuery, OUTPUT_LIMIT, ObjectKind, Proposal,
    TransportError, Verdict,
};

/// Objects asked for in one page of a list, as `kubectl` does.
const PAGE: u32 = 500;
/// How often a list starts anew because its continuation expired (the server compacts every five minutes).
const RESTARTS: usize = 3;
/// The annotation by which a pod names the container meant when nobody names one.
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";

/// A cluster's API that can be looked at and nothing else: what a dry run is given (M5).
///
/// Its calls block the calling thread and must not be made on a runtime's own threads. While the API server is away
/// they go on trying for [`PATIENCE`](super::PATIENCE).
pub struct KubeReader {
    pub(super) exchange: Arc<Exchange>,
    catalog: Mutex<Option<Arc<Catalog>>>,
}

impl KubeReader {
    /// Reads through a client; its connections live on `runtime`.
    pub fn new(client: kube::Client, runtime: tokio::runtime::Handle) -> Self {
        Self::of(Exchange::new(client, runtime))
    }

    pub(super) fn of(exchange: Exchange) -> Self {
        Self {
            exchange: Arc::new(exchange),
            catalog: Mutex::default(),
        }
    }

    /// Reads the cluster of a kubeconfig: the file at `path`, else `KUBECONFIG`, else `~/.kube/config`, else, inside
    /// a pod, its service account. `context` is one of the file's; none takes its current one. The error says which
    /// file, context or credential plugin is wrong and what to do. Sends nothing to the cluster.
    pub fn from_kubeconfig(
        path: Option<&Path>,
        context: Option<&str>,
        runtime: tokio::runtime::Handle,
    ) -> Result<Self, TransportError> {
        let client = connect::client(path, context, &runtime)?;
        Ok(Self::new(client, runtime))
    }

    /// The settings, to be changed before anything shares them.
    fn settings(&mut self) -> &mut Exchange {
        let patience = self.exchange.patience;
        if Arc::get_mut(&mut self.exchange).is_none() {
            self.exchange = Arc::new(self.exchange.with_patience(patience));
        }
        Arc::get_mut(&mut self.exchange).expect("nobody else has it: it was made just now")
    }

    /// Waits by another clock than the system's: a lab's, in which minutes pass at once.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.settings().clock = clock;
        self
    }

    /// Tells what is being waited for.
    #[must_use]
    pub fn on_retry(mut self, hook: impl Fn(&Away) + Send + Sync + 'static) -> Self {
        self.settings().hook = Arc::new(hook);
        self
    }

    /// Tries for another time than [`PATIENCE`](super::PATIENCE).
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.settings().patience = patience;
        self
    }

    /// Stops waiting when the user asks to stop.
    #[must_use]
    pub fn with_cancel(mut self, cancel: Cancel) -> Self {
        self.settings().cancel = cancel;
        self
    }

    /// What its calls share.
    pub(super) fn exchange(&self) -> &Arc<Exchange> {
        &self.exchange
    }

    /// The kind of an object by its exact API version and kind.
    pub(super) fn kind_of(&self, object: &ObjectRef) -> Result<ObjectKind, TransportError> {
        let name = format!("{}/{}", object.api_version, object.kind);
        self.lookup(&name, |resources| {
            kinds::exact(resources, &object.api_version, &object.kind)
        })
    }

    /// Looks a kind up: among the built-in ones, then in the catalog, then, as a definition may have been created
    /// since, in a fresh catalog.
    fn lookup(
        &self,
        name: &str,
        find: impl Fn(&[kinds::Resource]) -> Option<&kinds::Resource>,
    ) -> Result<ObjectKind, TransportError> {
        if let Some(resource) = find(&kinds::built_in()) {
            return Ok(resource.kind.clone());
        }
        let known = self.known();
        if let Some(catalog) = &known
            && let Some(resource) = find(&catalog.resources)
        {
            return Ok(resource.kind.clone());
        }
        let catalog = Arc::new(discover(&self.exchange)?);
        *self.catalog.lock().unwrap_or_else(PoisonError::into_inner) = Some(catalog.clone());
        match find(&catalog.resources) {
            Some(resource) => Ok(resource.kind.clone()),
            None => Err(unknown(name, &catalog)),
        }
    }

    fn known(&self) -> Option<Arc<Catalog>> {
        self.catalog
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// One page after another.
    fn pages(
        &self,
        collection: &kube::core::Request,
        query: &ListQuery,
    ) -> Result<Vec<Json>, Stop> {
        let mut items = Vec::new();
        let mut token = None;
        loop {
            let params = ListParams {
                label_selector: query.labels.clone(),
                field_selector: query.fields.clone(),
                limit: Some(PAGE),
                continue_token: token.take(),
                ..ListParams::default()
            };
            let request = built(collection.list(&params)).map_err(Stop::Failed)?;
            let answer =
                self.exchange
                    .send(&mut self.exchange.patience(), Repeat::Always, &request)?;
            let mut page = json(&answer).map_err(Stop::Failed)?;
            let (api_version, kind) = item_type(&page);
            if let Json::Array(found) = page["items"].take() {
                items.extend(
                    found
                        .into_iter()
                        .map(|item| typed(item, &api_version, &kind)),
                );
            }
            match page["metadata"]["continue"].as_str() {
                Some(next) if !next.is_empty() => token = Some(next.to_owned()),
                _ => return Ok(items),
            }
        }
    }

    /// The container that a pod's annotation names.
    fn default_container(
        &self,
        namespace: &str,
        pod: &str,
    ) -> Result<Option<String>, TransportError> {
        let pod = self.get(&ObjectRef {
            api_version: "v1".into(),
            kind: "Pod".into(),
            namespace: Some(namespace.to_owned()),
            name: pod.to_owned(),
        })?;
        let annotation = pod
            .as_ref()
            .map(|pod| &pod["metadata"]["annotations"][DEFAULT_CONTAINER]);
        Ok(annotation.and_then(Json::as_str).map(str::to_owned))
    }

    fn read_log(&self, request: &Request<Vec<u8>>) -> Result<Vec<u8>, Stop> {
        let mut patience = self.exchange.patience();
        loop {
            match self.exchange.send(&mut patience, Repeat::Always, request) {
                Ok(log) => return Ok(log.to_vec()),
                Err(Stop::Refused(trouble)) if trouble.is_of_the_node() => {
                    self.exchange.wait_or_give_up(&mut patience, &trouble)?;
                }
                Err(stop) => return Err(stop),
            }
        }
    }
}

impl ClusterObserver for KubeReader {
    fn kind(&self, name: &str) -> Result<ObjectKind, TransportError> {
        self.lookup(name, |resources| kinds::find(resources, name))
    }

    fn get(&self, object: &ObjectRef) -> Result<Option<Json>, TransportError> {
        let kind = self.kind_of(object)?;
        let (collection, name) = path::place(&kind, object)?;
        let request = built(collection.get(name, &GetParams::default()))?;
        match self
            .exchange
            .send(&mut self.exchange.patience(), Repeat::Always, &request)
        {
            Ok(answer) => json(&answer).map(Some),
            Err(Stop::Refused(trouble)) if trouble.object_is_absent() => Ok(None),
            Err(stop) => Err(ended(stop, &format!("get {object}"))),
        }
    }

    fn list(&self, kind: &ObjectKind, query: &ListQuery) -> Result<Vec<Json>, TransportError> {
        let collection = path::collection(kind, query.namespace.as_deref())?;
        let mut restarts = 0;
        let mut items = loop {
            match self.pages(&collection, query) {
                Ok(items) => break items,
                // The continuation is older than what the server keeps: only the whole list again is consistent.
                Err(Stop::Refused(trouble)) if trouble.code() == 410 && restarts < RESTARTS => {
                    restarts += 1;
                }
                Err(stop) => return Err(ended(stop, &format!("list {}", kind.plural))),
            }
        };
        items.sort_by_cached_key(|item| {
            let text = |field: &str| {
                item["metadata"][field]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned()
            };
            (text("namespace"), text("name"))
        });
        Ok(items)
    }

    fn would_apply(&self, manifest: &Json, force: bool) -> Result<Json, TransportError> {
        self.server_side_apply(manifest, force, Keep::Nothing)
    }

    fn would(&self, proposal: &Proposal<'_>) -> Result<Verdict, TransportError> {
        self.verdict(proposal)
    }

    fn logs(&self, namespace: &str, pod: &str, query: &LogQuery) -> Result<String, TransportError> {
        let pods = ObjectKind {
            api_version: "v1".into(),
            kind: "Pod".into(),
            plural: "pods".into(),
            namespaced: true,
        };
        let collection = path::collection(&pods, Some(namespace))?;
        let pod = path::segment("name", pod)?;
        let read = |container: Option<String>| {
            let request = built(collection.logs(pod, &log_params(query, container)));
            self.read_log(&request.map_err(Stop::Failed)?)
        };
        let log = match read(query.container.clone()) {
            // Several containers and none named.
            Err(Stop::Refused(trouble)) if trouble.code() == 400 && query.container.is_none() => {
                match self.default_container(namespace, pod)? {
                    Some(container) => read(Some(container)),
                    None => Err(Stop::Refused(trouble)),
                }
            }
            other => other,
        };
        let log = log.map_err(|stop| ended(stop, &format!("logs of pod {namespace}/{pod}")))?;
        if log.len() > OUTPUT_LIMIT {
            return Err(refused(format!(
                "the log of pod {namespace}/{pod} is longer than {} KiB; ask for its last lines (`tail`) or its last \
                 minutes (`since`)",
                OUTPUT_LIMIT >> 10
            )));
        }
        Ok(String::from_utf8_lossy(&log).into_owned())
    }
}

fn log_params(query: &LogQuery, container: Option<String>) -> LogParams {
    let seconds = |since: Duration| {
        let whole = since.as_secs() + u64::from(since.subsec_nanos() > 0);
        i64::try_from(whole.max(1)).unwrap_or(i64::MAX)
    };
    LogParams {
        container,
        // One byte more than is accepted tells a long log from one that just fits.
        limit_bytes: i64::try_from(OUTPUT_LIMIT + 1).ok(),
        previous: query.previous,
        since_seconds: query.since.map(seconds),
        tail_lines: query.tail,
        ..LogParams::default()
    }
}

/// The type of a list's items: a server leaves it out of the items of its built-in kinds.
fn item_type(list: &Json) -> (Json, Json) {
    let kind = list["kind"]
        .as_str()
        .and_then(|kind| kind.strip_suffix("List"));
    (
        list["apiVersion"].clone(),
        kind.map_or(Json::Null, Json::from),
    )
}

fn typed(mut item: Json, api_version: &Json, kind: &Json) -> Json {
    if let Json::Object(fields) = &mut item {
        for (field, value) in [("apiVersion", api_version), ("kind", kind)] {
            if !value.is_null() {
                fields.entry(field).or_insert_with(|| value.clone());
            }
        }
    }
    item
}

fn unknown(name: &str, catalog: &Catalog) -> TransportError {
    let near = kinds::near(&catalog.resources, name);
    let near = match near.is_empty() {
        true => "; `kubectl api-resources` lists its kinds".to_owned(),
        false => format!("; did you mean {}?", near.join(", ")),
    };
    let silent = match catalog.silent.is_empty() {
        true => String::new(),
        false => format!(
            " These parts of its API do not answer: {}.",
            catalog.silent.join(", ")
        ),
    };
    refused(format!("the cluster has no kind {name:?}{near}{silent}"))
}

/// A request as the client's library builds it.
pub(super) fn built(
    request: Result<Request<Vec<u8>>, kube::core::request::Error>,
) -> Result<Request<Vec<u8>>, TransportError> {
    request.map_err(|error| refused(format!("the request cannot be made: {error}")))
}

/// An answer's JSON.
pub(super) fn json(answer: &[u8]) -> Result<Json, TransportError> {
    serde_json::from_slice(answer).map_err(|error| {
        refused(format!(
            "the API server's answer is not JSON ({error}); does something stand between it and us?"
        ))
    })
}

/// How a call ends that got no answer.
pub(super) fn ended(stop: Stop, call: &str) -> TransportError {
    match stop {
        Stop::Failed(error) => error,
        Stop::Refused(trouble) => {
            let hint = match trouble.code() {
                401 => "; the kubeconfig's credentials are not accepted: renew them",
                403 => "; `kubectl auth can-i` shows what these credentials allow",
                404 if !trouble.object_is_absent() => "; the cluster does not serve this kind",
                415 => "; this kind takes no such patch: custom resources take merge patches only",
                _ => "",
            };
            refused(format!("{call}: {}{hint}", trouble.words))
        }
    }
}
