//! The terminal that the program talks to: how things may look there, and what is shown on it.

use std::io::{IsTerminal, Write};
use std::sync::Arc;

use super::args::{Color, Global, Output};
use super::problem::Problem;
use crate::report::{EventSink, Fanout, JsonLines, Look, Terminal, TerminalOptions};

/// Columns where the terminal does not say: what fits a ticket or a log.
const DEFAULT_WIDTH: usize = 100;

/// What stdout and stderr can show.
pub struct Console {
    /// stderr: progress, problems.
    pub err: Look,
    /// stdout: results.
    pub out: Look,
    live: bool,
    verbosity: u8,
}

impl Console {
    /// Looks at the environment.
    pub fn new(global: &Global) -> Self {
        let ci = set("CI");
        let color = |terminal: bool| match global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !ci && !set("NO_COLOR"),
        };
        let width = columns();
        let unicode = ["LC_ALL", "LC_CTYPE", "LANG"]
            .iter()
            .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
            .is_some_and(|value| value.to_ascii_lowercase().replace('-', "").contains("utf8"));
        let look = |terminal: bool| Look {
            color: color(terminal),
            unicode,
            width,
        };
        let err_terminal = std::io::stderr().is_terminal();
        Self {
            err: look(err_terminal),
            out: look(std::io::stdout().is_terminal()),
            live: err_terminal && !ci && std::env::var("TERM").as_deref() != Ok("dumb"),
            verbosity: global.verbose,
        }
    }

    /// Where the events of a session go.
    pub fn events(
        &self,
        output: Output,
        diff: bool,
        more: Vec<Arc<dyn EventSink>>,
    ) -> Arc<dyn EventSink> {
        let mut sinks = more;
        let options = TerminalOptions {
            look: self.err,
            live: self.live,
            verbosity: self.verbosity,
            diff,
        };
        sinks.push(Arc::new(Terminal::new(std::io::stderr(), options)));
        if output == Output::Json {
            sinks.push(Arc::new(JsonLines::new(std::io::stdout())));
        }
        Arc::new(Fanout(sinks))
    }

    /// Shows a problem on stderr.
    pub fn problem(&self, problem: &Problem) {
        eprint!(
            "{}",
            crate::report::render_all(&problem.diagnostics, &self.err)
        );
    }

    /// Prints a result. A reader that went away is no error.
    pub fn print(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    /// Whether a person can be asked.
    pub fn interactive(&self) -> bool {
        std::io::stdin().is_terminal() && std::io::stderr().is_terminal() && !set("CI")
    }
}

fn set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

fn columns() -> usize {
    let told = std::env::var("COLUMNS")
        .ok()
        .and_then(|text| text.parse().ok());
    let measured = || {
        rustix::termios::tcgetwinsize(std::io::stderr())
            .ok()
            .map(|size| usize::from(size.ws_col))
    };
    told.or_else(measured)
        .filter(|columns| *columns >= 20)
        .unwrap_or(DEFAULT_WIDTH)
}

/// Starts the log on stderr, if one is asked for.
pub fn start_log(global: &Global) {
    let filter = match (&global.log, global.verbose) {
        (Some(filter), _) => filter.clone(),
        (None, 0 | 1) => return,
        (None, 2) => "runbook=debug".into(),
        (None, _) => "runbook=trace,kube=debug,openssh=debug".into(),
    };
    let filter =
        tracing_subscriber::EnvFilter::try_new(&filter).unwrap_or_else(|_| "runbook=info".into());
    // A second start (in tests) is harmless: the first stays.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
}
