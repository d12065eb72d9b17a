//! The cluster's Lease: keeps two operators from working on one cluster at the same time, and shows who does.
//!
//! It is a sign on the door and no fence: a holder that was asleep for longer than its lease may wake up and go on
//! for a moment. What keeps two engines from acting on one operation is the epoch in the gate.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::helper::RUN_LABEL;
use super::refused;
use super::writer::KubeCluster;
use crate::model::ObjectRef;
use crate::transport::{ClusterActor, ClusterObserver, PatchKind, TransportError};

/// How long a holder that says nothing keeps it.
const DURATION: Duration = Duration::from_secs(30);
/// How often it is renewed.
const RENEW: Duration = Duration::from_secs(10);
/// How long giving it back is tried.
const CLEANUP: Duration = Duration::from_secs(10);
/// The longest pause between two looks at a lease, or at whether to stop.
const LOOK: Duration = Duration::from_millis(200);

/// Who wants the lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseHolder {
    /// The run.
    pub run: String,
    /// Its operator, as `user@machine`.
    pub owner: String,
}

impl LeaseHolder {
    fn identity(&self) -> String {
        format!("run {} by {}", self.run, self.owner)
    }

    /// The same run, perhaps of a session that died: the lock of its state directory keeps two sessions apart.
    fn is(&self, identity: &str) -> bool {
        identity.split(' ').nth(1) == Some(self.run.as_str())
    }
}

/// What a holder of the lease hears.
pub type LeaseHook = Arc<dyn Fn(LeaseNews) + Send + Sync>;

/// What becomes of a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseNews {
    /// Another holder says nothing: it is watched for as long as its lease lasts.
    Watching {
        /// Who.
        holder: String,
    },
    /// Somebody else has taken it.
    Lost {
        /// Who.
        holder: String,
    },
}

/// A held lease. Renewed by a thread of its own until it is released.
pub struct ClusterLease {
    cluster: Arc<KubeCluster>,
    object: ObjectRef,
    holder: LeaseHolder,
    stop: Arc<AtomicBool>,
    renewer: Option<JoinHandle<()>>,
}

impl ClusterLease {
    /// The lease of a cluster whose helper pods are in this namespace.
    pub fn object(namespace: &str) -> ObjectRef {
        ObjectRef {
            api_version: "coordination.k8s.io/v1".into(),
            kind: "Lease".into(),
            namespace: Some(namespace.to_owned()),
            name: "runbook".into(),
        }
    }

    /// Takes the lease `runbook` of a namespace.
    ///
    /// # Errors
    /// [`TransportError::Refused`] with the holder's name if another run has it; else as the API says.
    pub fn take(
        cluster: Arc<KubeCluster>,
        namespace: &str,
        holder: LeaseHolder,
        hook: LeaseHook,
    ) -> Result<Self, TransportError> {
        let object = Self::object(namespace);
        let version = taken(&cluster, &object, &holder, &hook)?;
        let stop = Arc::new(AtomicBool::new(false));
        let renewer = {
            let (cluster, object, holder, stop) = (
                cluster.clone(),
                object.clone(),
                holder.clone(),
                stop.clone(),
            );
            std::thread::Builder::new()
                .name("lease".into())
                .spawn(move || renew(&cluster, &object, &holder, version, &stop, &hook))
                .map_err(|error| refused(format!("no thread for the lease: {error}")))?
        };
        Ok(Self {
            cluster,
            object,
            holder,
            stop,
            renewer: Some(renewer),
        })
    }

    /// Gives it back.
    pub fn release(mut self) {
        self.stop();
        Self::give_back(&self.cluster, &self.object, &self.holder);
    }

    /// Gives back what a session of the same run left when it died.
    pub fn give_back(cluster: &KubeCluster, object: &ObjectRef, holder: &LeaseHolder) {
        let cluster = cluster.for_cleanup(CLEANUP);
        // What cannot be given back runs out by itself.
        if let Ok(Some(found)) = cluster.get(object)
            && holder.is(holder_of(&found))
        {
            let _ = cluster.delete(object, text(&found["metadata"]["uid"]));
        }
    }

    fn stop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(renewer) = self.renewer.take() {
            // A panic of the renewer was told where it happened.
            let _ = renewer.join();
        }
    }
}

