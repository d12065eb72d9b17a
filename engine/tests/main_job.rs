//! The main job on the built-in lab, through the real program: seen first, survived anywhere, put back.

#[path = "support/bench.rs"]
mod bench;

use std::sync::atomic::{AtomicUsize, Ordering};

use bench::{Bench, LAB, said, tree};
use serde_json::Value as Json;

const BOOK: &str = "tailscale-mtu.rhai";

/// The effects in a stream of JSON events, in a comparable form: place, target, word, summary and diff.
fn effects(stdout: &[u8], outcome: &str) -> Vec<String> {
    let mut found: Vec<String> = String::from_utf8_lossy(stdout)
        .lines()
        .map(|line| serde_json::from_str::<Json>(line).unwrap())
        .filter(|event| event["event"] == "operation_ended" && event["outcome"] == outcome)
        .map(|event| {
            // The diff of what only a script can observe is not known before the run.
            let diff = if event["kind"] == "change" {
                Json::Null
            } else {
                event["diff"].clone()
            };
            format!(
                "{} {} {} {} {diff}",
                event["scope"], event["target"], event["kind"], event["summary"]
            )
        })
        .collect();
    found.sort();
    found
}

#[test]
fn the_plan_is_what_the_run_does_and_writes_nothing() {
    let bench = Bench::new();
    bench.exits(0, &["lab", "reset", LAB]);
    let before = tree(&bench.state());
    let plan = bench.run(&["run", BOOK, "--lab", LAB, "--dry-run", "-o", "json"]);
    assert!(plan.status.success(), "{}", said(&plan));
    assert_eq!(tree(&bench.state()), before, "a dry run wrote something");
    let run = bench.run(&["run", BOOK, "--lab", LAB, "--yes", "-o", "json"]);
    assert!(run.status.success(), "{}", said(&run));
    let (planned, done) = (
        effects(&plan.stdout, "planned"),
        effects(&run.stdout, "changed"),
    );
    assert!(planned.len() > 30, "{planned:#?}");
    assert_eq!(planned, done);
}

/// What the operator reads before she says yes.
#[test]
fn the_plan_as_it_is_read() {
    let bench = Bench::new();
    let plan = bench.exits(0, &["run", BOOK, "--lab", LAB, "--dry-run"]);
    let time = regex::Regex::new(r"\d+ min \d+ s|\d+(\.\d)? s\b").unwrap();
    insta::assert_snapshot!("plan", time.replace_all(&plan, "[TIME]"));
}

#[test]
fn a_second_run_finds_nothing_to_change() {
    let bench = Bench::new();
    bench.exits(0, &["run", BOOK, "--lab", LAB, "--yes"]);
    let again = bench.run(&["run", BOOK, "--lab", LAB, "--yes", "-o", "json"]);
    assert!(again.status.success(), "{}", said(&again));
    assert!(effects(&again.stdout, "changed").is_empty());
    assert!(said(&again).contains("nothing to do"));
    bench.exits(0, &["run", "verify-mtu.rhai", "--lab", LAB]);
}

#[test]
fn without_approval_nothing_restarts_and_exit_is_3() {
    let bench = Bench::new();
    let text = bench.exits(3, &["run", BOOK, "--lab", LAB]);
    assert!(text.contains("nobody is there to answer"), "{text}");
    let counts = bench.lab()["counts"].to_string();
    assert!(!counts.contains("systemctl restart"), "{counts}");
    bench.exits(0, &["resume", "--yes"]);
}

/// Every file below /etc of every host: content, mode and owner, byte for byte.
fn files(bench: &Bench) -> Vec<(String, Json)> {
    let world = bench.world();
    let mut found = Vec::new();
    for (host, state) in world["hosts"].as_object().unwrap() {
        for (path, node) in state["machine"]["files"].as_object().unwrap() {
            if path.starts_with("/etc/") && !node["file"].is_null() {
                found.push((format!("{host}:{path}"), node["file"][0].clone()));
            }
        }
    }
    found
}

