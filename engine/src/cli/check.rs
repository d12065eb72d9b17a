//! `runbook check`: what can be known to be wrong without touching anything.

use serde_json::json;

use super::args::{Check, Output};
use super::console::Console;
use super::prepare;
use super::problem::{FAILED, Problem, USAGE};
use crate::report::{Diagnostic, SCHEMA, render_all};
use crate::script::codes::{CODES, Code};
use crate::script::{Names, Severity, check as check_sources};
use crate::text::suggest;

/// Checks runbooks, or explains a code.
pub fn check(arguments: &Check, console: &Console) -> Result<u8, Problem> {
    if let Some(code) = &arguments.explain {
        return explain(code, console);
    }
    let mut exit = 0;
    for file in &arguments.files {
        // Its words are others; `*.rhai` in a shell finds it too.
        if file.ends_with("_test.rhai") {
            eprintln!("{file}: a file of tests, which `runbook test {file}` reads");
            continue;
        }
        let found = of_file(file);
        match arguments.output {
            Output::Text => found.print(console),
            Output::Json => found.print_json(console),
        }
        exit = match (found.count(Severity::Error), found.count(Severity::Warning)) {
            (1.., _) => USAGE,
            (0, 1..) if arguments.strict => exit.max(FAILED),
            _ => exit,
        };
    }
    Ok(exit)
}

/// What was found in one file.
struct Found {
    file: String,
    /// Each with its severity; a file that cannot be loaded is one error.
    findings: Vec<(Severity, Diagnostic)>,
}

fn of_file(file: &str) -> Found {
    let findings = match prepare::load(file) {
        Err(problem) => problem
            .diagnostics
            .into_iter()
            .map(|diagnostic| (Severity::Error, diagnostic))
            .collect(),
        Ok(sources) => check_sources(&sources, &Names::default())
            .1
            .iter()
            .map(|finding| (finding.severity, prepare::diagnostic(finding, &sources)))
            .collect(),
    };
    Found {
        file: file.to_owned(),
        findings,
    }
}

impl Found {
    fn count(&self, severity: Severity) -> usize {
        let of = self.findings.iter().filter(|(of, _)| *of == severity);
        of.count()
    }

    fn print(&self, console: &Console) {
        let diagnostics: Vec<Diagnostic> =
            self.findings.iter().map(|(_, one)| one.clone()).collect();
        eprint!("{}", render_all(&diagnostics, &console.err));
        let name = &self.file;
        let (errors, warnings) = (self.count(Severity::Error), self.count(Severity::Warning));
        let word = if errors == 0 { "good" } else { "not good" };
        let errors = match errors {
            0 => String::new(),
            errors => format!("{errors} error(s), "),
        };
        console.print(&format!("{name}: {word}, {errors}{warnings} warning(s)\n"));
        let code = diagnostics.iter().find_map(|one| one.code.as_deref());
        if let Some(code) = code {
            eprintln!("  what a code means: runbook check --explain {code}");
        }
    }

    fn print_json(&self, console: &Console) {
        let mut text = String::new();
        for (_, diagnostic) in &self.findings {
            let mut line = diagnostic.json();
            line["schema"] = json!(SCHEMA);
            line["event"] = json!("finding");
            line["file"] = json!(self.file);
            let code = diagnostic.code.as_deref().and_then(Code::find);
            line["name"] = json!(code.map(|code| code.name));
            text.push_str(&format!("{line}\n"));
        }
        let line = json!({
            "schema": SCHEMA,
            "event": "checked",
            "file": self.file,
            "errors": self.count(Severity::Error),
            "warnings": self.count(Severity::Warning),
        });
        console.print(&format!("{text}{line}\n"));
    }
}

fn explain(name: &str, console: &Console) -> Result<u8, Problem> {
    if name == "all" {
        let lines = CODES
            .iter()
            .map(|code| format!("{}  {}\n", code.code, code.name));
        console.print(&lines.collect::<String>());
        return Ok(0);
    }
    let Some(code) = Code::find(name) else {
        let known = CODES.iter().flat_map(|code| [code.code, code.name]);
        let help = match suggest::closest(name, known) {
            Some(near) => format!("did you mean {near}?"),
            None => "runbook check --explain all lists them".to_owned(),
        };
        return Err(Problem::usage(
            Diagnostic::error(format!("there is no code `{name}`")).help(help),
        ));
    };
    let word = match code.severity() {
        Severity::Error => "an error",
        Severity::Warning => "a warning",
    };
    let mut text = format!("{}: {}, {word}\n\n", code.code, code.name);
    for line in fill(code.text, console.out.width.min(80)) {
        text.push_str(&format!("{line}\n"));
    }
    for (title, example) in [("Not like this", code.bad), ("But like this", code.good)] {
        if !example.is_empty() {
            text.push_str(&format!("\n{title}:\n\n"));
            for line in example.lines() {
                text.push_str(&format!("    {line}\n"));
            }
        }
    }
    if code.severity() == Severity::Warning {
        text.push_str(&format!(
            "\nWhere it is no defect, a comment on its line or above it says why:\n\n    // allow {}: reason\n",
            code.code
        ));
    }
    console.print(&text);
    Ok(0)
}

/// A paragraph in lines of at most this many characters.
fn fill(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().expect("it begins with one line");
        if !last.is_empty() && last.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines
}
