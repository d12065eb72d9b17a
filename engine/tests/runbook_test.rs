//! `runbook test`: the shipped runbooks pass their tests, and a broken runbook, a wrong claim or a wrong file does not.

#[path = "support/bench.rs"]
mod bench;

use std::path::Path;

use bench::{Bench, said};
use serde_json::Value as Json;

/// A runbook of two operations, and a test of it.
const BOOK: &str = r#"runbook #{ title: "Say hello", params: #{ to: #{ default: "world", help: "to whom" } } };
let node = host("k3s-server-1");
step "Write it" { node.file("/etc/greeting").write("hello " + param("to") + "\n"); }
step "Count it" { node.run(["sh", "-c", "echo again >> /etc/counted"]); }
"#;
const TEST: &str = r#"fn greeting(cluster) { cluster.host("k3s-server-1").read("/etc/greeting") }

test "the greeting is written" {
    let cluster = lab("k3s-double-tunnel");
    run_book("hello.rhai", #{ vars: #{ to: "team" } }).succeeds();
    expect("the greeting", greeting(cluster), "hello team\n");
    expect("the counter", cluster.host("k3s-server-1").read("/etc/counted"), "again\n");
}

test "a dry run writes nothing" {
    let cluster = lab("k3s-double-tunnel");
    let plan = dry_run("hello.rhai").succeeds();
    expect("changes", plan.changes.map(|change| change.kind), ["file.write", "host.run"]);
    expect("the greeting", greeting(cluster), ());
}
"#;

fn hello(book: &str, test: &str) -> Bench {
    let bench = Bench::new();
    bench.write("hello.rhai", book);
    bench.write("hello_test.rhai", test);
    bench
}

#[test]
fn the_shipped_runbooks_pass_their_tests() {
    let bench = Bench::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runbooks");
    let mut books = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(book) = name
            .strip_suffix(".rhai")
            .filter(|name| !name.ends_with("_test"))
        {
            books += 1;
            let tests = folder.join(format!("{book}_test.rhai"));
            assert!(tests.is_file(), "{name} has no tests beside it");
        }
    }
    assert!(books >= 7, "{books} runbooks");
    let text = bench.exits(0, &["test", folder.to_str().unwrap()]);
    assert!(text.contains(" 0 failed"), "{text}");
}

#[test]
fn a_broken_runbook_fails_its_tests() {
    let broken = BOOK.replace("hello \" + param", "hallo \" + param");
    let bench = hello(&broken, TEST);
    let text = bench.exits(1, &["test"]);
    assert!(text.contains("1 passed, 1 failed"), "{text}");
    assert!(text.contains("FAIL  the greeting is written"), "{text}");
    // What failed: the place, what was expected, what it is.
    assert!(text.contains("at hello_test.rhai:6:5"), "{text}");
    assert!(text.contains("- expected, + actual"), "{text}");
    assert!(
        text.contains("-hello team") && text.contains("+hallo team"),
        "{text}"
    );
}

#[test]
fn a_run_that_ends_otherwise_shows_what_it_said() {
    let test = TEST.replace(
        "hello.rhai\", #{ vars: #{ to: \"team\" } })",
        "hello.rhai\", #{ vars: #{ ot: \"team\" } })",
    );
    let text = hello(BOOK, &test).exits(1, &["test", "hello_test.rhai"]);
    assert!(text.contains("exit status 64, not 0"), "{text}");
    assert!(text.contains("no parameter `ot`"), "{text}");
}

