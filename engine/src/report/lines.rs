//! The lines that an event is told in: each operation on a line, steps around them, at the end what was done.

use std::collections::{BTreeMap, BTreeSet};

use crate::journal::StepStatus;
use crate::model::{ScopePath, Target};
use crate::operation::Class;

use super::closing::{self, Tally};
use super::look::{Look, Tone, elapsed};
use super::terminal::TerminalOptions;
use super::{Event, OperationOutcome, table};

/// What was told already, as far as it decides what is told next.
#[derive(Debug, Default)]
pub struct Lines {
    replayed: BTreeMap<String, usize>,
    dry: bool,
    /// After how many seconds it was last told that the API server is away.
    away_told: Option<u64>,
    /// Targets of which it was told that they are away.
    lost: BTreeSet<Target>,
}

/// After how many more seconds it is told again that the API server is away.
const AWAY_AGAIN: u64 = 30;

impl Lines {
    /// The lines for an event; none where it is not told.
    pub fn of(&mut self, options: &TerminalOptions, tally: &Tally, event: &Event) -> Vec<String> {
        let look = &options.look;
        match event {
            Event::RunStarted {
                run,
                title,
                mode,
                on,
                ..
            } => {
                self.dry = *mode == "dry run";
                let run = run.as_ref().map_or(String::new(), |run| format!(" {run}"));
                vec![
                    look.paint(Tone::Strong, &look.line(title)),
                    format!("{mode}{run} on {}", look.line(on)),
                    String::new(),
                ]
            }
            Event::StepStarted { path } => vec![step_line(look, path, Tone::Strong, ">", "")],
            Event::StepEnded {
                path,
                status,
                elapsed_ms,
            } => self.step_ended(look, path, *status, *elapsed_ms),
            Event::OperationEnded {
                scope,
                class,
                target,
                summary,
                outcome,
                ..
            } => self.operation(options, scope, *class, target, summary, outcome),
            Event::Output { target, text, .. } if options.verbosity > 0 => {
                let target = look.line(&target.to_string());
                look.lines(text)
                    .iter()
                    .map(|line| look.paint(Tone::Dim, &format!("    {target} | {line}")))
                    .collect()
            }
            Event::TakenUp {
                scope,
                target,
                summary,
                running,
                stdout_shown,
                stderr_shown,
                ..
            } => {
                let text = taken_up(*running, stdout_shown + stderr_shown);
                let line = look.line(&format!("{target}: `{summary}` {text}"));
                vec![format!(
                    "{}{}",
                    indent(scope, 1),
                    look.paint(Tone::Dim, &line)
                )]
            }
            Event::Note { scope, text } => look
                .lines(text)
                .iter()
                .map(|line| format!("{}{line}", indent(scope, 1)))
                .collect(),
            Event::Table { scope, title, rows } => {
                table::lines(look, indent(scope, 1), title, rows)
            }
            // The plan that ends a dry run tells it by step.
            Event::PlanNote(note) if options.verbosity > 0 => vec![format!(
                "{}{} {}",
                indent(&note.scope, 1),
                look.paint(Tone::Warn, "the plan ends here: not known before"),
                look.line(&note.because)
            )],
            Event::Warning { text } => look
                .lines(text)
                .iter()
                .map(|line| format!("{} {line}", look.paint(Tone::Warn, "warning:")))
                .collect(),
            Event::ApiAway {
                state,
                why,
                waited_s,
                limit_s,
            } => self.api_away(options, state, why, *waited_s, *limit_s),
            Event::ApiBack { waited_s } => {
                self.away_told = None;
                vec![format!(
                    "    the API server answers again (after {})",
                    elapsed(waited_s * 1000)
                )]
            }
            Event::TargetAway {
                target,
                why,
                limit_s,
                ..
            } => self.target_away(look, target, why, *limit_s),
            Event::TargetBack {
                target,
                answers,
                waited_s,
            } => {
                self.lost.remove(target);
                let target = look.line(&target.to_string());
                let waited = elapsed(waited_s * 1000);
                vec![match answers {
                    true => format!("    {target} answers again (after {waited})"),
                    false => look.paint(
                        Tone::Warn,
                        &format!("    {target} is given up after {waited}"),
                    ),
                }]
            }
            Event::Temporary { object, what } => vec![look.paint(
                Tone::Dim,
                &format!("    starting a {}: {}", look.line(what), look.line(object)),
            )],
            Event::Waiting { what, deadline, .. } => {
                let until = deadline.to_zoned(jiff::tz::TimeZone::system());
                let until = until.strftime("%H:%M:%S");
                vec![format!(
                    "    waiting for {} (until {until})",
                    look.line(what)
                )]
            }
            Event::RunEnded {
                run,
                ending,
                message,
                elapsed_ms,
                ..
            } => closing::block(look, tally, run.as_ref(), *ending, message, *elapsed_ms),
            _ => Vec::new(),
        }
    }

