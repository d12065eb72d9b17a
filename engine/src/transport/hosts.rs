//! The hosts of the inventory that are reached by a shell: this machine, and hosts by ssh.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;

use super::{
    ActingFleet, Actor, Clock, ClusterActor, ClusterObserver, HostAccess, LocalLink, LocalTarget,
    Observer, ObservingFleet, Route, SshLink, SshPool, SshTarget, SystemClock, TransportError,
};
use crate::model::{HostName, Target};

/// Connections to hosts, one for each host and shared by all threads, made when they are first used.
///
/// Its connections block the calling thread, which must not be a worker of the runtime.
pub struct HostFleet {
    hosts: BTreeMap<HostName, HostAccess>,
    pool: Arc<SshPool>,
    parallel: usize,
    runtime: Handle,
    marker_directory: Option<String>,
    connections: Mutex<BTreeMap<HostName, Connection>>,
    /// What will be asked next, if anything is asked at all.
    expected: Mutex<Vec<Target>>,
}

#[derive(Clone)]
enum Connection {
    Local(Arc<LocalTarget>),
    Ssh(Arc<SshTarget>),
}

impl HostFleet {
    /// A fleet of these hosts with at most `parallel` ssh connections at a time. The runtime needs its I/O and
    /// time drivers (`enable_all`).
    pub fn new(hosts: BTreeMap<HostName, HostAccess>, parallel: usize, runtime: Handle) -> Self {
        Self {
            hosts,
            pool: SshPool::new(parallel),
            parallel: parallel.max(1),
            runtime,
            marker_directory: None,
            connections: Mutex::default(),
            expected: Mutex::default(),
        }
    }

    /// Keeps the markers of commands below this directory of each host instead of its own place (see
    /// [`super::shell::ShellTarget::with_marker_directory`]).
    #[must_use]
    pub fn with_marker_directory(mut self, directory: impl Into<String>) -> Self {
        self.marker_directory = Some(directory.into());
        self
    }

    fn connection(&self, target: &Target) -> Result<Connection, TransportError> {
        let refused = |why: String| TransportError::Refused {
            target: target.clone(),
            why,
        };
        let Target::Host(name) = target else {
            return Err(refused("is no host and not reached by a shell".into()));
        };
        let mut connections = lock(&self.connections);
        if let Some(connection) = connections.get(name) {
            return Ok(connection.clone());
        }
        let access = self.hosts.get(name).ok_or_else(|| {
            refused("is not in the inventory; add it there, or check the name".into())
        })?;
        let connection = self.connect(target, access).ok_or_else(|| {
            refused(
                "is a host of a lab or a node of a cluster, and not reached by a shell of its own"
                    .into(),
            )
        })?;
        connections.insert(name.clone(), connection.clone());
        Ok(connection)
    }

    /// Begins what those who come next will need. Only now that one of them is asked: many plans ask no host anything.
    fn get_expected_ready(&self) {
        for target in std::mem::take(&mut *lock(&self.expected)) {
            if let Ok(Connection::Ssh(host)) = self.connection(&target) {
                host.get_ready();
            }
        }
    }

    /// None for a host that no shell reaches.
    fn connect(&self, target: &Target, access: &HostAccess) -> Option<Connection> {
        let runtime = self.runtime.clone();
        let become_user = access.become_user.clone();
        Some(match &access.route {
            Route::Local => {
                let link = LocalLink::new(target.clone(), runtime);
                let mut host = LocalTarget::new(link, become_user);
                if let Some(directory) = &self.marker_directory {
                    host = host.with_marker_directory(directory);
                }
                Connection::Local(Arc::new(host))
            }
            Route::Ssh(route) => {
                let link = SshLink::new(target.clone(), route.clone(), self.pool.clone(), runtime);
                let mut host = SshTarget::new(link, become_user);
                if let Some(directory) = &self.marker_directory {
                    host = host.with_marker_directory(directory);
                }
                Connection::Ssh(Arc::new(host))
            }
            Route::Node(_) | Route::Lab => return None,
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn no_cluster() -> TransportError {
    TransportError::Refused {
        target: Target::Cluster,
        why: "is not reached by a shell".into(),
    }
}

impl ObservingFleet for HostFleet {
    fn observer(&self, target: &Target) -> Result<Arc<dyn Observer>, TransportError> {
        let connection = self.connection(target)?;
        self.get_expected_ready();
        Ok(match connection {
            Connection::Local(host) => host,
            Connection::Ssh(host) => host,
        })
    }

    fn expect(&self, targets: &mut dyn Iterator<Item = Target>) {
        // Where connections must give way to each other one place stays free, so that it is that of the host before
        // and not of the host after.
        let crowded = usize::from(self.hosts.len() > self.parallel);
        let next = targets.take(self.parallel - crowded).collect();
        *lock(&self.expected) = next;
    }

    fn cluster_observer(&self) -> Result<Arc<dyn ClusterObserver>, TransportError> {
        Err(no_cluster())
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }
}

impl ActingFleet for HostFleet {
    fn actor(&self, target: &Target) -> Result<Arc<dyn Actor>, TransportError> {
        Ok(match self.connection(target)? {
            Connection::Local(host) => host,
            Connection::Ssh(host) => host,
        })
    }

    fn cluster_actor(&self) -> Result<Arc<dyn ClusterActor>, TransportError> {
        Err(no_cluster())
    }

    fn close(&self) {
        let connections = std::mem::take(&mut *lock(&self.connections));
        self.pool.give_up_getting_ready(&self.runtime);
        for connection in connections.into_values() {
            if let Connection::Ssh(host) = connection {
                host.link().close();
            }
        }
    }
}
