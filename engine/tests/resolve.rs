//! A person's word about a command whose outcome nobody knows: done, retry, abort, through the real program; what is
//! refused; and commands of which it is known that they never began, which need no word.

mod support;

#[path = "support/bench.rs"]
mod bench;

use bench::{Bench, LAB, said};
use support::sshd::Sshd;

const BOOK: &str = r#"runbook #{ title: "Once" };
let node = host("k3s-agent-1");
step "Before" { node.run("echo before >> /root/effects"); }
step "Once" { node.run("echo once >> /root/effects", #{ undo: "echo undone >> /root/effects" }); }
step "After" { node.run("echo after >> /root/effects"); }
"#;

/// A run that stopped because the host went down under its second command, which had just begun; and the command's name.
fn stopped() -> (Bench, String, String) {
    let bench = Bench::new();
    bench.write("once.rhai", BOOK);
    let run = bench
        .command(&["run", "once.rhai", "--lab", LAB])
        .env("RUNBOOK_LAB_FAULT", "reboot-at-start:k3s-agent-1:2")
        .output()
        .unwrap();
    // While it comes up again it cannot be asked.
    assert_eq!(run.status.code(), Some(4), "{}", said(&run));
    let asked = (0..8).map(|_| bench.run(&["resume"]));
    let asked = asked
        .into_iter()
        .find(|asked| asked.status.code() != Some(4));
    let text = said(&asked.expect("the host comes back"));
    assert!(text.contains("nobody can say how it ended"), "{text}");
    let named = regex::Regex::new(r"resolve (\S+) ([0-9a-f]{16}) --done").unwrap();
    let [id, operation] = named
        .captures(&text)
        .unwrap()
        .extract::<2>()
        .1
        .map(str::to_owned);
    // As long as nobody decides, nothing goes on.
    bench.exits(3, &["resume"]);
    assert_eq!(effects(&bench), "before");
    (bench, id, operation)
}

/// The lines that commands have left on the host.
fn effects(bench: &Bench) -> String {
    let look = r#"runbook #{ title: "Look" };
note("found " + host("k3s-agent-1").probe("tr '\n' ' ' < /root/effects").stdout);"#;
    bench.write("look.rhai", look);
    let state = bench.state();
    let output = bench.run(&["run", "look.rhai", "--lab", LAB, "--dry-run"]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(state.exists());
    let text = said(&output);
    let found = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("found "));
    found.unwrap_or_else(|| panic!("{text}")).trim().to_owned()
}

#[test]
fn done_goes_on_behind_it() {
    let (bench, id, operation) = stopped();
    let text = bench.exits(0, &["resolve", &id, &operation, "--done", "--why", "seen"]);
    assert!(text.contains(&format!("runbook resume {id}")), "{text}");
    bench.exits(0, &["resume"]);
    assert_eq!(effects(&bench), "before after");
    let text = bench.exits(64, &["resolve", &id, &operation, "--retry"]);
    assert!(text.contains("came to its end"), "{text}");
    bench.exits(0, &["undo", &id, "--yes"]);
    assert_eq!(effects(&bench), "before after undone");
}

#[test]
fn retry_runs_it_once_more() {
    let (bench, id, operation) = stopped();
    bench.exits(0, &["resolve", &id, &operation, "--retry"]);
    bench.exits(0, &["resume"]);
    assert_eq!(effects(&bench), "before once after");
}

#[test]
fn abort_gives_the_run_up() {
    let (bench, id, operation) = stopped();
    let text = bench.exits(0, &["resolve", &id, &operation, "--abort"]);
    assert!(text.contains(&format!("runbook undo {id}")), "{text}");
    let text = bench.exits(64, &["resume", &id]);
    assert!(text.contains("was given up"), "{text}");
    let text = bench.exits(64, &["resolve", &id, &operation, "--retry"]);
    assert!(text.contains("was given up"), "{text}");
    assert_eq!(effects(&bench), "before");
    bench.exits(0, &["undo", &id, "--yes"]);
    assert_eq!(effects(&bench), "before undone");
}

#[test]
fn a_decision_that_nobody_asked_for_changes_nothing() {
    let (bench, id, operation) = stopped();
    let records = bench.records();
    let text = bench.exits(64, &["resolve", &id, "0123456789abcdef", "--done"]);
    assert!(
        text.contains("has no operation") && text.contains("help:"),
        "{text}"
    );
    let shown = said(&bench.run(&["show", &id, "--json"]));
    let known = shown
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .find(|stored| stored["record"]["record"] == "outcome")
        .unwrap();
    let known = known["record"]["id"].as_str().unwrap();
    let text = bench.exits(64, &["resolve", &id, known, "--retry"]);
    assert!(text.contains("is known"), "{text}");
    // Nothing was written: the run is as it was, and so is one that had come to its end.
    assert_eq!(bench.records(), records);
    bench.exits(0, &["resolve", &id, &operation, "--done"]);
    bench.exits(0, &["resume"]);
    let records = bench.records();
    bench.exits(64, &["resolve", &id, "0123456789abcdef", "--done"]);
    bench.exits(3, &["undo", &id]);
    assert_eq!(bench.records(), records);
    let text = bench.exits(64, &["resume"]);
    assert!(text.contains("no run to resume"), "{text}");
}

#[test]
fn a_run_that_runs_is_not_decided_about() {
    let bench = Bench::new();
    bench.write(
        "long.rhai",
        &format!(
            "runbook #{{ title: \"Long\" }};\nstep \"s\" {{ host(\"localhost\").run(\"touch {0}/begun; until test -e {0}/go; do sleep 0.05; done\"); }}\n",
            bench.path().display()
        ),
    );
    let mut engine = bench
        .command(&["run", "long.rhai"])
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while !bench.path().join("begun").exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let id = bench.newest();
    let text = bench.exits(3, &["resolve", &id, "0123456789abcdef", "--done"]);
    assert!(
        text.contains(&engine.id().to_string()) || text.contains("run "),
        "{text}"
    );
    std::fs::write(bench.path().join("go"), "").unwrap();
    assert!(engine.wait().unwrap().success());
}

#[test]
fn a_run_that_is_given_up_leaves_no_markers_of_what_is_known() {
    let bench = Bench::new();
    bench.write(
        "fails.rhai",
        "runbook #{ title: \"Fails\" };\nlet here = host(\"localhost\");\nstep \"s\" { here.run(\"true\"); here.run(\"exit 3\"); }\n",
    );
    bench.exits(1, &["run", "fails.rhai"]);
    let id = bench.newest();
    let shown = said(&bench.run(&["show", &id, "--json"]));
    let names: Vec<String> = shown
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|stored| stored["record"]["record"] == "outcome")
        .map(|stored| stored["record"]["id"].as_str().unwrap().to_owned())
        .collect();
    assert!(bench.markers().len() >= 2, "{:?}", bench.markers());
    bench.exits(0, &["resolve", &id, &names[1], "--abort"]);
    assert!(bench.markers().is_empty(), "{:?}", bench.markers());
}

#[test]
fn a_command_whose_host_was_not_reached_needs_no_decision() {
    let Some(sshd) = Sshd::start("") else { return };
    let bench = Bench::new();
    let good = std::fs::read_to_string(sshd.file("config")).unwrap();
    let away = good.replace(
        &sshd.port.to_string(),
        &support::sshd::free_port().to_string(),
    );
    let config = bench.write("ssh_config", &away);
    bench.write(
        "hosts.yaml",
        &format!(
            "hosts:\n  web-1: {{address: private, config: {}}}\n",
            config.display()
        ),
    );
    let effects = bench.path().join("effects");
    bench.write(
        "one.rhai",
        &format!(
            "runbook #{{ title: \"One\" }};\nstep \"s\" {{ host(\"web-1\").run(\"echo ran >> {}\"); }}\n",
            effects.display()
        ),
    );
    let text = bench.exits(4, &["run", "one.rhai", "-i", "hosts.yaml"]);
    assert!(
        text.contains("cannot be reached") && text.contains("runbook resume"),
        "{text}"
    );
    // As often as it is not there.
    bench.exits(4, &["resume"]);
    bench.write("ssh_config", &good);
    bench.exits(0, &["resume"]);
    assert_eq!(std::fs::read_to_string(effects).unwrap(), "ran\n");
}
