//! Labs that a team writes: a folder of YAML and Rhai, `runbook new`, and the example with the web servers.

#[path = "support/bench.rs"]
mod bench;

use std::path::Path;

use bench::Bench;

const LAB: &str = r#"title: one host
description: For tests.
starts: 2026-01-05T08:00:00Z
hosts:
  one:
    interfaces: [{ name: eth0, kind: ethernet, mtu: 1500, addresses: [192.0.2.1/24] }]
    units: { clock: { description: A clock }, idle: { description: Stopped, stopped: true } }
"#;
const BEHAVIOUR: &str = r#"
program "greet" |host, args| { `hello ${args[0]} from ${host}` + "\n" };
program "touchy" |host, args| { host.write("/etc/touched", "x"); };
program "broken" |host, args| { throw "no oil"; };
on_restart "clock" |host| {
    if host.exists("/etc/stop-clock") { throw "no spring"; }
    host.after("10s", "clock", "it strikes");
    "starting"
};
on_event "it strikes" |host| { host.started("clock"); host.write("/run/struck", "1"); };
"#;
const BOOK: &str = r#"runbook #{ title: "x", params: #{ task: #{ default: "greet you", help: "command" } } };
let one = host("one");
step "Do it" { note(trimmed(one.run(words(param("task"))).stdout)); }
"#;

fn folder() -> Bench {
    let bench = Bench::new();
    bench.write("team/lab.yaml", LAB);
    bench.write("team/behaviour.rhai", BEHAVIOUR);
    bench.write("team/other_test.rhai", "this is no behaviour");
    bench.write("book.rhai", BOOK);
    bench
}

fn does(bench: &Bench, status: i32, command: &str) -> String {
    let var = format!("task={command}");
    bench.exits(status, &["run", "book.rhai", "--lab", "team", "-e", &var])
}

#[test]
fn a_folder_teaches_programs_and_services() {
    let bench = folder();
    assert!(does(&bench, 0, "greet you").contains("hello you from one"));
    assert!(does(&bench, 1, "broken now").contains("no oil"));
    // The clock starts ten seconds later, as its behaviour says; nobody else's time is taken.
    does(&bench, 0, "systemctl restart clock");
    let test = r#"
test "it strikes later" {
    let team = lab("team");
    let one = team.host("one");
    one.sh("systemctl --no-block restart clock");
    expect("at once", one.unit("clock"), "activating");
    team.wait("9s");
    expect("after nine seconds", one.unit("clock"), "activating");
    team.wait("2s");
    expect("after eleven", one.unit("clock"), "active");
    one.sh("systemctl start idle");
    expect("a service that nobody described", one.unit("idle"), "active");
}
test "what is stopped meanwhile does not start" {
    let team = lab("team");
    let one = team.host("one");
    one.sh("systemctl --no-block restart clock");
    one.sh("systemctl stop clock");
    team.wait("1m");
    expect("the clock", one.unit("clock"), "inactive");
}
test "what its behaviour throws makes the unit fail" {
    let one = lab("team").host("one");
    one.write("/etc/stop-clock", "");
    let said = one.try_sh("systemctl restart clock");
    expect("the exit status", said.exit, 1);
    expect_contains("what it says", said.stderr, "no spring");
    expect("the clock", one.unit("clock"), "failed");
    expect_contains("the log", one.sh("journalctl -u clock"), "no spring");
}
test "a probe changes nothing, whatever it is taught" {
    let one = lab("team").host("one");
    run_book("probe.rhai").exits(1);
    expect("the file", one.exists("/etc/touched"), false);
}
test "a lab over a lab in a folder" {
    let one = lab("team", #{ hosts: #{ one: #{ files: #{ "/etc/more": #{ content: "more" } } } } }).host("one");
    expect("the file", one.read("/etc/more"), "more");
    expect("a program of the lab below", one.sh("greet me"), "hello me from one\n");
}
"#;
    bench.write("team_test.rhai", test);
    bench.write(
        "probe.rhai",
        "runbook #{ title: \"p\" };\nstep \"Look\" { host(\"one\").probe([\"touchy\"]); }\n",
    );
    let text = bench.exits(0, &["test", "team_test.rhai"]);
    assert!(text.contains("5 passed"), "{text}");
}

/// The lab of docs/labs.md does what the page says.
#[test]
fn the_pages_lab_works() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/labs.md");
    let page = std::fs::read_to_string(page).unwrap();
    let block = |kind: &str| {
        let (_, rest) = page.split_once(&format!("```{kind}\n")).unwrap();
        rest.split_once("```").unwrap().0.to_owned()
    };
    let bench = Bench::new();
    bench.write("team/lab.yaml", &block("yaml"));
    bench.write("team/app.rhai", &block("rhai"));
    let test = r#"
test "it starts with what its file says" {
    let one = lab("team").host("app-1");
    expect("at first", one.sh("app"), "2 workers\n");
    one.edit("/etc/app.conf", "2", "4");
    expect("before a restart", one.sh("app"), "2 workers\n");
    one.sh("systemctl restart app");
    expect("after it", one.sh("app"), "4 workers\n");
    one.write("/etc/app.conf", "");
    expect("without workers", one.try_sh("systemctl restart app").exit, 1);
    expect("it failed", one.unit("app"), "failed");
    expect("and says so", one.try_sh("app").stderr, "app: not running\n");
}
"#;
    bench.write("app_test.rhai", test);
    bench.exits(0, &["test", "app_test.rhai"]);
}