#[test]
fn undo_brings_the_cluster_back() {
    let bench = Bench::new();
    // A runbook that only looks (and fails on the broken cluster) brings the lab's state on disk.
    bench.exits(1, &["run", "verify-mtu.rhai", "--lab", LAB]);
    let links = |bench: &Bench| bench.lab()["hosts"].clone();
    let before = (links(&bench), files(&bench));
    assert!(
        before
            .1
            .iter()
            .any(|(path, _)| path.ends_with("/etc/rancher/k3s/config.yaml"))
    );
    bench.exits(0, &["run", BOOK, "--lab", LAB, "--yes"]);
    assert_ne!(links(&bench), before.0);
    assert_ne!(files(&bench), before.1);
    bench.exits(0, &["undo", &bench.newest(), "--yes"]);
    assert_eq!(links(&bench), before.0);
    assert_eq!(files(&bench), before.1);
    // An undone run is over.
    bench.exits(64, &["resume", &bench.newest()]);
}

/// The state that two ways to the same end must share: links, pods, and that nothing ran twice.
fn end_state(lab: &Json) -> (Json, Json) {
    (lab["hosts"].clone(), lab["pods"].clone())
}

#[test]
fn killed_at_every_record_it_resumes_to_the_same_end() {
    let whole = Bench::new();
    whole.exits(0, &["run", BOOK, "--lab", LAB, "--yes"]);
    let wanted = end_state(&whole.lab());
    let records = whole.records();
    let (first, every) = kill_points();
    let next = AtomicUsize::new(first);
    let kills = AtomicUsize::new(0);
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                loop {
                    let at = next.fetch_add(every, Ordering::SeqCst);
                    if at > records {
                        return;
                    }
                    kills.fetch_add(usize::from(killed_at(at, &wanted)), Ordering::SeqCst);
                }
            });
        }
    });
    // A few records more or less are the parallel branches' doing; without kills this test would show nothing.
    let kills = kills.into_inner();
    let points = (records + 1 - first).div_ceil(every);
    assert!(
        kills + 10 >= points,
        "only {kills} of {points} records killed the run"
    );
}

/// The first record to be killed at and the distance to the next: every eighth, other ones each day, so that the test
/// stays quick; `RUNBOOK_KILL_EVERY=1` takes them all.
fn kill_points() -> (usize, usize) {
    let every = std::env::var("RUNBOOK_KILL_EVERY").ok();
    let every = every.and_then(|every| every.parse().ok()).unwrap_or(8);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let day = now.map_or(0, |since| since.as_secs() / 86_400) as usize;
    (1 + day % every, every)
}

/// Whether there was such a record to be killed at.
fn killed_at(at: usize, wanted: &(Json, Json)) -> bool {
    use std::os::unix::process::ExitStatusExt;
    let bench = Bench::new();
    let arguments = ["run", BOOK, "--lab", LAB, "--yes"];
    let killed = bench
        .command(&arguments)
        .env("RUNBOOK_CRASH_AT", at.to_string())
        .output()
        .unwrap();
    // Parallel branches may need a record more or less from one run to the next.
    if killed.status.signal() != Some(9) {
        assert!(killed.status.success(), "record {at}\n{}", said(&killed));
        return false;
    }
    let resumed = bench.run(&["resume", "--yes"]);
    // Killed after its very last record the run is over, and says so.
    let over = said(&resumed).contains("there is no run to resume");
    assert!(
        resumed.status.success() || over,
        "record {at}\n{}",
        said(&resumed)
    );
    let lab = bench.lab();
    let twice: Vec<&String> = lab["counts"]["markers"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, count)| count.as_u64() != Some(1))
        .map(|(marker, _)| marker)
        .collect();
    assert!(twice.is_empty(), "record {at}: {twice:?} ran twice");
    assert_eq!(end_state(&lab), *wanted, "record {at}");
    true
}
