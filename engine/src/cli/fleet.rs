//! The fleets of real runs: hosts by shell, nodes and pods through the cluster, the cluster by its API. The cluster is
//! reached when it is first used.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::context::RunContext;
use crate::model::{HostName, Target};
use crate::transport::kube::helper::{HelperPods, HelperPower, HelperSettings};
use crate::transport::kube::{
    ClusterLease, KubeCluster, KubeReader, LeaseHolder, node_target, pod_observer, pod_target,
};
use crate::transport::{
    ActingFleet, Actor, Clock, ClusterActor, ClusterObserver, HostAccess, HostFleet, Observer,
    ObservingFleet, Route, SystemClock, Temporary, TransportError,
};

/// How the cluster's API is reached, and what is made there for a time.
#[derive(Clone, Debug, Default)]
pub struct ClusterAccess {
    /// Kubeconfig file; none for kubectl's own rules.
    pub kubeconfig: Option<PathBuf>,
    /// Context; none for the file's current one.
    pub context: Option<String>,
    /// Image of helper pods; none for one that a node already has.
    pub helper_image: Option<String>,
    /// Namespace of helper pods and of the lease.
    pub namespace: Option<String>,
}

impl ClusterAccess {
    /// The namespace of helper pods and of the lease.
    pub fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or("kube-system")
    }

    /// A connection that waits, tells and stops as the run does.
    pub fn connect(
        &self,
        runtime: &tokio::runtime::Handle,
        context: &RunContext,
    ) -> Result<KubeCluster, TransportError> {
        let cluster = KubeCluster::from_kubeconfig(
            self.kubeconfig.as_deref(),
            self.context.as_deref(),
            runtime.clone(),
        )?;
        let told = context.told.clone();
        let cancel = context.cancel.clone();
        Ok(cluster.with(|reader| reader.on_retry(move |away| told(away)).with_cancel(cancel)))
    }

    /// How helper pods of a run are made.
    pub fn helpers(&self, context: &RunContext) -> HelperSettings {
        HelperSettings {
            run: context.run.clone(),
            owner: context.owner.clone(),
            namespace: self.namespace().to_owned(),
            image: self.helper_image.clone(),
            lifetime: HELPER_LIFETIME,
        }
    }
}

/// After this long a helper pod ends by itself; one that is needed longer is made again.
const HELPER_LIFETIME: std::time::Duration = std::time::Duration::from_secs(3600);

/// What both fleets hold.
struct Parts {
    hosts: HostFleet,
    nodes: BTreeMap<HostName, Option<String>>,
    access: ClusterAccess,
    runtime: tokio::runtime::Handle,
    context: RunContext,
}

impl Parts {
    fn new(
        hosts: BTreeMap<HostName, HostAccess>,
        access: ClusterAccess,
        parallel: usize,
        runtime: &tokio::runtime::Runtime,
        context: RunContext,
    ) -> Self {
        let node = |access: &HostAccess| match &access.route {
            Route::Node(route) => Some(route.node.clone()),
            _ => None,
        };
        let nodes = hosts
            .iter()
            .map(|(name, access)| (name.clone(), node(access)))
            .collect();
        let handle = runtime.handle().clone();
        Self {
            hosts: HostFleet::new(hosts, parallel, handle.clone()),
            nodes,
            access,
            runtime: handle,
            context,
        }
    }

    /// The node behind a target, if a helper pod is the way to it: a host that the inventory reaches so, or a name that
    /// the inventory does not know, which only `node(…)` gives.
    fn node(&self, target: &Target) -> Option<String> {
        let Target::Host(name) = target else {
            return None;
        };
        match self.nodes.get(name) {
            Some(node) => node.clone(),
            None => Some(name.to_string()),
        }
    }

    fn expect(&self, targets: &mut dyn Iterator<Item = Target>) {
        // A host that is a node may be reached in another way, which is known only when it is asked.
        let mut hosts = targets.filter(|target| self.node(target).is_none());
        self.hosts.expect(&mut hosts);
    }

    fn helpers(&self, cluster: Arc<KubeCluster>, power: HelperPower) -> Arc<HelperPods> {
        let settings = self.access.helpers(&self.context);
        Arc::new(HelperPods::new(
            cluster,
            settings,
            power,
            self.context.notebook.clone(),
        ))
    }
}

