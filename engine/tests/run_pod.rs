//! `kube.run_pod` on the lab: planned, held to the plan, run once however often the engine dies, left out by undo, and
//! found by `gc` where a run was given up.

#[path = "support/bench.rs"]
mod bench;

use bench::{Bench, said};

const BOOK: &str = r#"
runbook #{ title: "A test in a pod" };
step "Measure" {
    let answer = kube.run_pod("default", "docker.io/library/busybox:1.37",
        ["cat", "/sys/class/net/eth0/mtu"], #{ node: "k3s-agent-1", timeout: "1m" });
    note(`a pod gets ${trimmed(answer.stdout)}`);
    let other = kube.run_pod("default", "docker.io/library/busybox:1.37", "exit 3", #{ expect_exit: 3 });
    expect("the exit status", other.exit, 3);
}
"#;

const LAB: [&str; 2] = ["--lab", "k3s-double-tunnel"];

fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("pod.rhai", BOOK);
    bench
}

/// The pods of runbook that the lab has.
fn left(bench: &Bench) -> String {
    bench.exits(0, &["gc", "--dry-run"])
}

#[test]
fn a_plan_with_pods_is_what_the_run_does_and_undo_has_nothing_to_put_back() {
    let bench = bench();
    let plan = bench.exits(
        0,
        &[
            &["run", "pod.rhai", "--dry-run", "--out", "the.plan"][..],
            &LAB,
        ]
        .concat(),
    );
    assert_eq!(
        plan.matches("create pod default/runbook-").count(),
        2,
        "{plan}"
    );
    let run = bench.exits(0, &["run", "--plan", "the.plan", "--yes"]);
    assert!(run.contains("a pod gets 1230"), "{run}");
    let undo = bench.exits(0, &["undo", &bench.newest(), "--yes"]);
    assert_eq!(
        undo.matches("it was there for a time only").count(),
        4,
        "{undo}"
    );
    assert!(left(&bench).contains("nothing is left behind"));
}

#[test]
fn another_exit_status_is_a_failure_with_the_log_and_leaves_no_pod() {
    let bench = bench();
    bench.write(
        "pod.rhai",
        &BOOK.replace(
            "\"exit 3\", #{ expect_exit: 3 }",
            "\"echo so it was; exit 4\"",
        ),
    );
    let text = bench.exits(1, &[&["run", "pod.rhai", "--yes"][..], &LAB].concat());
    assert!(
        text.contains("exited with 4") && text.contains("so it was"),
        "{text}"
    );
    assert!(left(&bench).contains("nothing is left behind"));
}

#[test]
fn killed_at_every_record_a_pod_runs_once_and_none_is_left() {
    let whole = bench();
    whole.exits(0, &[&["run", "pod.rhai", "--yes"][..], &LAB].concat());
    let records = whole.records();
    assert!(records > 10, "{records}");
    let (mut killed, mut removed) = (0, 0);
    for point in 1..records {
        let bench = bench();
        let run = bench
            .command(&[&["run", "pod.rhai", "--yes"][..], &LAB].concat())
            .env("RUNBOOK_CRASH_AT", point.to_string())
            .output()
            .unwrap();
        killed += usize::from(run.status.code().is_none());
        if point % 2 == 0 {
            let text = bench.exits(0, &["resume", "--yes"]);
            assert!(!text.contains("FAILED"), "{point}: {text}");
            // A second life of a pod would be a second intent: each has one.
            let show = bench.run(&["show", &bench.newest(), "--json"]);
            let records = String::from_utf8(show.stdout).unwrap();
            let intents = records
                .matches("\"summary\":\"create pod default/runbook-")
                .count();
            assert_eq!(intents, 2, "{point}: {records}");
        }
        // Those that are given up leave a pod at most, which is on the list.
        removed += usize::from(
            bench
                .exits(0, &["gc"])
                .contains("removed pod default/runbook-"),
        );
        assert!(
            left(&bench).contains("nothing is left behind"),
            "{point}: {}",
            said(&run)
        );
    }
    assert!(removed > 0, "no run left a pod for gc");
    assert!(killed + 2 >= records, "{killed} of {records}");
}

#[test]
fn misuse_is_told_where_it_stands() {
    let bench = bench();
    for (call, wanted) in [
        (
            "kube.run_pod(\"\", \"i\", [\"a\"])",
            "needs a namespace and an image",
        ),
        ("kube.run_pod(\"n\", \"i\", [])", "the command is empty"),
        (
            "kube.run_pod(\"n\", \"i\", [\"a\"], #{ nodes: \"x\" })",
            "nodes",
        ),
        (
            "kube.run_pod(\"n\", \"i\", [\"a\"], #{ spec: 1 })",
            "`spec`",
        ),
    ] {
        bench.write(
            "bad.rhai",
            &format!("runbook #{{ title: \"T\" }};\nstep \"S\" {{ {call}; }}\n"),
        );
        let output = bench
            .command(&[&["run", "bad.rhai", "--yes"][..], &LAB].concat())
            .output()
            .unwrap();
        let text = said(&output);
        assert!(
            text.contains(wanted) && text.contains("bad.rhai:2:"),
            "{call}: {text}"
        );
    }
}
