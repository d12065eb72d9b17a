//! What a resume pays for each operation that is recorded already, counted in allocations: a long run must come back in
//! a moment, and a clone that slipped into the way costs as much on every machine.
#![cfg(target_os = "linux")]

mod support;

#[path = "support/bench.rs"]
mod bench;

use bench::{Bench, LAB};

/// How often a resume allocates that replays so many operations and then stops.
fn allocations(body: &str, operations: usize) -> usize {
    let bench = Bench::new();
    let library = bench.preloaded("malloc_count.c");
    bench.write(
        "book.rhai",
        &format!(
            "runbook #{{ title: \"Costs\" }};\n\
             let h = host(\"k3s-agent-1\");\n\
             step \"go\" {{ for i in 0..{operations} {{ {body} }} }}\n\
             step \"stop\" {{ throw \"on purpose\"; }}\n"
        ),
    );
    bench.exits(1, &["run", "book.rhai", "--lab", LAB, "--yes"]);
    let counted = bench.path().join("counted");
    let output = bench
        .command(&["resume", "--yes"])
        .env("LD_PRELOAD", library)
        // Nothing is asked of the lab, whose own state is not to be counted.
        .env("RUNBOOK_LAB_IN_MEMORY", "1")
        .env("ALLOCATIONS", &counted)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", bench::said(&output));
    let text = std::fs::read_to_string(counted).unwrap();
    text.split_whitespace().next().unwrap().parse().unwrap()
}

/// The same for one more operation, of those that are read ahead.
fn per_operation(body: &str) -> usize {
    // The first window is read by the script's own thread.
    let (few, many) = (100, 300);
    (allocations(body, many) - allocations(body, few)).div_ceil(many - few)
}

#[test]
fn a_recorded_command_costs_few_allocations() {
    let found = per_operation("h.run([\"true\"]);");
    assert!(found <= 60, "{found} allocations for each command");
}

#[test]
fn a_recorded_reading_costs_few_allocations() {
    let found = per_operation("h.probe([\"true\"]);");
    assert!(found <= 60, "{found} allocations for each reading");
}
