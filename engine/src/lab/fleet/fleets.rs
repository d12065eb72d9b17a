//! All targets of a lab.

use std::sync::Arc;

use super::{LabClock, LabConnection};
use crate::lab::api::ApiBackend;
use crate::lab::cluster::LabApi;
use crate::lab::world::{Place, World};
use crate::lab::{Lab, LabAccess, LabError};
use crate::model::Target;
use crate::transport::{
    ActingFleet, Actor, Clock, ClusterActor, ClusterObserver, Observer, ObservingFleet,
    TransportError,
};

/// Makes the connection to the cluster's API from the store behind it.
pub type ClusterHook =
    Arc<dyn Fn(Arc<dyn ApiBackend>) -> Result<Arc<dyn ClusterActor>, TransportError> + Send + Sync>;

/// Makes fleets of a lab.
#[derive(Debug)]
pub struct LabFleet;

impl LabFleet {
    /// Connections that can look.
    pub fn observing(lab: Arc<Lab>, cluster: ClusterHook) -> ObservingLab {
        ObservingLab { lab, cluster }
    }

    /// Connections that can also change things; the lab must be open for writing.
    pub fn acting(lab: Arc<Lab>, cluster: ClusterHook) -> Result<ActingLab, LabError> {
        match lab.access() {
            LabAccess::ReadOnly => Err(LabError::ReadOnly),
            LabAccess::ReadWrite => Ok(ActingLab(ObservingLab { lab, cluster })),
        }
    }
}

/// A lab seen through connections that can look.
pub struct ObservingLab {
    lab: Arc<Lab>,
    cluster: ClusterHook,
}

/// A lab seen through connections that can also change things.
pub struct ActingLab(ObservingLab);

impl ObservingLab {
    fn connection(&self, target: &Target) -> Result<LabConnection, TransportError> {
        let place = match target {
            Target::Host(name) => Place::Host(name.as_str().to_owned()),
            Target::Pod {
                namespace, name, ..
            } => Place::Pod(format!("{namespace}/{name}")),
            Target::Run | Target::Cluster => {
                return Err(TransportError::Refused {
                    target: target.clone(),
                    why: "no commands can be run there".into(),
                });
            }
        };
        if let Place::Host(name) = &place {
            self.require_host(target, name)?;
        }
        Ok(LabConnection {
            lab: self.lab.clone(),
            target: target.clone(),
            place,
        })
    }

    fn require_host(&self, target: &Target, name: &str) -> Result<(), TransportError> {
        let unreachable = |why: String| TransportError::Unreachable {
            target: target.clone(),
            why,
        };
        // Asked for every operation, and a lab may have thousands of hosts.
        let others = |world: &World| -> Option<Vec<String>> {
            let unknown = !world.hosts.contains_key(name);
            unknown.then(|| world.hosts.keys().cloned().collect())
        };
        let others = self
            .lab
            .glance(|world| (others(world), false))
            .map_err(|error| unreachable(error.to_string()))?;
        others.map_or(Ok(()), |others| {
            Err(unreachable(format!(
                "the lab {} has no such host; it has {}",
                self.lab.name(),
                others.join(", ")
            )))
        })
    }

    fn cluster(&self) -> Result<Arc<dyn ClusterActor>, TransportError> {
        (self.cluster)(Arc::new(LabApi::new(self.lab.clone())))
    }
}

impl ObservingFleet for ObservingLab {
    fn observer(&self, target: &Target) -> Result<Arc<dyn Observer>, TransportError> {
        Ok(Arc::new(self.connection(target)?))
    }

    fn cluster_observer(&self) -> Result<Arc<dyn ClusterObserver>, TransportError> {
        Ok(self.cluster()?)
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(LabClock::new(self.lab.clone()))
    }
}

impl ObservingFleet for ActingLab {
    fn observer(&self, target: &Target) -> Result<Arc<dyn Observer>, TransportError> {
        self.0.observer(target)
    }

    fn cluster_observer(&self) -> Result<Arc<dyn ClusterObserver>, TransportError> {
        self.0.cluster_observer()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.0.clock()
    }
}

impl ActingFleet for ActingLab {
    fn actor(&self, target: &Target) -> Result<Arc<dyn Actor>, TransportError> {
        Ok(Arc::new(self.0.connection(target)?))
    }

    fn cluster_actor(&self) -> Result<Arc<dyn ClusterActor>, TransportError> {
        self.0.cluster()
    }

    fn close(&self) {}
}
