//! What is begun on a host before anybody asks for it: the connection, and a shell.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::OwnedMutexGuard;
use tokio::task::AbortHandle;

use super::lock;
use crate::transport::TransportError;

/// So long after it failed to connect ahead, a host is not asked again to say the same.
const FAILURE_HOLDS: Duration = Duration::from_secs(15);

/// One link's beginning.
#[derive(Default)]
pub(super) struct Ahead {
    /// Held while it goes on.
    under_way: Arc<tokio::sync::Mutex<()>>,
    task: Mutex<Option<AbortHandle>>,
    /// Why it failed, until somebody asks.
    failed: Mutex<Option<(Instant, TransportError)>>,
}

impl Ahead {
    /// The right to begin, to be held until it has come about; none while somebody else has it.
    pub fn begin(&self) -> Option<OwnedMutexGuard<()>> {
        self.under_way.clone().try_lock_owned().ok()
    }

    /// The task that does it.
    pub fn begun(&self, task: AbortHandle) {
        *lock(&self.task) = Some(task);
    }

    /// Waits until nothing is under way.
    pub async fn settled(&self) {
        drop(self.under_way.lock().await);
    }

    /// Notes why it did not come about.
    pub fn fail(&self, error: TransportError) {
        *lock(&self.failed) = Some((Instant::now(), error));
    }

    /// Whether there is a failure that nobody was told yet.
    pub fn has_failed(&self) -> bool {
        lock(&self.failed).is_some()
    }

    /// A failure that nobody was told yet, if it is not too old to be told now.
    pub fn take_failure(&self) -> Option<TransportError> {
        let (when, error) = lock(&self.failed).take()?;
        (when.elapsed() < FAILURE_HOLDS).then_some(error)
    }

    /// Ends what is under way.
    pub fn give_up(&self) {
        if let Some(task) = lock(&self.task).take() {
            task.abort();
        }
    }
}
