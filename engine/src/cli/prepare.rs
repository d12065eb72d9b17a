//! Everything that is looked at before anything is touched: the texts, their check, the parameters.

use std::collections::BTreeMap;
use std::path::Path;

use super::args::{self, Assignment};
use super::console::Console;
use super::problem::{Problem, USAGE};
use crate::journal::Parameter;
use crate::report::{Diagnostic, render_all};
use crate::script::{Finding, Header, LoadError, Names, Severity, SourceSet, check, parameters};

/// Loads a runbook and its modules.
pub fn load(file_or_name: &str) -> Result<SourceSet, Problem> {
    SourceSet::load(file_or_name).map_err(|error| Problem::usage(load_diagnostic(&error)))
}

fn load_diagnostic(error: &LoadError) -> Diagnostic {
    let mut diagnostic = Diagnostic::error(error.message.clone());
    if let Some(position) = &error.position {
        diagnostic = diagnostic.at(position.clone(), error.text.clone(), 1);
    }
    match &error.help {
        Some(help) => diagnostic.help(help.clone()),
        None => diagnostic,
    }
}

/// Checks the texts: errors end here, and what may do harm is shown. The rest of the warnings is for whoever writes
/// the runbook (`runbook check`), not for whoever runs it.
pub fn checked(sources: &SourceSet, names: &Names, console: &Console) -> Result<Header, Problem> {
    let (header, findings) = check(sources, names);
    let diagnostics: Vec<Diagnostic> = findings
        .iter()
        .map(|finding| diagnostic(finding, sources))
        .collect();
    let wrong = findings
        .iter()
        .any(|finding| finding.severity == Severity::Error);
    match header {
        Some(header) if !wrong => {
            let hazards: Vec<Diagnostic> = findings
                .iter()
                .zip(diagnostics)
                .filter(|(finding, _)| finding.before_a_run())
                .map(|(_, diagnostic)| diagnostic)
                .collect();
            eprint!("{}", render_all(&hazards, &console.err));
            Ok(header)
        }
        _ => Err(Problem {
            diagnostics: findings
                .iter()
                .zip(diagnostics)
                .filter(|(finding, _)| finding.severity == Severity::Error)
                .map(|(_, diagnostic)| diagnostic)
                .collect(),
            exit: USAGE,
        }),
    }
}

/// A finding as it is shown.
pub fn diagnostic(finding: &Finding, sources: &SourceSet) -> Diagnostic {
    let mut diagnostic = match finding.severity {
        Severity::Error => Diagnostic::error(finding.message.clone()),
        Severity::Warning => Diagnostic::warning(finding.message.clone()),
    }
    .code(finding.code);
    if let Some(position) = &finding.position {
        let text = sources.text(&position.file).map(str::to_owned);
        let mut position = position.clone();
        position.file = sources.path_of(&position.file);
        diagnostic = diagnostic.at(position, text, finding.length);
    }
    match &finding.help {
        Some(help) => diagnostic.help(help.clone()),
        None => diagnostic,
    }
}

/// The parameters of a run: flags over the environment over files over defaults.
pub fn parameters(
    header: &Header,
    run: &args::Run,
) -> Result<BTreeMap<String, Parameter>, Problem> {
    let flags: Vec<(String, String)> = run
        .vars
        .iter()
        .map(|Assignment { name, value }| (name.clone(), value.clone()))
        .collect();
    let file = run.var_file.as_deref().map(read).transpose()?;
    let environment: Vec<(String, String)> = std::env::vars()
        .filter_map(|(name, value)| Some((name.strip_prefix("RUNBOOK_VAR_")?.to_owned(), value)))
        .collect();
    let given = parameters::Given {
        flags,
        file,
        environment,
    };
    parameters::check(&header.parameters, &given).map_err(|errors| Problem {
        diagnostics: errors
            .into_iter()
            .map(|error| {
                let diagnostic = Diagnostic::error(error.message).code("parameter");
                match error.help {
                    Some(help) => diagnostic.help(help),
                    None => diagnostic,
                }
            })
            .collect(),
        exit: USAGE,
    })
}

/// The parameters that nobody gave: their defaults; none at all if one must be given.
pub fn defaults(header: &Header) -> BTreeMap<String, Parameter> {
    let nothing = parameters::Given {
        flags: Vec::new(),
        file: None,
        environment: Vec::new(),
    };
    parameters::check(&header.parameters, &nothing).unwrap_or_default()
}

fn read(path: &Path) -> Result<(String, String), Problem> {
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => Ok((name, text)),
        Err(error) => Err(Problem::usage(Diagnostic::error(format!(
            "{name} cannot be read: {error}"
        )))),
    }
}
