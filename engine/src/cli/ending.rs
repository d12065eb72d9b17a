//! From how a script ended to what is recorded, what is said, and the exit status (design 7).

use super::problem::{FAILED, UNDECIDED};
use crate::journal::Ending;
use crate::model::{OperationId, Secrets, SourcePosition};
use crate::operation::{Divergence, Failure, Report};
use crate::report::Diagnostic;
use crate::script::{Place, ScriptEnd, SourceSet};

/// Exit status: a target could not be reached.
const UNREACHABLE: u8 = 4;
/// Exit status: interrupted, resumable (128 + SIGINT).
const INTERRUPTED: u8 = 130;

/// The end of a session.
pub struct Verdict {
    /// How it ended.
    pub ending: Ending,
    /// In one sentence.
    pub message: String,
    /// The operations whose failure ended it.
    pub failed: Vec<OperationId>,
    /// The exit status.
    pub exit: u8,
    /// Whether the journal could not be written.
    pub poisoned: bool,
    failure: Option<(Failure, Vec<Place>)>,
}

/// What an end means.
pub fn verdict(end: ScriptEnd) -> Verdict {
    let (failure, places) = match end {
        ScriptEnd::Done => return good(Ending::Done, "to the end of the runbook".into()),
        ScriptEnd::Finished(reason) => return good(Ending::Finished, reason),
        ScriptEnd::Failed(failure, places) => (*failure, places),
    };
    let (ending, exit) = match &failure {
        Failure::Failed(_) | Failure::Misuse(_) | Failure::Poisoned(_) | Failure::PlanEnds(_) => {
            (Ending::Failed, FAILED)
        }
        Failure::Unreachable(_) | Failure::Lost(_) => (Ending::Unreachable, UNREACHABLE),
        Failure::Undecided(_) | Failure::Diverged(_) => (Ending::Undecided, UNDECIDED),
        Failure::Interrupted => (Ending::Interrupted, INTERRUPTED),
    };
    Verdict {
        ending,
        message: failure.to_string(),
        failed: failed_operations(&failure),
        exit,
        poisoned: matches!(failure, Failure::Poisoned(_)),
        failure: Some((failure, places)),
    }
}

fn good(ending: Ending, message: String) -> Verdict {
    Verdict {
        ending,
        message,
        failed: Vec::new(),
        exit: 0,
        poisoned: false,
        failure: None,
    }
}

fn failed_operations(failure: &Failure) -> Vec<OperationId> {
    match failure {
        Failure::Failed(report) | Failure::Unreachable(report) => report
            .operation
            .iter()
            .chain(&report.related)
            .cloned()
            .collect(),
        _ => Vec::new(),
    }
}

impl Verdict {
    /// The failure with its place in the text underlined, for the end of the output.
    pub fn diagnostic(&self, sources: &SourceSet, secrets: &Secrets) -> Option<Diagnostic> {
        let (failure, places) = self.failure.as_ref()?;
        match failure {
            Failure::Interrupted => return None,
            // A question that waits is no error: the end of the output has told it.
            Failure::Undecided(undecided) if undecided.is_question() => return None,
            _ => {}
        }
        let mut diagnostic = match failure {
            Failure::Diverged(divergence) => diverged(divergence),
            Failure::Failed(report) | Failure::Unreachable(report) | Failure::Lost(report) => {
                reported(report)
            }
            Failure::Undecided(undecided) => reported(&undecided.report),
            other => Diagnostic::error(other.to_string()),
        };
        let mut places = places.iter();
        if let Some(place) = places.next() {
            let text = sources.text(&place.position.file).map(str::to_owned);
            diagnostic = diagnostic.at(shown(&place.position, sources), text, 1);
            if let Some(within) = &place.within {
                diagnostic.notes.insert(0, format!("in {within}"));
            }
        }
        for place in places.take(8) {
            let called = place
                .function
                .as_deref()
                .map(|name| format!(" (calling {name})"))
                .unwrap_or_default();
            let position = shown(&place.position, sources);
            diagnostic = diagnostic.note(format!("from {position}{called}"));
        }
        diagnostic.message = secrets.redact(&diagnostic.message);
        for text in diagnostic.notes.iter_mut().chain(&mut diagnostic.help) {
            *text = secrets.redact(text);
        }
        Some(diagnostic)
    }
}

/// A place as a reader finds it.
fn shown(position: &SourcePosition, sources: &SourceSet) -> SourcePosition {
    SourcePosition {
        file: sources.path_of(&position.file),
        ..position.clone()
    }
}

fn reported(report: &Report) -> Diagnostic {
    let target = report
        .target
        .as_ref()
        .filter(|target| !report.message.contains(&target.to_string()));
    let on = target
        .map(|target| format!("{target}: "))
        .unwrap_or_default();
    let mut diagnostic = Diagnostic::error(format!("{on}{}", report.message));
    if let Some(detail) = &report.detail {
        diagnostic = diagnostic.note(detail.clone());
    }
    if let Some(hint) = &report.hint {
        diagnostic = diagnostic.help(hint.clone());
    }
    diagnostic
}

fn diverged(divergence: &Divergence) -> Diagnostic {
    let side = |title: &str, side: &crate::operation::Side| {
        let source = side
            .source
            .as_ref()
            .map(|source| format!("  {source}"))
            .unwrap_or_default();
        let arguments = if divergence.first_difference == "arguments" {
            format!("\n           {}", side.arguments)
        } else {
            String::new()
        };
        format!(
            "{title} {} {} {}{source}{arguments}",
            side.kind, side.target, side.summary
        )
    };
    Diagnostic::error(format!("replay diverged at {}", divergence.place))
        .note(side("recorded", &divergence.recorded))
        .note(side("now     ", &divergence.now))
        .note(format!("first difference: {}; nothing was done in this session", divergence.first_difference))
        .help("resume with the pinned script (no flag), or accept the edit: runbook resume RUN --edited")
}
