//! Where a session stands, from its events alone.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use crate::journal::StepStatus;
use crate::model::{OperationKey, ScopePath, Segment, Target};
use crate::operation::Class;
use crate::report::closing::Tally;
use crate::report::{Event, OperationOutcome};

/// A moment of a session: the time since its display began.
pub type Moment = Duration;

/// Lines of a command's output that are kept.
const TAIL: usize = 8;

/// How far a step or branch has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Not begun.
    Waiting,
    /// Begun.
    Running,
    /// Ended well.
    Done,
    /// Ended with a failure.
    Failed,
    /// Given up by a person's decision.
    Skipped,
    /// Left because the run stops.
    Stopped,
}

impl Standing {
    /// Whether nothing more happens there.
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Waiting | Self::Running)
    }
}

/// An operation in flight.
#[derive(Debug)]
pub struct InFlight {
    key: OperationKey,
    /// Where it happens.
    pub target: Target,
    /// One line.
    pub summary: String,
    /// When it began.
    pub began: Moment,
    /// The end of what it put out, oldest first.
    pub tail: VecDeque<String>,
    /// What is waited for, and until when at most.
    pub waiting: Option<(String, Timestamp)>,
}

/// A step, a branch, or the runbook itself.
#[derive(Debug)]
pub struct Node {
    /// Which step or branch of the one above.
    pub segment: Option<Segment>,
    /// How far it has come.
    pub standing: Standing,
    /// When it began; meaningless while it waits.
    pub began: Moment,
    /// When it ended.
    pub ended: Option<Moment>,
    /// What failed in it last, in one line.
    pub failure: Option<String>,
    /// Operations in flight that stand directly in it.
    pub operations: Vec<InFlight>,
    /// Steps and branches in it, in the order in which they were met; those of what ended well are forgotten.
    pub children: Vec<Node>,
    places: HashMap<Segment, usize>,
}

impl Node {
    fn new(segment: Option<Segment>) -> Self {
        Self {
            segment,
            standing: Standing::Waiting,
            began: Moment::ZERO,
            ended: None,
            failure: None,
            operations: Vec::new(),
            children: Vec::new(),
            places: HashMap::new(),
        }
    }

    fn child(&mut self, segment: &Segment) -> &mut Node {
        let place = match self.places.get(segment) {
            Some(place) => *place,
            None => {
                let next = self.children.len();
                self.places.insert(segment.clone(), next);
                self.children.push(Node::new(Some(segment.clone())));
                next
            }
        };
        &mut self.children[place]
    }

    fn begin(&mut self, at: Moment) {
        self.forget();
        self.standing = Standing::Running;
        self.began = at;
        self.ended = None;
        self.failure = None;
    }

    fn end(&mut self, standing: Standing, at: Moment) {
        self.forget();
        self.standing = standing;
        self.ended = Some(at);
    }

    /// What is below is not shown any more, and a run may have thousands of hosts.
    fn forget(&mut self) {
        self.operations = Vec::new();
        self.children = Vec::new();
        self.places = HashMap::new();
    }

    /// The title of a step or the label of a branch.
    pub fn name(&self) -> &str {
        match &self.segment {
            Some(Segment::Step { title, .. }) => title,
            Some(Segment::Branch { label, .. }) => label,
            Some(Segment::Undo { of }) => of,
            None => "",
        }
    }

    /// How long it has been going on, or took.
    pub fn took(&self, now: Moment) -> Moment {
        self.ended.unwrap_or(now).saturating_sub(self.began)
    }
}

/// The cluster's API is away.
#[derive(Debug)]
pub struct ApiAway {
    /// `is restarting` …
    pub state: String,
    /// When that was seen first.
    pub since: Moment,
}

/// Where a session stands.
#[derive(Debug)]
pub struct Progress {
    /// The runbook itself, with its steps.
    pub root: Node,
    /// The cluster's API, while it is away.
    pub api_away: Option<ApiAway>,
    /// Targets that do not answer, and since when.
    pub lost: Vec<(Target, Moment)>,
    /// What was done so far.
    pub tally: Tally,
    /// Whether there is something to show: between the first event of a session and its last.
    pub is_on: bool,
    scopes: HashMap<OperationKey, ScopePath>,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            root: Node::new(None),
            api_away: None,
            lost: Vec::new(),
            tally: Tally::default(),
            is_on: false,
            scopes: HashMap::new(),
        }
    }
}

