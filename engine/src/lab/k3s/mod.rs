//! What k3s does to a node: its configuration, its restart, Flannel, the node's object.

mod config;
mod flannel;
mod node;
mod service;

pub use config::{Arguments, effective};
pub use flannel::flannel;
pub use node::judge_node;
pub use service::{boot, booted, ready, reboot, restart, start, stop};
