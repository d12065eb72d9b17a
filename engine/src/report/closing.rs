//! The block at the end of a session: what was done, what failed and where, what had changed by then, and
//! the commands that make sense next. Read at 3 a.m.; exact and calm.

use std::collections::BTreeSet;

use crate::journal::Ending;
use crate::model::{RunId, Target};
use crate::operation::{Class, Report};

use super::look::{Look, Tone, counted, elapsed};
use super::{Event, OperationOutcome};

/// Effects that are listed; more are counted.
const LISTED: usize = 20;

/// What a session did so far.
#[derive(Debug, Default)]
pub struct Tally {
    /// Which way the session goes.
    pub course: Course,
    changed: usize,
    already: usize,
    commands: usize,
    planned: usize,
    replayed: usize,
    failed: Vec<(String, Report)>,
    /// Questions that wait, with the flags that answer them.
    unanswered: Vec<(Report, Option<String>)>,
    effects: Vec<String>,
}

impl Tally {
    /// Counts an event.
    pub fn note(&mut self, event: &Event) {
        if matches!(event, Event::RunStarted { mode: "undo", .. }) {
            self.course = Course::Back;
        }
        let Event::OperationEnded {
            scope,
            class,
            target,
            summary,
            outcome,
            ..
        } = event
        else {
            return;
        };
        match (class, outcome) {
            (_, OperationOutcome::Failed { report }) => {
                let steps = scope.steps().join(" / ");
                let place = match scope.branches().join("/") {
                    branch if branch.is_empty() => steps,
                    branch => format!("{steps}, {branch}"),
                };
                self.failed
                    .push((format!("{place}: {summary}"), report.clone()));
            }
            (_, OperationOutcome::Unanswered { report, flag }) => {
                self.unanswered.push((report.clone(), flag.clone()));
            }
            (Class::Command, OperationOutcome::Ok { .. } | OperationOutcome::Changed { .. }) => {
                self.commands += 1;
                self.effects.push(effect("ran", target, summary));
            }
            (_, OperationOutcome::Changed { .. }) => {
                self.changed += 1;
                self.effects.push(effect("changed", target, summary));
            }
            (Class::Change | Class::Command, OperationOutcome::Skipped { .. })
            | (Class::Change, OperationOutcome::Ok { .. }) => self.already += 1,
            (Class::Change | Class::Command, OperationOutcome::Planned { .. }) => self.planned += 1,
            (_, OperationOutcome::Replayed) => self.replayed += 1,
            _ => {}
        }
    }

    /// What was done so far, in counts, while the session works.
    pub fn so_far(&self) -> String {
        match self.told() {
            told if told.is_empty() => "nothing changed yet".to_owned(),
            told => told.join(", "),
        }
    }

    fn counts(&self) -> String {
        match self.told() {
            told if told.is_empty() => "nothing was changed".to_owned(),
            told => told.join(", "),
        }
    }

    fn told(&self) -> Vec<String> {
        let parts = [
            (self.changed, "changed"),
            (self.already, "already right"),
            (
                self.commands,
                if self.commands == 1 {
                    "command"
                } else {
                    "commands"
                },
            ),
            (self.failed.len(), "failed"),
            (self.planned, "planned"),
            (self.replayed, "replayed"),
        ];
        parts
            .iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, word)| format!("{number} {word}"))
            .collect()
    }
}

fn effect(word: &str, target: &Target, summary: &str) -> String {
    match target {
        Target::Run => format!("{word:<8}{summary}"),
        other => format!("{word:<8}{other}: {summary}"),
    }
}

/// The words for an ending.
pub fn ending_word(ending: Ending) -> (Tone, &'static str) {
    match ending {
        Ending::Done => (Tone::Good, "done"),
        Ending::Finished => (Tone::Good, "finished early"),
        Ending::Failed => (Tone::Bad, "FAILED"),
        Ending::Unreachable => (Tone::Bad, "UNREACHABLE"),
        Ending::Undecided => (Tone::Warn, "a person must decide"),
        Ending::Interrupted => (Tone::Warn, "interrupted"),
        Ending::Aborted => (Tone::Warn, "aborted"),
        Ending::Undone => (Tone::Good, "undone"),
    }
}

/// Which way a run goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Course {
    /// Through its runbook.
    #[default]
    Onward,
    /// What it did is being put back.
    Back,
}

/// The commands that make sense after an ending, each with its purpose.
pub fn next_commands(run: &RunId, ending: Ending, course: Course) -> Vec<(String, &'static str)> {
    let resume = |purpose| (format!("runbook resume {run}"), purpose);
    let undo = (format!("runbook undo {run}"), "put back what it changed");
    let show = (
        format!("runbook show {run}"),
        "read everything that happened",
    );
    let status = (format!("runbook status {run}"), "see what must be decided");
    if course == Course::Back && ending != Ending::Undone {
        let on = (undo.0, "go on putting back, once the cause is fixed");
        return vec![status, on, show];
    }
    match ending {
        Ending::Failed => vec![resume("go on, once the cause is fixed"), undo, show],
        Ending::Unreachable => vec![resume("go on, once it can be reached"), undo, show],
        Ending::Interrupted => vec![resume("go on where it stopped"), undo, show],
        Ending::Undecided => vec![status, resume("go on, once that is decided"), undo, show],
        Ending::Done | Ending::Finished | Ending::Aborted => vec![undo, show],
        Ending::Undone => vec![show],
    }
}

