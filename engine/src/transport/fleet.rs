//! All targets of a run, by name. A dry run holds an [`ObservingFleet`] and nothing more.

use std::sync::Arc;

use crate::model::Target;

use super::{Actor, Clock, ClusterActor, ClusterObserver, Observer, TransportError};

/// Gives connections that can look.
pub trait ObservingFleet: Send + Sync {
    /// A connection to a host or pod.
    fn observer(&self, target: &Target) -> Result<Arc<dyn Observer>, TransportError>;

    /// If anything is asked, then these targets, one after the other: once one of them is, what takes its time before the
    /// first answer may begin for the others, for as many as there is room for. Nothing is done to a target, and what fails is told when it is
    /// asked.
    fn expect(&self, _targets: &mut dyn Iterator<Item = Target>) {}

    /// The cluster's API.
    fn cluster_observer(&self) -> Result<Arc<dyn ClusterObserver>, TransportError>;

    /// The clock of this fleet.
    fn clock(&self) -> Arc<dyn Clock>;
}

/// Gives connections that can also change things.
pub trait ActingFleet: ObservingFleet {
    /// A connection to a host or pod.
    fn actor(&self, target: &Target) -> Result<Arc<dyn Actor>, TransportError>;

    /// The cluster's API.
    fn cluster_actor(&self) -> Result<Arc<dyn ClusterActor>, TransportError>;

    /// Ends every connection. What was started detached goes on.
    fn close(&self);
}
