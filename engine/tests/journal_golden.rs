//! Journals that earlier versions of the program wrote (tests/journals, made by make.sh there) are read,
//! verified, resumed and undone by this one.

#[path = "support/bench.rs"]
mod bench;
#[path = "support/sample_journal.rs"]
mod sample_journal;

use std::fs;
use std::path::{Path, PathBuf};

use bench::{Bench, LAB, said};
use sample_journal::private_file;

/// The directories of all versions.
fn versions() -> Vec<PathBuf> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals");
    let entries = fs::read_dir(place)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let versions: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    assert!(!versions.is_empty());
    versions
}

/// Puts a golden run into a bench of its own, on a lab as the run left it; gives the run's name.
fn lay(version: &Path, kind: &str) -> (Bench, String) {
    let bench = Bench::new();
    let book = fs::read_to_string(version.join("everything.rhai")).unwrap();
    bench.write("everything.rhai", &book);
    // Another run of the same book does to the lab what the golden one did to its own; it fails on purpose.
    bench.exits(1, &["run", "everything.rhai", "--lab", LAB]);
    let mut runs = fs::read_dir(version.join(kind)).unwrap();
    let from = runs.next().unwrap().unwrap().path();
    let run = from.file_name().unwrap().to_str().unwrap().to_owned();
    let to = bench.state().join("runs").join(&run);
    sample_journal::private_directory(&to);
    for file in fs::read_dir(&from).unwrap() {
        let file = file.unwrap();
        private_file(&to.join(file.file_name()), &fs::read(file.path()).unwrap());
    }
    (bench, run)
}

/// What must be true of every golden journal.
fn reads(bench: &Bench, run: &str, state: &str) {
    let verified = bench.exits(0, &["verify", run]);
    assert!(verified.contains("chained and whole"), "{verified}");
    assert!(!verified.contains("mirror"), "{verified}");
    assert!(bench.exits(0, &["list"]).contains("A little of everything"));
    let status = bench.exits(0, &["status", run]);
    assert!(status.contains(state), "{status}");
    let shown = bench.exits(0, &["show", run]);
    for part in [
        "golden@desk",
        "/etc/golden.conf",
        "touch /etc/golden-ran",
        "the file is there",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let output = bench.run(&["show", run, "--json"]);
    let lines = String::from_utf8(output.stdout).unwrap();
    assert!(lines.lines().count() > 30, "{lines}");
}

#[test]
fn a_run_that_stopped_is_resumed_and_undone() {
    for version in versions() {
        let (bench, run) = lay(&version, "stopped");
        reads(&bench, &run, "Go on?");
        // What is recorded as done is not done again: it happened once, when the lab was made so.
        let text = bench.exits(0, &["resume", &run, "--yes"]);
        assert!(
            text.contains("golden-last") && text.contains("replayed"),
            "{text}"
        );
        let counts = bench.lab()["counts"]["commands"]["k3s-agent-1"].clone();
        assert_eq!(counts["touch /etc/golden-ran"], 1, "{counts}");
        let undone = bench.run(&["undo", &run, "--yes"]);
        assert!(undone.status.success(), "{}", said(&undone));
        bench.exits(0, &["verify", &run]);
    }
}

#[test]
fn a_run_that_was_undone_is_read_and_stays_over() {
    for version in versions() {
        let (bench, run) = lay(&version, "undone");
        reads(&bench, &run, "undone");
        bench.exits(64, &["resume", &run]);
    }
}

#[test]
fn a_golden_journal_that_lost_its_end_is_repaired() {
    let version = versions().pop().unwrap();
    let (bench, run) = lay(&version, "stopped");
    let database = bench.state().join("runs").join(&run).join("journal.db");
    rusqlite::Connection::open(&database)
        .unwrap()
        .execute("DELETE FROM record WHERE seq > 20", [])
        .unwrap();
    let text = bench.exits(1, &["verify", &run]);
    for part in ["lost at least", "only from journal.jsonl", "--repair"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let refused = bench.exits(1, &["resume", &run]);
    assert!(refused.contains("verify"), "{refused}");
    let text = bench.exits(0, &["verify", &run, "--repair"]);
    assert!(text.contains("damaged-"), "{text}");
    assert!(
        bench
            .exits(0, &["show", &run])
            .contains("has been repaired")
    );
    bench.exits(0, &["resume", &run, "--yes"]);
    let text = bench.exits(0, &["verify", &run, "--repair"]);
    assert!(text.contains("nothing to repair"), "{text}");
}

#[test]
fn a_run_that_lost_records_for_good_is_only_undone() {
    let version = versions().pop().unwrap();
    let (bench, run) = lay(&version, "stopped");
    let directory = bench.state().join("runs").join(&run);
    rusqlite::Connection::open(directory.join("journal.db"))
        .unwrap()
        .execute("DELETE FROM record WHERE seq > 20", [])
        .unwrap();
    // The mirror has lost one of them too: what follows cannot be chained to what is before.
    let mirror = directory.join("journal.jsonl");
    let lines = fs::read_to_string(&mirror).unwrap();
    let left: String = lines
        .split_inclusive('\n')
        .filter(|line| !line.contains("\"seq\":25,"))
        .collect();
    assert!(left.len() < lines.len());
    fs::write(&mirror, left).unwrap();
    let text = bench.exits(3, &["verify", &run, "--repair"]);
    assert!(text.contains("records 1 to 24 can be proven"), "{text}");
    let text = bench.exits(64, &["resume", &run]);
    assert!(text.contains("only undone"), "{text}");
    bench.exits(0, &["undo", &run, "--yes"]);
    bench.exits(0, &["verify", &run]);
}
