//! What runs on the target: functions, sent once to a shell that stays and each time to one that does not.

use std::sync::LazyLock;

use super::exchange::BEGINNING;
use super::quote::line_word;

const FRAME: &str = include_str!("scripts/frame.sh");
const FUNCTIONS: &str = include_str!("scripts/functions.sh");
const SUPERVISE: &str = include_str!("scripts/supervise.sh");
const TOOLS: &str = include_str!("scripts/tools.sh");
const PROBE: &str = include_str!("scripts/probe.sh");
const LOOK: &str = include_str!("scripts/look.sh");
const REPLACE: &str = include_str!("scripts/replace.sh");
const MARKER: &str = include_str!("scripts/marker.sh");
const GATE: &str = include_str!("scripts/gate.sh");
const TELL: &str = include_str!("scripts/tell.sh");
const UNIT: &str = include_str!("scripts/unit.sh");
const UNIT_END: &str = include_str!("scripts/unit_end.sh");

/// Names that must not be variables of the environment: what we keep in them would be a command's as well.
const OURS: &str = "unset -v command exports given_1 given_2 inline wrapper unit_end unit_name top top_is_ours me mask \
                    gate_file input setsid last last_top aside boot";

/// Functions as a part of a line.
#[derive(Debug)]
pub(super) struct Library {
    /// Ends with a separator.
    pub line: String,
    /// The line that makes a shell know the library.
    pub greeting: Vec<u8>,
}

/// What probes need.
pub(super) static PROBES: LazyLock<Library> = LazyLock::new(|| {
    Library::of(format!(
        "{OURS}; eval {}; ",
        quoted(&[FRAME, FUNCTIONS, SUPERVISE, TOOLS, PROBE])
    ))
});

/// What everything else needs. The wrapper's part is kept as a text as well, for a wrapper that is a program.
pub(super) static ALL: LazyLock<Library> = LazyLock::new(|| {
    Library::of(format!(
        "{OURS}; wrapper={}; unit_end={}; eval \"$wrapper\"; eval {}; me=$(id -u) mask=$(umask) setsid=$(command -v setsid); this_boot; ",
        quoted(&[FUNCTIONS, SUPERVISE, GATE]),
        quoted(&[UNIT_END]),
        quoted(&[FRAME, TOOLS, LOOK, REPLACE, UNIT, MARKER, TELL])
    ))
});

impl Library {
    fn of(line: String) -> Self {
        let greeting = format!("{BEGINNING} {line}:\n").into_bytes();
        Self { line, greeting }
    }
}

/// One word: without comments and indentation, which a target would read byte by byte.
fn quoted(scripts: &[&str]) -> String {
    let mut text = String::new();
    for line in scripts.iter().flat_map(|script| script.lines()) {
        let line = line.trim_start();
        if !line.is_empty() && !line.starts_with('#') {
            text.push_str(line);
            text.push('\n');
        }
    }
    line_word(&text).expect("our own scripts hold no NUL byte")
}
