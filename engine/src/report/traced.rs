//! The events in the log, so that it says what the run was doing between the lines of the libraries below it.

use super::{Event, EventSink, OperationOutcome};

/// Writes events into the log: what begins and ends as `debug`, output as `trace`.
pub struct Traced;

impl EventSink for Traced {
    fn wants(&self, event: &Event) -> bool {
        match event {
            Event::Output { .. } => tracing::enabled!(tracing::Level::TRACE),
            _ => tracing::enabled!(tracing::Level::DEBUG),
        }
    }

    fn emit(&self, event: Event) {
        match event {
            Event::StepStarted { path } => tracing::debug!("step {path} begins"),
            Event::StepEnded {
                path,
                status,
                elapsed_ms,
            } => tracing::debug!("step {path}: {status:?} after {elapsed_ms} ms"),
            Event::OperationStarted {
                key,
                kind,
                target,
                summary,
                ..
            } => tracing::debug!("{key} begins: {kind} on {target}: {summary:?}"),
            Event::OperationEnded {
                key, id, outcome, ..
            } => {
                let id = id.map(|id| format!(" [{id}]")).unwrap_or_default();
                tracing::debug!("{key}{id} {}", word(&outcome));
            }
            Event::Output {
                key, stream, text, ..
            } => tracing::trace!("{key} {stream:?}: {text:?}"),
            Event::ApiAway { state, why, .. } => tracing::debug!("API server {state}: {why:?}"),
            Event::TargetAway { target, why, .. } => tracing::debug!("{target} is away: {why:?}"),
            Event::TargetBack {
                target, answers, ..
            } => tracing::debug!("{target} answers: {answers}"),
            _ => {}
        }
    }
}

fn word(outcome: &OperationOutcome) -> String {
    match outcome {
        OperationOutcome::Ok { .. } => "gave a value".to_owned(),
        OperationOutcome::Changed { .. } => "changed something".to_owned(),
        OperationOutcome::Skipped { why } => format!("was not needed: {why:?}"),
        OperationOutcome::Planned { .. } => "is planned".to_owned(),
        OperationOutcome::Pending { why } => format!("is left for the run: {why:?}"),
        OperationOutcome::Replayed => "is recorded".to_owned(),
        OperationOutcome::Interrupted => "was interrupted".to_owned(),
        OperationOutcome::Unanswered { report, .. } => {
            format!("is not answered: {:?}", report.message)
        }
        OperationOutcome::Failed { report } => format!("failed: {:?}", report.message),
    }
}
