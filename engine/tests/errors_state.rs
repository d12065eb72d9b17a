//! What a reader sees when the state directory or a journal cannot be used: each refusal with its remedy. That nothing
//! is lost then is the business of `journal_*.rs` and `hostile_state.rs`.

#[path = "support/bench.rs"]
mod bench;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use bench::{Bench, said};
use regex::Regex;

const BOOK: &str = "runbook #{ title: \"Steps\" };\nlet h = host(\"localhost\");\nstep \"One\" { h.run([\"touch\", \"DIR/one\"]); }\nstep \"Two\" { h.file(\"DIR/two\").write(\"2\\n\"); }\nensure(false, \"it is so\");\n";

fn bench() -> Bench {
    let bench = Bench::new();
    let directory = bench.path().display().to_string();
    bench.write("t.rhai", &BOOK.replace("DIR", &directory));
    bench
}

/// A text without what differs from run to run.
fn same(bench: &Bench, text: &str) -> String {
    let mut text = text.replace(&bench.path().display().to_string(), "[DIR]");
    for (pattern, shown) in [
        (r"\d{8}-\d{6}-[a-z0-9]{6}", "[RUN]"),
        (r#""\d{8}""#, "\"[DAY]\""),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d( UTC)?", "[DATE]"),
        (r"process \d+", "process [PID]"),
        (r"(by|\|) [^ |,]+( \d+)?@[^ ,\n]+", "$1 [WHO]"),
        (r"\(lock of [0-9a-f]+\)", "(lock)"),
        (r"SQLite \d[\d.]*", "SQLite [VERSION]"),
        (r"\b[0-9a-f]{32,64}\b", "[HASH]"),
        (r"\d\d:\d\d:\d\d", "[TIME]"),
        (r"\d+(\.\d)? s\b", "[SPAN]"),
        (r" \(\[SPAN\]\)", ""),
    ] {
        text = Regex::new(pattern)
            .unwrap()
            .replace_all(&text, shown)
            .into_owned();
    }
    text
}

/// Everything that each command says, one after the other, against a snapshot.
fn told(bench: &Bench, name: &str, commands: &[(&str, &[&str])]) {
    let mut text = String::new();
    for (what, arguments) in commands {
        let output = bench.run(arguments);
        let status = output.status.code().unwrap();
        text.push_str(&format!(
            "## {what}: exit status {status}\n{}\n",
            said(&output)
        ));
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_snapshot_path("snapshots/errors");
    settings.bind(|| insta::assert_snapshot!(name, same(bench, &text)));
}

#[test]
fn what_another_process_holds() {
    let bench = bench();
    let sign = bench.path().join("sign");
    let book = format!(
        "runbook #{{ title: \"Patience\" }};\nlet h = host(\"localhost\");\nstep \"Wait\" {{ wait_until(\"the sign\", #{{ timeout: \"5m\", every: \"50ms\" }}, || h.file(\"{}\").exists()); }}\n",
        sign.display()
    );
    bench.write("wait.rhai", &book);
    let mut process = bench.command(&["run", "wait.rhai"]);
    let mut child = process.stderr(Stdio::null()).spawn().unwrap();
    while !said(&bench.run(&["status"])).contains("waits for:") {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let run = bench.newest();
    told(
        &bench,
        "state_held",
        &[
            ("another run", &["run", "t.rhai"]),
            ("the same run", &["resume", &run]),
            ("undo of a run at work", &["undo", &run, "--yes"]),
            ("repair of a run at work", &["verify", &run, "--repair"]),
        ],
    );
    std::fs::write(&sign, "").unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn directories_that_cannot_hold_the_state() {
    let bench = bench();
    bench.exits(1, &["run", "t.rhai"]);
    let open = bench.state();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o755)).unwrap();
    told(
        &bench,
        "state_open_to_others",
        &[("a directory that others may read", &["list"])],
    );
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o700)).unwrap();
    bench.write("file", "");
    let inside = bench.path().join("file/state");
    // The kernel lets nobody make anything there.
    let forbidden = Path::new("/proc/runbook-state");
    for (name, place) in [
        ("state_in_a_file", inside.as_path()),
        ("state_where_nobody_may_write", forbidden),
    ] {
        let place = place.to_str().unwrap();
        told(
            &bench,
            name,
            &[("a run", &["run", "t.rhai", "--state-dir", place])],
        );
    }
    if rustix::process::getuid().is_root() {
        let owner = Some(rustix::process::Uid::from_raw(12_345));
        rustix::fs::chown(&open, owner, None).unwrap();
        told(
            &bench,
            "state_of_somebody_else",
            &[("a directory of another user", &["list"])],
        );
    }
}

#[test]
fn journals_that_are_damaged() {
    let bench = bench();
    bench.exits(1, &["run", "t.rhai"]);
    let run = bench.newest();
    let directory = bench.state().join("runs").join(&run);
    let database = directory.join("journal.db");
    let whole = std::fs::read(&database).unwrap();
    let commands: [(&str, &[&str]); 6] = [
        ("status", &["status", &run]),
        ("show", &["show", &run]),
        ("report", &["report", &run]),
        ("resume", &["resume", &run]),
        ("undo", &["undo", &run, "--yes"]),
        ("verify", &["verify", &run]),
    ];
    // A letter of a record is another: the chain of hashes tells.
    let at = whole
        .windows(5)
        .rposition(|bytes| bytes == b"touch")
        .unwrap();
    let mut changed = whole.clone();
    changed[at] = b'T';
    std::fs::write(&database, &changed).unwrap();
    told(&bench, "journal_changed", &commands);
    std::fs::write(&database, b"this is no database").unwrap();
    told(&bench, "journal_overwritten", &commands);
    std::fs::remove_file(&database).unwrap();
    told(&bench, "journal_gone", &commands);
}

#[test]
fn names_that_fit_no_run_or_several() {
    let bench = bench();
    bench.exits(1, &["run", "t.rhai"]);
    bench.exits(1, &["run", "t.rhai"]);
    let run = bench.newest();
    // The date, which is the beginning of both.
    told(
        &bench,
        "state_ambiguous",
        &[
            ("a name that fits two", &["show", &run[..8]]),
            (
                "a known outcome",
                &["resolve", &run, "0123456789abcdef", "--done"],
            ),
        ],
    );
}
