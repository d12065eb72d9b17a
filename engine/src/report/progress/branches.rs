//! The branches of an `each`, side by side: one line each as far as there is room, the rest counted.

use super::layout::{View, doing, expanded, since, span};
use super::line::{Line, clipped, columns};
use super::model::{InFlight, Node, Progress, Standing};
use crate::model::Segment;
use crate::report::look::Tone;

/// Columns of the bar that shows how many are over.
const BAR: usize = 20;
/// The most columns that a label gets.
const LABEL: usize = 24;

/// The branches of one `each`.
pub(super) struct Group<'a>(Vec<&'a Node>);

impl<'a> Group<'a> {
    /// Those of the latest `each` in a scope: the ones before it are over.
    pub(super) fn latest(node: &'a Node) -> Option<Self> {
        let number = |child: &Node| match &child.segment {
            Some(Segment::Branch { nth, .. }) => Some(*nth),
            _ => None,
        };
        let latest = node.children.iter().filter_map(number).max()?;
        let mut branches = node
            .children
            .iter()
            .filter(|child| number(child) == Some(latest));
        let branches: Vec<&Node> = branches.by_ref().collect();
        Some(Self(branches))
    }

    /// How many lines would show everything, beside the one that counts.
    pub(super) fn wanted(&self) -> usize {
        match self.is_over() {
            true => 0,
            false => self.0.len(),
        }
    }

    fn is_over(&self) -> bool {
        self.0.iter().all(|branch| branch.standing.is_over())
    }

    /// Those that get a line when there are only so many: failed ones first, then running ones; in the order of the
    /// script, so that they stay where they are.
    fn chosen(&self, most: usize) -> Vec<&'a Node> {
        let with = |standing: Standing| {
            let all = self.0.iter().enumerate();
            all.filter(move |(_, branch)| branch.standing == standing)
        };
        let running = with(Standing::Running).count();
        // What fails must not hide that something goes on.
        let failed = most.saturating_sub(running.min(most / 2));
        let mut chosen: Vec<(usize, &&Node)> = with(Standing::Failed).take(failed).collect();
        let left = most - chosen.len();
        chosen.extend(with(Standing::Running).take(left));
        chosen.sort_by_key(|(place, _)| *place);
        chosen.into_iter().map(|(_, branch)| *branch).collect()
    }
}

fn pad(depth: usize) -> (Tone, String) {
    (Tone::Plain, "  ".repeat(depth))
}

/// The line that counts, then at most `share` lines.
pub(super) fn lines(
    group: &Group<'_>,
    depth: usize,
    share: usize,
    progress: &Progress,
    view: &View<'_>,
) -> Vec<Line> {
    let mut out = vec![counting(group, depth, view)];
    if share == 0 {
        return out;
    }
    let all = group.0.len() <= share;
    let shown = match (all, share) {
        (true, _) => group.0.clone(),
        (false, 1) => group.chosen(1),
        (false, share) => group.chosen(share - 1),
    };
    let label = shown
        .iter()
        .map(|branch| columns(&view.text(branch.name())))
        .max();
    let label = label.unwrap_or(0).min(LABEL).min(view.look.width / 3);
    out.extend(
        shown
            .iter()
            .map(|branch| one(branch, depth, label, progress, view)),
    );
    if !all && share > 1 {
        let rest = group
            .0
            .iter()
            .filter(|branch| !shown.iter().any(|other| std::ptr::eq(**branch, *other)));
        let rest: Vec<&Node> = rest.copied().collect();
        let text = format!(
            "{} and {} more: {}",
            view.look.mark("…", "..."),
            rest.len(),
            told(&rest)
        );
        out.push(view.line(vec![pad(depth), (Tone::Dim, text)], ""));
    }
    out
}

/// `120 done, 60 waiting, 7 running`.
fn told(branches: &[&Node]) -> String {
    let words = [
        (Standing::Failed, "failed"),
        (Standing::Done, "done"),
        (Standing::Waiting, "waiting"),
        (Standing::Running, "running"),
    ];
    let count = |standing| {
        branches
            .iter()
            .filter(|one| one.standing == standing)
            .count()
    };
    let told = words
        .iter()
        .map(|(standing, word)| (count(*standing), word));
    let told: Vec<String> = told
        .filter(|(number, _)| *number > 0)
        .map(|(number, word)| format!("{number} {word}"))
        .collect();
    told.join(", ")
}

fn counting(group: &Group<'_>, depth: usize, view: &View<'_>) -> Line {
    let all = group.0.len();
    let over = group.0.iter().filter(|branch| branch.standing.is_over());
    let over = over.count();
    let text = format!("{over} of {all}: {}", told(&group.0));
    let mut left = vec![pad(depth)];
    // The numbers say more than the bar.
    let fits = 2 * depth + BAR + 2 + columns(&text) < view.look.width;
    if fits && all > 1 {
        let full = over * BAR / all;
        let (done, open) = (view.look.mark("━", "#"), view.look.mark("─", "-"));
        left.push((Tone::Good, done.repeat(full)));
        left.push((Tone::Dim, format!("{} ", open.repeat(BAR - full))));
    }
    left.push((Tone::Plain, text));
    view.line(left, "")
}

fn one(branch: &Node, depth: usize, label: usize, progress: &Progress, view: &View<'_>) -> Line {
    let mut took = span(branch.took(view.now));
    let name = clipped(&view.look, &view.text(branch.name()), label);
    let fill = " ".repeat(label - columns(&name) + 2);
    let mut left = vec![pad(depth), view.mark(branch.standing)];
    left.push((Tone::Cool, name));
    left.push((Tone::Plain, fill));
    match branch.standing {
        Standing::Waiting => {
            took = String::new();
            left.push((Tone::Dim, "waiting".to_owned()));
        }
        Standing::Running => {
            let (doing, operation) = activity(branch, branch.name(), progress, view);
            left.extend(doing);
            if let Some(operation) = operation.filter(|operation| operation.waiting.is_some()) {
                took = since(operation, view);
            }
        }
        Standing::Failed => {
            let why = branch.failure.as_deref().unwrap_or("failed");
            left.push((Tone::Bad, view.text(why)));
        }
        _ => left.push((Tone::Dim, "done".to_owned())),
    }
    view.line(left, &took)
}

/// What goes on in a branch: the innermost step, the operation, the last line that it put out.
fn activity<'a>(
    branch: &'a Node,
    label: &str,
    progress: &Progress,
    view: &View<'_>,
) -> (Vec<(Tone, String)>, Option<&'a InFlight>) {
    let mut node = branch;
    let mut out = Vec::new();
    loop {
        if let Some(operation) = node.operations.last() {
            let said = last_said(operation, view);
            // What it says is news: what it was called for gives way.
            let room = match said {
                Some(_) => view.look.width / 3,
                None => view.look.width,
            };
            let doing = doing(operation, Some(label), progress, view).into_iter();
            out.extend(doing.map(|(tone, text)| (tone, clipped(&view.look, &text, room))));
            out.extend(said);
            return (out, Some(operation));
        }
        let running = |child: &&Node| child.standing == Standing::Running;
        let Some(child) = node.children.iter().rfind(running) else {
            return (out, None);
        };
        // The way there, told by its end.
        out = vec![(Tone::Plain, format!("{}: ", view.text(child.name())))];
        node = child;
    }
}

fn last_said(operation: &InFlight, view: &View<'_>) -> Option<(Tone, String)> {
    let said = view.text(&expanded(operation.tail.back()?));
    Some((Tone::Dim, format!(" {} {said}", view.look.mark("│", "|"))))
}
