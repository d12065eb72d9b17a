//! The in-process Kubernetes API of a lab: the real client talks to it without a socket.
//!
//! - [`ApiBackend`]: the objects, as the lab keeps them
//! - `service`: HTTP in and out
//! - `route`: what a path means
//! - `object`, `collection`, `discovery`: what the server does
//! - `selector`, `query`: label and field selectors, query strings
//! - `status`: errors as a real server words them

mod backend;
mod collection;
mod discovery;
mod object;
mod query;
mod route;
mod selector;
mod service;
mod status;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use backend::{ApiBackend, ApiRefusal};
pub use service::client;
