//! What a dry run found that the run would do; collected from its events.

use std::sync::{Mutex, PoisonError};

use crate::model::ScopePath;
use crate::operation::Class;

use super::look::{Look, Tone, counted};
use super::{Event, EventSink, OperationOutcome, WILL_BE_ASKED};

/// One thing that the run would do, or where the plan ends.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanEntry {
    /// Where it stands.
    pub scope: ScopePath,
    /// On what; `run` for the engine itself.
    pub target: String,
    /// What it is.
    pub kind: PlanKind,
    /// One line.
    pub summary: String,
    /// The change as a diff, where it can be shown as one.
    pub diff: Option<String>,
    /// What the plan assumes.
    pub assuming: Option<String>,
    /// Why it is left for the run, or what went wrong.
    pub why: Option<String>,
}

/// What an entry of a plan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
            Self::Check => "check",
            Self::Ends => "plan ends",
            Self::Fails => "FAILS",
        }
    }
}

/// The entries of a plan, in the order in which they were found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The entries.
    pub entries: Vec<PlanEntry>,
}

/// Collects a [`Plan`] from the events of a dry run.
#[derive(Debug, Default)]
pub struct PlanCollector(Mutex<Plan>);

impl PlanCollector {
    /// What was collected so far.
    pub fn plan(&self) -> Plan {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl EventSink for PlanCollector {
    fn emit(&self, event: Event) {
        if let Some(entry) = entry(event) {
            let mut plan = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Doing the same thing twice is two things; not knowing the same thing twice is one.
            if entry.kind != PlanKind::Ends || !plan.entries.contains(&entry) {
                plan.entries.push(entry);
            }
        }
    }
}

fn entry(event: Event) -> Option<PlanEntry> {
    match event {
        Event::OperationEnded {
            scope,
            class,
            kind: word,
            target,
            summary,
            outcome,
            ..
        } => {
            let kind = planned(class, &word);
            let (kind, diff, assuming, why) = match outcome {
                OperationOutcome::Planned { diff, assuming } => (kind?, diff, assuming, None),
                OperationOutcome::Pending { why } => (kind?, None, None, Some(why)),
                OperationOutcome::Failed { report } => {
                    (PlanKind::Fails, None, None, Some(report.message))
                }
                _ => return None,
            };
            Some(PlanEntry {
                scope,
                target: target.to_string(),
                kind,
                summary,
                diff,
                assuming,
                why,
            })
        }
        Event::PlanNote(note) => Some(PlanEntry {
            target: "run".to_owned(),
            kind: PlanKind::Ends,
            summary: match &note.source {
                Some(place) => format!("not known before {} ({place})", note.because),
                None => format!("not known before {}", note.because),
            },
            scope: note.scope,
            diff: None,
            assuming: None,
            why: None,
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
        Class::Ask => PlanKind::Question,
        Class::Assert => PlanKind::Check,
        Class::Observe | Class::Tell => return None,
    })
}

/// A step of a plan: entries that stand in the same steps, with equal ones on several hosts put together.
struct Group<'a> {
    steps: Vec<&'a str>,
    items: Vec<(Vec<String>, &'a PlanEntry)>,
    /// What its entries assume, each assumption once.
    assuming: Vec<&'a str>,
}

impl Plan {
    /// Whether the run would change nothing, as far as the plan goes.
    pub fn is_empty(&self) -> bool {
        !self.entries.iter().any(|entry| {
            matches!(
                entry.kind,
                PlanKind::File | PlanKind::Change | PlanKind::Command | PlanKind::Ends
            )
        })
    }

    /// How many entries are of a kind.
    pub fn count(&self, kind: PlanKind) -> usize {
        self.entries
            .iter()
            .filter(|entry| entry.kind == kind)
            .count()
    }

    /// The plan as text: by step, then by host; what is equal on several hosts is shown once.
    pub fn render(&self, look: &Look) -> String {
        let mut out = String::new();
        for group in self.groups() {
            let title: Vec<String> = group.steps.iter().map(|step| look.line(step)).collect();
            let title = if title.is_empty() {
                "Before the first step".to_owned()
            } else {
                title.join(" / ")
            };
            out.push_str(&look.paint(Tone::Strong, &title));
            out.push('\n');
            for (hosts, entry) in &group.items {
                for line in render(look, hosts, entry) {
                    out.push_str(line.trim_end());
                    out.push('\n');
                }
            }
            for what in &group.assuming {
                let text = format!("assuming that {}", look.line(what));
                out.push_str(&format!("  {}\n", look.paint(Tone::Dim, &text)));
            }
            out.push('\n');
        }
        out.push_str(&self.totals());
        out.push('\n');
        out
    }

    fn groups(&self) -> Vec<Group<'_>> {
        let mut groups: Vec<Group<'_>> = Vec::new();
        for entry in &self.entries {
            let steps = entry.scope.steps();
            let at = groups.iter().position(|group| group.steps == steps);
            let group = match at {
                Some(at) => &mut groups[at],
                None => {
                    groups.push(Group {
                        steps,
                        items: Vec::new(),
                        assuming: Vec::new(),
                    });
                    groups.last_mut().expect("one was pushed just now")
                }
            };
            if let Some(what) = entry.assuming.as_deref()
                && !group.assuming.contains(&what)
            {
                group.assuming.push(what);
            }
            let host = place(entry);
            // Never within one host: doing the same thing twice there is two things.
            let same = group.items.iter_mut().find(|(hosts, other)| {
                !hosts.contains(&host)
                    && host != "run"
                    && (other.kind, &other.summary, &other.diff, &other.why)
                        == (entry.kind, &entry.summary, &entry.diff, &entry.why)
            });
            match same {
                Some((hosts, _)) => hosts.push(host),
                None => group.items.push((vec![host], entry)),
            }
        }
        groups
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
fn place(entry: &PlanEntry) -> String {
    if entry.target != "run" {
        return entry.target.clone();
    }
    match entry.scope.branches().last() {
        Some(label) => (*label).to_owned(),
        None => entry.target.clone(),
    }
}

fn render(look: &Look, hosts: &[String], entry: &PlanEntry) -> Vec<String> {
    let tone = match entry.kind {
        PlanKind::Fails | PlanKind::Ends => Tone::Bad,
        PlanKind::File | PlanKind::Change | PlanKind::Command => Tone::Warn,
        _ => Tone::Dim,
    };
    let place = match hosts {
        [one] if one == "run" => String::new(),
        _ => format!(
            "{}: ",
            look.paint(Tone::Cool, &look.line(&hosts.join(", ")))
        ),
    };
    let word = look.paint(tone, &format!("{:<9}", entry.kind.word()));
    // How long a wait may take belongs into its line, and that a question will be asked goes without saying.
    let (limit, why) = match (entry.kind, &entry.why) {
        (PlanKind::Wait, Some(limit)) => (format!(" ({limit})"), None),
        (PlanKind::Question, Some(why)) if why == WILL_BE_ASKED => (String::new(), None),
        (_, why) => (String::new(), why.as_deref()),
    };
    let summary = look.line(&entry.summary);
    let mut out = vec![format!("  {word} {place}{summary}{limit}")];
    if let Some(diff) = entry.diff.as_deref().filter(|diff| says_more(diff)) {
        out.extend(look.diff(6, diff));
    }
    if let Some(why) = why {
        out.extend(
            look.lines(why)
                .iter()
                .map(|line| format!("      {}", look.paint(Tone::Dim, &format!("({line})")))),
        );
    }
    out
}

/// A diff of one line that only names what comes or goes repeats the summary.
fn says_more(diff: &str) -> bool {
    diff.contains('\n') || !(diff.starts_with("- ") || diff.starts_with("+ "))
}
