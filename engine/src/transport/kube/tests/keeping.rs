//! What is kept in the cluster for a time: the lease and helper pods.

use super::*;
use crate::transport::kube::helper::{
    HelperPods, HelperPower, HelperSettings, Notebook, RUN_LABEL, helper_name, leftovers,
    pod_reference,
};
use crate::transport::kube::{ClusterLease, LeaseHolder, LeaseNews, node_target};
use crate::transport::{Command, Observer, Temporary};

fn holder(run: &str) -> LeaseHolder {
    LeaseHolder {
        run: run.into(),
        owner: "alice@desk".into(),
    }
}

fn lease() -> ObjectRef {
    ObjectRef {
        api_version: "coordination.k8s.io/v1".into(),
        kind: "Lease".into(),
        namespace: Some("one".into()),
        name: "runbook".into(),
    }
}

#[test]
fn a_lease_keeps_another_run_out_and_lets_the_same_one_in() {
    let bench = Bench::new();
    let cluster = Arc::new(bench.cluster);
    let silent: crate::transport::kube::LeaseHook = Arc::new(|_: LeaseNews| {});
    let take = |run: &str| ClusterLease::take(cluster.clone(), "one", holder(run), silent.clone());
    let first = take("run-1").unwrap();
    let refused = take("run-2").err().unwrap().to_string();
    assert!(refused.contains("run run-1 by alice@desk"), "{refused}");
    // A session of the same run that died has left its lease.
    let again = take("run-1").unwrap();
    drop(first);
    again.release();
    assert_eq!(cluster.get(&lease()).unwrap(), None);
    take("run-2").unwrap().release();
}

#[test]
fn a_silent_holder_is_watched_and_then_followed() {
    let bench = Bench::new();
    let cluster = Arc::new(bench.cluster);
    let news = Arc::new(Mutex::new(Vec::new()));
    let heard = news.clone();
    let hook: crate::transport::kube::LeaseHook =
        Arc::new(move |what| heard.lock().unwrap().push(what));
    let old = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"namespace": "one", "name": "runbook"},
        "spec": {"holderIdentity": "run gone by bob@desk", "renewTime": "2001-01-01T00:00:00.000000Z"}});
    cluster.create(&old).unwrap();
    let before = bench.clock.now();
    let taken = ClusterLease::take(cluster.clone(), "one", holder("run-1"), hook).unwrap();
    assert!(bench.clock.now().duration_since(before).as_secs() >= 30);
    assert!(
        matches!(&news.lock().unwrap()[..], [LeaseNews::Watching { holder }] if holder.contains("bob"))
    );
    taken.release();
}

/// Writes down, and fails on request.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>, bool);

impl Notebook for Notes {
    fn about_to_make(&self, what: &Temporary) -> Result<(), TransportError> {
        if self.1 {
            return Err(TransportError::Interrupted);
        }
        self.0
            .lock()
            .unwrap()
            .push(format!("+{}", what.object.name));
        Ok(())
    }

    fn remembers(&self, _: &ObjectRef) -> bool {
        false
    }

    fn gone(&self, what: &ObjectRef) {
        self.0.lock().unwrap().push(format!("-{}", what.name));
    }
}

fn settings() -> HelperSettings {
    HelperSettings {
        run: "run-1".into(),
        owner: "alice@desk".into(),
        namespace: "one".into(),
        image: Some("busybox".into()),
        lifetime: Duration::from_secs(3600),
    }
}

fn put_node(bench: &Bench) {
    bench
        .store
        .put(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}}));
}

fn helpers(cluster: &Arc<KubeCluster>, notes: &Arc<Notes>) -> Arc<HelperPods> {
    Arc::new(HelperPods::new(
        cluster.clone(),
        settings(),
        HelperPower::Act,
        notes.clone(),
    ))
}

fn probe(helpers: &Arc<HelperPods>) -> TransportError {
    let target = Target::Host(crate::model::HostName::parse("n1").unwrap());
    let node = node_target(target, "n1".into(), helpers);
    let command = Command::argv(["true"]);
    node.probe(&command, Duration::from_secs(5), &Default::default())
        .unwrap_err()
}

#[test]
fn a_helper_that_does_not_start_is_told_and_removed_and_was_written_down_before() {
    let bench = Bench::new();
    put_node(&bench);
    let cluster = Arc::new(bench.cluster);
    let notes = Arc::new(Notes::default());
    let helpers = helpers(&cluster, &notes);
    // Nobody runs pods here, so it waits until it is late.
    let why = probe(&helpers).to_string();
    assert!(
        why.contains("n1") && why.contains("does not start"),
        "{why}"
    );
    let left = leftovers(&*cluster, None).unwrap();
    let alive = |pod: &Json| pod["metadata"]["deletionTimestamp"].is_null();
    assert!(!left.iter().any(alive), "{left:?}");
    let name = helper_name("run-1", "n1");
    assert_eq!(*notes.0.lock().unwrap(), [format!("+{name}")]);
    assert!(helpers.remove_all().is_empty());
    assert_eq!(
        *notes.0.lock().unwrap(),
        [format!("+{name}"), format!("-{name}")]
    );
}

#[test]
fn nothing_is_made_that_cannot_be_written_down() {
    let bench = Bench::new();
    put_node(&bench);
    let cluster = Arc::new(bench.cluster);
    let notes = Arc::new(Notes(Mutex::default(), true));
    assert!(matches!(
        probe(&helpers(&cluster, &notes)),
        TransportError::Interrupted
    ));
    assert!(leftovers(&*cluster, None).unwrap().is_empty());
}

#[test]
fn a_pod_of_somebody_else_is_not_taken() {
    let bench = Bench::new();
    put_node(&bench);
    let cluster = Arc::new(bench.cluster);
    let name = helper_name("run-1", "n1");
    let other = json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "x", "image": "y"}]},
        "metadata": {"namespace": "one", "name": name, "labels": {RUN_LABEL: "run-2"}}});
    cluster.create(&other).unwrap();
    let notes = Arc::new(Notes::default());
    let helpers = helpers(&cluster, &notes);
    let why = probe(&helpers).to_string();
    assert!(why.contains("belongs to somebody else"), "{why}");
    assert!(helpers.remove_all().is_empty());
    assert!(
        cluster.get(&pod_reference("one", &name)).unwrap().is_some(),
        "not ours to remove"
    );
}

#[test]
fn a_node_that_is_not_there_is_named_with_those_that_are() {
    let bench = Bench::new();
    bench
        .store
        .put(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n2"}}));
    let cluster = Arc::new(bench.cluster);
    let why = probe(&helpers(&cluster, &Arc::new(Notes::default()))).to_string();
    assert!(why.contains("no node n1") && why.contains("n2"), "{why}");
}
