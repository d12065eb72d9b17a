//! The display as text, from hand-made events, at several sizes.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::line::columns;
use super::*;
use crate::journal::StepStatus;
use crate::model::{HostName, ScopePath, Segment, Target};
use crate::operation::{Class, Report};
use crate::report::{Event, Look, OperationOutcome};
use crate::transport::Stream;

fn step(above: &ScopePath, title: &str) -> ScopePath {
    above.join(Segment::Step {
        title: title.into(),
        nth: 1,
    })
}

fn branch(above: &ScopePath, label: &str) -> ScopePath {
    above.join(Segment::Branch {
        nth: 1,
        label: label.into(),
    })
}

fn host(name: &str) -> Target {
    Target::Host(HostName::parse(name).unwrap())
}

/// A session to which things happen, second by second.
struct Told {
    progress: Progress,
    now: Duration,
}

impl Told {
    fn new() -> Self {
        let mut told = Self {
            progress: Progress::default(),
            now: Duration::ZERO,
        };
        told.event(Event::RunStarted {
            run: None,
            title: "T".into(),
            mode: "run",
            on: "inventory.yaml".into(),
            at: Timestamp::UNIX_EPOCH,
        });
        told
    }

    fn event(&mut self, event: Event) -> &mut Self {
        self.progress.note(&event, self.now);
        self
    }

    fn seconds(&mut self, seconds: u64) -> &mut Self {
        self.now += Duration::from_secs(seconds);
        self
    }

    fn enters(&mut self, path: &ScopePath) -> &mut Self {
        let path = path.clone();
        self.event(match path.0.last() {
            Some(Segment::Branch { .. }) => Event::BranchStarted { path },
            _ => Event::StepStarted { path },
        })
    }

    fn leaves(&mut self, path: &ScopePath, status: StepStatus) -> &mut Self {
        let path = path.clone();
        self.event(match path.0.last() {
            Some(Segment::Branch { .. }) => Event::BranchEnded {
                path,
                failed: status == StepStatus::Failed,
            },
            _ => Event::StepEnded {
                path,
                status,
                elapsed_ms: 0,
            },
        })
    }

    fn each(&mut self, path: &ScopePath, labels: impl Iterator<Item = String>) -> &mut Self {
        self.event(Event::EachStarted {
            path: path.clone(),
            nth: 1,
            branches: labels.collect(),
        })
    }

    fn begins(&mut self, scope: &ScopePath, on: &str, summary: &str) -> &mut Self {
        self.event(Event::OperationStarted {
            key: scope.operation(1),
            scope: scope.clone(),
            class: Class::Command,
            kind: "host.run".into(),
            target: host(on),
            summary: summary.into(),
        })
    }

    fn says(&mut self, scope: &ScopePath, on: &str, text: &str) -> &mut Self {
        self.event(Event::Output {
            key: scope.operation(1),
            target: host(on),
            stream: Stream::Stdout,
            text: text.into(),
        })
    }

    fn ends(&mut self, scope: &ScopePath, on: &str, outcome: OperationOutcome) -> &mut Self {
        self.event(Event::OperationEnded {
            key: scope.operation(1),
            id: None,
            scope: scope.clone(),
            class: Class::Command,
            kind: "host.run".into(),
            target: host(on),
            summary: "systemctl restart k3s".into(),
            source: None,
            outcome,
        })
    }

    fn fails(&mut self, scope: &ScopePath, on: &str, why: &str) -> &mut Self {
        let report = Report::new(why);
        self.ends(scope, on, OperationOutcome::Failed { report })
    }

    fn lines(&self, columns: usize, height: usize, unicode: bool) -> Vec<String> {
        let look = Look {
            unicode,
            ..Look::plain(columns)
        };
        let view = View {
            look,
            height,
            now: self.now,
            zone: &TimeZone::UTC,
        };
        layout(&self.progress, &view)
            .iter()
            .map(|line| line.text())
            .collect()
    }

    fn shown(&self, columns: usize, height: usize, unicode: bool) -> String {
        self.lines(columns, height, unicode).join("\n")
    }
}

fn changed() -> OperationOutcome {
    OperationOutcome::Changed {
        diff: None,
        recovered: None,
    }
}

/// Three nodes: one is done, one says something, one waits; steps before them, one inside another.
fn three_nodes() -> Told {
    let mut told = Told::new();
    let root = ScopePath::default();
    for title in ["Diagnose the MTU cascade", "Stage the configuration"] {
        told.enters(&step(&root, title)).seconds(2);
        told.leaves(&step(&root, title), StepStatus::Done);
    }
    let outer = step(&root, "Restart k3s: agents together, then the servers");
    let inner = step(&outer, "Agents");
    told.enters(&outer).enters(&inner);
    let nodes = ["agent-1", "agent-2", "server-1"];
    told.each(&inner, nodes.iter().map(|node| (*node).to_owned()));
    let [one, two, _] = nodes.map(|node| branch(&inner, node));
    told.enters(&one)
        .begins(&one, "agent-1", "systemctl restart k3s-agent");
    told.enters(&two)
        .begins(&two, "agent-2", "systemctl restart k3s-agent");
    told.seconds(12).ends(&one, "agent-1", changed());
    told.leaves(&one, StepStatus::Done);
    told.says(&two, "agent-2", "Stopping k3s…\nFlushing\troutes\n");
    told.seconds(61);
    told
}

