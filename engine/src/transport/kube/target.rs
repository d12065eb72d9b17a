//! Pods and nodes as targets: the shell over exec, with looks that survive a restart of the API server.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::exchange::Exchange;
use super::exec::{Container, Exec, PodLink};
use super::helper::{HelperPods, pod_reference};
use super::node::NodeLink;
use super::trouble::Trouble;
use super::{KubeCluster, KubeReader};
use crate::model::{FileState, OperationId, Target, TargetPath};
use crate::transport::shell::{ShellLink, ShellTarget};
use crate::transport::{
    Actor, Cancel, ClusterObserver, Command, Completion, FileStat, InFlight, Launch, Observer,
    Output, OutputSink, TransportError,
};

/// A node, through its helper pod.
pub type NodeTarget = Steady<NodeLink>;

/// Repeats what only looks when its stream breaks: the API server that carries it may be restarting. What has an
/// effect is not repeated here; its outcome is asked for.
pub struct Steady<L> {
    shell: ShellTarget<L>,
    exchange: Arc<Exchange>,
}

impl<L: ShellLink> Steady<L> {
    fn look<T>(
        &self,
        mut look: impl FnMut() -> Result<T, TransportError>,
    ) -> Result<T, TransportError> {
        let mut patience = self.exchange.patience();
        loop {
            match look() {
                Err(TransportError::Lost { target, why }) => {
                    let again = self
                        .exchange
                        .wait_or_give_up(&mut patience, &Trouble::broken(&why));
                    if again.is_err() {
                        return Err(TransportError::Lost { target, why });
                    }
                }
                result => {
                    self.exchange.back(&mut patience);
                    return result;
                }
            }
        }
    }
}

/// A node of the cluster. Its helper pod is made at the first use.
pub fn node_target(target: Target, node: String, pods: &Arc<HelperPods>) -> NodeTarget {
    let exchange = pods.cluster().exchange().clone();
    let exec = Exec {
        target,
        exchange: exchange.clone(),
    };
    Steady {
        shell: ShellTarget::new(NodeLink::new(exec, node, pods.clone()), None),
        exchange,
    }
}

impl<L: ShellLink> Observer for Steady<L> {
    fn probe(
        &self,
        command: &Command,
        timeout: Duration,
        cancel: &Cancel,
    ) -> Result<Output, TransportError> {
        self.look(|| self.shell.probe(command, timeout, cancel))
    }

    fn read_file(&self, path: &TargetPath) -> Result<FileState, TransportError> {
        self.look(|| self.shell.read_file(path))
    }

    fn stat(&self, path: &TargetPath) -> Result<Option<FileStat>, TransportError> {
        self.look(|| self.shell.stat(path))
    }
}

impl<L: ShellLink> Actor for Steady<L> {
    fn replace_file(
        &self,
        path: &TargetPath,
        expected: &FileState,
        wanted: &FileState,
    ) -> Result<(), TransportError> {
        self.shell.replace_file(path, expected, wanted)
    }