    /// Told when it begins and now and then; between, the live line counts.
    fn api_away(
        &mut self,
        options: &TerminalOptions,
        state: &str,
        why: &str,
        waited_s: u64,
        limit_s: u64,
    ) -> Vec<String> {
        let next = self.away_told.map_or(0, |told| told + AWAY_AGAIN);
        if waited_s < next {
            return Vec::new();
        }
        self.away_told = Some(waited_s);
        let look = &options.look;
        vec![format!(
            "    {} ({waited_s} s): {}; trying for {}",
            look.paint(Tone::Warn, &format!("API server {state}")),
            look.line(why),
            elapsed(limit_s * 1000)
        )]
    }

    /// Told once; the display counts.
    fn target_away(
        &mut self,
        look: &Look,
        target: &Target,
        why: &str,
        limit_s: u64,
    ) -> Vec<String> {
        if !self.lost.insert(target.clone()) {
            return Vec::new();
        }
        let text = format!("lost connection to {target}");
        vec![format!(
            "    {}, trying again for {}: {}",
            look.paint(Tone::Warn, &look.line(&text)),
            elapsed(limit_s * 1000),
            look.line(why)
        )]
    }

    fn step_ended(
        &mut self,
        look: &Look,
        path: &ScopePath,
        status: StepStatus,
        elapsed_ms: u64,
    ) -> Vec<String> {
        let mut out = Vec::new();
        if let Some(number) = self.replayed.remove(&step_key(path)) {
            let words = super::counted(number, "operation replayed", "operations replayed");
            out.push(look.paint(Tone::Dim, &format!("{}{words}", indent(path, 1))));
        }
        let (tone, mark, word) = match status {
            StepStatus::Done => (Tone::Good, look.mark("✓", "ok"), ""),
            StepStatus::Failed => (Tone::Bad, look.mark("✗", "FAILED"), ""),
            StepStatus::Skipped => (Tone::Warn, "-", "skipped, "),
            StepStatus::Stopped => (Tone::Warn, look.mark("…", "..."), "stopped, "),
        };
        let after = format!(" ({word}{})", elapsed(elapsed_ms));
        out.push(step_line(look, path, tone, mark, &after));
        out
    }

