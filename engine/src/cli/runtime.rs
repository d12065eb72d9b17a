//! The asynchronous runtime under the synchronous engine, and Ctrl-C.

use std::sync::Arc;

use crate::report::{Diagnostic, Event, EventSink};
use crate::transport::Cancel;

use super::problem::Problem;

/// A runtime for the libraries that need one.
pub fn runtime() -> Result<tokio::runtime::Runtime, Problem> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| {
            Problem::failed(Diagnostic::error(format!(
                "no threads can be started: {error}"
            )))
        })
}

/// Turns Ctrl-C and SIGTERM into requests to stop: the first lets what is in flight finish, the second ends it, the
/// third leaves it alone.
/// The operator is told through `events`, like everything else, so that no progress line is drawn over it.
pub fn listen_for_interrupts(
    runtime: &tokio::runtime::Runtime,
    cancel: Cancel,
    events: Arc<dyn EventSink>,
) {
    runtime.spawn(async move {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut interrupt), Ok(mut terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return;
        };
        let mut times = 0;
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            cancel.request();
            times += 1;
            let text = match times {
                1 => "stopping after the operation in flight; Ctrl-C once more stops at once (the run can be resumed either way)",
                2 => "stopping at once: commands in flight are ended on their targets; Ctrl-C once more leaves them there",
                3 => "leaving commands in flight on their targets: resume asks there how they ended",
                _ => continue,
            };
            events.emit(Event::Warning { text: text.into() });
        }
    });
}
