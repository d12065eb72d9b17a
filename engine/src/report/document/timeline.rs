//! The chart of a report: time from left to right, a row for each target, a bar for each operation that takes time.

use std::fmt::Write as _;

use super::axis::Axis;
use super::html::escape;
use super::{OperationReport, OutcomeWord, RunReport, clock, span};
use crate::operation::Class;
use crate::report::elapsed;

/// Rows that are drawn; the chart of a thousand hosts would be a wall.
const ROWS: usize = 60;
/// Bars that are drawn: the longest ones, so that a large report stays quick.
const BARS: usize = 2_000;
/// Geometry, in the units of the drawing.
const LEFT: f64 = 190.0;
const WIDTH: f64 = 1_000.0;
const ROW: f64 = 22.0;
const TOP: f64 = 26.0;

/// The chart as an SVG element; nothing if there is nothing to draw.
pub fn draw(report: &RunReport) -> String {
    let rows = rows(report);
    if rows.is_empty() {
        return String::new();
    }
    let axis = Axis::new(report, LEFT, WIDTH - 10.0);
    let shown = &rows[..rows.len().min(ROWS)];
    let height = TOP + ROW * shown.len() as f64 + 8.0;
    let cut_out = match axis.pauses.is_empty() {
        true => "",
        false => " Pauses between sessions are cut out.",
    };
    let mut svg = format!(
        "<div class=\"wide\"><svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"Timeline by target; the steps below tell the same in words.{cut_out}\">\n"
    );
    grid(&mut svg, &axis, height);
    pauses(&mut svg, report, &axis, height);
    for (index, target) in shown.iter().enumerate() {
        let y = TOP + ROW * index as f64;
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 8.0,
            y + 15.0,
            escape(&cut(target))
        );
    }
    for operation in bars(report) {
        let Some(row) = shown.iter().position(|target| *target == place(operation)) else {
            continue;
        };
        let y = TOP + ROW * row as f64 + 4.0;
        let (from, to) = (axis.x(operation.at), axis.x(operation.ended));
        let _ = writeln!(
            svg,
            "<rect class=\"{}\" x=\"{from:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{}\" rx=\"2\"><title>{} ({})</title></rect>",
            class(operation),
            (to - from).max(2.0),
            ROW - 8.0,
            escape(&operation.summary),
            span(operation.at, operation.ended)
        );
    }
    svg.push_str("</svg></div>\n");
    if rows.len() > ROWS {
        let _ = writeln!(svg, "<p>and {} more targets</p>", rows.len() - ROWS);
    }
    svg
}

fn grid(svg: &mut String, axis: &Axis, height: f64) {
    let marks = axis.marks();
    for (index, (time, at)) in marks.iter().enumerate() {
        let anchor = match index {
            0 => "start",
            last if last + 1 == marks.len() => "end",
            _ => "middle",
        };
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{height}\"/>\
             <text class=\"time\" x=\"{at:.1}\" y=\"14\" text-anchor=\"{anchor}\">{}</text>",
            elapsed(*time)
        );
    }
}

/// What lies between two sessions: a band that says how long nobody worked on the run.
fn pauses(svg: &mut String, report: &RunReport, axis: &Axis, height: f64) {
    for (pause, session) in axis.pauses.iter().zip(report.sessions.iter().skip(1)) {
        let _ = writeln!(
            svg,
            "<rect class=\"pause\" x=\"{:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{:.1}\"><title>{} without a session, then: {}, {}</title></rect>",
            pause.x,
            pause.width,
            height - TOP,
            elapsed(pause.length),
            escape(&session.kind),
            clock(session.started),
        );
    }
}

/// Where an operation is drawn: its target, or the run itself.
fn place(operation: &OperationReport) -> &str {
    match operation.target.is_empty() {
        true => "the run",
        false => &operation.target,
    }
}

fn rows(report: &RunReport) -> Vec<&str> {
    let mut rows: Vec<&str> = Vec::new();
    for operation in report.operations().filter(|operation| drawn(operation)) {
        if !rows.contains(&place(operation)) {
            rows.push(place(operation));
        }
    }
    rows
}

fn drawn(operation: &OperationReport) -> bool {
    matches!(
        operation.class,
        Class::Change | Class::Command | Class::Wait | Class::Ask
    ) || operation.outcome == OutcomeWord::Failed
}

fn bars(report: &RunReport) -> Vec<&OperationReport> {
    let mut bars: Vec<&OperationReport> = report
        .operations()
        .filter(|operation| drawn(operation))
        .collect();
    let length = |operation: &OperationReport| {
        operation.ended.as_millisecond() - operation.at.as_millisecond()
    };
    bars.sort_by_key(|operation| std::cmp::Reverse(length(operation)));
    bars.truncate(BARS);
    bars
}

fn class(operation: &OperationReport) -> &'static str {
    match (operation.outcome, operation.class) {
        (OutcomeWord::Failed | OutcomeWord::Aborted, _) => "bad",
        (OutcomeWord::Open | OutcomeWord::Again, _) => "open",
        (_, Class::Wait | Class::Ask) => "wait",
        _ => "act",
    }
}

fn cut(name: &str) -> String {
    const LETTERS: usize = 26;
    match name.chars().count() > LETTERS {
        true => name.chars().take(LETTERS - 1).chain(['…']).collect(),
        false => name.to_owned(),
    }
}
