//! What a plan touches: hosts, pods, objects, files; what is restarted. The numbers that decide whether somebody else
//! should be asked first.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Subject;

use super::restarts::restarts;
use super::{Plan, PlanEntry, PlanKind, place};

/// What is touched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Radius {
    /// Hosts and nodes on which something is changed or run.
    pub hosts: BTreeSet<String>,
    /// Pods that are deleted (their controllers make them again).
    pub deleted_pods: BTreeSet<String>,
    /// Pods in which something is changed or run.
    pub pods: BTreeSet<String>,
    /// Other objects of the cluster.
    pub objects: BTreeSet<String>,
    /// What is restarted, stopped or started, as it is typed, and where.
    pub restarts: BTreeMap<String, BTreeSet<String>>,
}

impl Radius {
    /// What a plan touches.
    pub fn of(plan: &Plan) -> Self {
        let mut radius = Self::default();
        for entry in plan.entries.iter().filter(|entry| entry.kind.is_effect()) {
            radius.add(entry);
        }
        radius
    }

    fn add(&mut self, entry: &PlanEntry) {
        let target = entry.target.clone();
        match entry.seal.as_ref().and_then(|seal| seal.subject.as_ref()) {
            Some(Subject::Object(object)) if object.kind == "Pod" => {
                let place = object.namespace.as_deref().unwrap_or("default");
                let name = format!("{place}/{}", object.name);
                match entry.word == "kube.delete" {
                    true => self.deleted_pods.insert(name),
                    false => self.pods.insert(name),
                };
            }
            Some(Subject::Object(object)) => {
                self.objects.insert(object.to_string());
            }
            _ => {
                match target.strip_prefix("pod/") {
                    Some(pod) => self.pods.insert(pod.to_owned()),
                    None if target == "cluster" => self.objects.insert(entry.summary.clone()),
                    None => self.hosts.insert(target),
                };
            }
        }
        if entry.kind == PlanKind::Command {
            for what in restarts(&entry.summary) {
                let hosts = self.restarts.entry(what).or_default();
                hosts.insert(place(entry).to_owned());
            }
        }
    }

    /// Whether nothing is touched.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// One line for each kind of thing: how many, and which.
    pub(super) fn lines(&self) -> Vec<(String, String)> {
        let names = |names: &BTreeSet<String>| some(names, 12);
        let mut lines = Vec::new();
        let mut say = |set: &BTreeSet<String>, one: &str, many: &str| {
            if !set.is_empty() {
                lines.push((super::counted(set.len(), one, many), names(set)));
            }
        };
        say(&self.hosts, "host", "hosts");
        say(&self.deleted_pods, "pod deleted", "pods deleted");
        say(&self.pods, "pod", "pods");
        say(&self.objects, "object", "objects");
        for (what, hosts) in &self.restarts {
            lines.push(("restart".to_owned(), format!("{what} on {}", names(hosts))));
        }
        lines
    }
}

/// The first names, and how many more there are.
pub(super) fn some(names: &BTreeSet<String>, most: usize) -> String {
    let mut shown: Vec<&str> = names.iter().map(String::as_str).take(most).collect();
    let more;
    if names.len() > most {
        more = format!("and {} more", names.len() - most);
        shown.push(&more);
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_names_are_counted() {
        let names: BTreeSet<String> = (0..14).map(|n| format!("h{n:02}")).collect();
        assert!(some(&names, 12).ends_with("h11, and 2 more"));
    }
}
