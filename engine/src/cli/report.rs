//! `report`: a run as a document.

use std::path::Path;

use super::args::{Global, ReportFormat};
use super::console::Console;
use super::inspect::{begun, locked, recorded_diff, run_or_newest};
use super::problem::Problem;
use super::run::state;
use crate::journal::Intent;
use crate::model::RunId;
use crate::report::Diagnostic;
use crate::report::document::{collect, html, markdown};

/// Writes the report of a run.
pub fn report(
    run: Option<&RunId>,
    format: ReportFormat,
    out: Option<&Path>,
    global: &Global,
    console: &Console,
) -> Result<u8, Problem> {
    let state = state(global)?;
    let run = run_or_newest(&state, run)?;
    let directory = state.run(&run);
    let records = begun(&state, &run)?;
    let diff = |intent: &Intent| recorded_diff(&directory, intent);
    let report = collect(&records, locked(&state, &run), &diff)?;
    let text = match format {
        ReportFormat::Md => markdown::render(&report),
        ReportFormat::Html => html::render(&report),
        ReportFormat::Json => report.json(),
    };
    match out {
        None => console.print(&text),
        Some(path) => std::fs::write(path, text).map_err(|error| {
            Problem::failed(Diagnostic::error(format!(
                "the report cannot be written to {}: {error}",
                path.display()
            )))
        })?,
    }
    Ok(0)
}
