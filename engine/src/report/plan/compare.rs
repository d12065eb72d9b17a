//! Two plans of the same runbook: what one would do and the other would not. A plan that was reviewed is carried out
//! only while a new one would say the same.

use std::collections::{HashMap, HashSet};

use crate::model::OperationKey;

use super::{Plan, PlanEntry, says_more};

/// One way in which the targets no longer are what a plan saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What is different, in one line.
    pub what: String,
    /// The planned diff and the diff now, where they differ.
    pub detail: Option<String>,
}

impl Plan {
    /// The effects with the names of their operations, in the order of the plan.
    pub fn effects(&self) -> impl Iterator<Item = (&OperationKey, &PlanEntry)> {
        let effects = self.entries.iter().filter(|entry| entry.kind.is_effect());
        effects.filter_map(|entry| entry.key.as_ref().map(|key| (key, entry)))
    }

    /// What would be done now and is not in this plan, would be done otherwise, or no longer. Empty if a run would do
    /// what this plan says.
    pub fn differences(&self, now: &Plan) -> Vec<Difference> {
        let found: HashMap<_, _> = now.effects().collect();
        let planned: HashSet<_> = self.effects().map(|(key, _)| key).collect();
        let mut differences = Vec::new();
        for (key, entry) in self.effects() {
            match found.get(key) {
                Some(now) => differences.extend(difference(entry, now)),
                None => differences.push(Difference {
                    what: format!("no longer to be done: {}", told(entry)),
                    detail: None,
                }),
            }
        }
        for (key, entry) in now.effects() {
            if !planned.contains(key) {
                differences.push(Difference {
                    what: format!("not in the plan: {}", told(entry)),
                    detail: entry.diff.clone().filter(|diff| says_more(diff)),
                });
            }
        }
        differences
    }
}

/// An effect in one line.
pub(super) fn told(entry: &PlanEntry) -> String {
    format!("{}: {}", entry.target, entry.summary)
}

fn difference(planned: &PlanEntry, now: &PlanEntry) -> Option<Difference> {
    let same_call = (&planned.word, &planned.target, &planned.summary)
        == (&now.word, &now.target, &now.summary);
    if !same_call {
        return Some(Difference {
            what: format!("planned {}; now {}", told(planned), told(now)),
            detail: None,
        });
    }
    if planned.diff != now.diff {
        return Some(Difference {
            what: format!("{}: the change is another one by now", told(planned)),
            detail: Some(both(planned.diff.as_deref(), now.diff.as_deref())),
        });
    }
    let (seal, seal_now) = (planned.seal.as_ref()?, now.seal.as_ref()?);
    let what = if seal.arguments != seal_now.arguments {
        "asked for with other arguments than in the plan"
    } else if seal.before != seal_now.before {
        "somebody has changed it since the plan, outside of what the diff shows"
    } else if seal.after != seal_now.after {
        "it would be left in another state than the plan says"
    } else {
        return None;
    };
    Some(Difference {
        what: format!("{}: {what}", told(planned)),
        detail: None,
    })
}

/// What was planned above what would be done now.
pub(crate) fn both(planned: Option<&str>, now: Option<&str>) -> String {
    let shown = |diff: Option<&str>| diff.unwrap_or("(not known)").trim_end().to_owned();
    format!("in the plan:\n{}\nnow:\n{}", shown(planned), shown(now))
}
