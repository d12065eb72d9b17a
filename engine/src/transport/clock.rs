//! The clock that a run lives by: the system's, or a lab's own, in which minutes pass at once.

use std::time::Duration;

use jiff::Timestamp;

use super::Cancel;

/// A source of time for waits and deadlines.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// Lets time pass; `false` if interrupted first.
    fn sleep(&self, duration: Duration, cancel: &Cancel) -> bool;
}

/// The system's clock.
#[derive(Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn sleep(&self, duration: Duration, cancel: &Cancel) -> bool {
        cancel.sleep(duration)
    }
}
