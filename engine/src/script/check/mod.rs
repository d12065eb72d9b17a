//! `runbook check`, also run before every run: what can be known to be wrong without touching anything.

mod calls;
mod captured;
mod lints;
mod syntax;

use rhai::AST;

use super::engine;
use super::header::Header;
use super::sources::SourceSet;
use crate::model::SourcePosition;

pub use calls::imports_in;
pub use syntax::imports_of;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The runbook cannot run.
    Error,
    /// It can, but probably does not do what is meant.
    Warning,
}

/// Something that is wrong, or looks wrong, in a runbook's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// A short name for the kind of finding, such as `unknown-function`.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// Where.
    pub position: Option<SourcePosition>,
    /// How many characters to underline.
    pub length: usize,
    /// What to do.
    pub help: Option<String>,
}

/// The names that a script may use beyond those of the language.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Hosts of the inventory; none where no inventory was given to check against.
    pub hosts: Option<Vec<String>>,
    /// Groups of the inventory; none where no inventory was given to check against.
    pub groups: Option<Vec<String>>,
}

/// One parsed text.
struct Unit<'a> {
    name: &'a str,
    ast: AST,
}

impl Unit<'_> {
    fn at(&self, position: rhai::Position) -> Option<SourcePosition> {
        let line = position.line()? as u32;
        let column = position.position().unwrap_or(1) as u32;
        Some(SourcePosition {
            file: self.name.to_owned(),
            line,
            column,
        })
    }
}

/// Checks a runbook with its modules. The header is there if it could be read.
pub fn check(sources: &SourceSet, names: &Names) -> (Option<Header>, Vec<Finding>) {
    let engine = engine::for_checking();
    let mut findings = Vec::new();
    let mut units = Vec::new();
    for (name, text) in sources.iter() {
        match syntax::parse(&engine, name, text) {
            Ok(ast) => units.push(Unit { name, ast }),
            Err(finding) => findings.push(finding),
        }
    }
    let header = match units.iter().find(|unit| unit.name == sources.main) {
        Some(main) => match Header::read(&main.ast) {
            Ok(header) => Some(header),
            Err(error) => {
                findings.push(header_finding(main, error));
                None
            }
        },
        None => None,
    };
    calls::check(&engine, &units, header.as_ref(), names, &mut findings);
    for unit in &units {
        lints::check(unit, unit.name == sources.main, &mut findings);
        captured::check(unit, &mut findings);
    }
    findings.sort_by(|a, b| {
        let place = |finding: &Finding| {
            finding
                .position
                .as_ref()
                .map(|p| (p.file.clone(), p.line, p.column))
        };
        (a.severity, place(a)).cmp(&(b.severity, place(b)))
    });
    findings.dedup();
    (header, findings)
}

fn header_finding(unit: &Unit<'_>, error: super::header::HeaderError) -> Finding {
    let (line, column) = error.position.unwrap_or((1, 1));
    Finding {
        severity: Severity::Error,
        code: "header",
        message: error.message,
        position: Some(SourcePosition {
            file: unit.name.to_owned(),
            line,
            column,
        }),
        length: if error.position.is_some() {
            error.length
        } else {
            1
        },
        help: error.help,
    }
}
