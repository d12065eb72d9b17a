//! The lab as a transport: connections to its hosts and pods, its clock, its faults.

mod clock;
mod connection;
mod fault;
mod fleets;
mod process;

pub use clock::LabClock;
pub use connection::LabConnection;
pub use fault::{Fault, FaultKind};
pub use fleets::{ActingLab, ClusterHook, LabFleet, ObservingLab};
pub use process::{continue_process, lose_processes};
