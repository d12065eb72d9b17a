//! Lints of single calls: a command that only reads written as `run`, one in a loop that is not the same the second
//! time, one that may wait for ever, a `wait_until` without its timeout.

use super::outline::{Call, Kind, Node, Outline};
use super::{Finding, Unit, codes, commands};

/// Looks through one text.
pub fn check(unit: &Unit<'_>, outline: &Outline, findings: &mut Vec<Finding>) {
    for body in outline.bodies() {
        for node in body {
            inside(unit, node, false, findings);
        }
    }
}

fn inside(unit: &Unit<'_>, node: &Node, looped: bool, findings: &mut Vec<Finding>) {
    match &node.kind {
        Kind::Call(call) => {
            findings.extend(command(unit, node, call, looped));
            findings.extend(wait(unit, node, call));
            let repeats = matches!(call.name.as_str(), "each" | "map" | "for_each" | "filter");
            for child in node.children() {
                let closure = matches!(child.kind, Kind::Closure(..));
                inside(unit, child, looped || (repeats && closure), findings);
            }
        }
        Kind::Loop(_, over, body) => {
            inside(unit, over, looped, findings);
            for node in body {
                inside(unit, node, true, findings);
            }
        }
        _ => {
            for child in node.children() {
                inside(unit, child, looped, findings);
            }
        }
    }
}

fn command(unit: &Unit<'_>, node: &Node, call: &Call, looped: bool) -> Option<Finding> {
    if call.name != "run" || call.module.is_some() {
        return None;
    }
    let commands = commands::of(call.of_word().first()?)?;
    let finding = |code, message: String, help: &str| {
        Some(unit.finding(code, node.at, "run".len(), message).help(help))
    };
    if commands.only_reads() {
        return finding(
            codes::READ_AS_RUN,
            "this command only reads, and is written as `run`".into(),
            "write `probe`: then a dry run shows what it gives, and a resume simply looks again",
        );
    }
    // What options hold that are made elsewhere is not known.
    if !call.options_are_literal() {
        return None;
    }
    let has = |name: &str| call.option(name).is_some();
    if let Some(word) = commands.waits()
        && !has("timeout")
        && !has("detach")
    {
        return finding(
            codes::ENDLESS_COMMAND,
            format!("this command may wait for ever ({word})"),
            "wait with wait_until(what, #{ timeout: \"…\" }, || …), or give it a `timeout:`",
        );
    }
    if looped
        && !has("unless")
        && !has("creates")
        && let Some(word) = commands.not_twice()
    {
        return finding(
            codes::UNGUARDED_IN_LOOP,
            format!(
                "a command in a loop that is not the same the second time (`{word}`), without a guard"
            ),
            "give it `unless:` (a command that succeeds where it is done) or `creates:` (the file that it makes)",
        );
    }
    None
}

fn wait(unit: &Unit<'_>, node: &Node, call: &Call) -> Option<Finding> {
    if call.name != "wait_until" || call.module.is_some() {
        return None;
    }
    let Kind::Map(entries) = &call.args.get(1)?.kind else {
        return None;
    };
    if entries.iter().any(|(name, _)| name == "timeout") {
        return None;
    }
    let message = "wait_until needs a `timeout`: nobody waits for ever".to_owned();
    let finding = unit.finding(
        codes::WAIT_WITHOUT_TIMEOUT,
        node.at,
        "wait_until".len(),
        message,
    );
    Some(finding.help("#{ timeout: \"5m\" }: the longest time that is still good news"))
}
