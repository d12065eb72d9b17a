//! The lab's clock: waiting moves it at once.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::lab::Lab;
use crate::transport::{Cancel, Clock};

/// A lab's time.
#[derive(Debug)]
pub struct LabClock {
    lab: Arc<Lab>,
}

impl LabClock {
    /// The clock of a lab.
    pub fn new(lab: Arc<Lab>) -> Self {
        Self { lab }
    }
}

impl Clock for LabClock {
    fn now(&self) -> Timestamp {
        self.lab
            .glance(|world| (world.timestamp(), false))
            .unwrap_or_else(|error| {
                tracing::warn!("the lab's time is not known: {error}");
                Timestamp::now()
            })
    }

    fn sleep(&self, duration: Duration, cancel: &Cancel) -> bool {
        if cancel.requested().is_some() {
            return false;
        }
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4);
        // Waiting is stored even if nothing happens meanwhile, so that a later process never sees time go back.
        if let Err(error) = self.lab.glance(|world| {
            world.advance(millis);
            ((), true)
        }) {
            tracing::warn!("the lab's time did not move: {error}");
        }
        true
    }
}
