//! From records to the model.

use super::decisions::decisions;
use super::sessions::{done_at, sessions};
use super::{
    Counts, Environment, OperationReport, OutcomeWord, RunReport, SCHEMA, StepReport, TableReport,
    cell, worked,
};
use crate::journal::{
    Entry, EntryState, History, Intent, JournalError, OutcomeResult, StepEntry, StepStatus, Stored,
};
use crate::model::{ScopePath, Segment, Target, Value};
use crate::operation::Class;
use crate::report::{RunState, RunSummary};

/// The report of a run from its records. `locked` says whether a process works on it now; `diff` gives a change's
/// diff from its recorded images.
///
/// # Errors
/// Records that are no history of a run.
pub fn collect(
    records: &[Stored],
    locked: bool,
    diff: &dyn Fn(&Intent) -> Option<String>,
) -> Result<RunReport, JournalError> {
    let history = History::from_records(records)?;
    let summary = RunSummary::of(records, locked);
    let header = history.header();
    let mut entries: Vec<&Entry> = history.entries().collect();
    entries.sort_by_key(|entry| entry.seq);
    let sessions = sessions(&history.sessions, records);
    let mut steps = steps(&history.steps, &entries, diff);
    let done = done_at(records);
    for step in &mut steps {
        let done = done.get(&step.title).copied();
        step.ended = step.ended.map(|ended| done.unwrap_or(ended));
        let (from, to) = (step.started, step.ended);
        step.worked_ms = from.zip(to).map(|(from, to)| worked(&sessions, from, to));
    }
    let counted = steps.iter().flat_map(|step| &step.operations);
    let counts = Counts::of(counted);
    let started = records.first().map(|stored| stored.at).unwrap_or_default();
    Ok(RunReport {
        schema: SCHEMA,
        run: header.run.to_string(),
        title: header.title.clone(),
        on: summary.as_ref().map(RunSummary::on).unwrap_or_default(),
        state: summary
            .as_ref()
            .map_or(RunState::Crashed, |summary| summary.state)
            .word()
            .to_owned(),
        message: summary
            .map(|summary| summary.message.to_owned())
            .unwrap_or_default(),
        started,
        last: records.last().map(|stored| stored.at).unwrap_or(started),
        counts,
        environment: Environment {
            engine: header.engine.clone(),
            sources: header
                .sources
                .iter()
                .map(|source| source.name.clone())
                .filter(|name| !name.starts_with("std/"))
                .collect(),
            parameters: header
                .parameters
                .iter()
                .map(|(name, given)| (name.clone(), cell(&given.value), given.origin.clone()))
                .collect(),
            limit: header.limit.clone(),
            context: header.context.clone(),
        },
        sessions,
        decisions: decisions(records, &history),
        tables: entries.iter().filter_map(|entry| table(entry)).collect(),
        steps,
    })
}

fn steps(
    entered: &[StepEntry],
    entries: &[&Entry],
    diff: &dyn Fn(&Intent) -> Option<String>,
) -> Vec<StepReport> {
    let mut steps: Vec<(Vec<String>, StepReport)> = Vec::new();
    let place = |steps: &mut Vec<(Vec<String>, StepReport)>, path: &ScopePath| -> usize {
        let title = titles(&path.0);
        if let Some(at) = steps.iter().position(|(known, _)| *known == title) {
            return at;
        }
        let report = StepReport {
            title: title.clone(),
            status: "open".into(),
            started: None,
            ended: None,
            worked_ms: None,
            operations: Vec::new(),
        };
        steps.push((title, report));
        steps.len() - 1
    };
    // In the order of the script: an operation or a step, whichever came first.
    let mut events: Vec<(jiff::Timestamp, Option<&StepEntry>, Option<&Entry>)> = entered
        .iter()
        .map(|step| (step.started, Some(step), None))
        .chain(entries.iter().map(|entry| (entry.at, None, Some(*entry))))
        .collect();
    events.sort_by_key(|(at, ..)| *at);
    for (_, step, entry) in events {
        if let Some(step) = step {
            let at = place(&mut steps, &step.path);
            enter(&mut steps[at].1, step);
        }
        if let Some(entry) = entry {
            let at = place(&mut steps, &entry.intent.scope);
            steps[at].1.operations.push(operation(entry, diff));
        }
    }
    for (_, step) in &mut steps {
        let open = |operation: &OperationReport| {
            matches!(operation.outcome, OutcomeWord::Open | OutcomeWord::Again)
        };
        // What was never entered as a step is open only as long as something in it is.
        if step.started.is_none() && !step.operations.iter().any(open) {
            let failed = |one: &OperationReport| one.outcome == OutcomeWord::Failed;
            let word = match step.operations.iter().any(failed) {
                true => "failed",
                false => "done",
            };
            step.status = word.into();
        }
    }
    steps.into_iter().map(|(_, step)| step).collect()
}

