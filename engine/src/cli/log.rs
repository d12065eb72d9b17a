//! The log on stderr, for those who look for the cause of something: `-vv`, `-vvv`, `RUNBOOK_LOG`. While a run is shown,
//! its lines go through that display, so that neither tears the other.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::EnvFilter;

use super::args::Global;

/// Prints lines of the log.
type Printer = Arc<dyn Fn(&str) + Send + Sync>;

static PRINTER: Mutex<Option<Printer>> = Mutex::new(None);

/// From now on the log is printed by this.
pub fn through(printer: Printer) {
    *PRINTER.lock().unwrap_or_else(PoisonError::into_inner) = Some(printer);
}

/// Starts the log, if one is asked for.
pub fn start(global: &Global, color: bool) {
    let filter = match (&global.log, global.verbose) {
        (Some(filter), _) => filter.clone(),
        (None, 0 | 1) => return,
        (None, 2) => "runbook=debug".into(),
        (None, _) => "runbook=trace,kube=debug,openssh=debug".into(),
    };
    let filter = EnvFilter::try_new(&filter).unwrap_or_else(|error| {
        eprintln!("the filter of the log is not understood ({error}); using runbook=info");
        EnvFilter::new("runbook=info")
    });
    // A second start (in tests) is harmless: the first stays.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(color && io::stderr().is_terminal())
        .with_writer(|| Log)
        .try_init();
}

/// Takes one event of the log, which comes in one piece.
struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let printer = PRINTER
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        match printer {
            Some(print) => print(&String::from_utf8_lossy(bytes)),
            None => io::stderr().write_all(bytes)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
