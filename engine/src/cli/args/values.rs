//! Values on the command line: the words that an option takes, and texts that are read before anything is done.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::cli::plan_file;
use crate::model::{OperationId, RunId};

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR or CI is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The form of the result on stdout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// One event a line, with a schema version.
    Json,
}

/// The form of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// Markdown.
    #[default]
    Md,
    /// One HTML file.
    Html,
    /// For programs.
    Json,
}

/// The form in which a run or a plan is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ShowFormat {
    /// For people.
    #[default]
    Text,
    /// Markdown, for a pull request or a ticket.
    Md,
    /// For programs.
    Json,
}

/// The form of documentation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DocFormat {
    /// Markdown.
    #[default]
    Md,
    /// One HTML file.
    Html,
}

/// A shell that completions exist for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CompletionShell {
    /// GNU bash, 4 or newer.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
}

/// What is to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A run.
    Run(RunId),
    /// The file of a plan.
    Plan(PathBuf),
}

pub(super) fn shown(text: &str) -> Result<Shown, String> {
    match RunId::parse(text) {
        // A name of a run that is also a file's: the file is a plan, or is not meant.
        Some(run) if !plan_file::is_plan(text.as_ref()) => Ok(Shown::Run(run)),
        _ if std::path::Path::new(text).exists() => Ok(Shown::Plan(text.into())),
        _ => Err(
            "neither the name of a run (`runbook list` shows them) nor the file of a plan"
                .to_owned(),
        ),
    }
}

/// `NAME=VALUE` as it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Before the first `=`.
    pub name: String,
    /// After it; may be empty, may contain `=`.
    pub value: String,
}

pub(super) fn assignment(text: &str) -> Result<Assignment, String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok(Assignment {
            name: name.to_owned(),
            value: value.to_owned(),
        }),
        _ => Err("expected NAME=VALUE, such as lan_iface=eth1".to_owned()),
    }
}

pub(super) fn run_id(text: &str) -> Result<RunId, String> {
    RunId::parse(text).ok_or_else(|| "not the name of a run; `runbook list` shows them".to_owned())
}

pub(super) fn operation_id(text: &str) -> Result<OperationId, String> {
    OperationId::parse(text).ok_or_else(|| {
        "not the name of an operation (16 hexadecimal digits); `runbook status RUN` shows it"
            .to_owned()
    })
}

pub(super) fn book_name(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let begins = text.starts_with(|c: char| c.is_ascii_lowercase());
    match begins && text.len() <= 60 && text.chars().all(fits) {
        true => Ok(text.to_owned()),
        false => Err("expected small letters, digits and dashes, such as rotate-logs".to_owned()),
    }
}

pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number >= 1 => Ok(number),
        _ => Err("expected a whole number from 1".to_owned()),
    }
}
