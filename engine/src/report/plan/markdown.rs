//! A plan as Markdown that pastes well into a pull request or a ticket: what a reviewer decides by comes first, the
//! changes follow by step, long diffs folded.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::report::document::markdown::{code, fenced, text};

use super::group::{Group, groups, unknown};
use super::text::ends_by_step;
use super::{Plan, PlanEntry, PlanKind, Radius, reason, says_more};

/// Diffs with more lines than this are folded.
const OPEN_LINES: usize = 40;

/// What stands above a plan.
#[derive(Clone, Debug)]
pub struct Heading {
    /// The runbook's title.
    pub title: String,
    /// The runbook's file.
    pub runbook: String,
    /// On what it would run.
    pub on: String,
    /// When the plan was made.
    pub made: Timestamp,
    /// By whom.
    pub by: String,
    /// The parameters, each with its value and where that came from.
    pub parameters: Vec<(String, String, String)>,
}

impl Heading {
    /// `plan of 2026-11-25 23:05:10 UTC by ops@laptop on lab k3s`.
    pub fn line(&self) -> String {
        let made = self.made.strftime("%Y-%m-%d %H:%M:%S UTC");
        format!("plan of {made} by {} on {}", self.by, self.on)
    }
}

/// The whole document.
pub fn markdown(heading: &Heading, plan: &Plan) -> String {
    let mut out = format!("# {}\n\n", text(&heading.title));
    // Writing into a String cannot fail.
    let _ = writeln!(
        out,
        "{} · runbook `{}`\n\n**{}**\n",
        text(&heading.line()),
        code(&heading.runbook),
        text(&plan.totals())
    );
    touched(plan, &mut out);
    asked(plan, &mut out);
    not_known(plan, &mut out);
    if !heading.parameters.is_empty() {
        out.push_str("## Parameters\n\n| name | value | from |\n| --- | --- | --- |\n");
        for (name, value, origin) in &heading.parameters {
            let _ = writeln!(
                out,
                "| {} | {} | {} |",
                text(name),
                text(value),
                text(origin)
            );
        }
        out.push('\n');
    }
    for group in groups(plan) {
        step(&group, &mut out);
    }
    out
}

fn touched(plan: &Plan, out: &mut String) {
    let radius = Radius::of(plan);
    if radius.is_empty() {
        return;
    }
    out.push_str("## Touches\n\n| | |\n| --- | --- |\n");
    for (count, names) in radius.lines() {
        let _ = writeln!(out, "| {} | {} |", text(&count), text(&names));
    }
    out.push('\n');
}

fn asked(plan: &Plan, out: &mut String) {
    let asked = |entry: &&PlanEntry| matches!(entry.kind, PlanKind::Question | PlanKind::Manual);
    let mut asked = plan.entries.iter().filter(asked).peekable();
    if asked.peek().is_none() {
        return;
    }
    out.push_str("## Will be asked\n\n");
    for entry in asked {
        let by_hand = match entry.kind {
            PlanKind::Manual => "**by hand:** ",
            _ => "",
        };
        let _ = writeln!(out, "- {by_hand}{}", text(&entry.summary));
    }
    out.push('\n');
}

fn not_known(plan: &Plan, out: &mut String) {
    let causes = unknown(plan);
    if causes.is_empty() {
        return;
    }
    out.push_str("## Not known before the run\n\n");
    for (cause, ends) in causes {
        let _ = writeln!(out, "- after {}, the run decides in", text(cause));
        for line in ends_by_step(&ends) {
            let _ = writeln!(out, "  - {}", text(&line));
        }
    }
    out.push('\n');
}

fn step(group: &Group<'_>, out: &mut String) {
    let title = match group.steps.is_empty() {
        true => "Outside of the steps".to_owned(),
        false => group.steps.join(" / "),
    };
    let _ = writeln!(out, "## {}\n", text(&title));
    for (hosts, entry) in &group.items {
        item(hosts, entry, out);
    }
    for what in &group.assuming {
        let _ = writeln!(out, "- *assuming that {}*", text(what));
    }
    out.push('\n');
}

fn item(hosts: &[&str], entry: &PlanEntry, out: &mut String) {
    let hosts = match hosts {
        ["run"] => String::new(),
        _ => {
            let names: Vec<String> = hosts
                .iter()
                .map(|host| format!("`{}`", code(host)))
                .collect();
            format!("{}: ", names.join(", "))
        }
    };
    let (limit, why) = reason(entry);
    let summary = match entry.kind {
        PlanKind::Command => format!("`{}`", code(&entry.summary)),
        _ => text(&entry.summary),
    };
    let why = why.map_or(String::new(), |why| format!(" — {}", text(why)));
    let word = entry.kind.word();
    let limit = text(&limit);
    let _ = writeln!(out, "- **{word}** {hosts}{summary}{limit}{why}");
    let Some(diff) = entry.diff.as_deref().filter(|diff| says_more(diff)) else {
        return;
    };
    let lines = diff.lines().count();
    if lines > OPEN_LINES {
        // The blank lines make the fence a block of its own inside of the folded part.
        let _ = writeln!(out, "  <details><summary>{lines} lines</summary>\n");
        out.push_str(&fenced("diff", diff));
        out.push_str("\n  </details>\n");
    } else {
        out.push_str(&fenced("diff", diff));
    }
}
