//! The cluster's API over the real Kubernetes client. [`KubeReader`] can only look; [`KubeCluster`] also writes.
//!
//! - `connect`: kubeconfig, contexts, credential plugins
//! - `kinds`, `discovery`: which kind a word means
//! - `exchange`: one request, tried again while the API server is away
//! - `trouble`: what a failed request says about its effect
//! - `reader`, `writer`: the calls

mod connect;
mod discovery;
mod exchange;
mod kinds;
mod path;
mod reader;
#[cfg(test)]
mod tests;
mod trouble;
mod writer;

pub use exchange::PATIENCE;
pub use reader::KubeReader;
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
