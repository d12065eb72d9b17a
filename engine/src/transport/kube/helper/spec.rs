//! What a helper pod is made of.

use serde_json::{Value as Json, json};

use super::{CONTAINER, HelperPower, HelperSettings, MANAGED_BY, RUN_LABEL};

/// The longest name of a pod that also fits a label, in bytes (RFC 1123 label).
const NAME_LIMIT: usize = 63;

/// The name of the helper pod of a run on a node: the same each time, so that a resumed run finds it again.
pub fn helper_name(run: &str, node: &str) -> String {
    let whole = format!("runbook-{run}-{node}").to_lowercase();
    let plain = whole
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if plain && whole.len() <= NAME_LIMIT && !whole.ends_with('-') {
        return whole;
    }
    // A node's name may have dots and be longer than a label: a hash tells those apart that look alike when cut.
    let hash = blake3::hash(node.as_bytes()).to_hex();
    let mut head: String = whole
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(NAME_LIMIT - 9)
        .collect();
    head.truncate(head.trim_end_matches('-').len());
    format!("{head}-{}", &hash[..8])
}

/// The pod. Its only program sleeps; everything else is run in it by exec.
pub(super) fn manifest(
    settings: &HelperSettings,
    power: HelperPower,
    node: &str,
    image: &str,
) -> Json {
    let (mode, security, mount) = match power {
        HelperPower::Act => (
            "act",
            json!({ "privileged": true, "runAsUser": 0 }),
            json!({ "name": "host", "mountPath": "/host" }),
        ),
        HelperPower::Observe => (
            "observe",
            // To look is: to enter the host's root directory, to read what root may read, to ping.
            json!({
                "privileged": false,
                "allowPrivilegeEscalation": false,
                "runAsUser": 0,
                "capabilities": { "drop": ["ALL"], "add": ["SYS_CHROOT", "DAC_READ_SEARCH", "NET_RAW"] },
            }),
            // Without the last field what is mounted below the root directory would stay writable.
            json!({
                "name": "host",
                "mountPath": "/host",
                "readOnly": true,
                "recursiveReadOnly": "IfPossible",
            }),
        ),
    };
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": helper_name(&settings.run, node),
            "namespace": settings.namespace,
            "labels": {
                "app.kubernetes.io/managed-by": MANAGED_BY,
                "app.kubernetes.io/component": "helper",
                RUN_LABEL: settings.run,
            },
            "annotations": {
                "runbook.dev/owner": settings.owner,
                "runbook.dev/node": node,
                "runbook.dev/mode": mode,
            },
        },
        "spec": {
            "nodeName": node,
            "hostPID": true,
            "hostNetwork": true,
            "restartPolicy": "Never",
            "activeDeadlineSeconds": settings.lifetime.as_secs().max(1),
            "terminationGracePeriodSeconds": 1,
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "tolerations": [{ "operator": "Exists" }],
            "volumes": [{ "name": "host", "hostPath": { "path": "/", "type": "Directory" } }],
            "containers": [{
                "name": CONTAINER,
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                "command": ["sleep", (settings.lifetime.as_secs() + 60).to_string()],
                "securityContext": security,
                "volumeMounts": [mount],
            }],
        },
    })
}

/// The words that enter the host from a helper pod; those to run there follow.
pub(in crate::transport::kube) fn entry(power: HelperPower) -> &'static [&'static str] {
    match power {
        // In the namespaces of the host's first process: mounts, host name, IPC, network.
        HelperPower::Act => &[
            "nsenter", "-t", "1", "-m", "-u", "-i", "-n", "--", "/bin/sh", "-c", ACT, "sh",
        ],
        HelperPower::Observe => &["chroot", "/host", "/bin/sh", "-c", OBSERVE, "sh"],
    }
}

/// What a process of the pod starts must not end with the pod: a command outlives the connection and the engine. So
/// it leaves the pod's control groups first. Under cgroup v2 the children of the root directory are other groups,
/// under v1 they are the controllers.
const ACT: &str = r#"if [ -e /sys/fs/cgroup/cgroup.controllers ]; then echo $$ >/sys/fs/cgroup/cgroup.procs
else for g in /sys/fs/cgroup/*/cgroup.procs; do echo $$ >"$g"; done; fi 2>/dev/null
cd /; exec env -i HOME=/root USER=root LOGNAME=root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/current-system/sw/bin "$@""#;

const OBSERVE: &str = r#"cd /; exec env -i HOME=/root USER=root LOGNAME=root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/current-system/sw/bin "$@""#;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn settings() -> HelperSettings {
        HelperSettings {
            run: "20261125-230000-ab1234".into(),
            owner: "alice@desk".into(),
            namespace: "kube-system".into(),
            image: None,
            lifetime: Duration::from_secs(3600),
        }
    }

    #[test]
    fn names_are_labels_and_tell_nodes_apart() {
        let run = "20261125-230000-ab1234";
        assert_eq!(helper_name(run, "n1"), "runbook-20261125-230000-ab1234-n1");
        let long = "ip-10-0-0-17.eu-central-1.compute.internal.and.a.very.long.tail";
        let other = "ip-10-0-0-17.eu-central-1.compute.internal.and.a.very.long.tale";
        for node in [long, other, "a.b", "a-b"] {
            let name = helper_name(run, node);
            assert!(name.len() <= 63, "{name}");
            assert!(
                name.bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            );
        }
        assert_ne!(helper_name(run, long), helper_name(run, other));
        assert_ne!(helper_name(run, "a.b"), helper_name(run, "a-b"));
    }

    #[test]
    fn only_an_acting_helper_has_power() {
        let look = manifest(&settings(), HelperPower::Observe, "n1", "busybox");
        let container = &look["spec"]["containers"][0];
        assert_eq!(container["securityContext"]["privileged"], false);
        assert_eq!(container["volumeMounts"][0]["readOnly"], true);
        let act = manifest(&settings(), HelperPower::Act, "n1", "busybox");
        assert_eq!(
            act["spec"]["containers"][0]["securityContext"]["privileged"],
            true
        );
        for pod in [look, act] {
            assert_eq!(pod["spec"]["automountServiceAccountToken"], false);
            assert_eq!(pod["spec"]["activeDeadlineSeconds"], 3600);
            assert_eq!(
                pod["metadata"]["labels"][RUN_LABEL],
                "20261125-230000-ab1234"
            );
        }
    }
}
