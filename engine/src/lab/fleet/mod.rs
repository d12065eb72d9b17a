//! The lab as a transport: connections to its hosts and pods, its clock, its faults.

mod chance;
mod clock;
mod connection;
mod exchange;
mod fault;
mod files;
mod fleets;
mod gate;
mod late;
mod process;

pub use chance::Chance;
pub use clock::LabClock;
pub use connection::LabConnection;
pub use fault::{Fault, FaultKind};
pub use fleets::{ActingLab, ClusterHook, LabFleet, ObservingLab};
pub use late::{LateRequest, Request};
pub use process::{continue_process, lose_processes};
