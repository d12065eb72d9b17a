//! docs/events.schema.json against what `-o json` really writes.

#[path = "support/bench.rs"]
mod bench;
#[path = "support/schema.rs"]
mod schema;

use std::collections::BTreeSet;

use bench::{Bench, LAB};
use serde_json::Value as Json;

fn published() -> Json {
    serde_json::from_str(include_str!("../../docs/events.schema.json")).unwrap()
}

/// The lines of a command's stdout; each must fit the schema. Adds the kinds of events that were met.
fn valid(bench: &Bench, arguments: &[&str], met: &mut BTreeSet<String>) {
    let output = bench.run(arguments);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.is_empty(), "{arguments:?} wrote nothing");
    let schema = published();
    for line in text.lines() {
        let event: Json = serde_json::from_str(line).unwrap();
        let errors = schema::errors(&schema, &event);
        assert!(errors.is_empty(), "{arguments:?}\n{line}\n{errors:#?}");
        met.insert(event["event"].as_str().unwrap().to_owned());
        if let Some(outcome) = event["outcome"].as_str() {
            met.insert(format!("outcome {outcome}"));
        }
    }
}

const BOOK: &str = r#"runbook #{ title: "Events", params: #{ size: #{ default: 1 } } };
let here = host("localhost");
step "Look" {
    note(here.probe(["uname"]).stdout);
    table("Sizes", [#{ name: "a", size: param("size") }]);
}
step "Act" {
    here.file(FILE).write("hello\n");
    here.file(FILE).write("hello\n");
    each(["a", "b"], |word| { here.run(["echo", word]); });
    let made = here.run(["echo", "x"]).stdout;
    if made == "x\n" { note("made"); }
}
step "Wait" {
    wait_until("it is there", #{ timeout: "1m" }, || here.file(FILE).exists());
    confirm("Go on?");
}
step "Fail" { expect("the size", param("size"), 2); }
"#;

#[test]
fn everything_that_is_written_fits_the_schema() {
    let bench = Bench::new();
    let file = bench.path().join("made");
    bench.write(
        "events.rhai",
        &BOOK.replace("FILE", &format!("\"{}\"", file.display())),
    );
    bench.write(
        "wrong.rhai",
        "runbook #{ title: \"T\" };\nhost(\"localhost\").run([\"uname\"]);\nnotee(1);\n",
    );
    let mut met = BTreeSet::new();
    valid(
        &bench,
        &["run", "events.rhai", "--dry-run", "-o", "json"],
        &mut met,
    );
    valid(
        &bench,
        &["run", "events.rhai", "--answer", "Go on?=yes", "-o", "json"],
        &mut met,
    );
    valid(&bench, &["resume", "-o", "json", "-y"], &mut met);
    valid(
        &bench,
        &[
            "run",
            "tailscale-mtu",
            "--lab",
            LAB,
            "--dry-run",
            "-o",
            "json",
        ],
        &mut met,
    );
    valid(
        &bench,
        &["check", "events.rhai", "wrong.rhai", "-o", "json"],
        &mut met,
    );
    for kind in [
        "run_started",
        "step_started",
        "step_ended",
        "each_started",
        "branch_started",
        "branch_ended",
        "operation_started",
        "operation_ended",
        "output",
        "note",
        "table",
        "plan_note",
        "waiting",
        "run_ended",
        "finding",
        "checked",
        "outcome ok",
        "outcome changed",
        "outcome skipped",
        "outcome planned",
        "outcome pending",
        "outcome replayed",
        "outcome failed",
    ] {
        assert!(met.contains(kind), "the test never met {kind}: {met:?}");
    }
}

#[test]
fn the_schema_refuses_what_is_wrong() {
    let schema = published();
    let good = serde_json::json!({ "schema": 1, "event": "warning", "text": "x" });
    assert!(schema::errors(&schema, &good).is_empty());
    for (field, value) in [
        ("schema", Json::from(2)),
        ("text", Json::Null),
        ("event", "no_such".into()),
    ] {
        let mut bad = good.clone();
        bad[field] = value;
        assert!(!schema::errors(&schema, &bad).is_empty(), "{bad}");
    }
}
