//! The part of a plan that lies behind a question: what its answer lets happen, up to the next question.

use std::collections::BTreeSet;

use super::radius::some;
use super::{Plan, PlanEntry, PlanKind};
use crate::model::{OperationKey, ScopePath, Segment};
use crate::report::look::{Look, Tone};
use crate::report::progress::clipped;

/// Lines of effects that are shown.
const SHOWN: usize = 12;
/// Hosts that are named for one effect.
const HOSTS: usize = 4;

/// What is foreseen behind a question.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Foreseen {
    /// The effects, in order; what is the same on several targets once, with their names.
    effects: Vec<(PlanKind, String, BTreeSet<String>)>,
    /// Because of what the rest is not known, if it is not.
    ends: Option<String>,
    /// The next question.
    until: Option<String>,
    /// Whether the plan did not come as far as the question.
    unplanned: bool,
}

impl Plan {
    /// What lies behind the question with this key, which stands in this scope; none if the plan does not come so far. Of
    /// the branches of an `each` only the question's own: the others do not wait for its answer.
    pub fn after(&self, key: &OperationKey, scope: &ScopePath) -> Option<Foreseen> {
        let is_it = |entry: &PlanEntry| entry.key.as_ref() == Some(key);
        let at = self.entries.iter().position(is_it)?;
        let branch = branch_of(scope);
        let mut foreseen = Foreseen::default();
        for entry in &self.entries[at + 1..] {
            if !branch.contains(&entry.scope) {
                continue;
            }
            match entry.kind {
                PlanKind::Question | PlanKind::Manual => {
                    foreseen.until = Some(entry.summary.clone());
                    break;
                }
                PlanKind::Ends => {
                    foreseen.ends.get_or_insert_with(|| entry.summary.clone());
                }
                kind if kind.is_effect() => foreseen.add(entry),
                _ => {}
            }
        }
        Some(foreseen)
    }
}

/// The innermost branch around a scope, or everything.
fn branch_of(scope: &ScopePath) -> ScopePath {
    let last = scope
        .0
        .iter()
        .rposition(|segment| matches!(segment, Segment::Branch { .. }));
    ScopePath(scope.0[..last.map_or(0, |last| last + 1)].to_vec())
}

impl Foreseen {
    /// Nothing can be said: the plan does not come as far as the question.
    pub fn unplanned() -> Self {
        Self {
            unplanned: true,
            ..Self::default()
        }
    }

    fn add(&mut self, entry: &PlanEntry) {
        let mut known = self.effects.iter_mut();
        let same =
            known.find(|(kind, summary, _)| *kind == entry.kind && *summary == entry.summary);
        match same {
            Some((_, _, targets)) => {
                targets.insert(entry.target.clone());
            }
            None => {
                let targets = BTreeSet::from([entry.target.clone()]);
                self.effects
                    .push((entry.kind, entry.summary.clone(), targets));
            }
        }
    }

    /// A short list for the person who is asked, each line within the width.
    pub fn lines(&self, look: &Look) -> Vec<String> {
        if self.unplanned {
            return vec!["What will change after it could not be planned.".to_owned()];
        }
        let until = match &self.until {
            Some(question) => format!("before the next question ({})", look.line(question)),
            None => "to the end of the runbook".to_owned(),
        };
        let mut out = vec![match self.effects.is_empty() {
            true => format!("Nothing is known to change {until}."),
            false => format!("What will change {until}:"),
        }];
        for (kind, summary, targets) in self.effects.iter().take(SHOWN) {
            out.push(effect(look, *kind, summary, targets));
        }
        if let Some(more @ 1..) = self.effects.len().checked_sub(SHOWN) {
            out.push(format!("  {} and {more} more", look.mark("…", "...")));
        }
        if let Some(because) = &self.ends {
            let text = format!("  What follows is not known before {}", look.line(because));
            out.push(look.paint(Tone::Warn, &text));
        }
        out
    }
}

fn effect(look: &Look, kind: PlanKind, summary: &str, targets: &BTreeSet<String>) -> String {
    let word = kind.word();
    let targets = look.line(&some(targets, HOSTS));
    let room = look.width.saturating_sub(targets.len() + 12).max(20);
    let summary = clipped(look, &look.line(summary), room);
    let word = look.paint(Tone::Warn, &format!("{word:<7}"));
    format!("  {word} {}: {summary}", look.paint(Tone::Cool, &targets))
}
