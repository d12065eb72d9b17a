//! What `kube.run_pod` is made of: the pod, and how it ended.

use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::model::{ObjectRef, OperationId, RunId, Unknown, Value};
use crate::operation::{Failure, Report, Wait};
use crate::transport::kube::helper::{MANAGED_BY, RUN_LABEL, pod_reference};
use crate::transport::{PatchKind, Program, merged};

/// The name of the only container.
const CONTAINER: &str = "main";

/// A program that runs to its end in a pod of its own.
#[derive(Clone, Debug)]
pub struct PodRun {
    /// Namespace.
    pub namespace: String,
    /// Image.
    pub image: String,
    /// The program; a text is given to `sh -c`.
    pub program: Program,
    /// How long it may take from its start on its node; then the node ends it.
    pub timeout: Duration,
    /// The node that it must run on; none leaves that to the scheduler.
    pub node: Option<String>,
    /// Whether it uses the node's network.
    pub host_network: bool,
    /// Whatever else its `spec` shall have; merged over the rest.
    pub spec: Json,
}

impl PodRun {
    /// The pod's name: the same again when the operation is repeated, another for any other operation.
    fn name(operation: Option<&OperationId>) -> String {
        format!(
            "runbook-{}",
            operation.map_or(Unknown::MARK, OperationId::as_str)
        )
    }

    /// The pod, for the operation that creates it. A dry run has no names of operations and runs.
    pub fn pod(&self, operation: Option<&OperationId>) -> ObjectRef {
        pod_reference(&self.namespace, &Self::name(operation))
    }

    /// Its manifest.
    pub fn manifest(&self, operation: Option<&OperationId>, run: Option<&RunId>) -> Json {
        let command = match &self.program {
            Program::Argv(words) => words.clone(),
            Program::Shell(text) => vec!["sh".into(), "-c".into(), text.clone()],
        };
        let mut spec = json!({
            "restartPolicy": "Never",
            // The node counts from the moment when it took the pod.
            "activeDeadlineSeconds": self.timeout.as_secs().max(1),
            "terminationGracePeriodSeconds": 1,
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "containers": [{
                "name": CONTAINER,
                "image": self.image,
                "imagePullPolicy": "IfNotPresent",
                "command": command,
            }],
        });
        if let Some(node) = &self.node {
            // Not `nodeName`: the scheduler shall have its say about room and taints.
            spec["nodeSelector"] = json!({ "kubernetes.io/hostname": node });
        }
        if self.host_network {
            spec["hostNetwork"] = true.into();
        }
        json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": Self::name(operation),
                "namespace": self.namespace,
                "labels": {
                    "app.kubernetes.io/managed-by": MANAGED_BY,
                    "app.kubernetes.io/component": "run-pod",
                    RUN_LABEL: run.map_or(Unknown::MARK, RunId::as_str),
                },
            },
            "spec": merged(PatchKind::Merge, &spec, &self.spec),
        })
    }

    /// How long to wait for the pod's end: its own time, and some for the scheduler and the image.
    pub fn patience(&self) -> Duration {
        self.timeout + Duration::from_secs(60)
    }
}

/// Waits until a pod has ended; gives it as it is then.
pub struct PodEnd<'a> {
    /// In words.
    pub what: String,
    /// How long.
    pub timeout: Duration,
    /// Looks at the pod.
    pub look: &'a dyn Fn() -> Result<Value, Failure>,
}

impl Wait for PodEnd<'_> {
    fn what(&self) -> &str {
        &self.what
    }

    fn arguments(&self) -> Value {
        Value::from_entries([("timeout_ms", Value::Int(self.timeout.as_millis() as i64))])
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }

    fn every(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn check(&self) -> Result<Option<Value>, Failure> {
        let found = (self.look)()?;
        if let Value::Unknown(unknown) = found {
            return Err(Failure::PlanEnds(unknown));
        }
        let pod = Json::from(&found);
        match pod["status"]["phase"].as_str() {
            Some("Succeeded" | "Failed") => Ok(Some(found)),
            _ if pod.is_null() => Err(Failure::Failed(
                Report::new("the pod is gone: somebody removed it before it had ended")
                    .hint("whether its program ran cannot be told any more"),
            )),
            _ => match hopeless(&pod) {
                Some(why) => Err(Failure::Failed(Report::new(why).hint(
                    "the pod stays for a look (`kubectl describe`); `runbook gc` removes it",
                ))),
                None => Ok(None),
            },
        }
    }
}

