//! `runbook check` through the real program: what it prints, its JSON, its exit status, and what of it a run shows.

#[path = "support/bench.rs"]
mod bench;

use bench::{Bench, said};
use serde_json::Value as Json;

/// One of each: an advice, a hazard, and one that is silenced.
const WARNED: &str = "runbook #{ title: \"Warned\", params: #{ name: #{ default: \"x\" } } };
let here = host(\"localhost\");
note(here.run([\"uname\", \"-r\"]).stdout);
note(here.probe(`echo ${param(\"name\")}`).stdout);
note(here.run([\"uname\"]).stdout); // allow RB103: this one counts its calls
";
const GOOD: &str = "runbook #{ title: \"Good\" };\nnote(\"hello\");\n";
const WRONG: &str = "runbook #{ title: \"Wrong\" };\nnotee(\"hello\");\n";

fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("warned.rhai", WARNED);
    bench.write("good.rhai", GOOD);
    bench.write("wrong.rhai", WRONG);
    bench
}

fn lines(output: &std::process::Output) -> Vec<Json> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn the_exit_status_says_what_was_found() {
    let bench = bench();
    for (status, arguments) in [
        (0, &["check", "good.rhai"][..]),
        (0, &["check", "good.rhai", "--strict"]),
        (0, &["check", "warned.rhai"]),
        (1, &["check", "warned.rhai", "--strict"]),
        (1, &["check", "warned.rhai", "good.rhai", "--strict"]),
        (64, &["check", "wrong.rhai", "good.rhai"]),
        (64, &["check", "wrong.rhai", "warned.rhai", "--strict"]),
        (64, &["check", "nowhere.rhai"]),
        (64, &["check"]),
        (64, &["check", "--explain", "RB999"]),
        (0, &["check", "--explain", "all"]),
        (0, &["check", "tailscale-mtu", "--strict"]),
    ] {
        bench.exits(status, arguments);
    }
    assert!(!bench.state().exists(), "a check makes no state");
}

#[test]
fn what_people_read() {
    let bench = bench();
    insta::assert_snapshot!("check_warned", said(&bench.run(&["check", "warned.rhai"])));
    insta::assert_snapshot!(
        "check_explain",
        said(&bench.run(&["check", "--explain", "rb104"]))
    );
    insta::assert_snapshot!(
        "check_explain_all",
        said(&bench.run(&["check", "--explain", "all"]))
    );
}

#[test]
fn json_has_one_object_a_finding_and_one_a_file() {
    let bench = bench();
    let output = bench.run(&["check", "warned.rhai", "wrong.rhai", "-o", "json"]);
    assert_eq!(output.status.code(), Some(64));
    assert!(output.stderr.is_empty(), "{}", said(&output));
    let lines = lines(&output);
    let short: Vec<(&str, Option<&str>)> = lines
        .iter()
        .map(|line| (line["event"].as_str().unwrap(), line["code"].as_str()))
        .collect();
    assert_eq!(
        short,
        [
            ("finding", Some("RB103")),
            ("finding", Some("RB101")),
            ("checked", None),
            ("finding", Some("RB005")),
            ("checked", None),
        ]
    );
    assert!(lines.iter().all(|line| line["schema"] == 1));
    assert_eq!(lines[0]["name"], "read-as-run");
    assert_eq!(lines[0]["severity"], "warning");
    assert_eq!(lines[0]["place"]["position"]["line"], 3);
    assert_eq!(
        (&lines[4]["errors"], &lines[4]["warnings"]),
        (&1.into(), &0.into())
    );
}

#[test]
fn a_run_shows_what_may_do_harm_and_no_advice() {
    let bench = bench();
    let text = bench.exits(0, &["run", "warned.rhai", "--dry-run"]);
    assert!(text.contains("warning[RB101]"), "{text}");
    assert!(!text.contains("RB103"), "{text}");
}
