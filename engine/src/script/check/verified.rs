//! A change after which the runbook looks at nothing any more: it ends well whether the change helped or not.

use std::collections::BTreeMap;

use rhai::Position;

use super::outline::{Call, Kind, Node, Outline};
use super::{Finding, Unit, codes, commands};

const FILE_CHANGES: &[&str] = &["write", "edit", "set_yaml", "set_line"];
const CLUSTER_CHANGES: &[&str] = &[
    "apply",
    "patch",
    "create",
    "delete",
    "label",
    "annotate",
    "scale",
    "rollout_restart",
    "cordon",
    "uncordon",
    "drain",
    "evict",
    "taint",
    "replace",
];
const VERIFYING: &[&str] = &["expect", "ensure", "wait_until", "manual"];

/// Looks at the script, following its calls into its own functions and those of its modules.
pub fn check(unit: &Unit<'_>, outlines: &BTreeMap<&str, Outline>, findings: &mut Vec<Finding>) {
    let Some(outline) = outlines.get(unit.name) else {
        return;
    };
    let mut reading = Reading { outlines, depth: 0 };
    let mut state = State::default();
    reading.nodes(outline, &outline.top, &mut state);
    if let Some((at, length)) = state.pending {
        let message =
            "nothing verifies this change: the runbook looks at nothing after it".to_owned();
        let finding = unit.finding(codes::UNVERIFIED_CHANGE, at, length, message);
        findings.push(finding.help("say what must be true now, with expect, ensure or wait_until"));
    }
}

/// What was met on the way through a text.
#[derive(Default)]
struct State {
    /// The first change since the last verification.
    pending: Option<(Position, usize)>,
    /// Whether anything verified.
    verified: bool,
}

impl State {
    fn change(&mut self, at: Position, length: usize) {
        self.pending.get_or_insert((at, length));
    }

    fn verify(&mut self) {
        self.pending = None;
        self.verified = true;
    }
}

/// How deep calls are followed: functions may call each other.
const DEPTH: usize = 12;

struct Reading<'a> {
    outlines: &'a BTreeMap<&'a str, Outline>,
    depth: usize,
}

impl<'a> Reading<'a> {
    fn nodes(&mut self, outline: &'a Outline, nodes: &[Node], state: &mut State) {
        for node in nodes {
            // A probe whose answer nobody takes is there to fail.
            let strict = matches!(&node.kind, Kind::Call(call) if call.name == "probe" && call.option("expect_exit").is_none());
            self.node(outline, node, state);
            if strict {
                state.verify();
            }
        }
    }

    fn node(&mut self, outline: &'a Outline, node: &Node, state: &mut State) {
        match &node.kind {
            Kind::Call(call) => self.call(outline, node, call, state),
            Kind::Throw(_) => state.verify(),
            Kind::Block(body) | Kind::Closure(_, body) => self.nodes(outline, body, state),
            Kind::Loop(_, first, body) | Kind::Step(first, body) => {
                self.node(outline, first, state);
                self.nodes(outline, body, state);
            }
            Kind::If(condition, then, otherwise) => {
                self.node(outline, condition, state);
                self.nodes(outline, then, state);
                self.nodes(outline, otherwise, state);
            }
            _ => {
                for child in node.children() {
                    self.node(outline, child, state);
                }
            }
        }
    }

    fn call(&mut self, outline: &'a Outline, node: &Node, call: &Call, state: &mut State) {
        let length = call.name.chars().count();
        if call.module.is_none() {
            match call.name.as_str() {
                // What happens on undo is not part of the way; the closures of a change and a wait are their own.
                "on_undo" => return,
                "change" => return state.change(node.at, length),
                name if VERIFYING.contains(&name) => {
                    if name != "wait_until" {
                        call.args
                            .iter()
                            .for_each(|argument| self.node(outline, argument, state));
                    }
                    return state.verify();
                }
                _ => {}
            }
        }
        for child in node.children() {
            self.node(outline, child, state);
        }
        let of_cluster = call
            .receiver
            .as_deref()
            .is_some_and(|receiver| matches!(receiver.kind, Kind::Kube));
        if of_cluster && call.name == "wait" {
            state.verify();
        } else if changes(call) {
            state.change(node.at, length);
        } else if let Some((outline, body)) = self.function(outline, call)
            && self.depth < DEPTH
        {
            self.depth += 1;
            let mut inner = State::default();
            self.nodes(outline, body, &mut inner);
            self.depth -= 1;
            if inner.verified {
                state.verify();
            }
            if inner.pending.is_some() {
                state.change(node.at, length);
            }
        }
    }

    /// The function that is called, with the text in which it stands.
    fn function(&self, outline: &'a Outline, call: &Call) -> Option<(&'a Outline, &'a [Node])> {
        let outline = match &call.module {
            Some(alias) => self.outlines.get(outline.imports.get(alias)?.as_str())?,
            None => outline,
        };
        let function = outline.functions.iter().find(|function| {
            function.name == call.name && function.params.len() == call.args.len()
        })?;
        Some((outline, &function.body))
    }
}

fn changes(call: &Call) -> bool {
    if call.module.is_some() {
        return false;
    }
    let name = call.name.as_str();
    match &call.receiver {
        Some(receiver) if matches!(receiver.kind, Kind::Kube) => CLUSTER_CHANGES.contains(&name),
        _ if name == "run" => {
            let command = call.of_word().first().and_then(commands::of);
            !command.is_some_and(|command| command.only_reads())
        }
        // A list and a map have a `remove` as well; theirs takes an argument.
        Some(_) => FILE_CHANGES.contains(&name) || (name == "remove" && call.args.is_empty()),
        None => false,
    }
}