/// Why a pod will never start: reasons that a kubelet gives and that waiting does not mend
/// (kubelet `pkg/kubelet/images/types.go`, `pkg/kubelet/container/sync_result.go`). `ImagePullBackOff` may mend itself.
fn hopeless(pod: &Json) -> Option<String> {
    let waiting = &pod["status"]["containerStatuses"][0]["state"]["waiting"];
    let reason = waiting["reason"].as_str()?;
    let hopeless = [
        "InvalidImageName",
        "ErrImageNeverPull",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
    ];
    hopeless.contains(&reason).then(|| {
        let message = waiting["message"].as_str().unwrap_or_default();
        format!("the pod cannot start: {reason}: {message}")
    })
}

/// The exit status of the program of a pod that has ended; an error where the pod ended without it.
pub fn exit_of(pod: &Json) -> Result<i32, Failure> {
    let terminated = &pod["status"]["containerStatuses"][0]["state"]["terminated"];
    let deadline = pod["status"]["reason"] == "DeadlineExceeded";
    let code = terminated["exitCode"]
        .as_i64()
        .and_then(|code| i32::try_from(code).ok());
    match (code, deadline) {
        (Some(code), false) => Ok(code),
        (_, true) => Err(Failure::Failed(
            Report::new("the program was ended: its time was up")
                .hint("give it more time with #{ timeout: \"5m\" }"),
        )),
        (None, false) => {
            let text = |field: &str| pod["status"][field].as_str().unwrap_or_default();
            Err(Failure::Failed(Report::new(format!(
                "the pod ended before its program did: {} {}",
                text("reason"),
                text("message")
            ))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> PodRun {
        PodRun {
            namespace: "default".into(),
            image: "busybox".into(),
            program: Program::Shell("ip link".into()),
            timeout: Duration::from_secs(30),
            node: Some("n1".into()),
            host_network: true,
            spec: json!({"tolerations": [{"operator": "Exists"}]}),
        }
    }

    #[test]
    fn a_pod_says_whose_it_is_and_ends_by_itself() {
        let operation = OperationId::parse("00112233445566aa").unwrap();
        let manifest = run().manifest(Some(&operation), None);
        assert_eq!(manifest["metadata"]["name"], "runbook-00112233445566aa");
        let spec = &manifest["spec"];
        assert_eq!(spec["activeDeadlineSeconds"], 30);
        assert_eq!(spec["restartPolicy"], "Never");
        assert_eq!(
            spec["containers"][0]["command"],
            json!(["sh", "-c", "ip link"])
        );
        assert_eq!(spec["nodeSelector"]["kubernetes.io/hostname"], "n1");
        assert_eq!(spec["tolerations"][0]["operator"], "Exists");
    }

    #[test]
    fn the_end_of_a_pod_is_its_programs_or_an_error() {
        let ended = |status: Json| exit_of(&json!({ "status": status }));
        let code = |code: i32| json!({"containerStatuses": [{"state": {"terminated": {"exitCode": code}}}]});
        assert_eq!(ended(code(3)).unwrap(), 3);
        let mut late = code(137);
        late["reason"] = "DeadlineExceeded".into();
        assert!(
            ended(late)
                .unwrap_err()
                .to_string()
                .contains("its time was up")
        );
        let evicted = json!({"reason": "Evicted", "message": "no room"});
        assert!(
            ended(evicted)
                .unwrap_err()
                .to_string()
                .contains("Evicted no room")
        );
    }

    #[test]
    fn a_pod_that_can_never_start_is_not_waited_for() {
        let check = |pod: Json| {
            PodEnd {
                what: "p".into(),
                timeout: Duration::from_secs(1),
                look: &|| Ok(Value::from(pod.clone())),
            }
            .check()
        };
        let state = |state: Json| json!({"status": {"phase": "Pending", "containerStatuses": [{"state": state}]}});
        assert!(
            check(state(json!({"waiting": {"reason": "ContainerCreating"}})))
                .unwrap()
                .is_none()
        );
        assert!(check(state(json!({"waiting": {"reason": "InvalidImageName"}}))).is_err());
        assert!(
            check(json!({"status": {"phase": "Failed"}}))
                .unwrap()
                .is_some()
        );
        assert!(check(Json::Null).is_err());
    }
}