/// The command that answers what waits, by all the flags that it takes.
pub fn answering(run: &RunId, flags: &[String]) -> Option<(String, &'static str)> {
    let flags: BTreeSet<&str> = flags.iter().map(String::as_str).collect();
    if flags.is_empty() {
        return None;
    }
    let flags: Vec<&str> = flags.into_iter().collect();
    let command = format!("runbook resume {run} {}", flags.join(" "));
    Some((command, "answer it, and go on"))
}

/// Those commands as lines; what answers a question first.
pub fn next_lines(
    look: &Look,
    run: &RunId,
    ending: Ending,
    course: Course,
    flags: &[String],
) -> Vec<String> {
    let mut commands = next_commands(run, ending, course);
    if let Some(answer) = answering(run, flags) {
        commands.retain(|(command, _)| !command.starts_with("runbook status "));
        commands.insert(0, answer);
        for (command, purpose) in &mut commands {
            if *command == format!("runbook resume {run}") {
                *purpose = "be asked at a terminal, and go on";
            }
        }
    }
    // What waits is named by the script; its name is no command for the terminal.
    for (command, _) in &mut commands {
        *command = look.line(command);
    }
    let longest = commands.iter().map(|(command, _)| command.len()).max();
    let longest = longest.unwrap_or_default();
    let mut out = vec!["next:".to_owned()];
    for (command, purpose) in commands {
        let command = format!("{command:<longest$}");
        if 4 + longest + purpose.len() <= look.width {
            out.push(format!("  {}  {purpose}", look.paint(Tone::Cool, &command)));
        } else {
            out.push(format!("  {}", look.paint(Tone::Cool, command.trim_end())));
            out.push(format!("      {purpose}"));
        }
    }
    out
}

/// The block.
pub fn block(
    look: &Look,
    tally: &Tally,
    run: Option<&RunId>,
    ending: Ending,
    message: &str,
    elapsed_ms: u64,
) -> Vec<String> {
    let (tone, word) = ending_word(ending);
    let mut out = vec![
        String::new(),
        format!(
            "{} in {}: {}",
            look.paint(tone, word),
            elapsed(elapsed_ms),
            tally.counts()
        ),
    ];
    match (ending, run) {
        (Ending::Done, Some(_)) => {}
        (Ending::Done, None) => out.push("nothing was changed; this is the plan:".to_owned()),
        (Ending::Undecided, _) if !tally.unanswered.is_empty() => out.extend(waiting(look, tally)),
        _ => out.extend(look.lines(message)),
    }
    if !tally.failed.is_empty() {
        let ended_well = matches!(ending, Ending::Done | Ending::Finished);
        out.push(match ended_well {
            true => "failed, and then retried or skipped:".to_owned(),
            false => "failed:".to_owned(),
        });
        for (place, report) in &tally.failed {
            out.push(format!("  {}", look.line(place)));
            out.extend(failure(look, 4, report));
        }
    }
    let ended_well = matches!(ending, Ending::Done | Ending::Finished | Ending::Undone);
    if !ended_well && run.is_some() {
        out.extend(changed_by_then(look, tally));
    }
    if let Some(run) = run {
        let flags = tally.unanswered.iter();
        let flags: Vec<String> = flags.filter_map(|(_, flag)| flag.clone()).collect();
        out.extend(next_lines(look, run, ending, tally.course, &flags));
    }
    out
}

/// The questions that wait: not failures, so told once, and with what their answers let happen.
fn waiting(look: &Look, tally: &Tally) -> Vec<String> {
    let mut out = Vec::new();
    for (report, _) in &tally.unanswered {
        let lines = look.lines(&report.message).into_iter();
        out.extend(lines.map(|line| look.paint(Tone::Strong, &line)));
        let detail = report.detail.as_deref().unwrap_or_default();
        out.extend(look.lines(detail).iter().map(|line| format!("  {line}")));
    }
    out
}

fn changed_by_then(look: &Look, tally: &Tally) -> Vec<String> {
    let mut out = Vec::new();
    if tally.effects.is_empty() {
        out.push("changed in this session: nothing".to_owned());
    } else {
        out.push("changed in this session:".to_owned());
        let listed = tally.effects.iter().take(LISTED);
        out.extend(listed.map(|effect| format!("  {}", look.line(effect))));
        if let Some(more @ 1..) = tally.effects.len().checked_sub(LISTED) {
            out.push(format!("  and {}", counted(more, "more", "more")));
        }
    }
    if tally.replayed > 0 {
        out.push("earlier sessions of this run may have changed more; `show` has all".to_owned());
    }
    out
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
