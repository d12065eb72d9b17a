//! `runbook check`: what can be known to be wrong without touching anything.

use std::path::PathBuf;

use super::console::Console;
use super::prepare;
use super::problem::{Problem, USAGE};
use crate::report::render_all;
use crate::script::{Names, Severity, check as check_sources};

/// Checks runbooks.
pub fn check(files: &[PathBuf], console: &Console) -> Result<u8, Problem> {
    let mut wrong = false;
    for file in files {
        let name = file.display().to_string();
        let sources = match prepare::load(&name) {
            Ok(sources) => sources,
            Err(problem) => {
                console.problem(&problem);
                wrong = true;
                continue;
            }
        };
        let (_, findings) = check_sources(&sources, &Names::default());
        let shown: Vec<_> = findings
            .iter()
            .map(|finding| prepare::diagnostic(finding, &sources))
            .collect();
        eprint!("{}", render_all(&shown, &console.err));
        let errors = findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .count();
        wrong |= errors > 0;
        if errors == 0 {
            console.print(&format!("{name}: good, {} warning(s)\n", findings.len()));
        }
    }
    Ok(if wrong { USAGE } else { 0 })
}
