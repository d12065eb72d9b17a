//! What people read, from a hand-made sequence that looks like the MTU runbook on three nodes.

use std::io::Write;
use std::sync::{Arc, Mutex};

use super::*;
use crate::journal::{Ending, StepStatus};
use crate::model::{HostName, RunId, ScopePath, Segment, Target};
use crate::operation::{Class, Report};

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn ended(step: &str, host: &str, class: Class, summary: &str, outcome: OperationOutcome) -> Event {
    let scope = step_path(step).join(Segment::Branch {
        nth: 1,
        label: host.into(),
    });
    Event::OperationEnded {
        key: scope.operation(1),
        id: None,
        scope,
        class,
        kind: "file.set_yaml".into(),
        target: Target::Host(HostName::parse(host).unwrap()),
        summary: summary.into(),
        source: None,
        outcome,
    }
}

fn step_path(title: &str) -> ScopePath {
    ScopePath::default().join(Segment::Step {
        title: title.into(),
        nth: 1,
    })
}

const DIFF: &str = "--- before\n+++ after\n@@ -0,0 +1 @@\n+flannel-iface: eth0\n";

fn events(dry: bool) -> Vec<Event> {
    let diff = Some(DIFF.to_owned());
    let mut events = vec![Event::StepStarted {
        path: step_path("Stage"),
    }];
    for host in ["server-1", "agent-1", "agent-2"] {
        let outcome = if dry {
            OperationOutcome::Planned {
                diff: diff.clone(),
                assuming: None,
                why: None,
                seal: None,
            }
        } else {
            OperationOutcome::Changed {
                diff: diff.clone(),
                recovered: None,
            }
        };
        let summary = "set flannel-iface in config.yaml";
        events.push(ended("Stage", host, Class::Change, summary, outcome));
    }
    events
}

fn shown(events: Vec<Event>, unicode: bool, width: usize) -> String {
    let buffer = Buffer::default();
    let look = Look {
        unicode,
        ..Look::plain(width)
    };
    let options = TerminalOptions {
        look,
        live: None,
        verbosity: 0,
        diff: false,
    };
    let terminal = Terminal::new(buffer.clone(), options);
    events.into_iter().for_each(|event| terminal.emit(event));
    let bytes = buffer.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

fn failed_run() -> Vec<Event> {
    let mut all = events(false);
    let report = Report::new("exit status 1 \x1b[2J")
        .detail("Job failed\n\x1b]0;x\x07")
        .hint("see journalctl -u k3s-agent");
    let outcome = OperationOutcome::Failed { report };
    all.push(ended(
        "Stage",
        "agent-2",
        Class::Command,
        "systemctl restart",
        outcome,
    ));
    all.push(Event::StepEnded {
        path: step_path("Stage"),
        status: StepStatus::Failed,
        elapsed_ms: 1200,
    });
    all.push(Event::RunEnded {
        run: RunId::parse("r1"),
        ending: Ending::Failed,
        message: String::new(),
        exit: 1,
        elapsed_ms: 72_000,
    });
    all
}

#[test]
fn a_failed_run_ends_with_what_to_do() {
    let text = shown(failed_run(), true, 80);
    insta::assert_snapshot!(text);
}

#[test]
fn hostile_output_stays_text_in_every_width() {
    for width in [40, 80, 200] {
        let text = shown(failed_run(), false, width);
        assert!(text.is_ascii(), "{text}");
        assert!(!text.contains('\x1b') && !text.contains('\x07'), "{text}");
    }
}

#[test]
fn a_plan_shows_equal_changes_once() {
    let collector = PlanCollector::default();
    events(true)
        .into_iter()
        .for_each(|event| collector.emit(event));
    insta::assert_snapshot!(collector.plan().render(&Look::plain(80)));
    assert!(PlanCollector::default().plan().is_empty());
}

#[test]
fn plan_and_run_give_the_same_lines_in_any_order() {
    let (plan, run) = (ChangeLines::default(), ChangeLines::default());
    events(true).into_iter().for_each(|event| plan.emit(event));
    events(false)
        .into_iter()
        .rev()
        .for_each(|event| run.emit(event));
    assert_eq!(plan.text(), run.text());
    assert_eq!(plan.sorted().len(), 3);
}
