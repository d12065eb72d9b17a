//! What people decided in a run: answers, words about operations that nobody could ask about, edits of the script.

use super::{DecisionReport, cell};
use crate::journal::{History, OutcomeResult, Record, Stored};
use crate::model::Value;
use crate::operation::Class;

/// The decisions in order.
pub(super) fn decisions(records: &[Stored], history: &History) -> Vec<DecisionReport> {
    let about = |id: &crate::model::OperationId| {
        history.by_id(id).map_or_else(
            || id.to_string(),
            |entry| format!("{}: {}", entry.intent.target, entry.intent.summary),
        )
    };
    let mut found = Vec::new();
    let mut at_work = String::new();
    for stored in records {
        let decision = match &stored.record {
            Record::SessionStarted { operator, .. } => {
                at_work.clone_from(operator);
                continue;
            }
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
                    operator: at_work.clone(),
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
                operator: at_work.clone(),
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
                operator: at_work.clone(),
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
                operator: at_work.clone(),
            },
            _ => continue,
        };
        found.push(decision);
    }
    found
}
