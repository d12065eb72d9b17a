//! How long steps take in this session.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::model::ScopePath;

/// Remembers when each open step began.
#[derive(Default)]
pub struct StepClock {
    began: Mutex<HashMap<ScopePath, Instant>>,
}

impl StepClock {
    /// A step begins.
    pub fn start(&self, path: &ScopePath) {
        self.began
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(path.clone(), Instant::now());
    }

    /// A step ends: the milliseconds that it took.
    pub fn end(&self, path: &ScopePath) -> u64 {
        let began = self
            .began
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(path);
        began.map_or(0, |began| began.elapsed().as_millis() as u64)
    }
}