#[test]
fn results_for_programs() {
    let bench = hello(&BOOK.replace("hello \" + param", "hallo <\" + param"), TEST);
    let output = bench.run(&["test", "-o", "json", "--junit", "results.xml"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let events: Vec<Json> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events.len(), 3, "{events:#?}");
    assert_eq!(events[0]["event"], "test_ended");
    assert_eq!(events[0]["outcome"], "failed");
    assert_eq!(events[0]["failure"]["position"]["line"], 6);
    assert_eq!(events[1]["outcome"], "passed");
    assert_eq!(
        (&events[2]["passed"], &events[2]["failed"]),
        (&1.into(), &1.into())
    );
    let xml = std::fs::read_to_string(bench.path().join("results.xml")).unwrap();
    assert!(
        xml.contains("<testsuite name=\"hello_test.rhai\" tests=\"2\" failures=\"1\""),
        "{xml}"
    );
    assert!(xml.contains("+hallo &lt;team"), "{xml}");
}

#[test]
fn a_wrong_file_and_no_test_are_usage_errors() {
    let bench = hello(BOOK, "test \"x\" { let a = ; }\n");
    let text = bench.exits(64, &["test"]);
    assert!(text.contains("hello_test.rhai:1:20"), "{text}");
    let bench = hello(BOOK, "let x = 1;\n");
    assert!(bench.exits(64, &["test"]).contains("has no tests"));
    let bench = hello(BOOK, TEST);
    assert!(
        bench
            .exits(64, &["test", "nowhere"])
            .contains("there is no nowhere")
    );
    assert!(
        bench
            .exits(64, &["test", "--only", "zzz"])
            .contains("no test has")
    );
    std::fs::create_dir(bench.path().join("empty")).unwrap();
    assert!(
        bench
            .exits(64, &["test", "empty"])
            .contains("no tests below")
    );
    let twice = format!("{TEST}{TEST}").replacen("fn greeting", "fn other", 1);
    assert!(
        hello(BOOK, &twice)
            .exits(64, &["test"])
            .contains("two tests are named")
    );
}

#[test]
fn a_test_that_is_never_reached_does_not_pass() {
    let text = hello(
        BOOK,
        "fn never() { test \"x\" { ensure(false, \"no\"); } }\n",
    )
    .exits(1, &["test"]);
    assert!(text.contains("never reached"), "{text}");
}

#[test]
fn faults_strike_what_they_name() {
    let test = r#"
test "the connection is lost under the command, which runs once" {
    let cluster = lab("k3s-double-tunnel");
    fail_connection("k3s-server-1", "*echo again*");
    let run = run_book("hello.rhai");
    if run.exit != 0 { run.resume().succeeds(); }
    expect("the counter", cluster.host("k3s-server-1").read("/etc/counted"), "again\n");
}
test "a command that fails ends the run" {
    lab("k3s-double-tunnel");
    fail_command("k3s-server-1", "*echo again*");
    expect_contains("what failed", run_book("hello.rhai").exits(1).failures[0].summary, "echo again");
}
test "a reboot under a command leaves its end unknown: a person must say" {
    lab("k3s-double-tunnel");
    reboot("k3s-server-1", "*echo again*");
    let run = run_book("hello.rhai");
    let run = if run.exit == 4 { run.resume() } else { run };
    expect("the exit status", run.exit, 3);
}
test "the second exchange is struck" {
    lab("k3s-double-tunnel");
    fail_command("k3s-server-1", 2);
    run_book("hello.rhai").exits(1);
}
test "a host that is not there" {
    lab("k3s-double-tunnel");
    let said = "";
    try { reboot("k3s-server-9", 1); } catch (error) { said = `${error}`; }
    expect_contains("the error", said, "no host and no pod");
}
"#;
    let text = hello(BOOK, test).exits(0, &["test"]);
    assert!(text.contains("5 passed"), "{text}");
}

#[test]
fn kills_at_every_record_are_survived() {
    let text = hello(BOOK, TEST).exits(0, &["test", "--crash"]);
    assert!(text.contains("2 passed, 0 failed"), "{text}");
    let kills = regex::Regex::new(r"(\d+) runs killed and resumed").unwrap();
    let kills: usize = kills.captures(&text).unwrap()[1].parse().unwrap();
    // Two sides of each of the run's records: started, steps, operations, end.
    assert!(kills >= 16, "{text}");
}

/// A runbook whose second half depends on how often it was begun comes to another end after a kill.
#[test]
fn a_runbook_that_a_kill_changes_is_found() {
    let book = BOOK.replace(
        "node.run([\"sh\", \"-c\", \"echo again >> /etc/counted\"]);",
        "change(#{ target: node, what: \"count\", want: 9, observe: || 0, apply: |to| node.run([\"sh\", \"-c\", \"echo again >> /etc/counted\"]) });",
    );
    let test = r#"test "it counts" { lab("k3s-double-tunnel"); run_book("hello.rhai"); }"#;
    let output = hello(&book, test).run(&["test", "--crash"]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("killed right"), "{text}");
    assert!(text.contains("ran more than once"), "{text}");
}
