//! The cluster's objects and the controllers that keep them.

mod backend;
mod kinds;
mod logs;
mod nodes;
mod objects;
mod pods;
mod workloads;

pub use backend::LabApi;
pub use kinds::kinds;
pub use nodes::{judge_node, kubelet_comes, kubelet_goes};
pub use objects::{key, new_object, store};
pub use pods::{pod_gone, pod_ready, pod_start, restart_pods_after_boot};
pub use workloads::{add_workload, delete_pod, reconcile};
