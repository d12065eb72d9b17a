//! Helper pods: the way to a node that no ssh reaches. One a node and run, made at the first use under a name that
//! follows from both, so that a resumed run finds it again; removed at the end; written down before it is made.
//!
//! A dry run's helpers look only: no privilege, the host's root directory mounted read-only. [`HelperPods`] can make
//! and remove such pods and nothing else, so that holding them does not let a dry run write (M5).

mod image;
mod spec;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value as Json;

use super::exec::Container;
use super::writer::KubeCluster;
use super::{refused, unreachable};
use crate::model::{HostName, ObjectRef, Target};
use crate::transport::{ClusterActor, ClusterObserver, ListQuery, Temporary, TransportError};

pub(in crate::transport::kube) use spec::entry;
pub use spec::helper_name;

/// The value of `app.kubernetes.io/managed-by` on everything temporary.
pub const MANAGED_BY: &str = "runbook";
/// The label that names the run.
pub const RUN_LABEL: &str = "runbook.dev/run";
/// The annotation that names who started it.
pub const OWNER: &str = "runbook.dev/owner";

const CONTAINER: &str = "helper";

/// How long a helper may take until it runs. Pulling a small image over a slow line fits into it.
const START: Duration = Duration::from_secs(180);
/// How long the one before may take to go.
const GONE: Duration = Duration::from_secs(120);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(300);
/// How long removing is tried when the run ends.
const CLEANUP: Duration = Duration::from_secs(30);

/// What helpers may do on their node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelperPower {
    /// Look: no privilege, nothing writable.
    Observe,
    /// Everything that root may.
    Act,
}

/// How helpers are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HelperSettings {
    /// The run; for a dry run a name of its own.
    pub run: String,
    /// Who started it, as `user@machine`.
    pub owner: String,
    /// The namespace. Clusters with Pod Security exempt `kube-system`.
    pub namespace: String,
    /// The image; none chooses one that the node already has.
    pub image: Option<String>,
    /// After this long a pod ends by itself.
    pub lifetime: Duration,
}

/// Is told what is made for a time, before it is made, and when it is gone again.
pub trait Notebook: Send + Sync {
    /// It is about to be made. An error stops the making.
    fn about_to_make(&self, what: &Temporary) -> Result<(), TransportError>;
    /// It is gone.
    fn gone(&self, what: &ObjectRef);
    /// Whether it was made, perhaps by an earlier session, and is not known to be gone.
    fn remembers(&self, what: &ObjectRef) -> bool;
}

/// The helper pods of one run.
pub struct HelperPods {
    cluster: Arc<KubeCluster>,
    settings: HelperSettings,
    power: HelperPower,
    notebook: Arc<dyn Notebook>,
    nodes: Mutex<BTreeMap<String, Arc<Mutex<Known>>>>,
}

/// What is known of one node's helper.
#[derive(Default)]
struct Known {
    container: Option<Container>,
    noted: bool,
}

impl HelperPods {
    /// None is made yet.
    pub fn new(
        cluster: Arc<KubeCluster>,
        settings: HelperSettings,
        power: HelperPower,
        notebook: Arc<dyn Notebook>,
    ) -> Self {
        Self {
            cluster,
            settings,
            power,
            notebook,
            nodes: Mutex::default(),
        }
    }

    /// What they may do.
    pub fn power(&self) -> HelperPower {
        self.power
    }

    pub(super) fn cluster(&self) -> &Arc<KubeCluster> {
        &self.cluster
    }

    fn slot(&self, node: &str) -> Arc<Mutex<Known>> {
        let mut nodes = lock(&self.nodes);
        nodes.entry(node.to_owned()).or_default().clone()
    }

    /// The running helper of a node, made if there is none.
    pub(super) fn ensure(&self, node: &str) -> Result<Container, TransportError> {
        let slot = self.slot(node);
        // Held while it starts: other branches that want this node wait for the same pod.
        let mut known = lock(&slot);
        if let Some(container) = &known.container {
            return Ok(container.clone());
        }
        let container = self
            .start(node, &mut known)
            .map_err(|error| on(node, error))?;
        known.container = Some(container.clone());
        Ok(container)
    }

    /// The helper of this node is no more: the next use makes another.
    pub(super) fn forget(&self, node: &str, lost: &Container) {
        let slot = self.slot(node);
        let mut known = lock(&slot);
        if known.container.as_ref() == Some(lost) {
            known.container = None;
        }
    }

