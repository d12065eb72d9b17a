//! Simulated runs: random runbooks on simulated hosts, with the engine switched off anywhere, replies lost, late and
//! doubled, and hosts that reboot; all of it from one seed.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod book;
pub mod case;
pub mod dice;
pub mod edit;
pub mod engine;
pub mod fleet;
pub mod hosts;
pub mod judge;
pub mod process;
pub mod turns;
pub mod watch;