impl Progress {
    /// Takes note of what happened, at a moment of the session.
    pub fn note(&mut self, event: &Event, at: Moment) {
        self.tally.note(event);
        match event {
            Event::RunStarted { .. } => {
                self.is_on = true;
                self.root.begin(at);
            }
            Event::RunEnded { .. } => {
                self.is_on = false;
                self.root.end(Standing::Done, at);
                self.api_away = None;
                self.lost.clear();
            }
            Event::StepStarted { path } | Event::BranchStarted { path } => {
                self.node(path).begin(at);
            }
            Event::StepEnded { path, status, .. } => {
                self.node(path).end(standing(*status), at);
            }
            Event::EachStarted {
                path,
                nth,
                branches,
            } => {
                let node = self.node(path);
                for label in branches {
                    let (nth, label) = (*nth, label.clone());
                    node.child(&Segment::Branch { nth, label });
                }
            }
            Event::BranchEnded { path, failed } => {
                let standing = match failed {
                    true => Standing::Failed,
                    false => Standing::Done,
                };
                self.node(path).end(standing, at);
            }
            Event::ApiAway {
                state, waited_s, ..
            } => {
                let since = at.saturating_sub(Duration::from_secs(*waited_s));
                let since = self.api_away.as_ref().map_or(since, |away| away.since);
                let state = state.clone();
                self.api_away = Some(ApiAway { state, since });
            }
            Event::ApiBack { .. } => self.api_away = None,
            Event::TargetAway { target, .. } => {
                if !self.lost.iter().any(|(known, _)| known == target) {
                    self.lost.push((target.clone(), at));
                }
            }
            Event::TargetBack { target, .. } => self.lost.retain(|(known, _)| known != target),
            _ => self.operation(event, at),
        }
    }

    fn operation(&mut self, event: &Event, at: Moment) {
        match event {
            Event::OperationStarted {
                key,
                scope,
                class,
                target,
                summary,
                ..
            } if !matches!(class, Class::Ask | Class::Tell) => {
                self.scopes.insert(key.clone(), scope.clone());
                self.node(scope).operations.push(InFlight {
                    key: key.clone(),
                    target: target.clone(),
                    summary: summary.clone(),
                    began: at,
                    tail: VecDeque::new(),
                    waiting: None,
                });
            }
            Event::OperationEnded {
                key,
                scope,
                outcome,
                ..
            } => {
                self.scopes.remove(key);
                self.node(scope)
                    .operations
                    .retain(|known| known.key != *key);
                if let OperationOutcome::Failed { report } = outcome {
                    let first = report.message.lines().next().unwrap_or_default();
                    self.failed(scope, first);
                }
            }
            Event::Output { key, text, .. } => {
                if let Some(operation) = self.in_flight(key) {
                    take_tail(&mut operation.tail, text);
                }
            }
            Event::Waiting {
                key,
                what,
                deadline,
            } => {
                if let Some(operation) = self.in_flight(key) {
                    operation.waiting = Some((what.clone(), *deadline));
                }
            }
            _ => {}
        }
    }

    fn node(&mut self, path: &ScopePath) -> &mut Node {
        path.0
            .iter()
            .fold(&mut self.root, |node, segment| node.child(segment))
    }

    fn in_flight(&mut self, key: &OperationKey) -> Option<&mut InFlight> {
        let scope = self.scopes.get(key)?.clone();
        let operations = &mut self.node(&scope).operations;
        operations.iter_mut().find(|known| known.key == *key)
    }

    /// A failure is shown at everything around it, for as long as that runs.
    fn failed(&mut self, scope: &ScopePath, message: &str) {
        let mut node = &mut self.root;
        for segment in &scope.0 {
            node = node.child(segment);
            node.failure = Some(message.to_owned());
        }
    }
}

fn standing(status: StepStatus) -> Standing {
    match status {
        StepStatus::Done => Standing::Done,
        StepStatus::Failed => Standing::Failed,
        StepStatus::Skipped => Standing::Skipped,
        StepStatus::Stopped => Standing::Stopped,
    }
}

/// Keeps the end of what was put out. A line that a program writes over and over (a progress bar of its own) is shown as
/// it was written last.
fn take_tail(tail: &mut VecDeque<String>, text: &str) {
    let last: Vec<&str> = text.lines().rev().take(TAIL).collect();
    for line in last.into_iter().rev() {
        let mut written = line.rsplit('\r').filter(|part| !part.trim().is_empty());
        if let Some(line) = written.next() {
            tail.push_back(line.to_owned());
        }
    }
    let over = tail.len().saturating_sub(TAIL);
    tail.drain(..over);
}