/// Two hundred hosts in the middle of a rolling step: every 20th has failed.
fn fleet() -> Told {
    let mut told = Told::new();
    let outer = step(&ScopePath::default(), "Restart the agents");
    let hosts: Vec<String> = (1..=200).map(|number| format!("web-{number:03}")).collect();
    told.enters(&outer).each(&outer, hosts.iter().cloned());
    for (index, name) in hosts.iter().enumerate().take(140) {
        let path = branch(&outer, name);
        told.enters(&path)
            .begins(&path, name, "systemctl restart nginx");
        match index {
            index if index % 20 == 7 => {
                told.fails(&path, name, "exit status 1")
                    .leaves(&path, StepStatus::Failed);
            }
            0..133 => {
                told.ends(&path, name, changed())
                    .leaves(&path, StepStatus::Done);
            }
            _ => {}
        }
    }
    told.seconds(95);
    told
}

#[test]
fn steps_and_branches_side_by_side() {
    insta::assert_snapshot!(three_nodes().shown(80, 18, true));
}

#[test]
fn the_same_without_unicode() {
    let text = three_nodes().shown(80, 18, false);
    assert!(text.is_ascii(), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn two_hundred_hosts_on_a_small_terminal() {
    insta::assert_snapshot!(fleet().shown(80, 18, true));
}

#[test]
fn two_hundred_hosts_on_a_large_terminal() {
    insta::assert_snapshot!(fleet().shown(200, 54, true));
}

#[test]
fn failures_never_hide_what_runs() {
    let mut told = Told::new();
    let outer = step(&ScopePath::default(), "Restart");
    told.enters(&outer)
        .each(&outer, (0..50).map(|number| format!("n{number}")));
    for number in 0..50 {
        let name = format!("n{number}");
        let path = branch(&outer, &name);
        told.enters(&path).begins(&path, &name, "restart");
        if number < 47 {
            told.fails(&path, &name, "no")
                .leaves(&path, StepStatus::Failed);
        }
    }
    let text = told.shown(80, 14, true);
    for running in ["n47", "n48", "n49"] {
        assert!(text.contains(running), "{running} is not shown:\n{text}");
    }
    assert!(text.contains("n0 "), "no failure is shown:\n{text}");
}

#[test]
fn one_command_with_the_end_of_its_output() {
    let mut told = Told::new();
    let outer = step(&ScopePath::default(), "Upgrade");
    told.enters(&outer)
        .begins(&outer, "db-1", "apt-get upgrade");
    for number in 1..=30 {
        told.says(&outer, "db-1", &format!("Unpacking package {number}\n"));
    }
    told.says(&outer, "db-1", " 10%\r 55%\r 99%\r\n")
        .seconds(200);
    insta::assert_snapshot!(told.shown(80, 18, true));
}

#[test]
fn what_is_waited_for_and_what_is_away() {
    let mut told = Told::new();
    let outer = step(&ScopePath::default(), "Wait for the nodes");
    told.enters(&outer).begins(&outer, "n2", "wait");
    told.event(Event::Waiting {
        key: outer.operation(1),
        what: "every node to be ready".into(),
        deadline: "2026-03-02T03:04:05Z".parse().unwrap(),
    });
    told.event(Event::ApiAway {
        state: "is restarting".into(),
        why: "connection refused".into(),
        waited_s: 0,
        limit_s: 300,
    });
    for target in ["n2", "n3", "n2"] {
        told.event(Event::TargetAway {
            target: host(target),
            why: "broken pipe".into(),
            waited_s: 0,
            limit_s: 30,
        });
        told.seconds(6);
    }
    insta::assert_snapshot!(told.shown(80, 18, true));
    told.event(Event::ApiBack { waited_s: 18 });
    for target in ["n2", "n3"] {
        told.event(Event::TargetBack {
            target: host(target),
            answers: true,
            waited_s: 18,
        });
    }
    let text = told.shown(80, 18, true);
    assert!(!text.contains("API") && !text.contains("lost"), "{text}");
}

/// Whatever is said and however small the terminal is: no line too many, none too wide, nothing that steers a terminal.
#[test]
fn every_size_is_kept() {
    let mut hostile = three_nodes();
    let outer = step(
        &ScopePath::default(),
        "日本語 \x1b[2J\u{202e} e\u{301}\u{301}",
    );
    hostile
        .enters(&outer)
        .begins(&outer, "n1", "echo 😀😀😀 ❤\u{fe0f}");
    hostile.says(
        &outer,
        "n1",
        "\x1b]0;title\x07\x1b[31m全角文字全角文字全角文字全角文字全角文字全角\r\n\t\u{9b}2J\n",
    );
    for told in [three_nodes(), fleet(), hostile] {
        for unicode in [true, false] {
            for width in [1, 2, 7, 20, 39, 40, 61, 80, 200] {
                for height in [0, 1, 2, 3, 5, 8, 18, 60, 300] {
                    let lines = told.lines(width, height, unicode);
                    assert!(lines.len() <= height, "{} lines of {height}", lines.len());
                    for line in &lines {
                        assert!(columns(line) < width.max(1), "{width}: {line:?}");
                        assert!(!line.chars().any(char::is_control), "{line:?}");
                        assert!(unicode || line.is_ascii(), "{line:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn nothing_is_shown_before_and_after() {
    let told = Told {
        progress: Progress::default(),
        now: Duration::ZERO,
    };
    assert_eq!(told.shown(80, 18, true), "");
    let mut told = three_nodes();
    told.event(Event::RunEnded {
        run: None,
        ending: crate::journal::Ending::Done,
        message: String::new(),
        exit: 0,
        elapsed_ms: 1,
    });
    assert_eq!(told.shown(80, 18, true), "");
}

/// A run of a week on thousands of hosts must not keep them all.
#[test]
fn what_is_over_is_forgotten() {
    let mut told = fleet();
    let outer = step(&ScopePath::default(), "Restart the agents");
    told.leaves(&outer, StepStatus::Done);
    assert!(told.progress.root.children[0].children.is_empty());
}
