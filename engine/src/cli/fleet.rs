//! The fleets of real runs: hosts by shell, the cluster by its API. The cluster is reached when it is first used.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use crate::model::{HostName, Target};
use crate::transport::kube::{KubeCluster, KubeReader};
use crate::transport::{
    ActingFleet, Actor, Clock, ClusterActor, ClusterObserver, HostAccess, HostFleet, Observer,
    ObservingFleet, SystemClock, TransportError,
};

/// How the cluster's API is reached.
#[derive(Clone, Debug, Default)]
pub struct ClusterAccess {
    /// Kubeconfig file; none for kubectl's own rules.
    pub kubeconfig: Option<PathBuf>,
    /// Context; none for the file's current one.
    pub context: Option<String>,
}

/// Hosts and cluster of a dry run: it can only look.
pub struct RealObserving {
    hosts: HostFleet,
    access: ClusterAccess,
    runtime: tokio::runtime::Handle,
    cluster: OnceLock<Arc<KubeReader>>,
}

impl RealObserving {
    /// Nothing is connected yet.
    pub fn new(
        hosts: BTreeMap<HostName, HostAccess>,
        access: ClusterAccess,
        parallel: usize,
        runtime: &tokio::runtime::Runtime,
    ) -> Self {
        let handle = runtime.handle().clone();
        Self {
            hosts: HostFleet::new(hosts, parallel, handle.clone()),
            access,
            runtime: handle,
            cluster: OnceLock::new(),
        }
    }
}

impl ObservingFleet for RealObserving {
    fn observer(&self, target: &Target) -> Result<Arc<dyn Observer>, TransportError> {
        self.hosts.observer(target)
    }

    fn cluster_observer(&self) -> Result<Arc<dyn ClusterObserver>, TransportError> {
        if let Some(cluster) = self.cluster.get() {
            return Ok(cluster.clone());
        }
        let path = self.access.kubeconfig.as_deref();
        let reader = KubeReader::from_kubeconfig(
            path,
            self.access.context.as_deref(),
            self.runtime.clone(),
        )?;
        Ok(self.cluster.get_or_init(|| Arc::new(reader)).clone())
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }
}

impl Drop for RealObserving {
    fn drop(&mut self) {
        self.hosts.close();
    }
}

/// Hosts and cluster of a real run.
pub struct RealActing {
    hosts: HostFleet,
    access: ClusterAccess,
    runtime: tokio::runtime::Handle,
    cluster: OnceLock<Arc<KubeCluster>>,
}

impl RealActing {
    /// Nothing is connected yet.
    pub fn new(
        hosts: BTreeMap<HostName, HostAccess>,
        access: ClusterAccess,
        parallel: usize,
        runtime: &tokio::runtime::Runtime,
    ) -> Self {
        let handle = runtime.handle().clone();
        Self {
            hosts: HostFleet::new(hosts, parallel, handle.clone()),
            access,
            runtime: handle,
            cluster: OnceLock::new(),
        }
    }

    fn connected(&self) -> Result<Arc<KubeCluster>, TransportError> {
        if let Some(cluster) = self.cluster.get() {
            return Ok(cluster.clone());
        }
        let path = self.access.kubeconfig.as_deref();
        let cluster = KubeCluster::from_kubeconfig(
            path,
            self.access.context.as_deref(),
            self.runtime.clone(),
        )?;
        Ok(self.cluster.get_or_init(|| Arc::new(cluster)).clone())
    }
}

impl ObservingFleet for RealActing {
    fn observer(&self, target: &Target) -> Result<Arc<dyn Observer>, TransportError> {
        self.hosts.observer(target)
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
        self.hosts.actor(target)
    }

    fn cluster_actor(&self) -> Result<Arc<dyn ClusterActor>, TransportError> {
        Ok(self.connected()?)
    }

    fn close(&self) {
        self.hosts.close();
    }
}
