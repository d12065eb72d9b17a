//! The in-process Kubernetes API of a lab.

mod backend;

pub use backend::{ApiBackend, ApiRefusal};