impl Drop for ClusterLease {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Takes the lease and gives its resource version.
fn taken(
    cluster: &KubeCluster,
    object: &ObjectRef,
    holder: &LeaseHolder,
    hook: &LeaseHook,
) -> Result<String, TransportError> {
    let mut watched: Option<(String, Timestamp)> = None;
    loop {
        let Some(found) = cluster.get(object)? else {
            match cluster.create(&fresh(object, holder, cluster.now())) {
                Ok(made) => return Ok(text(&made["metadata"]["resourceVersion"]).to_owned()),
                // Somebody was faster, or our own answer got lost: look.
                Err(TransportError::Lost { .. }) => continue,
                Err(TransportError::Refused { why, .. }) if why.contains("already exists") => {
                    continue;
                }
                Err(error) => return Err(error),
            }
        };
        let version = text(&found["metadata"]["resourceVersion"]).to_owned();
        let other = holder_of(&found).to_owned();
        let free = other.is_empty() || holder.is(&other);
        let silent = watched
            .as_ref()
            .is_some_and(|(seen, since)| *seen == version && cluster.elapsed(*since) > DURATION);
        if free || silent {
            match cluster.patch(
                object,
                PatchKind::Merge,
                &ours(holder, cluster.now()),
                Some(&version),
            ) {
                Ok(now) => return Ok(text(&now["metadata"]["resourceVersion"]).to_owned()),
                Err(TransportError::Changed { .. } | TransportError::Lost { .. }) => continue,
                Err(error) => return Err(error),
            }
        }
        // Another's clock may be wrong: a lease that looks old is watched, and taken if nobody renews it.
        let renewed = found["spec"]["renewTime"].as_str();
        let renewed = renewed.and_then(|time| time.parse::<Timestamp>().ok());
        let looks_fresh = renewed.is_some_and(|time| cluster.elapsed(time) <= DURATION);
        let moved = watched.as_ref().is_some_and(|(seen, _)| *seen != version);
        if looks_fresh || moved {
            let since = text(&found["spec"]["acquireTime"]);
            return Err(refused(format!(
                "{other} works on this cluster since {since}; wait until it is done, or ask its operator \
                 (Lease {}/runbook)",
                object.namespace.as_deref().unwrap_or_default()
            )));
        }
        if watched.is_none() {
            hook(LeaseNews::Watching { holder: other });
            watched = Some((version, cluster.now()));
        }
        cluster.pause(LOOK)?;
    }
}

fn renew(
    cluster: &KubeCluster,
    object: &ObjectRef,
    holder: &LeaseHolder,
    mut version: String,
    stop: &AtomicBool,
    hook: &LeaseHook,
) {
    // The run's own calls wait for the API server and tell it; the lease only tries again.
    let cluster = cluster.for_cleanup(RENEW).silent();
    loop {
        let begin = std::time::Instant::now();
        while begin.elapsed() < RENEW {
            if stop.load(Ordering::SeqCst) {
                return;
            }
            std::thread::sleep(LOOK);
        }
        let patch = json!({ "spec": { "renewTime": micro(cluster.now()) } });
        match cluster.patch(object, PatchKind::Merge, &patch, Some(&version)) {
            Ok(now) => version = text(&now["metadata"]["resourceVersion"]).to_owned(),
            Err(TransportError::Changed { .. }) => match cluster.get(object) {
                Ok(Some(found)) if holder.is(holder_of(&found)) => {
                    version = text(&found["metadata"]["resourceVersion"]).to_owned();
                }
                Ok(Some(found)) => {
                    let holder = holder_of(&found).to_owned();
                    return hook(LeaseNews::Lost { holder });
                }
                _ => {}
            },
            // Away for now, or deleted by hand: the next round sees.
            Err(_) => {}
        }
    }
}

fn fresh(object: &ObjectRef, holder: &LeaseHolder, now: Timestamp) -> Json {
    let mut lease = ours(holder, now);
    lease["apiVersion"] = object.api_version.clone().into();
    lease["kind"] = object.kind.clone().into();
    lease["metadata"]["name"] = object.name.clone().into();
    lease["metadata"]["namespace"] = json!(object.namespace);
    lease
}

fn ours(holder: &LeaseHolder, now: Timestamp) -> Json {
    json!({
        "metadata": { "labels": {
            "app.kubernetes.io/managed-by": super::helper::MANAGED_BY,
            RUN_LABEL: holder.run,
        }},
        "spec": {
            "holderIdentity": holder.identity(),
            "leaseDurationSeconds": DURATION.as_secs(),
            "acquireTime": micro(now),
            "renewTime": micro(now),
        },
    })
}

/// `MicroTime` of the API: exactly six digits after the second.
fn micro(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

fn holder_of(lease: &Json) -> &str {
    text(&lease["spec"]["holderIdentity"])
}

fn text(value: &Json) -> &str {
    value.as_str().unwrap_or_default()
}
