//! The cluster's API over the real Kubernetes client. [`KubeReader`] can only look; [`KubeCluster`] also writes.
//!
//! - `connect`: kubeconfig, contexts, credential plugins
//! - `kinds`, `discovery`: which kind a word means
//! - `exchange`: one request, tried again while the API server is away
//! - `trouble`: what a failed request says about its effect
//! - `reader`, `writer`: the calls
//! - `exec`: a shell in a container; `helper`, `node`: the host's shell, entered from a helper pod
//! - `access`: what we are allowed to do; `proposal`: what the server says to an effect beforehand
//! - `lease`: one operator a cluster
//! - `target`: pods and nodes as targets like any other

mod access;
mod connect;
mod discovery;
mod exchange;
mod exec;
pub mod helper;
mod kinds;
mod lease;
mod node;
mod path;
mod proposal;
mod reader;
mod target;
#[cfg(test)]
mod tests;
mod trouble;
mod writer;

pub use access::Access;
pub use exchange::{Away, PATIENCE};
pub use exec::PodLink;
pub use lease::{ClusterLease, LeaseHolder, LeaseHook, LeaseNews};
pub use node::NodeLink;
pub use reader::KubeReader;
pub use target::{NodeTarget, PodTarget, Steady, node_target, pod_observer, pod_target};
pub use writer::KubeCluster;

use super::TransportError;
use crate::model::Target;

fn refused(why: impl Into<String>) -> TransportError {
    TransportError::Refused {
        target: Target::Cluster,
        why: why.into(),
    }
}

fn unreachable(why: impl Into<String>) -> TransportError {
    TransportError::Unreachable {
        target: Target::Cluster,
        why: why.into(),
    }
}

fn lost(why: impl Into<String>) -> TransportError {
    TransportError::Lost {
        target: Target::Cluster,
        why: why.into(),
    }
}
