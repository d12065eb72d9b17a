//! The report as one HTML file: no script, no picture, no font from elsewhere, so that it can be mailed, archived and
//! read in ten years. What folds is `<details>`; what can be hidden is hidden by a checkbox and a style.

use std::fmt::Write as _;

use super::timeline;
use super::{
    Counts, OperationReport, OutcomeWord, RunReport, StepReport, TableReport, clock, span,
};
use crate::report::{elapsed, safe};

const STYLE: &str = include_str!("style.css");

/// The report.
pub fn render(report: &RunReport) -> String {
    let mut out = String::with_capacity(64 << 10);
    let title = escape(&report.title);
    // Writing into a String cannot fail.
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"generator\" content=\"runbook {}\">\n<title>{title} · {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n",
        env!("CARGO_PKG_VERSION"),
        escape(&report.state),
    );
    head(&mut out, report);
    out.push_str("<main>\n");
    tables(&mut out, report);
    let chart = timeline::draw(report);
    if !chart.is_empty() {
        let _ = write!(
            out,
            "<section aria-labelledby=\"timeline\">\n<h2 id=\"timeline\">Timeline</h2>\n{}{chart}</section>\n",
            legend(report)
        );
    }
    out.push_str("<section class=\"steps\" aria-labelledby=\"steps\">\n<h2 id=\"steps\">Steps</h2>\n\
        <p class=\"switch\"><label><input type=\"checkbox\" id=\"looks\"> also show what only looked or was already right</label></p>\n");
    for (number, step) in report.steps.iter().enumerate() {
        step_html(&mut out, number, step);
    }
    out.push_str("</section>\n");
    decisions(&mut out, report);
    environment(&mut out, report);
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn legend(report: &RunReport) -> String {
    let mut out = "<p class=\"legend\"><span class=\"act\">acts</span> <span class=\"wait\">waits or asks</span> \
        <span class=\"bad\">failed</span> <span class=\"open\">open</span>"
        .to_owned();
    if report.sessions.len() > 1 {
        out.push_str(" <span class=\"pause\">between two sessions: time is cut out</span>");
    }
    out.push_str("</p>\n");
    out
}

/// A text from elsewhere, on one line, with nothing in it that HTML or a terminal would act upon.
pub(super) fn escape(text: &str) -> String {
    characters(&safe::line(text))
}

fn characters(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(character),
        }
    }
    out
}

/// Lines of a text from elsewhere.
fn block(text: &str) -> String {
    characters(&safe::lines(text).join("\n"))
}

fn head(out: &mut String, report: &RunReport) {
    let tone = match report.state.as_str() {
        "done" | "finished early" | "undone" => "good",
        "running" => "wait",
        _ => "bad",
    };
    let _ = write!(
        out,
        "<header>\n<p class=\"badge {tone}\">{}</p>\n<h1>{}</h1>\n<p class=\"facts\">on <b>{}</b> · {} · run <code>{}</code></p>\n\
         <p class=\"facts\">{} to {}, {} of work in {}</p>\n",
        escape(&report.state),
        escape(&report.title),
        escape(&report.on),
        escape(&report.counted()),
        escape(&report.run),
        clock(report.started),
        clock(report.last),
        elapsed(report.worked()),
        super::super::counted(report.sessions.len(), "session", "sessions"),
    );
    if tone == "bad" && !report.message.is_empty() {
        let _ = writeln!(
            out,
            "<pre class=\"message\">{}</pre>",
            block(&report.message)
        );
    }
    out.push_str("</header>\n");
}

fn tables(out: &mut String, report: &RunReport) {
    if report.tables.is_empty() {
        return;
    }
    out.push_str("<section aria-labelledby=\"tables\">\n<h2 id=\"tables\">Findings</h2>\n");
    for table in &report.tables {
        table_html(out, table);
    }
    out.push_str("</section>\n");
}