    fn reference(&self, node: &str) -> ObjectRef {
        pod_reference(
            &self.settings.namespace,
            &helper_name(&self.settings.run, node),
        )
    }

    fn start(&self, node: &str, known: &mut Known) -> Result<Container, TransportError> {
        let found = self.cluster.get(&node_reference(node))?;
        let Some(found) = found else {
            return Err(self.no_such_node(node));
        };
        let image = match &self.settings.image {
            Some(image) => image.clone(),
            None => image::chosen(&found).ok_or_else(|| {
                refused(
                    "it has no image that a helper pod is known to work with (busybox, alpine, one of k3s or \
                     Tailscale); name one that can be pulled or is there, with a shell, nsenter and chroot: \
                     RUNBOOK_DEBUG_IMAGE=IMAGE, or `kube: {helper_image: IMAGE}` in the inventory",
                )
            })?,
        };
        let reference = self.reference(node);
        if !known.noted {
            self.notebook.about_to_make(&Temporary {
                object: reference.clone(),
                what: match self.power {
                    HelperPower::Act => format!("helper pod on node {node}"),
                    HelperPower::Observe => format!("helper pod that only looks, on node {node}"),
                },
            })?;
            known.noted = true;
        }
        let manifest = spec::manifest(&self.settings, self.power, node, &image);
        self.create(&reference, &manifest)?;
        self.wait_until_running(&reference, &image)?;
        Ok(Container {
            namespace: self.settings.namespace.clone(),
            pod: reference.name,
            container: Some(CONTAINER.into()),
        })
    }

    fn no_such_node(&self, node: &str) -> TransportError {
        let names: Vec<String> = self
            .cluster
            .kind("nodes")
            .and_then(|kind| self.cluster.list(&kind, &ListQuery::default()))
            .unwrap_or_default()
            .iter()
            .filter_map(|node| node["metadata"]["name"].as_str().map(str::to_owned))
            .collect();
        let shown = names
            .iter()
            .take(12)
            .cloned()
            .collect::<Vec<_>>()
            .join(", ");
        refused(format!("the cluster has no node {node}; it has {shown}"))
    }

    /// Makes the pod, unless our own is there and alive.
    fn create(&self, reference: &ObjectRef, manifest: &Json) -> Result<(), TransportError> {
        let begin = self.cluster.now();
        loop {
            match self.cluster.get(reference)? {
                Some(found) if !self.is_ours(&found) => {
                    return Err(refused(format!(
                        "{reference} is there already and belongs to somebody else; look at it, then delete it"
                    )));
                }
                Some(found) if is_alive(&found) => return Ok(()),
                Some(found) => {
                    // Ended, or on its way out: the name is free when it is gone.
                    let uid = found["metadata"]["uid"].as_str().unwrap_or_default();
                    self.cluster.delete(reference, uid)?;
                    if self.cluster.elapsed(begin) > GONE {
                        return Err(unreachable(format!(
                            "{reference} of an earlier session does not go away; does the node's kubelet run?"
                        )));
                    }
                    self.cluster.pause(LOOK)?;
                }
                None => match self.cluster.create(manifest) {
                    Ok(_) => return Ok(()),
                    // Made by a try whose answer got lost, or by nobody: the name tells.
                    Err(TransportError::Lost { .. }) => {}
                    Err(TransportError::Refused { why, .. }) if why.contains("already exists") => {}
                    Err(TransportError::Refused { why, .. }) => return Err(refused(hinted(why))),
                    Err(error) => return Err(error),
                },
            }
        }
    }

    fn is_ours(&self, pod: &Json) -> bool {
        pod["metadata"]["labels"][RUN_LABEL] == self.settings.run
            && pod["metadata"]["labels"]["app.kubernetes.io/managed-by"] == MANAGED_BY
    }

