//! What people read after a run, and from outside while it runs: `status` and `show`. Both, like the report, are made
//! from the journal alone.

#[path = "support/bench.rs"]
mod bench;

use std::process::Stdio;
use std::time::{Duration, Instant};

use bench::Bench;
use regex::Regex;

const BOOK: &str = r#"runbook #{ title: "A greeting for everybody" };
let h = host("localhost");
step "Look around" {
    h.probe(["true"]);
    table("Before", [#{ name: "greeting", size: 0 }]);
    note("nothing is there yet");
}
step "Write it" {
    each(["one", "two"], |name| {
        h.file(`DIR/${name}`).write("1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n");
    });
    h.run(["mkdir", "DIR/made"], #{ undo: ["rmdir", "DIR/made"] });
}
step "Go on" {
    confirm("Everybody will be greeted");
    h.run("echo some words >&2; test -e DIR/ready");
}
"#;

fn bench() -> Bench {
    let bench = Bench::new();
    let directory = bench.path().display().to_string();
    bench.write("greet.rhai", &BOOK.replace("DIR", &directory));
    bench
}

/// A text without what differs from run to run.
fn same(bench: &Bench, text: &str) -> String {
    let mut text = text.replace(&bench.path().display().to_string(), "[DIR]");
    text = text.replace(&bench.newest(), "[RUN]");
    for (pattern, shown) in [
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d( UTC)?", "[DATE]"),
        (r"\d\d:\d\d:\d\d", "[TIME]"),
        (r"\d+ min \d+ s|\d+(\.\d)? s\b", "[SPAN]"),
        (r" \(\[SPAN\]\)", ""),
        (r"(by|of) [^ ,]+( \d+)?@\S+", "$1 [WHO]"),
        (r"(holder\s+)run \S+( \S+)? .*", "$1[HOLDER]"),
        (r"\b[0-9a-f]{16}\b", "[ID]"),
    ] {
        text = Regex::new(pattern)
            .unwrap()
            .replace_all(&text, shown)
            .into_owned();
    }
    text
}

fn settings() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_snapshot_path("snapshots/after");
    settings
}

#[test]
fn a_run_is_told_from_its_beginning_to_what_to_do_next() {
    let bench = bench();
    let shown = |name: &str, arguments: &[&str]| {
        let text = same(&bench, &bench.exits(0, arguments));
        settings().bind(|| insta::assert_snapshot!(name, text));
    };
    bench.exits(3, &["run", "greet.rhai"]);
    let run = bench.newest();
    shown("status_undecided", &["status"]);
    bench.exits(1, &["resume", "--yes"]);
    shown("status_failed", &["status", &run]);
    shown("show_failed", &["show", &run]);
    bench.exits(0, &["undo", &run, "--yes"]);
    shown("status_undone", &["status", &run]);
    let undone = bench.exits(0, &["show", &run]);
    assert!(
        undone.contains("Undo") && undone.contains("(nobody worked on it for"),
        "{undone}"
    );
    // Everything, for whoever looks closer: the whole diff, and what was only looked at.
    let whole = bench.exits(0, &["show", &run, "-v"]);
    for part in ["+10", "looked", "some words"] {
        assert!(whole.contains(part), "{part} in {whole}");
    }
    assert!(!whole.contains("more lines"), "{whole}");
}

#[test]
fn a_pipe_gets_whole_lines_and_a_terminal_none_that_are_too_long() {
    let bench = bench();
    bench.exits(3, &["run", "greet.rhai"]);
    let run = bench.newest();
    let long = format!(
        "changed   one > localhost: write {}/one",
        bench.path().display()
    );
    let piped = bench.exits(0, &["show", &run]);
    assert!(piped.lines().any(|line| line.contains(&long)), "{piped}");
    // `script` gives it a terminal of 60 columns.
    let program = env!("CARGO_BIN_EXE_runbook");
    let line = format!("stty cols 60; {program} --color never show {run}");
    let mut process = bench.command(&[]);
    let environment: Vec<_> = process
        .get_envs()
        .map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned)))
        .collect();
    process = std::process::Command::new("script");
    process.args(["-qec", &line, "/dev/null"]).env_clear();
    for (name, value) in environment {
        process.env(name, value.unwrap_or_default());
    }
    process.env("COLUMNS", "60").stdin(Stdio::null());
    let output = process.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("Look around"), "{text}");
    for line in text.lines() {
        let length = line.trim_end().chars().count();
        assert!(length <= 60, "{length}: {line}");
    }
}

#[test]
fn a_glance_at_a_run_at_work_says_who_holds_it_and_what_it_waits_for() {
    let bench = bench();
    let sign = bench.path().join("sign");
    bench.write(
        "wait.rhai",
        &format!(
            "runbook #{{ title: \"Patience\" }};\nlet h = host(\"localhost\");\nstep \"Wait\" {{\n    \
             wait_until(\"the sign is there\", #{{ timeout: \"5m\", every: \"50ms\" }}, || h.file(\"{}\").exists());\n}}\n",
            sign.display()
        ),
    );
    let mut process = bench.command(&["run", "wait.rhai"]);
    let mut child = process.stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    let text = loop {
        let text = bench::said(&bench.run(&["status"]));
        if text.contains("waits for:") || began.elapsed() > Duration::from_secs(30) {
            break text;
        }
        std::thread::sleep(Duration::from_millis(30));
    };
    let process = format!("process {}", child.id());
    std::fs::write(&sign, "").unwrap();
    let ended = child.wait().unwrap();
    for part in [
        "state   running",
        &process,
        "waits for:",
        "the sign is there",
        "at most: 4 min",
        "now     Wait",
        "look again",
    ] {
        assert!(text.contains(part), "{part:?} in\n{text}");
    }
    assert!(ended.success());
    assert!(bench.exits(0, &["status"]).contains("nobody works on it"));
}

#[test]
fn replaying_a_step_adds_nothing_to_how_long_it_took() {
    let bench = bench();
    bench.exits(3, &["run", "greet.rhai"]);
    std::thread::sleep(Duration::from_secs(2));
    std::fs::write(bench.path().join("ready"), "").unwrap();
    bench.exits(0, &["resume", "--yes"]);
    let report = bench.exits(0, &["report", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    for step in report["steps"].as_array().unwrap() {
        if let Some(worked) = step["worked_ms"].as_u64() {
            assert!(worked < 1_900, "the pause was counted: {step:#}");
        }
    }
    let sessions = report["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 2);
    assert!(
        sessions[0]["message"]
            .as_str()
            .unwrap()
            .contains("Everybody")
    );
    let decision = &report["decisions"][0];
    assert_eq!(decision["by"], "--yes");
    assert_eq!(decision["operator"], sessions[1]["operator"]);
}
