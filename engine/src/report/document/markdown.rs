//! The report as Markdown that pastes well into a ticket or a pull request.

use std::fmt::Write as _;

use super::{OperationReport, OutcomeWord, RunReport, StepReport, TableReport, clock};
use crate::operation::Class;
use crate::report::{counted, elapsed, safe};

/// The report.
pub fn render(report: &RunReport) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = writeln!(out, "# {}\n", text(&report.title));
    let _ = writeln!(
        out,
        "**{}** on {} · {} · run `{}`\n",
        text(&report.state),
        text(&report.on),
        text(&report.counted()),
        report.run
    );
    let _ = writeln!(
        out,
        "{} to {}, {} of work in {}\n",
        clock(report.started),
        clock(report.last),
        elapsed(report.worked()),
        counted(report.sessions.len(), "session", "sessions")
    );
    for table in &report.tables {
        let _ = writeln!(out, "### {}\n\n{}", text(&table.title), rows(table));
    }
    for step in report.steps.iter().filter(|step| told(step)) {
        out.push_str(&step_text(step));
    }
    if !report.decisions.is_empty() {
        out.push_str("## Decisions\n\n| when | what | answer | by |\n| --- | --- | --- | --- |\n");
        for decision in &report.decisions {
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} |",
                clock(decision.at),
                text(&decision.what),
                text(&decision.answer),
                text(&decision.who())
            );
        }
        out.push('\n');
    }
    out.push_str(
        "## Sessions\n\n| what | who | from | to | end |\n| --- | --- | --- | --- | --- |\n",
    );
    for session in &report.sessions {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} |",
            session.kind,
            text(&session.operator),
            clock(session.started),
            session.ended.map(clock).unwrap_or_default(),
            session.ending
        );
    }
    out
}

/// Whether a step has anything to tell besides that it looked.
fn told(step: &StepReport) -> bool {
    step.status != "done" || step.operations.iter().any(worth_telling)
}

fn worth_telling(operation: &OperationReport) -> bool {
    matches!(operation.class, Class::Change | Class::Command)
        && operation.outcome != OutcomeWord::Already
        || !matches!(operation.outcome, OutcomeWord::Good | OutcomeWord::Already)
}

fn step_text(step: &StepReport) -> String {
    let title = match step.title.is_empty() {
        true => "Outside of steps".to_owned(),
        false => step.title.join(" / "),
    };
    let time = match step.worked_ms {
        Some(worked) => format!(", {}", elapsed(worked)),
        None => String::new(),
    };
    let mut out = format!("## {} ({}{time})\n\n", text(&title), step.status);
    for operation in step
        .operations
        .iter()
        .filter(|operation| worth_telling(operation))
    {
        let place = match operation.target.is_empty() {
            true => String::new(),
            false => format!("`{}`: ", code(&operation.target)),
        };
        let note = match operation.note.is_empty() {
            true => String::new(),
            false => format!(" ({})", text(&operation.note)),
        };
        let _ = writeln!(
            out,
            "- **{}** {place}`{}`{note}",
            operation.outcome.as_str(),
            code(&operation.summary)
        );
        if let Some((message, detail, hint)) = &operation.failure {
            for line in [message, detail, hint]
                .into_iter()
                .filter(|line| !line.is_empty())
            {
                out.push_str(&fenced("", line));
            }
        }
        if let Some(diff) = &operation.diff {
            out.push_str(&fenced("diff", diff));
        }
    }
    out.push('\n');
    out
}

fn rows(table: &TableReport) -> String {
    let columns = match table.columns.is_empty() {
        true => vec![String::new()],
        false => table.columns.clone(),
    };
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| text(cell)).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let mut out = line(&columns);
    out.push_str(&format!("|{}\n", " --- |".repeat(columns.len())));
    for row in &table.rows {
        out.push_str(&line(row));
    }
    out
}

/// A text from elsewhere in running text: what Markdown or HTML would read is escaped, and it stays on its line.
pub(in crate::report) fn text(from: &str) -> String {
    let mut out = String::new();
    for character in safe::line(from).chars() {
        if r"\`*_[]<>|#&~".contains(character) {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

/// A text between single backticks, which it must not end.
pub(in crate::report) fn code(from: &str) -> String {
    safe::line(from).replace('`', "'")
}

/// An indented block, fenced with more backticks than the text has in a row.
pub(in crate::report) fn fenced(language: &str, from: &str) -> String {
    let lines = safe::lines(from);
    let longest = lines
        .iter()
        .flat_map(|line| line.split(|c| c != '`'))
        .map(str::len)
        .max()
        .unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let mut out = format!("  {fence}{language}\n");
    for line in lines {
        let _ = writeln!(out, "  {line}");
    }
    out.push_str(&format!("  {fence}\n"));
    out
}