    fn wait_until_running(&self, reference: &ObjectRef, image: &str) -> Result<(), TransportError> {
        let begin = self.cluster.now();
        loop {
            let Some(pod) = self.cluster.get(reference)? else {
                return Err(unreachable(format!(
                    "{reference} was deleted while it started"
                )));
            };
            let status = &pod["status"];
            let container = &status["containerStatuses"][0];
            if status["phase"] == "Running" && !container["state"]["running"].is_null() {
                return Ok(());
            }
            let waiting = &container["state"]["waiting"];
            let reason = waiting["reason"].as_str().unwrap_or_default();
            let stuck = matches!(
                reason,
                "ImagePullBackOff"
                    | "ErrImageNeverPull"
                    | "InvalidImageName"
                    | "CreateContainerConfigError"
                    | "CreateContainerError"
                    | "RunContainerError"
            );
            let over = matches!(status["phase"].as_str(), Some("Failed" | "Succeeded"));
            let late = self.cluster.elapsed(begin) > START;
            if stuck || over || late {
                let said = [
                    reason,
                    waiting["message"].as_str().unwrap_or_default(),
                    container["state"]["terminated"]["message"]
                        .as_str()
                        .unwrap_or_default(),
                    status["reason"].as_str().unwrap_or_default(),
                    status["message"].as_str().unwrap_or_default(),
                ];
                let said: Vec<&str> = said.into_iter().filter(|word| !word.is_empty()).collect();
                let said = if said.is_empty() {
                    "its kubelet does not say why; does it run?".to_owned()
                } else {
                    said.join(": ")
                };
                self.remove(reference, &self.cluster)?;
                let why = format!("{reference} with image {image} does not start: {said}");
                return Err(if late { unreachable(why) } else { refused(why) });
            }
            self.cluster.pause(LOOK)?;
        }
    }

    /// Removes what this session made or found. Says what stays.
    pub fn remove_all(&self) -> Vec<String> {
        let nodes = std::mem::take(&mut *lock(&self.nodes));
        let cluster = self.cluster.for_cleanup(CLEANUP);
        let mut left = Vec::new();
        for (node, slot) in nodes {
            if !lock(&slot).noted {
                continue;
            }
            let reference = self.reference(&node);
            match self.remove(&reference, &cluster) {
                Ok(()) => self.notebook.gone(&reference),
                Err(error) => left.push(format!("{reference} on {node} stays: {error}")),
            }
        }
        left
    }

    fn remove(&self, reference: &ObjectRef, cluster: &KubeCluster) -> Result<(), TransportError> {
        match cluster.get(reference)? {
            Some(found) if self.is_ours(&found) => {
                let uid = found["metadata"]["uid"].as_str().unwrap_or_default();
                cluster.delete(reference, uid)
            }
            _ => Ok(()),
        }
    }
}

/// The image that a helper pod would run on a node, if nobody names one.
pub fn chosen_image(node: &Json) -> Option<String> {
    image::chosen(node)
}

/// A helper pod as it would be made.
pub fn helper_manifest(
    settings: &HelperSettings,
    power: HelperPower,
    node: &str,
    image: &str,
) -> Json {
    spec::manifest(settings, power, node, image)
}

/// Everything temporary in the cluster: of one run, or of all.
pub fn leftovers(
    cluster: &dyn ClusterObserver,
    run: Option<&str>,
) -> Result<Vec<Json>, TransportError> {
    let mut labels = format!("app.kubernetes.io/managed-by={MANAGED_BY}");
    labels.push_str(&match run {
        Some(run) => format!(",{RUN_LABEL}={run}"),
        None => format!(",{RUN_LABEL}"),
    });
    let query = ListQuery {
        labels: Some(labels),
        ..ListQuery::default()
    };
    cluster.list(&cluster.kind("pods")?, &query)
}

/// A pod that has not ended and is not being deleted.
fn is_alive(pod: &Json) -> bool {
    pod["metadata"]["deletionTimestamp"].is_null()
        && !matches!(
            pod["status"]["phase"].as_str(),
            Some("Failed" | "Succeeded")
        )
}

fn hinted(why: String) -> String {
    if why.contains("PodSecurity") {
        return format!(
            "{why}; name a namespace that allows privileged pods: `kube: {{helper_namespace: NAME}}` in the inventory"
        );
    }
    why
}

fn node_reference(node: &str) -> ObjectRef {
    ObjectRef {
        api_version: "v1".into(),
        kind: "Node".into(),
        namespace: None,
        name: node.to_owned(),
    }
}

/// The name of a pod.
pub fn pod_reference(namespace: &str, name: &str) -> ObjectRef {
    ObjectRef {
        api_version: "v1".into(),
        kind: "Pod".into(),
        namespace: Some(namespace.to_owned()),
        name: name.to_owned(),
    }
}

/// An error of the cluster on the way to a node is the node's.
fn on(node: &str, error: TransportError) -> TransportError {
    let Ok(name) = HostName::parse(node) else {
        return error;
    };
    let target = Target::Host(name);
    match error {
        TransportError::Unreachable { why, .. } | TransportError::Lost { why, .. } => {
            TransportError::Unreachable { target, why }
        }
        TransportError::Refused { why, .. } => TransportError::Refused { target, why },
        other => other,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
