//! What a dry run found that the run would do; collected from its events.

mod ahead;
mod compare;
mod group;
mod markdown;
mod radius;
mod restarts;
mod text;

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::model::{OperationKey, ScopePath, SourcePosition, Subject};
use crate::operation::Class;

use super::look::counted;
use super::{Event, EventSink, OperationOutcome, WILL_BE_ASKED};

pub use ahead::Foreseen;
pub use compare::Difference;
pub(crate) use compare::both;
pub use markdown::{Heading, markdown};
pub use radius::Radius;

/// One thing that the run would do, or where the plan ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanEntry {
    /// The name of the operation within the run; none where the plan ends.
    pub key: Option<OperationKey>,
    /// Where it stands.
    pub scope: ScopePath,
    /// On what; `run` for the engine itself.
    pub target: String,
    /// What it is.
    pub kind: PlanKind,
    /// The word of the script, such as `file.set_yaml`; empty where the plan ends.
    pub word: String,
    /// One line.
    pub summary: String,
    /// Where in the text.
    pub source: Option<SourcePosition>,
    /// The change as a diff, where it can be shown as one.
    pub diff: Option<String>,
    /// What the plan assumes.
    pub assuming: Option<String>,
    /// Why it is needed, why it is left for the run, or what went wrong.
    pub why: Option<String>,
    /// What a run of this plan is held to; none for what has no effect.
    pub seal: Option<Seal>,
}

/// What the dry run saw of an effect's target, in a form that can be kept in a file: hashes with the plan's own key, of
/// what stands there with the marks of secrets in their place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    /// Of the whole arguments; none where a part of them is known only in the run.
    pub arguments: Option<String>,
    /// What is changed; none for a command.
    pub subject: Option<Subject>,
    /// Of a file as it was found, with mode and owner.
    pub before: Option<String>,
    /// Of a file as it shall be.
    pub after: Option<String>,
}

/// What an entry of a plan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanKind {
    /// A change of a file.
    File,
    /// Another change.
    Change,
    /// A command.
    Command,
    /// A wait.
    Wait,
    /// A question.
    Question,
    /// Something that a person has to do.
    Manual,
    /// An assertion to be checked in the run.
    Check,
    /// Planning ended here.
    Ends,
    /// An operation that already fails in the dry run.
    Fails,
}

impl PlanKind {
    fn word(self) -> &'static str {
        match self {
            Self::File | Self::Change => "change",
            Self::Command => "run",
            Self::Wait => "wait",
            Self::Question => "ask",
            Self::Manual => "by hand",
            Self::Check => "check",
            Self::Ends => "plan ends",
            Self::Fails => "FAILS",
        }
    }

    /// Whether it changes something outside of the engine.
    pub fn is_effect(self) -> bool {
        matches!(self, Self::File | Self::Change | Self::Command)
    }
}

/// The entries of a plan, in the order in which they were found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The entries.
    pub entries: Vec<PlanEntry>,
}

/// Collects a [`Plan`] from the events of a dry run.
#[derive(Debug, Default)]
pub struct PlanCollector(Mutex<Collected>);

#[derive(Debug, Default)]
struct Collected {
    plan: Plan,
    ends: HashSet<(ScopePath, String)>,
}

impl PlanCollector {
    /// What was collected so far.
    pub fn plan(&self) -> Plan {
        let collected = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        collected.plan.clone()
    }
}

impl EventSink for PlanCollector {
    fn emit(&self, event: Event) {
        let Some(entry) = entry(event) else { return };
        let mut collected = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Doing the same thing twice is two things; not knowing the same thing twice is one.
        let end = || (entry.scope.clone(), entry.summary.clone());
        if entry.kind != PlanKind::Ends || collected.ends.insert(end()) {
            collected.plan.entries.push(entry);
        }
    }
}

