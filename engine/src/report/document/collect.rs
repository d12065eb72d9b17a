//! From records to the model.

use super::{
    Counts, DecisionReport, Environment, OperationReport, OutcomeWord, RunReport, SCHEMA,
    SessionReport, StepReport, TableReport, cell,
};
use crate::journal::{
    Entry, EntryState, History, Intent, JournalError, OutcomeResult, Record, SessionEntry,
    StepEntry, StepStatus, Stored,
};
use crate::model::{ScopePath, Target, Value};
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
    let steps = steps(&history.steps, &entries, diff);
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
        counts: count(&steps),
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
        sessions: history.sessions.iter().map(session).collect(),
        decisions: decisions(records, &history),
        tables: entries.iter().filter_map(|entry| table(entry)).collect(),
        steps,
    })
}

fn session(entry: &SessionEntry) -> SessionReport {
    SessionReport {
        kind: format!("{:?}", entry.kind).to_lowercase(),
        operator: entry.operator.clone(),
        started: entry.started,
        ended: entry.ended.map(|(_, at)| at),
        ending: entry
            .ended
            .map_or("no word of an end", |(ending, _)| {
                RunState::Ended(ending).word()
            })
            .to_owned(),
    }
}

fn steps(
    entered: &[StepEntry],
    entries: &[&Entry],
    diff: &dyn Fn(&Intent) -> Option<String>,
) -> Vec<StepReport> {
    let mut steps: Vec<(Vec<String>, StepReport)> = Vec::new();
    let place = |steps: &mut Vec<(Vec<String>, StepReport)>, path: &ScopePath| -> usize {
        let title = titles(path);
        if let Some(at) = steps.iter().position(|(known, _)| *known == title) {
            return at;
        }
        let report = StepReport {
            title: title.clone(),
            status: "open".into(),
            started: None,
            ended: None,
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
            step.status = "done".into();
        }
    }
    steps.into_iter().map(|(_, step)| step).collect()
}

/// The steps of a path; what an undo does stands in a step of its own.
fn titles(path: &ScopePath) -> Vec<String> {
    let steps = path.steps();
    match path.0.first() {
        Some(crate::model::Segment::Undo { .. }) => vec!["Undo".to_owned()],
        _ => steps.into_iter().map(str::to_owned).collect(),
    }
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

fn count(steps: &[StepReport]) -> Counts {
    let mut counts = Counts::default();
    for operation in steps.iter().flat_map(|step| &step.operations) {
        match operation.outcome {
            OutcomeWord::Changed => counts.changed += 1,
            OutcomeWord::Already => counts.already += 1,
            OutcomeWord::Ran => counts.commands += 1,
            OutcomeWord::Failed | OutcomeWord::Aborted => counts.failed += 1,
            OutcomeWord::Open | OutcomeWord::Again => counts.open += 1,
            OutcomeWord::Good if operation.class == Class::Observe => counts.looked += 1,
            OutcomeWord::Good | OutcomeWord::Resolved => {}
        }
    }
    counts
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

fn decisions(records: &[Stored], history: &History) -> Vec<DecisionReport> {
    let about = |id: &crate::model::OperationId| {
        history.by_id(id).map_or_else(
            || id.to_string(),
            |entry| format!("{}: {}", entry.intent.target, entry.intent.summary),
        )
    };
    let mut found = Vec::new();
    for stored in records {
        let decision = match &stored.record {
            Record::Outcome(outcome) => match (history.by_id(&outcome.id), &outcome.recovered) {
                (Some(entry), Some(how)) if entry.intent.class == Class::Ask => DecisionReport {
                    at: stored.at,
                    what: entry.intent.summary.clone(),
                    answer: match &outcome.result {
                        OutcomeResult::Value { value, .. } if *value == Value::Bool(true) => {
                            "yes".into()
                        }
                        OutcomeResult::Value { value, .. } => cell(value),
                        OutcomeResult::Failed(failure) => failure.report.message.clone(),
                    },
                    by: how.strip_prefix("answered by ").unwrap_or(how).to_owned(),
                },
                _ => continue,
            },
            Record::Retried {
                operations,
                by,
                why,
            } => DecisionReport {
                at: stored.at,
                what: operations.iter().map(about).collect::<Vec<_>>().join("; "),
                answer: format!("try again: {why}"),
                by: by.clone(),
            },
            Record::Resolved {
                operation,
                decision,
                by,
                why,
            } => DecisionReport {
                at: stored.at,
                what: about(operation),
                answer: match why.is_empty() {
                    true => decision.clone(),
                    false => format!("{decision}: {why}"),
                },
                by: by.clone(),
            },
            Record::Edited {
                edition,
                reused,
                orphaned,
                by,
                ..
            } => DecisionReport {
                at: stored.at,
                what: format!("the script was edited (edition {edition})"),
                answer: format!(
                    "{} operations reused, {} orphaned",
                    reused.len(),
                    orphaned.len()
                ),
                by: by.clone(),
            },
            _ => continue,
        };
        found.push(decision);
    }
    found
}
