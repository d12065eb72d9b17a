//! From where a session stands to the lines that show it. Pure: the same model, size and moment give the same lines.
//!
//! What must be seen comes first: the open steps, what runs in them, what the run waits for, the total. Branches, the tail
//! of the output and the steps that are done get what height is left, in this order.

use jiff::tz::TimeZone;

use super::branches::{self, Group};
use super::line::Line;
use super::model::{InFlight, Moment, Node, Progress, Standing};
use crate::model::{Segment, Target};
use crate::report::look::{Look, Tone, elapsed};

/// From this height on a line parts what goes on from what has happened.
const ROOM_FOR_RULE: usize = 8;

/// Lines of output that are shown, where there is room.
const TAIL: usize = 5;

/// The size of the terminal, what it can show, and when.
#[derive(Clone, Debug)]
pub struct View<'a> {
    /// Characters and columns.
    pub look: Look,
    /// The most lines that may be used.
    pub height: usize,
    /// The moment of the session.
    pub now: Moment,
    /// Where the clocks are that the reader looks at.
    pub zone: &'a TimeZone,
}

impl View<'_> {
    /// A line of this width. The last column stays free: some terminals wrap when it is written.
    pub(super) fn line(&self, left: Vec<(Tone, String)>, right: &str) -> Line {
        let width = self.look.width.saturating_sub(1);
        Line::fitted(&self.look, width, left, right)
    }

    pub(super) fn text(&self, text: &str) -> String {
        self.look.line(text)
    }

    /// A mark with its meaning for a step or branch.
    pub(super) fn mark(&self, standing: Standing) -> (Tone, String) {
        let look = &self.look;
        let (tone, mark) = match standing {
            Standing::Waiting => (Tone::Dim, look.mark("·", ".")),
            Standing::Running => (Tone::Cool, self.spinner()),
            Standing::Done => (Tone::Good, look.mark("✓", "+")),
            Standing::Failed => (Tone::Bad, look.mark("✗", "X")),
            Standing::Skipped => (Tone::Warn, "-"),
            Standing::Stopped => (Tone::Warn, look.mark("…", "!")),
        };
        (tone, format!("{mark} "))
    }

    fn spinner(&self) -> &'static str {
        const UNICODE: [&str; 8] = ["⠁", "⠂", "⠄", "⡀", "⢀", "⠠", "⠐", "⠈"];
        const ASCII: [&str; 4] = ["-", "\\", "|", "/"];
        let frame = (self.now.as_millis() / 120) as usize;
        match self.look.unicode {
            true => UNICODE[frame % UNICODE.len()],
            false => ASCII[frame % ASCII.len()],
        }
    }
}

/// A time for people, from a span of the session.
pub(super) fn span(time: Moment) -> String {
    elapsed(time.as_millis() as u64)
}

/// A part of the display.
enum Block<'a> {
    /// Shown in any case.
    Line(Line),
    /// A step that is over: shown where there is room.
    Past(Line),
    /// The branches of an `each`.
    Group(usize, Group<'a>),
    /// The end of an operation's output.
    Tail(usize, &'a InFlight),
}

/// The lines that show where a session stands: at most as many as the view is high, none before it began and after it
/// ended.
pub fn layout(progress: &Progress, view: &View<'_>) -> Vec<Line> {
    if !progress.is_on || view.height == 0 {
        return Vec::new();
    }
    let bottom = bottom(progress, view);
    let room = view.height.saturating_sub(bottom.len());
    let mut blocks = Vec::new();
    walk(progress, &progress.root, 0, view, &mut blocks);
    let mut lines = match view.height {
        0..ROOM_FOR_RULE => arranged(blocks, room, progress, view),
        _ => {
            let rule = view
                .look
                .mark("─", "-")
                .repeat(view.look.width.saturating_sub(1));
            let mut lines = vec![view.line(vec![(Tone::Dim, rule)], "")];
            lines.extend(arranged(blocks, room - 1, progress, view));
            lines
        }
    };
    // A terminal of a few lines: the innermost is what goes on.
    lines.drain(..lines.len().saturating_sub(room));
    lines.extend(bottom);
    lines.truncate(view.height);
    lines
}

fn pad(depth: usize) -> (Tone, String) {
    (Tone::Plain, "  ".repeat(depth))
}

fn walk<'a>(
    progress: &Progress,
    node: &'a Node,
    depth: usize,
    view: &View<'_>,
    blocks: &mut Vec<Block<'a>>,
) {
    let steps = node.children.iter().filter(|child| is_step(child));
    for step in steps {
        let line = step_line(step, depth, view);
        if step.standing.is_over() {
            blocks.push(Block::Past(line));
        } else {
            blocks.push(Block::Line(line));
            walk(progress, step, depth + 1, view, blocks);
        }
    }
    if let Some(group) = Group::latest(node) {
        blocks.push(Block::Group(depth, group));
    }
    for operation in &node.operations {
        let mut left = vec![pad(depth), view.mark(Standing::Running)];
        left.extend(doing(operation, None, progress, view));
        blocks.push(Block::Line(view.line(left, &since(operation, view))));
        blocks.push(Block::Tail(depth, operation));
    }
}

fn is_step(node: &Node) -> bool {
    !matches!(node.segment, Some(Segment::Branch { .. }))
}

