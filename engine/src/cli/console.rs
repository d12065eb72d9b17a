//! The terminal that the program talks to: how things may look there, and what is shown on it.

use std::io::{IsTerminal, Write};
use std::sync::Arc;

use super::args::{Color, Global, Output};
use super::log;
use super::problem::Problem;
use crate::report::{EventSink, Fanout, JsonLines, Look, Size, Terminal, TerminalOptions, Traced};

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
            live: self.live.then_some(measured as fn() -> Option<Size>),
            verbosity: self.verbosity,
            diff,
        };
        let terminal = Arc::new(Terminal::new(std::io::stderr(), options));
        let shown = terminal.clone();
        log::through(Arc::new(move |text| shown.log(text)));
        sinks.push(Arc::new(Traced));
        sinks.push(terminal);
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
    told.or_else(|| measured().map(|size| size.columns))
        .filter(|columns| *columns >= 20)
        .unwrap_or(DEFAULT_WIDTH)
}

/// The size of the terminal behind stderr, if there is one and it says.
fn measured() -> Option<Size> {
    let size = rustix::termios::tcgetwinsize(std::io::stderr()).ok()?;
    let (columns, rows) = (usize::from(size.ws_col), usize::from(size.ws_row));
    (columns > 0 && rows > 0).then_some(Size { columns, rows })
}
