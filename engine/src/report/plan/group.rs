//! A plan by step; what is equal on several hosts is put together.

use std::collections::HashMap;

use super::{Plan, PlanEntry, PlanKind, place};

/// The entries that stand in the same steps.
pub(super) struct Group<'a> {
    /// The titles of the steps, outermost first.
    pub steps: Vec<&'a str>,
    /// The hosts, and what happens on each of them.
    pub items: Vec<(Vec<&'a str>, &'a PlanEntry)>,
    /// What its entries assume, each assumption once.
    pub assuming: Vec<&'a str>,
}

/// What must be equal for two entries to be told as one.
type Alike<'a> = (PlanKind, &'a str, Option<&'a str>, Option<&'a str>);

fn alike(entry: &PlanEntry) -> Alike<'_> {
    (
        entry.kind,
        &entry.summary,
        entry.diff.as_deref(),
        entry.why.as_deref(),
    )
}

/// Where the entries of a group are by what they say, so that a plan of 10,000 entries is not compared pair by pair.
#[derive(Default)]
struct Index<'a> {
    items: HashMap<Alike<'a>, Vec<usize>>,
    times: HashMap<(Alike<'a>, &'a str), usize>,
    assumed: std::collections::HashSet<&'a str>,
}

/// The groups, in the order in which their first entries were found; without the places where the plan ends.
pub(super) fn groups(plan: &Plan) -> Vec<Group<'_>> {
    let mut groups: Vec<(Group<'_>, Index<'_>)> = Vec::new();
    let mut by_steps: HashMap<Vec<&str>, usize> = HashMap::new();
    for entry in &plan.entries {
        if entry.kind == PlanKind::Ends {
            continue;
        }
        let steps = entry.scope.steps();
        let at = *by_steps.entry(steps.clone()).or_insert_with(|| {
            let group = Group {
                steps,
                items: Vec::new(),
                assuming: Vec::new(),
            };
            groups.push((group, Index::default()));
            groups.len() - 1
        });
        let (group, index) = &mut groups[at];
        if let Some(what) = entry.assuming.as_deref()
            && index.assumed.insert(what)
        {
            group.assuming.push(what);
        }
        add(group, index, entry);
    }
    groups.into_iter().map(|(group, _)| group).collect()
}

fn add<'a>(group: &mut Group<'a>, index: &mut Index<'a>, entry: &'a PlanEntry) {
    let (alike, host) = (alike(entry), place(entry));
    // Never within one host: doing the same thing twice there is two things, and so is one by nobody's host.
    let times = index.times.entry((alike, host)).or_default();
    let nth = *times;
    *times += 1;
    let items = index.items.entry(alike).or_default();
    match items.get(nth).filter(|_| host != "run") {
        Some(&at) => group.items[at].0.push(host),
        None => {
            items.push(group.items.len());
            group.items.push((vec![host], entry));
        }
    }
}

/// What cannot be known before the run: each cause with the places where the plan ends because of it.
pub(super) fn unknown(plan: &Plan) -> Vec<(&str, Vec<&PlanEntry>)> {
    let mut causes: Vec<(&str, Vec<&PlanEntry>)> = Vec::new();
    let mut by_cause: HashMap<&str, usize> = HashMap::new();
    for entry in &plan.entries {
        if entry.kind != PlanKind::Ends {
            continue;
        }
        let at = *by_cause.entry(&entry.summary).or_insert_with(|| {
            causes.push((&entry.summary, Vec::new()));
            causes.len() - 1
        });
        causes[at].1.push(entry);
    }
    causes
}