fn table_html(out: &mut String, table: &TableReport) {
    let _ = write!(
        out,
        "<div class=\"wide\"><table>\n<caption>{}</caption>\n",
        escape(&table.title)
    );
    if !table.columns.is_empty() {
        out.push_str("<thead><tr>");
        for column in &table.columns {
            let _ = write!(out, "<th scope=\"col\">{}</th>", escape(column));
        }
        out.push_str("</tr></thead>\n");
    }
    out.push_str("<tbody>\n");
    for row in &table.rows {
        out.push_str("<tr>");
        for cell in row {
            let _ = write!(out, "<td>{}</td>", escape(cell));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table></div>\n");
}

fn step_html(out: &mut String, number: usize, step: &StepReport) {
    let title = match step.title.is_empty() {
        true => "Outside of steps".to_owned(),
        false => step.title.join(" / "),
    };
    let tone = match step.status.as_str() {
        "done" => "good",
        "failed" => "bad",
        _ => "wait",
    };
    // What went wrong lies open; the rest opens at a click, or by the keyboard.
    let open = if step.status == "done" { "" } else { " open" };
    let mut facts = vec![Counts::of(&step.operations).to_string()];
    facts.extend(step.worked_ms.map(elapsed));
    facts.retain(|fact| !fact.is_empty());
    let _ = write!(
        out,
        "<details class=\"step\" id=\"step-{number}\"{open}>\n<summary><span class=\"mark {tone}\">{}</span> <h3>{}</h3> \
         <span class=\"time\">{}</span></summary>\n<ol class=\"operations\">\n",
        escape(&step.status),
        escape(&title),
        escape(&facts.join(", ")),
    );
    for operation in &step.operations {
        operation_html(out, operation);
    }
    out.push_str("</ol>\n</details>\n");
}

fn operation_html(out: &mut String, operation: &OperationReport) {
    let tone = match operation.outcome {
        OutcomeWord::Failed | OutcomeWord::Aborted => "bad",
        OutcomeWord::Open | OutcomeWord::Again => "wait",
        OutcomeWord::Changed | OutcomeWord::Ran => "act",
        _ => "quiet",
    };
    let quiet = if operation.is_quiet() {
        " class=\"look\""
    } else {
        ""
    };
    let place = operation.place(" > ");
    let line = format!(
        "<span class=\"mark {tone}\">{}</span> <span class=\"place\">{}</span> <code>{}</code>{} <span class=\"time\">{}</span>",
        operation.outcome.as_str(),
        escape(&place),
        escape(&operation.summary),
        match operation.note.is_empty() {
            true => String::new(),
            false => format!(" <em>{}</em>", escape(&operation.note)),
        },
        match operation.is_quiet() {
            true => String::new(),
            false => span(operation.at, operation.ended),
        },
    );
    let more = more(operation);
    match more.is_empty() {
        true => {
            let _ = writeln!(out, "<li{quiet}>{line}</li>");
        }
        false => {
            let open = if tone == "bad" { " open" } else { "" };
            let _ = writeln!(
                out,
                "<li{quiet}><details{open}><summary>{line}</summary>\n{more}</details></li>"
            );
        }
    }
}

/// What lies folded under an operation.
fn more(operation: &OperationReport) -> String {
    let mut out = String::new();
    if let Some((message, detail, hint)) = &operation.failure {
        let _ = writeln!(out, "<pre class=\"message\">{}</pre>", block(message));
        if !detail.is_empty() {
            let _ = writeln!(out, "<pre>{}</pre>", block(detail));
        }
        if !hint.is_empty() {
            let _ = writeln!(out, "<p>{}</p>", escape(hint));
        }
    }
    if let Some(diff) = &operation.diff {
        out.push_str("<pre class=\"diff\">");
        for line in safe::lines(diff) {
            let class = match line.as_bytes().first() {
                _ if line.starts_with("--- ") || line.starts_with("+++ ") => "hunk",
                Some(b'+') => "plus",
                Some(b'-') => "minus",
                Some(b'@') => "hunk",
                _ => "same",
            };
            // Each is a block of its own: a line break between them would be an empty line.
            let _ = write!(out, "<span class=\"{class}\">{}</span>", characters(&line));
        }
        out.push_str("</pre>\n");
    }
    if let Some((stdout, stderr)) = &operation.output {
        for (name, text) in [("output", stdout), ("errors", stderr)] {
            if !text.is_empty() {
                let _ = writeln!(
                    out,
                    "<p class=\"name\">{name}</p><pre>{}</pre>",
                    block(text)
                );
            }
        }
    }
    if !out.is_empty() && !operation.source.is_empty() {
        let _ = writeln!(
            out,
            "<p class=\"name\">{} · {} · {}</p>",
            escape(&operation.kind),
            escape(&operation.source),
            clock(operation.at)
        );
    }
    out
}

fn decisions(out: &mut String, report: &RunReport) {
    if report.decisions.is_empty() {
        return;
    }
    let table = TableReport {
        title: "Who decided what".into(),
        columns: ["when", "what", "answer", "by"].map(str::to_owned).to_vec(),
        rows: report
            .decisions
            .iter()
            .map(|decision| {
                vec![
                    clock(decision.at),
                    decision.what.clone(),
                    decision.answer.clone(),
                    decision.who(),
                ]
            })
            .collect(),
    };
    out.push_str("<section aria-labelledby=\"decisions\">\n<h2 id=\"decisions\">Approvals and decisions</h2>\n");
    table_html(out, &table);
    out.push_str("</section>\n");
}

fn environment(out: &mut String, report: &RunReport) {
    let of = &report.environment;
    out.push_str(
        "<section aria-labelledby=\"environment\">\n<h2 id=\"environment\">Environment</h2>\n",
    );
    table_html(
        out,
        &TableReport {
            title: "Sessions".into(),
            columns: ["what", "who", "from", "to", "end"]
                .map(str::to_owned)
                .to_vec(),
            rows: report
                .sessions
                .iter()
                .map(|session| {
                    vec![
                        session.kind.clone(),
                        session.operator.clone(),
                        clock(session.started),
                        session.ended.map(clock).unwrap_or_default(),
                        match session.message.is_empty() {
                            true => session.ending.clone(),
                            false => format!("{}: {}", session.ending, session.message),
                        },
                    ]
                })
                .collect(),
        },
    );
    let mut rows = vec![
        vec![
            "engine".to_owned(),
            format!("runbook {}", of.engine),
            String::new(),
        ],
        vec!["runbook".to_owned(), of.sources.join(", "), String::new()],
    ];
    for (name, value) in [("limited to", &of.limit), ("context", &of.context)] {
        if let Some(value) = value {
            rows.push(vec![name.to_owned(), value.clone(), String::new()]);
        }
    }
    rows.extend(of.parameters.iter().map(|(name, value, origin)| {
        vec![format!("parameter {name}"), value.clone(), origin.clone()]
    }));
    table_html(
        out,
        &TableReport {
            title: "Started with".into(),
            columns: ["what", "value", "from"].map(str::to_owned).to_vec(),
            rows,
        },
    );
    out.push_str("</section>\n");
}
