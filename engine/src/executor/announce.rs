//! Events of operations, redacted before anyone sees them (M9).

use std::sync::Arc;

use super::output::LiveOutput;
use crate::journal::Shown;
use crate::model::{OperationId, ScopePath, Secrets, Value};
use crate::operation::{Call, Failure, Report, Way};
use crate::report::{Event, EventSink, OperationOutcome};

/// Sends the events of one mode.
#[derive(Clone)]
pub struct Announcer {
    sink: Arc<dyn EventSink>,
    secrets: Arc<Secrets>,
}

impl Announcer {
    /// An announcer to this sink.
    pub fn new(sink: Arc<dyn EventSink>, secrets: Arc<Secrets>) -> Self {
        Self { sink, secrets }
    }

    /// Any event whose texts hold no secret.
    pub fn emit(&self, event: Event) {
        self.sink.emit(event);
    }

    /// The secrets that it keeps.
    pub fn secrets(&self) -> &Arc<Secrets> {
        &self.secrets
    }

    /// A text without secrets.
    pub fn redact(&self, text: &str) -> String {
        self.secrets.redact(text)
    }

    /// Something that stops nothing.
    pub fn warn(&self, text: &str) {
        self.emit(Event::Warning {
            text: self.secrets.redact(text),
        });
    }

    /// An operation begins.
    pub fn started(&self, call: &Call<'_>) {
        self.emit(Event::OperationStarted {
            key: call.key.clone(),
            scope: call.scope.clone(),
            class: call.action.class(),
            kind: call.action.kind().to_owned(),
            target: call.target.clone(),
            summary: self.secrets.redact(&call.action.summary()),
        });
    }

    /// An operation ended.
    pub fn ended(&self, call: &Call<'_>, id: Option<OperationId>, outcome: OperationOutcome) {
        self.emit(Event::OperationEnded {
            key: call.key.clone(),
            id,
            scope: call.scope.clone(),
            class: call.action.class(),
            kind: call.action.kind().to_owned(),
            target: call.target.clone(),
            summary: self.secrets.redact(&call.action.summary()),
            source: call.source.clone(),
            outcome: self.redacted(outcome),
        });
    }

    /// An operation failed.
    pub fn failed(&self, call: &Call<'_>, id: Option<OperationId>, failure: &Failure) {
        let report = match failure {
            Failure::Interrupted => return self.ended(call, id, OperationOutcome::Interrupted),
            Failure::Failed(report) | Failure::Unreachable(report) | Failure::Lost(report) => {
                report.clone()
            }
            Failure::Undecided(undecided) => {
                let report = (*undecided.report).clone();
                let Way::Answer(flag) = undecided.way.clone() else {
                    return self.ended(call, id, OperationOutcome::Failed { report });
                };
                return self.ended(call, id, OperationOutcome::Unanswered { report, flag });
            }
            other => Report::new(other.to_string()),
        };
        self.ended(call, id, OperationOutcome::Failed { report });
    }

    /// An `each` begins.
    pub fn each(&self, path: &ScopePath, nth: u32, branches: &[String]) {
        self.emit(Event::EachStarted {
            path: path.clone(),
            nth,
            branches: branches.to_vec(),
        });
    }

    /// Asks, with the terminal kept free for it.
    pub fn asking<T>(&self, scope: &ScopePath, text: &str, ask: impl FnOnce() -> T) -> T {
        self.emit(Event::Asking {
            scope: scope.clone(),
            text: self.secrets.redact(text),
        });
        let answer = ask();
        self.emit(Event::Answered {
            scope: scope.clone(),
        });
        answer
    }

    /// Words and tables.
    pub fn told(&self, call: &Call<'_>, text: &str, rows: &Value, table: bool) {
        let (scope, text) = (call.scope.clone(), self.secrets.redact(text));
        self.emit(match table {
            true => Event::Table {
                scope,
                title: text,
                rows: self.value(rows),
            },
            false => Event::Note { scope, text },
        });
    }

    /// A sink for the output of one operation, which goes on behind what the note says was shown.
    pub fn output(&self, call: &Call<'_>, note: Shown) -> LiveOutput {
        LiveOutput::new(self.clone(), call, note)
    }

    /// A command of an earlier session, or of a lost connection, is taken up again.
    pub fn taken_up(&self, call: &Call<'_>, running: bool, shown: (u64, u64)) {
        self.emit(Event::TakenUp {
            key: call.key.clone(),
            scope: call.scope.clone(),
            target: call.target.clone(),
            summary: self.secrets.redact(&call.action.summary()),
            running,
            stdout_shown: shown.0,
            stderr_shown: shown.1,
        });
    }

    fn redacted(&self, outcome: OperationOutcome) -> OperationOutcome {
        let text = |text: String| self.secrets.redact(&text);
        match outcome {
            OperationOutcome::Ok { value } => OperationOutcome::Ok {
                value: self.value(&value),
            },
            OperationOutcome::Changed { diff, recovered } => OperationOutcome::Changed {
                diff: diff.map(text),
                recovered,
            },
            OperationOutcome::Planned {
                diff,
                assuming,
                why,
                seal,
            } => OperationOutcome::Planned {
                diff: diff.map(text),
                assuming: assuming.map(text),
                why: why.map(text),
                seal,
            },
            OperationOutcome::Skipped { why } => OperationOutcome::Skipped { why: text(why) },
            OperationOutcome::Pending { why } => OperationOutcome::Pending { why: text(why) },
            OperationOutcome::Failed { report } => OperationOutcome::Failed {
                report: self.report(report),
            },
            OperationOutcome::Unanswered { report, flag } => OperationOutcome::Unanswered {
                report: self.report(report),
                flag: flag.map(text),
            },
            OperationOutcome::Replayed => OperationOutcome::Replayed,
            OperationOutcome::Interrupted => OperationOutcome::Interrupted,
        }
    }

    /// A report without secrets.
    pub fn report(&self, mut report: Report) -> Report {
        report.message = self.secrets.redact(&report.message);
        report.detail = report.detail.map(|text| self.secrets.redact(&text));
        report.hint = report.hint.map(|text| self.secrets.redact(&text));
        report
    }

    fn value(&self, value: &Value) -> Value {
        let redacted = self.secrets.redact_json(&value.canonical());
        serde_json::from_str(&redacted)
            .unwrap_or_else(|_| Value::from("‹a value with a secret in it›"))
    }
}
