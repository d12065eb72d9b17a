//! Interruption: Ctrl-C once finishes the operation in flight, twice ends it, three times leaves it alone.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// How the user wants the run to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// Start nothing more; let what is in flight finish.
    Gentle,
    /// Stop waiting for what is in flight.
    Now,
}

/// Shared by everything that can take long.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    gentle: CancellationToken,
    now: CancellationToken,
    leave: CancellationToken,
}

impl Cancel {
    /// One more request to stop: the first is gentle, the second means now, the third not even to wait for that.
    pub fn request(&self) {
        let levels = [&self.gentle, &self.now, &self.leave];
        if let Some(next) = levels.into_iter().find(|level| !level.is_cancelled()) {
            next.cancel();
        }
    }

    /// For what is done to stop: only the third request ends it.
    pub fn while_stopping(&self) -> Self {
        Self {
            gentle: self.leave.clone(),
            now: self.leave.clone(),
            leave: self.leave.clone(),
        }
    }

    /// What was asked for by now.
    pub fn requested(&self) -> Option<Interruption> {
        if self.now.is_cancelled() {
            Some(Interruption::Now)
        } else if self.gentle.is_cancelled() {
            Some(Interruption::Gentle)
        } else {
            None
        }
    }

    /// Completes at the first request: for waits, which have no effect to finish.
    pub async fn gently(&self) {
        self.gentle.cancelled().await;
    }

    /// Completes at the second request: for effects in flight.
    pub async fn at_once(&self) {
        self.now.cancelled().await;
    }

    /// Sleeps on the calling thread in real time; `false` if interrupted. Must not be called on a runtime's worker.
    pub fn sleep(&self, duration: Duration) -> bool {
        let deadline = std::time::Instant::now() + duration;
        while self.requested().is_none() {
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(Duration::from_millis(20)));
        }
        false
    }
}
