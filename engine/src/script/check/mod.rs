//! `runbook check`, also run before every run: what can be known to be wrong without touching anything.

mod acting;
mod calls;
mod captured;
pub mod codes;
mod commands;
mod flow;
mod lints;
mod names;
mod outline;
mod silence;
mod syntax;
mod verified;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use rhai::AST;

use codes::{Code, Weight};
use outline::Outline;

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
    /// Its kind: a code of [`codes::CODES`], such as `RB103`.
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

impl Finding {
    fn new(
        code: &'static str,
        position: Option<SourcePosition>,
        length: usize,
        message: String,
    ) -> Self {
        let kind = Code::find(code).expect("findings are made with the codes of the table");
        Self {
            severity: kind.severity(),
            code,
            message,
            position,
            length,
            help: None,
        }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Whether it is shown before every run.
    pub fn before_a_run(&self) -> bool {
        Code::find(self.code).is_none_or(|code| code.weight != Weight::Advice)
    }
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

    fn finding(
        &self,
        code: &'static str,
        at: rhai::Position,
        length: usize,
        message: String,
    ) -> Finding {
        Finding::new(code, self.at(at), length, message)
    }

    /// Whether it is a module of the standard library: its reader cannot mend it, and our own tests look at it.
    fn is_standard(&self) -> bool {
        self.name.starts_with("std/")
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
    warnings(&units, sources, header.as_ref(), &mut findings);
    for unit in &units {
        match unit.is_standard() {
            true => findings.retain(|finding| {
                let here = finding
                    .position
                    .as_ref()
                    .is_some_and(|place| place.file == unit.name);
                !here || finding.severity == Severity::Error
            }),
            false => silence::apply(
                unit,
                sources.text(unit.name).unwrap_or_default(),
                &mut findings,
            ),
        }
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

/// The titles of a runbook's steps in the order of the text, each with its depth. Values in a title are shown as `…`.
pub fn steps(sources: &SourceSet) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    if let Ok(ast) = engine::for_checking().compile(sources.main_text()) {
        let outline = Outline::of(&ast);
        for body in outline.bodies() {
            body.iter().for_each(|node| node.steps(0, &mut found));
        }
    }
    found
}

/// What is allowed and probably not meant.
fn warnings(
    units: &[Unit<'_>],
    sources: &SourceSet,
    header: Option<&Header>,
    findings: &mut Vec<Finding>,
) {
    let outlines: BTreeMap<&str, Outline> = units
        .iter()
        .map(|unit| (unit.name, Outline::of(&unit.ast)))
        .collect();
    for unit in units {
        lints::check(unit, unit.name == sources.main, findings);
        captured::check(unit, findings);
        acting::check(unit, &outlines[unit.name], findings);
        names::shadowed(unit, &outlines[unit.name], findings);
    }
    flow::check(units, &outlines, header, findings);
    if let (Some(main), Some(header)) =
        (units.iter().find(|unit| unit.name == sources.main), header)
    {
        verified::check(main, &outlines, findings);
        names::unused(main, header, outlines.values(), findings);
    }
}

fn header_finding(unit: &Unit<'_>, error: super::header::HeaderError) -> Finding {
    let (line, column) = error.position.unwrap_or((1, 1));
    Finding {
        severity: Severity::Error,
        code: codes::HEADER,
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