/// The steps of a path; what an undo does stands in a step of its own.
pub(super) fn titles(path: &[Segment]) -> Vec<String> {
    if let Some(Segment::Undo { .. }) = path.first() {
        return vec!["Undo".to_owned()];
    }
    let steps = path.iter().filter_map(|segment| match segment {
        Segment::Step { title, .. } => Some(title.clone()),
        _ => None,
    });
    steps.collect()
}

/// A step may be entered by several branches: it has begun with the first and ends with the last.
fn enter(report: &mut StepReport, step: &StepEntry) {
    report.started = report.started.or(Some(step.started));
    let (word, ended) = match step.ended {
        None => ("open", None),
        Some((StepStatus::Done, at)) => ("done", Some(at)),
        Some((StepStatus::Failed, at)) => ("failed", Some(at)),
        Some((StepStatus::Skipped, at)) => ("skipped", Some(at)),
        Some((StepStatus::Stopped, at)) => ("stopped", Some(at)),
    };
    let graver = |word: &str| {
        ["done", "skipped", "stopped", "failed", "open"]
            .iter()
            .position(|other| *other == word)
    };
    if report.ended.is_none() || graver(word) > graver(&report.status) {
        report.status = word.to_owned();
    }
    report.ended = report.ended.max(ended);
}

fn operation(entry: &Entry, diff: &dyn Fn(&Intent) -> Option<String>) -> OperationReport {
    let intent = &entry.intent;
    let (outcome, note) = outcome(entry);
    OperationReport {
        id: intent.id.to_string(),
        class: intent.class,
        kind: intent.kind.clone(),
        target: match &intent.target {
            Target::Run => String::new(),
            other => other.to_string(),
        },
        branch: intent.scope.branches().join("/"),
        summary: intent.summary.clone(),
        source: intent
            .source
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        attempt: entry.attempt,
        at: entry.at,
        ended: entry.last_at,
        deadline: intent.deadline,
        outcome,
        note,
        diff: diff(intent),
        output: output(entry),
        failure: failure(entry),
        undo: intent.undoes.is_some(),
    }
}

fn outcome(entry: &Entry) -> (OutcomeWord, String) {
    match &entry.state {
        EntryState::InFlight => (OutcomeWord::Open, String::new()),
        EntryState::Finished { result, recovered } => {
            let word = match (entry.intent.class, result) {
                (_, OutcomeResult::Failed(_)) => OutcomeWord::Failed,
                (Class::Command, OutcomeResult::Value { changed: false, .. })
                | (Class::Change, OutcomeResult::Value { changed: false, .. }) => {
                    OutcomeWord::Already
                }
                (Class::Command, _) => OutcomeWord::Ran,
                (Class::Change, _) => OutcomeWord::Changed,
                _ => OutcomeWord::Good,
            };
            (word, recovered.clone().unwrap_or_default())
        }
        EntryState::Retryable { by, why, .. } => (OutcomeWord::Again, format!("{why} ({by})")),
        EntryState::ResolvedDone { by, why } => (OutcomeWord::Resolved, format!("{why} ({by})")),
        EntryState::Aborted { by, why } => (OutcomeWord::Aborted, format!("{why} ({by})")),
    }
}

fn result(entry: &Entry) -> Option<&OutcomeResult> {
    match &entry.state {
        EntryState::Finished { result, .. } => Some(result),
        EntryState::Retryable { previous, .. } => previous.as_ref(),
        _ => None,
    }
}

fn output(entry: &Entry) -> Option<(String, String)> {
    let OutcomeResult::Value { value, .. } = result(entry)? else {
        return None;
    };
    let text = |name: &str| value.get(name).and_then(Value::as_text).map(str::to_owned);
    let (out, err) = (text("stdout")?, text("stderr")?);
    (!out.is_empty() || !err.is_empty()).then_some((out, err))
}

fn failure(entry: &Entry) -> Option<(String, String, String)> {
    let OutcomeResult::Failed(failure) = result(entry)? else {
        return None;
    };
    let report = &failure.report;
    Some((
        report.message.clone(),
        report.detail.clone().unwrap_or_default(),
        report.hint.clone().unwrap_or_default(),
    ))
}

fn table(entry: &Entry) -> Option<TableReport> {
    let intent = &entry.intent;
    let Some(Value::List(rows)) = (intent.kind == "table").then(|| intent.arguments.get("rows"))?
    else {
        return None;
    };
    let mut columns: Vec<String> = Vec::new();
    for row in rows {
        if let Value::Map(fields) = row {
            for name in fields
                .keys()
                .filter(|name| !columns.contains(name))
                .collect::<Vec<_>>()
            {
                columns.push(name.clone());
            }
        }
    }
    // As on the terminal: the names of things first.
    columns.sort_by_key(|column| !matches!(column.as_str(), "name" | "host" | "node"));
    let rows = rows
        .iter()
        .map(|row| match columns.is_empty() {
            true => vec![cell(row)],
            false => columns
                .iter()
                .map(|column| row.get(column).map(cell).unwrap_or_default())
                .collect(),
        })
        .collect();
    Some(TableReport {
        title: intent.summary.clone(),
        columns,
        rows,
    })
}