#[test]
fn an_unknown_program_says_how_to_teach_it() {
    let text = does(&folder(), 1, "frobnicate now");
    assert!(
        text.contains("program \"frobnicate\" |host, args|"),
        "{text}"
    );
}

#[test]
fn a_text_with_a_mistake_is_named_with_its_line() {
    let bench = folder();
    bench.write(
        "team/behaviour.rhai",
        "program \"x\" |host, args| {\n  let = 3;\n}\n",
    );
    let text = does(&bench, 64, "greet you");
    assert!(text.contains("team/behaviour.rhai:2:7: "), "{text}");
    bench.write("team/behaviour.rhai", "program \"x\" 3\n");
    let text = does(&bench, 64, "greet you");
    assert!(text.contains("takes a closure"), "{text}");
}

/// It would be called in place of the word, also by itself, without an end.
#[test]
fn a_helper_with_the_name_of_a_word_is_refused_when_the_lab_is_read() {
    let bench = folder();
    let helper = "\n\nfn unit(name) { this.unit(name) == \"active\" }\n";
    bench.write("team/behaviour.rhai", &format!("{BEHAVIOUR}{helper}"));
    let text = does(&bench, 64, "greet you");
    assert!(text.contains("`unit`"), "{text}");
    assert!(text.contains("a word of labs"), "{text}");
    assert!(
        text.contains("behaviour.rhai") && text.contains("line 13"),
        "{text}"
    );
}

#[test]
fn new_makes_what_passes_at_once_and_overwrites_nothing() {
    let bench = Bench::new();
    bench.exits(0, &["new", "rotate-logs"]);
    bench.exits(0, &["check", "rotate-logs.rhai"]);
    let text = bench.exits(0, &["test"]);
    assert!(text.contains("4 passed, 0 failed"), "{text}");
    let plan = bench.exits(
        0,
        &[
            "run",
            "rotate-logs.rhai",
            "--lab",
            "rotate-logs-lab",
            "--dry-run",
        ],
    );
    assert!(plan.contains("+workers=4"), "{plan}");
    let text = bench.exits(64, &["new", "rotate-logs"]);
    assert!(text.contains("is there already"), "{text}");
    for name in ["", "../x", "Upper", "1x"] {
        bench.exits(64, &["new", name]);
    }
    // Its test does test something.
    let book = std::fs::read_to_string(bench.path().join("rotate-logs.rhai")).unwrap();
    bench.write(
        "rotate-logs.rhai",
        &book.replace("\"restart\", \"app\"", "\"start\", \"app\""),
    );
    bench.exits(1, &["test"]);
}

#[test]
fn the_web_servers_of_the_examples() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/web-fleet");
    let bench = Bench::new();
    let text = bench.exits(0, &["test", folder.to_str().unwrap()]);
    assert!(text.contains(" 0 failed"), "{text}");
}

/// A minute of processor time.
#[test]
#[ignore = "some hundred kills; .ci/run does them"]
fn the_web_servers_survive_every_kill() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/web-fleet");
    let text = Bench::new().exits(0, &["test", "--crash", folder.to_str().unwrap()]);
    assert!(text.contains("runs killed and resumed"), "{text}");
}