/// Hosts and cluster of a dry run: it can only look.
pub struct RealObserving {
    parts: Parts,
    cluster: OnceLock<Arc<KubeReader>>,
    helpers: OnceLock<Arc<HelperPods>>,
    targets: Mutex<BTreeMap<Target, Arc<dyn Observer>>>,
}

impl RealObserving {
    /// Nothing is connected yet.
    pub fn new(
        hosts: BTreeMap<HostName, HostAccess>,
        access: ClusterAccess,
        parallel: usize,
        runtime: &tokio::runtime::Runtime,
        context: RunContext,
    ) -> Self {
        Self {
            parts: Parts::new(hosts, access, parallel, runtime, context),
            cluster: OnceLock::new(),
            helpers: OnceLock::new(),
            targets: Mutex::default(),
        }
    }

    fn reader(&self) -> Result<Arc<KubeReader>, TransportError> {
        if let Some(cluster) = self.cluster.get() {
            return Ok(cluster.clone());
        }
        let parts = &self.parts;
        let cluster = parts.access.connect(&parts.runtime, &parts.context)?;
        let reader = cluster.into_reader();
        Ok(self.cluster.get_or_init(|| Arc::new(reader)).clone())
    }

    fn helpers(&self, target: &Target) -> Result<Arc<HelperPods>, TransportError> {
        if !self.parts.context.observer_pods {
            return Err(TransportError::Declined {
                target: target.clone(),
                why: "--no-observer-pods".into(),
            });
        }
        if let Some(helpers) = self.helpers.get() {
            return Ok(helpers.clone());
        }
        let parts = &self.parts;
        let cluster = Arc::new(parts.access.connect(&parts.runtime, &parts.context)?);
        let helpers = parts.helpers(cluster, HelperPower::Observe);
        Ok(self.helpers.get_or_init(|| helpers).clone())
    }
}

impl ObservingFleet for RealObserving {
    fn observer(&self, target: &Target) -> Result<Arc<dyn Observer>, TransportError> {
        let mut targets = lock(&self.targets);
        if let Some(known) = targets.get(target) {
            return Ok(known.clone());
        }
        let observer: Arc<dyn Observer> = if let Some(node) = self.parts.node(target) {
            Arc::new(node_target(target.clone(), node, &self.helpers(target)?))
        } else if matches!(target, Target::Pod { .. }) {
            match pod_observer(target, &self.reader()?) {
                Some(pod) => Arc::new(pod),
                None => return self.parts.hosts.observer(target),
            }
        } else {
            return self.parts.hosts.observer(target);
        };
        targets.insert(target.clone(), observer.clone());
        Ok(observer)
    }

    fn expect(&self, targets: &mut dyn Iterator<Item = Target>) {
        self.parts.expect(targets);
    }

    fn cluster_observer(&self) -> Result<Arc<dyn ClusterObserver>, TransportError> {
        Ok(self.reader()?)
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }
}

impl Drop for RealObserving {
    fn drop(&mut self) {
        if let Some(helpers) = self.helpers.get() {
            self.parts.context.left(helpers.remove_all());
        }
        self.parts.hosts.close();
    }
}

/// Hosts and cluster of a real run.
pub struct RealActing {
    parts: Parts,
    cluster: OnceLock<Arc<KubeCluster>>,
    helpers: OnceLock<Arc<HelperPods>>,
    targets: Mutex<BTreeMap<Target, Arc<dyn Actor>>>,
    lease: Mutex<Door>,
}

/// Whether the cluster's lease is ours.
enum Door {
    /// Nothing was changed in the cluster so far.
    Unasked,
    /// Held, or not to be had for want of permission.
    Passed(Option<ClusterLease>),
}

impl RealActing {
    /// Nothing is connected yet.
    pub fn new(
        hosts: BTreeMap<HostName, HostAccess>,
        access: ClusterAccess,
        parallel: usize,
        runtime: &tokio::runtime::Runtime,
        context: RunContext,
    ) -> Self {
        Self {
            parts: Parts::new(hosts, access, parallel, runtime, context),
            cluster: OnceLock::new(),
            helpers: OnceLock::new(),
            targets: Mutex::default(),
            lease: Mutex::new(Door::Unasked),
        }
    }

    fn connected(&self) -> Result<Arc<KubeCluster>, TransportError> {
        if let Some(cluster) = self.cluster.get() {
            return Ok(cluster.clone());
        }
        let parts = &self.parts;
        let cluster = Arc::new(parts.access.connect(&parts.runtime, &parts.context)?);
        Ok(self.cluster.get_or_init(|| cluster).clone())
    }

