//! What work costs the processor, counted in instructions by valgrind, so that no machine is too slow or too busy to
//! say. Limits are a quarter above what was counted (docs/performance.md).
#![cfg(target_os = "linux")]

mod support;

#[path = "support/bench.rs"]
mod bench;

use std::process::Command;

use bench::{Bench, LAB};

/// Only an optimised build can be held to a count, and only where valgrind is: `.ci/run` has both.
fn can_count() -> bool {
    let wanted = std::env::var_os("RUNBOOK_REQUIRE_VALGRIND").is_some();
    if !wanted {
        eprintln!("skipped: RUNBOOK_REQUIRE_VALGRIND is not set");
    }
    wanted
}

/// The instructions of the program with these arguments, which ends with this status.
fn instructions(bench: &Bench, status: i32, arguments: &[&str]) -> u64 {
    let counted = bench.path().join("counted");
    let program = bench.command(arguments);
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(format!("--log-file={}", counted.display()))
        .arg(program.get_program())
        .args(program.get_args())
        .current_dir(bench.path())
        .env_clear();
    for (name, value) in program.get_envs() {
        valgrind.env(name, value.unwrap_or_default());
    }
    // Whoever uses a lab here asks nothing of it any more: its own state is not to be counted.
    valgrind.env("RUNBOOK_LAB_IN_MEMORY", "1");
    let output = valgrind.output().expect("valgrind is installed");
    assert_eq!(
        output.status.code(),
        Some(status),
        "{}",
        bench::said(&output)
    );
    let text = std::fs::read_to_string(counted).unwrap();
    let collected = text
        .lines()
        .find_map(|line| line.split("Collected :").nth(1));
    collected.unwrap().trim().parse().unwrap()
}

/// Fails where this took more than that many thousand.
fn holds(what: &str, counted: u64, thousands: u64) {
    println!("{what}: {} thousand instructions", counted / 1000);
    assert!(
        counted <= thousands * 1000,
        "{what}: {} thousand instructions, at most {thousands} are meant",
        counted / 1000
    );
}

#[test]
fn the_program_starts_at_once() {
    if !can_count() {
        return;
    }
    let bench = Bench::new();
    holds("--help", instructions(&bench, 0, &["--help"]), 2_700);
}

#[test]
fn a_long_runbook_is_checked_at_once() {
    if !can_count() {
        return;
    }
    let bench = Bench::new();
    let mut text = "runbook #{ title: \"Long\" };\n".to_owned();
    for step in 0..50 {
        text.push_str(&format!("step \"step {step}\" {{\n"));
        for line in 0..8 {
            text.push_str(&format!(
                "    host(\"h{line}\").file(\"/etc/f{line}\").set_line(\"k{line}\", \"{step}\");\n"
            ));
        }
        text.push_str("}\n");
    }
    assert_eq!(text.lines().count(), 501);
    bench.write("long.rhai", &text);
    let counted = instructions(&bench, 0, &["check", "long.rhai"]);
    holds("check of 500 lines", counted, 52_000);
}

/// A runbook with so many commands on this host in it, which then stops.
fn commands(bench: &Bench, host: &str, times: usize) {
    bench.write(
        "book.rhai",
        &format!(
            "runbook #{{ title: \"Costs\" }};\n\
             let h = host(\"{host}\");\n\
             step \"go\" {{ for i in 0..{times} {{ h.run([\"true\"]); }} }}\n\
             step \"stop\" {{ throw \"on purpose\"; }}\n"
        ),
    );
}

/// What each of 200 more commands costs.
fn each(host: &str, of: impl Fn(&Bench) -> u64) -> u64 {
    let [few, many] = [100, 300].map(|times| {
        let bench = Bench::new();
        commands(&bench, host, times);
        of(&bench)
    });
    (many - few) / 200
}

/// On a host, through the gate. What runs there is not counted.
#[test]
fn a_command_costs_the_engine_little() {
    if !can_count() {
        return;
    }
    let counted = each("localhost", |bench| {
        instructions(bench, 1, &["run", "book.rhai", "--yes"])
    });
    holds("a command", counted, 285);
}

#[test]
fn a_recorded_command_costs_a_resume_little() {
    if !can_count() {
        return;
    }
    let counted = each("k3s-agent-1", |bench| {
        bench.exits(1, &["run", "book.rhai", "--lab", LAB, "--yes"]);
        instructions(bench, 1, &["resume", "--yes"])
    });
    holds("a recorded command", counted, 146);
}
