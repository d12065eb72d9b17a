//! Nodes that no ssh reaches: the host's own shell, entered from a helper pod.

use std::sync::Arc;

use super::exec::{Exec, ExecError};
use super::helper::{HelperPods, entry};
use crate::model::Target;
use crate::transport::shell::link::{Exchange, LinkEnd, Receiver, ShellLink};
use crate::transport::{Cancel, TransportError};

/// How often a helper that is found dead is made again for one exchange.
const HELPERS: usize = 3;

/// The shell of a node.
pub struct NodeLink {
    exec: Exec,
    node: String,
    pods: Arc<HelperPods>,
}

impl NodeLink {
    pub(super) fn new(exec: Exec, node: String, pods: Arc<HelperPods>) -> Self {
        Self { exec, node, pods }
    }
}

impl ShellLink for NodeLink {
    fn target(&self) -> &Target {
        &self.exec.target
    }

    fn exchange(
        &self,
        exchange: &Exchange<'_>,
        receiver: &mut dyn Receiver,
        cancel: &Cancel,
    ) -> Result<LinkEnd, TransportError> {
        let words = [entry(self.pods.power()), exchange.words].concat();
        let mut last = String::new();
        for _ in 0..HELPERS {
            let helper = self.pods.ensure(&self.node)?;
            match self.exec.run(&helper, &words, exchange, receiver, cancel) {
                Ok(end) => return Ok(end),
                Err(ExecError::Failed(error)) => return Err(error),
                // Its time was up, or somebody deleted it. Nothing was started.
                Err(ExecError::Gone(why)) => {
                    self.pods.forget(&self.node, &helper);
                    last = why;
                }
            }
        }
        Err(TransportError::Unreachable {
            target: self.exec.target.clone(),
            why: format!("its helper pods do not stay: {last}"),
        })
    }
}