    fn launch(
        &self,
        launch: &Launch,
        sink: &dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<Completion, TransportError> {
        self.shell.launch(launch, sink, cancel)
    }

    fn inquire(&self, marker: &OperationId, attempt: u32) -> Result<InFlight, TransportError> {
        // Asking twice gives the same answer: a gate is taken once.
        self.look(|| self.shell.inquire(marker, attempt))
    }

    fn stop(
        &self,
        marker: &OperationId,
        attempt: u32,
        cancel: &Cancel,
    ) -> Result<InFlight, TransportError> {
        self.shell.stop(marker, attempt, cancel)
    }

    fn attach(
        &self,
        launch: &Launch,
        seen: (u64, u64),
        sink: &dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<Completion, TransportError> {
        self.shell.attach(launch, seen, sink, cancel)
    }

    fn forget(&self, markers: &[OperationId]) -> Result<(), TransportError> {
        self.look(|| self.shell.forget(markers))
    }
}

/// A container of a pod. Its markers live in its own file system, which goes with the container.
pub struct PodTarget {
    steady: Steady<PodLink>,
    cluster: Arc<dyn ClusterObserver>,
    /// A container that was there before this has the markers of everything that the run started in it.
    since: Timestamp,
}

/// A pod, seen by a run that began at `since`. None for a target that is no pod.
pub fn pod_target(
    target: &Target,
    cluster: &Arc<KubeCluster>,
    since: Timestamp,
) -> Option<PodTarget> {
    pod_of(target, cluster.exchange(), cluster.clone(), since)
}

/// The same for a run that only looks.
pub fn pod_observer(target: &Target, reader: &Arc<KubeReader>) -> Option<impl Observer + use<>> {
    pod_of(target, reader.exchange(), reader.clone(), Timestamp::MIN).map(|pod| pod.steady)
}

fn pod_of(
    target: &Target,
    exchange: &Arc<Exchange>,
    cluster: Arc<dyn ClusterObserver>,
    since: Timestamp,
) -> Option<PodTarget> {
    let Target::Pod {
        namespace,
        name,
        container,
    } = target
    else {
        return None;
    };
    let place = Container {
        namespace: namespace.clone(),
        pod: name.clone(),
        container: container.clone(),
    };
    let exec = Exec {
        target: target.clone(),
        exchange: exchange.clone(),
    };
    let link = PodLink::new(exec, place);
    Some(PodTarget {
        steady: Steady {
            exchange: link.exchange_of().clone(),
            shell: ShellTarget::new(link, None),
        },
        cluster,
        since,
    })
}

impl PodTarget {
    /// Whether the container has been there for the whole run.
    fn kept(&self) -> Result<bool, TransportError> {
        let place = self.steady.shell.link().place();
        let pod = self
            .cluster
            .get(&pod_reference(&place.namespace, &place.pod))?;
        let Some(pod) = pod else { return Ok(false) };
        let statuses = pod["status"]["containerStatuses"].as_array();
        let wanted = place.container.as_deref();
        let status = statuses
            .into_iter()
            .flatten()
            .find(|status| wanted.is_none_or(|wanted| status["name"] == wanted));
        let started = status
            .and_then(|status| status["state"]["running"]["startedAt"].as_str())
            .and_then(|time| time.parse::<Timestamp>().ok());
        Ok(started.is_some_and(|started| started < self.since))
    }
}

impl Observer for PodTarget {
    fn probe(
        &self,
        command: &Command,
        timeout: Duration,
        cancel: &Cancel,
    ) -> Result<Output, TransportError> {
        self.steady.probe(command, timeout, cancel)
    }

    fn read_file(&self, path: &TargetPath) -> Result<FileState, TransportError> {
        self.steady.read_file(path)
    }

    fn stat(&self, path: &TargetPath) -> Result<Option<FileStat>, TransportError> {
        self.steady.stat(path)
    }
}

impl Actor for PodTarget {
    fn replace_file(
        &self,
        path: &TargetPath,
        expected: &FileState,
        wanted: &FileState,
    ) -> Result<(), TransportError> {
        self.steady.replace_file(path, expected, wanted)
    }

    fn launch(
        &self,
        launch: &Launch,
        sink: &dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<Completion, TransportError> {
        self.steady.launch(launch, sink, cancel)
    }

    fn inquire(&self, marker: &OperationId, attempt: u32) -> Result<InFlight, TransportError> {
        self.believed(self.steady.inquire(marker, attempt)?)
    }

    fn stop(
        &self,
        marker: &OperationId,
        attempt: u32,
        cancel: &Cancel,
    ) -> Result<InFlight, TransportError> {
        self.believed(self.steady.stop(marker, attempt, cancel)?)
    }

    fn attach(
        &self,
        launch: &Launch,
        seen: (u64, u64),
        sink: &dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<Completion, TransportError> {
        self.steady.attach(launch, seen, sink, cancel)
    }

    fn forget(&self, markers: &[OperationId]) -> Result<(), TransportError> {
        match self.steady.forget(markers) {
            // Its markers went with it.
            Err(TransportError::Unreachable { .. } | TransportError::Refused { .. })
                if self.is_gone()? =>
            {
                Ok(())
            }
            result => result,
        }
    }
}

impl PodTarget {
    /// No marker proves that nothing ran only if the container's file system is the one of then.
    fn believed(&self, answer: InFlight) -> Result<InFlight, TransportError> {
        match answer {
            InFlight::NeverRan if !self.kept()? => Ok(InFlight::Unknown(
                "the container was started after the run began, and a new container has no markers of what ran in \
                 the one before"
                    .into(),
            )),
            answer => Ok(answer),
        }
    }

    fn is_gone(&self) -> Result<bool, TransportError> {
        let place = self.steady.shell.link().place();
        let pod = self
            .cluster
            .get(&pod_reference(&place.namespace, &place.pod))?;
        Ok(pod.is_none_or(|pod| {
            matches!(
                pod["status"]["phase"].as_str(),
                Some("Failed" | "Succeeded")
            )
        }))
    }
}
