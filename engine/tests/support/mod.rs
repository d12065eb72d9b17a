//! What the integration tests share.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod launches;
pub mod markers;
pub mod shells;
pub mod sshd;