fn step_line(step: &Node, depth: usize, view: &View<'_>) -> Line {
    let tone = match step.standing {
        Standing::Running => Tone::Strong,
        Standing::Failed => Tone::Bad,
        _ => Tone::Dim,
    };
    let mark = match step.standing {
        Standing::Running => (Tone::Cool, view.look.mark("▸ ", "> ").to_owned()),
        standing => view.mark(standing),
    };
    let left = vec![pad(depth), mark, (tone, view.text(step.name()))];
    view.line(left, &span(step.took(view.now)))
}

/// What an operation is doing, in words; its target is left out where `label` says it already.
pub(super) fn doing(
    operation: &InFlight,
    label: Option<&str>,
    progress: &Progress,
    view: &View<'_>,
) -> Vec<(Tone, String)> {
    let target = operation.target.to_string();
    let mut left = Vec::new();
    if operation.target != Target::Run && label != Some(target.as_str()) {
        left.push((Tone::Cool, format!("{}: ", view.text(&target))));
    }
    let mut lost = progress.lost.iter();
    if lost.any(|(lost, _)| *lost == operation.target) {
        left.push((Tone::Warn, "no connection: ".to_owned()));
    }
    match &operation.waiting {
        None => left.push((Tone::Plain, view.text(&operation.summary))),
        Some((what, _)) => {
            left.push((Tone::Warn, "waiting for ".to_owned()));
            left.push((Tone::Plain, view.text(what)));
        }
    }
    left
}

/// How long an operation has been going on; for a wait also until when it may.
pub(super) fn since(operation: &InFlight, view: &View<'_>) -> String {
    let took = span(view.now.saturating_sub(operation.began));
    match &operation.waiting {
        None => took,
        Some((_, deadline)) => {
            let until = deadline.to_zoned(view.zone.clone()).strftime("%H:%M:%S");
            format!("{took}, until {until}")
        }
    }
}

/// Gives each part its share of the height.
fn arranged(
    blocks: Vec<Block<'_>>,
    room: usize,
    progress: &Progress,
    view: &View<'_>,
) -> Vec<Line> {
    let fixed = |block: &Block<'_>| matches!(block, Block::Line(_) | Block::Group(..));
    let mut free = room.saturating_sub(blocks.iter().filter(|block| fixed(block)).count());
    let mut groups = blocks
        .iter()
        .filter(|block| matches!(block, Block::Group(..)))
        .count();
    let mut shares: Vec<usize> = vec![0; blocks.len()];
    for (share, block) in shares.iter_mut().zip(&blocks) {
        if let Block::Group(_, group) = block {
            *share = group.wanted().min(free / groups);
            free -= *share;
            groups -= 1;
        }
    }
    for (share, block) in shares.iter_mut().zip(&blocks) {
        if let Block::Tail(_, operation) = block {
            *share = operation.tail.len().min(TAIL).min(free);
            free -= *share;
        }
    }
    // Of the steps that are over the last ones, and how many there were before.
    let past = |block: &Block<'_>| matches!(block, Block::Past(_));
    let mut hidden = blocks.iter().filter(|block| past(block)).count();
    if hidden > 0 && free > 0 {
        let shown = if hidden <= free { hidden } else { free - 1 };
        hidden -= shown;
    }
    let summary = (hidden > 0 && free > 0).then_some(hidden);
    let mut lines = Vec::new();
    if let Some(number) = summary {
        let text = format!("{} done", crate::report::counted(number, "step", "steps"));
        lines.push(view.line(vec![view.mark(Standing::Done), (Tone::Dim, text)], ""));
    }
    for (share, block) in shares.into_iter().zip(blocks) {
        match block {
            Block::Line(line) => lines.push(line),
            Block::Past(_) if hidden > 0 => hidden -= 1,
            Block::Past(line) => lines.push(line),
            Block::Group(depth, group) => {
                lines.extend(branches::lines(&group, depth, share, progress, view));
            }
            Block::Tail(depth, operation) => lines.extend(tail(operation, depth, share, view)),
        }
    }
    lines
}

fn tail(operation: &InFlight, depth: usize, share: usize, view: &View<'_>) -> Vec<Line> {
    let skipped = operation.tail.len().saturating_sub(share);
    let said = operation.tail.iter().skip(skipped);
    said.map(|text| {
        let text = format!(
            "{} {}",
            view.look.mark("│", "|"),
            view.text(&expanded(text))
        );
        view.line(vec![pad(depth + 1), (Tone::Dim, text)], "")
    })
    .collect()
}

/// Tabs would be shown as escapes.
pub(super) fn expanded(text: &str) -> String {
    text.replace('\t', "    ")
}

/// What stands in the way of everything, and the total.
fn bottom(progress: &Progress, view: &View<'_>) -> Vec<Line> {
    let mut out = Vec::new();
    let warn = |text: String| view.line(vec![(Tone::Warn, format!("! {text}"))], "");
    if let Some(away) = &progress.api_away {
        let state = view.text(&away.state);
        let waited = span(view.now.saturating_sub(away.since));
        out.push(warn(format!("API server {state} ({waited})")));
    }
    if let Some((first, since)) = progress.lost.first() {
        let waited = span(view.now.saturating_sub(*since));
        let first = view.text(&first.to_string());
        let others = match progress.lost.len() - 1 {
            0 => String::new(),
            others => format!(" and {others} more"),
        };
        out.push(warn(format!(
            "lost connection to {first}{others}, trying again ({waited})"
        )));
    }
    let total = format!("total {}", span(progress.root.took(view.now)));
    let counts = format!(": {}", progress.tally.so_far());
    out.push(view.line(vec![(Tone::Strong, total), (Tone::Plain, counts)], ""));
    out
}