    /// The cluster, with its lease taken: before the first thing that changes it.
    fn entered(&self) -> Result<Arc<KubeCluster>, TransportError> {
        let cluster = self.connected()?;
        let mut door = lock(&self.lease);
        if let Door::Unasked = *door {
            *door = Door::Passed(self.lease_of(&cluster)?);
        }
        Ok(cluster)
    }

    fn holder(&self) -> LeaseHolder {
        let context = &self.parts.context;
        LeaseHolder {
            run: context.run.clone(),
            owner: context.owner.clone(),
        }
    }

    /// Takes the lease; none for want of permission.
    fn lease_of(&self, cluster: &Arc<KubeCluster>) -> Result<Option<ClusterLease>, TransportError> {
        let context = &self.parts.context;
        let namespace = self.parts.access.namespace();
        context.notebook.about_to_make(&Temporary {
            object: ClusterLease::object(namespace),
            what: "guard against a second operator".into(),
        })?;
        match ClusterLease::take(
            cluster.clone(),
            namespace,
            self.holder(),
            context.lease_hook(),
        ) {
            Ok(lease) => Ok(Some(lease)),
            Err(TransportError::Refused { why, .. }) if why.contains("is forbidden") => {
                context.left(vec![format!(
                    "nothing keeps a second operator out: the Lease {namespace}/runbook cannot be written ({why})"
                )]);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Gives the lease back; also one that a session left when it died, behind whose last change this one only replayed.
    fn leave(&self) {
        let notebook = &self.parts.context.notebook;
        let object = ClusterLease::object(self.parts.access.namespace());
        let door = std::mem::replace(&mut *lock(&self.lease), Door::Unasked);
        match door {
            Door::Passed(Some(lease)) => lease.release(),
            _ if !notebook.remembers(&object) => return,
            _ => match self.connected() {
                Ok(cluster) => ClusterLease::give_back(&cluster, &object, &self.holder()),
                // `gc` comes back to it.
                Err(_) => return,
            },
        }
        notebook.gone(&object);
    }

    fn helpers(&self) -> Result<Arc<HelperPods>, TransportError> {
        if let Some(helpers) = self.helpers.get() {
            return Ok(helpers.clone());
        }
        let helpers = self.parts.helpers(self.entered()?, HelperPower::Act);
        Ok(self.helpers.get_or_init(|| helpers).clone())
    }

    /// A node or a pod; none for what a shell of its own reaches.
    fn in_cluster(&self, target: &Target) -> Result<Option<Arc<dyn Actor>>, TransportError> {
        let mut targets = lock(&self.targets);
        if let Some(known) = targets.get(target) {
            return Ok(Some(known.clone()));
        }
        let actor: Arc<dyn Actor> = if let Some(node) = self.parts.node(target) {
            Arc::new(node_target(target.clone(), node, &self.helpers()?))
        } else if matches!(target, Target::Pod { .. }) {
            match pod_target(target, &self.connected()?, self.parts.context.since) {
                Some(pod) => Arc::new(pod),
                None => return Ok(None),
            }
        } else {
            return Ok(None);
        };
        targets.insert(target.clone(), actor.clone());
        Ok(Some(actor))
    }
}

impl ObservingFleet for RealActing {
    fn observer(&self, target: &Target) -> Result<Arc<dyn Observer>, TransportError> {
        match self.in_cluster(target)? {
            Some(actor) => Ok(actor),
            None => self.parts.hosts.observer(target),
        }
    }

    /// Asked by what looks ahead from a question of the run.
    fn expect(&self, targets: &mut dyn Iterator<Item = Target>) {
        self.parts.expect(targets);
    }

    fn cluster_observer(&self) -> Result<Arc<dyn ClusterObserver>, TransportError> {
        Ok(self.connected()?)
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }
}

impl ActingFleet for RealActing {
    fn actor(&self, target: &Target) -> Result<Arc<dyn Actor>, TransportError> {
        match self.in_cluster(target)? {
            Some(actor) => Ok(actor),
            None => self.parts.hosts.actor(target),
        }
    }

    fn cluster_actor(&self) -> Result<Arc<dyn ClusterActor>, TransportError> {
        Ok(self.entered()?)
    }

    fn close(&self) {
        lock(&self.targets).clear();
        if let Some(helpers) = self.helpers.get() {
            self.parts.context.left(helpers.remove_all());
        }
        self.leave();
        self.parts.hosts.close();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