    fn operation(
        &mut self,
        options: &TerminalOptions,
        scope: &ScopePath,
        class: Class,
        target: &Target,
        summary: &str,
        outcome: &OperationOutcome,
    ) -> Vec<String> {
        let look = &options.look;
        let quiet = matches!(class, Class::Observe | Class::Tell) && options.verbosity == 0;
        let (tone, word) = match outcome {
            OperationOutcome::Replayed => {
                *self.replayed.entry(step_key(scope)).or_default() += 1;
                return Vec::new();
            }
            OperationOutcome::Failed { .. } => (Tone::Bad, "FAILED"),
            OperationOutcome::Interrupted => (Tone::Warn, "stopped"),
            // The end says what waits, once, with the command that answers it.
            OperationOutcome::Unanswered { .. } => return Vec::new(),
            _ if quiet => return Vec::new(),
            // The plan that ends a dry run shows these by step and host.
            OperationOutcome::Planned { .. }
            | OperationOutcome::Pending { .. }
            | OperationOutcome::Skipped { .. }
            | OperationOutcome::Ok { .. }
                if self.dry && options.verbosity == 0 =>
            {
                return Vec::new();
            }
            OperationOutcome::Ok { .. } => (Tone::Dim, ok_word(class)),
            OperationOutcome::Changed { .. } if class == Class::Command => (Tone::Warn, "ran"),
            OperationOutcome::Changed { .. } => (Tone::Warn, "changed"),
            OperationOutcome::Skipped { .. } => (Tone::Dim, "already"),
            OperationOutcome::Planned { .. } => (Tone::Warn, "would"),
            OperationOutcome::Pending { .. } => (Tone::Dim, "later"),
        };
        let after = match outcome {
            OperationOutcome::Changed {
                recovered: Some(how),
                ..
            } => format!(" ({how})"),
            OperationOutcome::Skipped { why } | OperationOutcome::Pending { why } => {
                format!(" ({why})")
            }
            OperationOutcome::Planned {
                assuming: Some(what),
                ..
            } => format!(" (assuming {what})"),
            _ => String::new(),
        };
        let label = label(look, scope, target);
        let text = look.line(&format!("{summary}{after}"));
        let pad = indent(scope, 1);
        let head = format!("{word:<8}");
        let mut out = vec![if tone == Tone::Dim {
            look.paint(Tone::Dim, &format!("{pad}{head}{label}{text}"))
        } else {
            format!(
                "{pad}{}{}{text}",
                look.paint(tone, &head),
                look.paint(Tone::Cool, &label)
            )
        }];
        match outcome {
            OperationOutcome::Changed {
                diff: Some(diff), ..
            }
            | OperationOutcome::Planned {
                diff: Some(diff), ..
            } if options.diff || self.dry => {
                out.extend(look.diff(pad.len() + 4, diff));
            }
            OperationOutcome::Failed { report } => {
                out.extend(closing::failure(look, pad.len() + 4, report));
            }
            _ => {}
        }
        out
    }
}

/// What became of a command that was begun before, and where its output goes on.
fn taken_up(running: bool, shown: u64) -> String {
    let state = match running {
        true => "still runs",
        false => "ended meanwhile",
    };
    match shown {
        0 => format!("{state}; its output follows from the beginning"),
        shown => format!("{state}; its output goes on where it stopped, after {shown} bytes"),
    }
}

fn ok_word(class: Class) -> &'static str {
    match class {
        Class::Observe => "looked",
        Class::Change => "already",
        Class::Command => "ran",
        Class::Wait => "waited",
        Class::Ask => "answer",
        Class::Assert => "holds",
        Class::Tell => "told",
    }
}

fn step_key(scope: &ScopePath) -> String {
    scope.steps().join("\n")
}

fn indent(scope: &ScopePath, more: usize) -> String {
    "  ".repeat((scope.steps().len() + more).saturating_sub(1))
}

fn step_line(look: &Look, path: &ScopePath, tone: Tone, mark: &str, after: &str) -> String {
    let branches = path.branches();
    let label = if branches.is_empty() {
        String::new()
    } else {
        format!("{}: ", look.line(&branches.join("/")))
    };
    let steps = path.steps();
    let title = look.line(steps.last().unwrap_or(&"(the whole runbook)"));
    let line = format!("{mark} {label}{title}");
    format!("{}{}{after}", indent(path, 0), look.paint(tone, &line))
}

/// `host: `, with the branch before it where that says something else.
fn label(look: &Look, scope: &ScopePath, target: &Target) -> String {
    let branches = scope.branches().join("/");
    let place = match target {
        Target::Run => String::new(),
        other => other.to_string(),
    };
    let words = match (branches.as_str(), place.as_str()) {
        ("", "") => return String::new(),
        (branch, "") => branch.to_owned(),
        ("", place) => place.to_owned(),
        (branch, place) if branch == place => place.to_owned(),
        (branch, place) => format!("{branch} > {place}"),
    };
    format!("{}: ", look.line(&words))
}
