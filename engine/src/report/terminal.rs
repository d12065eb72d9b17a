//! Progress for people, on stderr: the steps as a tree, each operation on a line, at the end what was done
//! and what to do next. Lines are rendered here; `live.rs` shows what is in flight.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use comfy_table::Table;

use crate::journal::StepStatus;
use crate::model::{ScopePath, Target, Value};
use crate::operation::{Class, Report};

use super::closing::{self, Course, Tally};
use super::live::Live;
use super::look::{Look, Tone, elapsed};
use super::{Event, EventSink, OperationOutcome};

/// What the terminal shows, and how.
#[derive(Clone, Copy, Debug)]
pub struct TerminalOptions {
    /// Colours, characters, width.
    pub look: Look,
    /// Whether what is in flight is shown under spinners. Never where stderr is no terminal or CI is set.
    pub live: bool,
    /// How often `-v` was given.
    pub verbosity: u8,
    /// Whether diffs are shown in a real run; a dry run always shows them.
    pub diff: bool,
}

/// Shows events to people.
pub struct Terminal<W> {
    options: TerminalOptions,
    state: Mutex<State<W>>,
}

struct State<W> {
    out: W,
    live: Live,
    tally: Tally,
    replayed: BTreeMap<String, usize>,
    dry: bool,
    /// Questions that are being asked, and what is to be printed when they are answered.
    asking: usize,
    held: Vec<String>,
    /// After how many seconds it was last told that the API server is away.
    away_told: Option<u64>,
}

/// After how many more seconds it is told again that the API server is away.
const AWAY_AGAIN: u64 = 30;

impl<W: Write + Send> Terminal<W> {
    /// Writes to `out`, which is stderr outside of tests.
    pub fn new(out: W, options: TerminalOptions) -> Self {
        Self {
            options,
            state: Mutex::new(State {
                out,
                live: Live::new(options.live),
                tally: Tally::default(),
                replayed: BTreeMap::new(),
                dry: false,
                asking: 0,
                held: Vec::new(),
                away_told: None,
            }),
        }
    }
}

impl<W: Write + Send> EventSink for Terminal<W> {
    fn emit(&self, event: Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        state.live.note(&self.options.look, &event);
        let mut lines = state.render(&self.options, &event);
        state.tally.note(&event);
        match event {
            Event::Asking { .. } => {
                state.asking += 1;
                state.live.hide();
            }
            Event::Answered { .. } => {
                state.asking = state.asking.saturating_sub(1);
                if state.asking == 0 {
                    state.live.show();
                }
            }
            _ => {}
        }
        if state.asking > 0 {
            // Other branches go on; what they say must not tear the question.
            state.held.append(&mut lines);
            return;
        }
        lines.splice(0..0, std::mem::take(&mut state.held));
        if lines.is_empty() {
            return;
        }
        let State { out, live, .. } = state;
        // A terminal that went away must not end the run: what cannot be written is not written.
        live.suspend(|| {
            for line in &lines {
                let _ = writeln!(out, "{}", line.trim_end());
            }
            let _ = out.flush();
        });
    }
}

impl<W> State<W> {
    fn render(&mut self, options: &TerminalOptions, event: &Event) -> Vec<String> {
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
                if *mode == "undo" {
                    self.tally.course = Course::Back;
                }
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
            Event::Output { target, text, .. } if options.verbosity > 0 && !options.live => {
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
            Event::Table { scope, title, rows } => table(look, scope, title, rows),
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
            } => closing::block(
                look,
                &self.tally,
                run.as_ref(),
                *ending,
                message,
                *elapsed_ms,
            ),
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
                out.extend(failure(look, pad.len() + 4, report));
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

/// A failure: what happened, its detail, what to do.
pub(super) fn failure(look: &Look, pad: usize, report: &Report) -> Vec<String> {
    let mut out = Vec::new();
    let mut message = look.lines(&report.message).into_iter();
    if let Some(first) = message.next() {
        let place = report
            .target
            .as_ref()
            .filter(|target| **target != Target::Run);
        let place = place.map_or(String::new(), |target| {
            format!("{}: ", look.line(&target.to_string()))
        });
        out.push(format!(
            "{:pad$}{place}{}",
            "",
            look.paint(Tone::Bad, &first)
        ));
    }
    out.extend(message.map(|line| format!("{:pad$}{line}", "")));
    if let Some(detail) = &report.detail {
        let lines = look.lines(detail);
        out.extend(lines.iter().map(|line| format!("{:pad$}  | {line}", "")));
    }
    if let Some(hint) = &report.hint {
        let hint = look.line(hint);
        out.push(format!(
            "{:pad$}{} {hint}",
            "",
            look.paint(Tone::Cool, "hint:")
        ));
    }
    out
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

fn table(look: &Look, scope: &ScopePath, title: &str, rows: &Value) -> Vec<String> {
    let pad = indent(scope, 1);
    let mut out = vec![format!(
        "{pad}{}",
        look.paint(Tone::Strong, &look.line(title))
    )];
    let Value::List(rows) = rows else {
        out.extend(
            look.lines(&rows.to_string())
                .iter()
                .map(|line| format!("{pad}{line}")),
        );
        return out;
    };
    let mut columns: Vec<&str> = Vec::new();
    for row in rows {
        if let Value::Map(entries) = row {
            for key in entries.keys() {
                if !columns.contains(&key.as_str()) {
                    columns.push(key);
                }
            }
        }
    }
    // The names of things first: a table of maps is sorted by key, which puts `name` in the middle.
    columns.sort_by_key(|column| !matches!(*column, "name" | "host" | "node"));
    let mut table = Table::new();
    table.load_style(if look.unicode {
        comfy_table::presets::UTF8_BORDERS_ONLY
    } else {
        comfy_table::presets::ASCII_BORDERS_ONLY_CONDENSED
    });
    table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
    let room = look.width.saturating_sub(pad.len()).max(20);
    table.set_width(u16::try_from(room).unwrap_or(u16::MAX));
    if columns.is_empty() {
        for row in rows {
            table.add_row([look.line(&row.to_string())]);
        }
    } else {
        table.set_header(columns.iter().map(|column| look.line(column)));
        for row in rows {
            table.add_row(columns.iter().map(|column| {
                look.line(&row.get(column).map(Value::to_string).unwrap_or_default())
            }));
        }
    }
    out.extend(table.lines().map(|line| format!("{pad}{line}")));
    out
}
