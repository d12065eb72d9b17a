//! The asynchronous runtime under the synchronous engine, and Ctrl-C.

use crate::report::Diagnostic;
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

/// Turns Ctrl-C and SIGTERM into requests to stop: the first lets what is in flight finish, the second does not.
pub fn listen_for_interrupts(runtime: &tokio::runtime::Runtime, cancel: Cancel) {
    runtime.spawn(async move {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut interrupt), Ok(mut terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return;
        };
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            let first = cancel.requested().is_none();
            cancel.request();
            eprintln!(
                "\n{}",
                if first {
                    "stopping after the operation in flight; once more to stop now (the run can be resumed either way)"
                } else {
                    "stopping now; what was in flight is asked for on resume"
                }
            );
        }
    });
}
