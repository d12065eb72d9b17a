//! A run that died before its first record: nothing was done, so it stands in nobody's way.

#[path = "support/bench.rs"]
mod bench;

use std::os::unix::process::ExitStatusExt as _;

use bench::{Bench, said};

const BOOK: &str = r#"runbook #{
    title: "Two lines",
    params: #{ out: #{ default: "", help: "where to write them" } },
};

step "Write" {
    let here = host("localhost");
    here.run(`echo one >> ${param("out")}`);
    here.run(`echo two >> ${param("out")}`);
}
"#;

/// Runs the book and kills it at this point of its journal; the name of the run.
fn killed(bench: &Bench, at: &str) -> String {
    let out = format!("out={}", bench.path().join("out").display());
    let killed = bench
        .command(&["run", "two.rhai", "-e", &out])
        .env("RUNBOOK_CRASH_AT", at)
        .output()
        .unwrap();
    assert_eq!(killed.status.signal(), Some(9), "{}", said(&killed));
    bench.newest()
}

fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("two.rhai", BOOK);
    bench
}

#[test]
fn what_asks_for_the_newest_run_passes_it_by() {
    let bench = bench();
    let interrupted = killed(&bench, "4");
    let never_began = killed(&bench, "1-");
    assert_ne!(interrupted, never_began);

    let status = bench.exits(0, &["status"]);
    assert!(status.contains(&interrupted), "{status}");
    let report = bench.exits(0, &["report", "--format", "json"]);
    assert!(report.contains(&interrupted), "{report}");
    bench.exits(0, &["resume"]);
    let written = std::fs::read_to_string(bench.path().join("out")).unwrap();
    assert_eq!(written, "one\ntwo\n");
    let nothing = bench.exits(64, &["resume"]);
    assert!(nothing.contains("there is no run to resume"), "{nothing}");
}

#[test]
fn named_it_says_that_nothing_was_done() {
    let bench = bench();
    let run = killed(&bench, "1-");
    for words in [
        &["show", &run][..],
        &["show", &run, "--json"],
        &["status", &run],
        &["report", &run],
        &["verify", &run],
        &["resume", &run],
        &["undo", &run, "--yes"],
    ] {
        let text = bench.exits(1, words);
        assert!(
            text.contains("stopped before its first record: nothing was done"),
            "{words:?}: {text}"
        );
    }
    assert_eq!(bench.exits(0, &["list"]).trim(), "No runs yet.");
}