fn entry(event: Event) -> Option<PlanEntry> {
    match event {
        Event::OperationEnded {
            key,
            scope,
            class,
            kind: word,
            target,
            summary,
            source,
            outcome,
            ..
        } => {
            let mut entry = PlanEntry {
                key: Some(key),
                scope,
                target: target.to_string(),
                kind: PlanKind::Fails,
                summary,
                source,
                diff: None,
                assuming: None,
                why: None,
                seal: None,
                word,
            };
            match outcome {
                OperationOutcome::Planned {
                    diff,
                    assuming,
                    why,
                    seal,
                } => {
                    entry.kind = planned(class, &entry.word)?;
                    (entry.diff, entry.assuming, entry.why) = (diff, assuming, why);
                    entry.seal = seal.map(|seal| *seal);
                }
                OperationOutcome::Pending { why } => {
                    entry.kind = planned(class, &entry.word)?;
                    entry.why = Some(why);
                }
                OperationOutcome::Failed { report } => entry.why = Some(report.message),
                _ => return None,
            }
            Some(entry)
        }
        Event::PlanNote(note) => Some(PlanEntry {
            key: None,
            scope: note.scope,
            target: "run".to_owned(),
            kind: PlanKind::Ends,
            word: String::new(),
            summary: note.because,
            source: note.source,
            diff: None,
            assuming: None,
            why: None,
            seal: None,
        }),
        _ => None,
    }
}

/// Looks are not part of a plan: where one decides something, the plan ends there and says so.
fn planned(class: Class, word: &str) -> Option<PlanKind> {
    Some(match class {
        Class::Change if word.starts_with("file.") => PlanKind::File,
        Class::Change => PlanKind::Change,
        Class::Command => PlanKind::Command,
        Class::Wait => PlanKind::Wait,
        Class::Ask if word == "manual" => PlanKind::Manual,
        Class::Ask => PlanKind::Question,
        Class::Assert => PlanKind::Check,
        Class::Observe | Class::Tell => return None,
    })
}

impl Plan {
    /// Whether the run would change nothing, as far as the plan goes.
    pub fn is_empty(&self) -> bool {
        let counts = |entry: &PlanEntry| entry.kind.is_effect() || entry.kind == PlanKind::Ends;
        !self.entries.iter().any(counts)
    }

    /// How many entries are of a kind.
    pub fn count(&self, kind: PlanKind) -> usize {
        self.entries
            .iter()
            .filter(|entry| entry.kind == kind)
            .count()
    }

    /// `3 files, 5 commands, 1 question, 4 checks in the run`.
    pub fn totals(&self) -> String {
        let count = |kind, one, many| match self.count(kind) {
            0 => None,
            number => Some(counted(number, one, many)),
        };
        let parts: Vec<String> = [
            count(PlanKind::File, "file", "files"),
            count(PlanKind::Change, "other change", "other changes"),
            count(PlanKind::Command, "command", "commands"),
            count(PlanKind::Wait, "wait", "waits"),
            count(PlanKind::Question, "question", "questions"),
            count(PlanKind::Manual, "thing by hand", "things by hand"),
            count(PlanKind::Check, "check in the run", "checks in the run"),
            count(PlanKind::Fails, "FAILS already", "FAIL already"),
            count(
                PlanKind::Ends,
                "place where the plan ends early",
                "places where the plan ends early",
            ),
        ]
        .into_iter()
        .flatten()
        .collect();
        match (self.is_empty(), parts.is_empty()) {
            (true, true) => "Nothing would change.".to_owned(),
            (true, false) => format!("Nothing would change. ({})", parts.join(", ")),
            (false, _) => format!("Plan: {}.", parts.join(", ")),
        }
    }
}

/// The branch where there is one, else the target.
fn place(entry: &PlanEntry) -> &str {
    if entry.target != "run" {
        return &entry.target;
    }
    entry.scope.branches().last().copied().unwrap_or("run")
}

/// A diff of one line that only names what comes or goes repeats the summary.
fn says_more(diff: &str) -> bool {
    diff.contains('\n') || !(diff.starts_with("- ") || diff.starts_with("+ "))
}

/// Why an entry is there, where that says more than its line does: how long a wait may take belongs into its line, and
/// that a question will be asked goes without saying.
fn reason(entry: &PlanEntry) -> (String, Option<&str>) {
    match (entry.kind, &entry.why) {
        (PlanKind::Wait, Some(limit)) => (format!(" ({limit})"), None),
        (PlanKind::Question | PlanKind::Manual, Some(why)) if why == WILL_BE_ASKED => {
            (String::new(), None)
        }
        (_, why) => (String::new(), why.as_deref()),
    }
}
