//! The lab: a simulated cluster that runbooks are run, rehearsed and tested against. To everything above it
//! is a transport like the others.
//!
//! A lab's whole state is one [`world::World`], stored on disk; each effect is one transaction, so that a killed
//! run leaves the cluster half changed, as in life. Its time is virtual: waiting moves it at once.
//!
//! - [`catalog`], [`definition`] and `texts`: the labs, what their files say, and where in them a mistake is
//! - [`world`]: the state, its beginning, its time
//! - [`behaviour`]: what a lab's own Rhai texts teach it
//! - [`network`]: links, routes, what becomes of a packet
//! - [`systemd`], [`cluster`]: what restarts, timers and controllers do; what k3s does, a lab's own text says
//! - [`program`] and [`shell`]: the programs that commands find on a host or in a pod
//! - [`words`]: how Rhai texts (behaviour of labs, tests) speak of it
//! - [`fleet`]: the transport

pub mod api;
pub mod behaviour;
pub mod catalog;
pub mod cluster;
pub mod definition;
mod error;
#[cfg(test)]
mod facts;
pub mod fleet;
mod handle;
pub mod network;
pub mod program;
pub mod shell;
pub mod store;
pub mod systemd;
mod texts;
pub mod words;
pub mod world;

pub use catalog::names;
pub use error::LabError;
pub use fleet::LabFleet;
pub use handle::{Lab, LabAccess, Summary};
pub use texts::Wrong;
