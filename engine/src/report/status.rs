//! `status`: where a run stands, at a glance: how it is, where, what it waits for, what to do next.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::document::{Counts, OperationReport, OutcomeWord, RunReport, StepReport};
use super::listing::{RunState, RunSummary, clock};
use super::look::{Look, Tone, counted, elapsed};
use crate::operation::Class;

/// What a glance at a run is made from.
pub struct Glance<'a> {
    /// Its records in a few words.
    pub summary: &'a RunSummary<'a>,
    /// Its report.
    pub report: &'a RunReport,
    /// Who holds its lock, in words.
    pub holder: Option<&'a str>,
    /// The time of the glance.
    pub now: Timestamp,
}

/// `status RUN`.
pub fn status(glance: &Glance<'_>, look: &Look, zone: &TimeZone) -> String {
    let Glance {
        summary, report, ..
    } = glance;
    let (tone, word) = state(summary.state);
    let mut out = vec![
        look.paint(Tone::Strong, &look.line(&report.title)),
        fact("state", &look.paint(tone, word)),
    ];
    let message = look.lines(summary.message).into_iter();
    out.extend(message.map(|line| fact("", &line)));
    out.push(fact(
        "run",
        &look.line(&format!("{} on {}", report.run, report.on)),
    ));
    out.extend(times(glance, zone));
    let holder = match (glance.holder, summary.state) {
        (Some(holder), _) => look.line(holder),
        (None, RunState::Running) => "a process that has not yet written who it is".to_owned(),
        (None, _) => "nobody works on it".to_owned(),
    };
    out.push(fact("holder", &holder));
    out.push(fact("done", &report.counted()));
    out.push("steps:".to_owned());
    // Words and looks before the first step are no step.
    let named = |step: &&StepReport| {
        !step.title.is_empty() || step.operations.iter().any(|one| !one.is_quiet())
    };
    for step in report.steps.iter().filter(named) {
        out.push(step_line(step, glance.now, summary.state, look));
    }
    out.extend(open(glance, look, zone));
    out.extend(summary.next(look));
    out.join("\n") + "\n"
}

fn state(state: RunState) -> (Tone, &'static str) {
    let tone = match state {
        RunState::Running => Tone::Cool,
        RunState::Crashed => Tone::Bad,
        RunState::Ended(ending) => super::closing::ending_word(ending).0,
    };
    (tone, state.word())
}

fn fact(name: &str, text: &str) -> String {
    format!("{name:<8}{text}")
}

fn times(glance: &Glance<'_>, zone: &TimeZone) -> Vec<String> {
    let report = glance.report;
    let sessions = counted(report.sessions.len(), "session", "sessions");
    vec![
        fact("began", &clock(report.started, zone)),
        fact(
            "last",
            &format!(
                "{}, {} ago; {} of work in {sessions}",
                clock(report.last, zone),
                since(report.last, glance.now),
                elapsed(report.worked())
            ),
        ),
    ]
}

fn since(at: Timestamp, now: Timestamp) -> String {
    let span = now.as_millisecond() - at.as_millisecond();
    elapsed(u64::try_from(span).unwrap_or_default())
}

fn step_line(step: &StepReport, now: Timestamp, state: RunState, look: &Look) -> String {
    let (tone, word) = match step.status.as_str() {
        "done" => (Tone::Good, "done"),
        "failed" => (Tone::Bad, "FAILED"),
        // Open in a run that nobody works on: it was left there.
        "open" if state != RunState::Running => (Tone::Warn, "left"),
        "open" => (Tone::Cool, "now"),
        other => (Tone::Warn, other),
    };
    let title = match step.title.is_empty() {
        true => "outside of steps".to_owned(),
        false => step.title.join(" / "),
    };
    let time = match (step.started, step.worked_ms) {
        (_, Some(worked)) => Some(elapsed(worked)),
        (Some(from), None) if state == RunState::Running => Some(since(from, now)),
        _ => None,
    };
    let counts = Counts {
        looked: 0,
        ..Counts::of(&step.operations)
    };
    let mut facts: Vec<String> = time.into_iter().collect();
    facts.extend(Some(counts.to_string()).filter(|counts| !counts.is_empty()));
    let facts = match facts.is_empty() {
        true => String::new(),
        false => format!("  {}", facts.join(", ")),
    };
    format!(
        "  {}{}{}",
        look.paint(tone, &format!("{word:<8}")),
        look.line(&title),
        look.paint(Tone::Dim, &facts)
    )
}

/// What has no outcome yet: waits with their end, questions, effects.
fn open(glance: &Glance<'_>, look: &Look, zone: &TimeZone) -> Vec<String> {
    let open = |of: &dyn Fn(Class) -> bool| -> Vec<&OperationReport> {
        let operations = glance.report.operations();
        operations
            .filter(|one| matches!(one.outcome, OutcomeWord::Open) && of(one.class))
            .collect()
    };
    let mut out = Vec::new();
    for (title, operations) in [
        ("waits for:", open(&|class| class == Class::Wait)),
        ("asks:", open(&|class| class == Class::Ask)),
        (
            "in flight:",
            open(&|class| !matches!(class, Class::Wait | Class::Ask)),
        ),
    ] {
        if !operations.is_empty() {
            out.push(title.to_owned());
        }
        for operation in operations {
            let place = match operation.place(" > ") {
                place if place.is_empty() => String::new(),
                place => format!("{place}: "),
            };
            let line = format!("{}  {place}{}", operation.id, operation.summary);
            out.push(format!("  {}", look.line(&line)));
            out.push(format!("    {}", until(operation, glance, zone)));
        }
    }
    out
}

/// Since when, and until when at most.
fn until(operation: &OperationReport, glance: &Glance<'_>, zone: &TimeZone) -> String {
    let began = format!("since {}", clock(operation.at, zone));
    match operation.deadline {
        Some(deadline) if deadline > glance.now => format!(
            "{began}, until {} at most: {} left",
            clock(deadline, zone),
            since(glance.now, deadline)
        ),
        Some(deadline) => format!("{began}; its time was up at {}", clock(deadline, zone)),
        None => began,
    }
}
