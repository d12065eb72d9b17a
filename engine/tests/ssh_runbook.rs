//! A whole runbook over ssh, against a real sshd on loopback: every word on a host, the connection killed in the
//! middle of a command, and a resume that finds on the host what became of it.

mod support;

#[path = "support/bench.rs"]
mod bench;

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use bench::{Bench, said};
use support::sshd::Sshd;

/// A bench with an inventory of one host, reached through the private sshd.
fn bench(sshd: &Sshd) -> Bench {
    let bench = Bench::new();
    bench.write(
        "hosts.yaml",
        &format!(
            "hosts:\n  web-1: {{address: private, config: {}}}\n",
            sshd.file("config").display()
        ),
    );
    bench
}

fn wait_for(what: &str, mut there: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !there() {
        assert!(
            begin.elapsed() < Duration::from_secs(30),
            "waited for {what}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn words_on_a_host_act_are_replayed_and_undone() {
    let Some(sshd) = Sshd::start("") else { return };
    let bench = bench(&sshd);
    let place = sshd.file("remote");
    std::fs::create_dir(&place).unwrap();
    std::fs::write(place.join("app.conf"), "# mine\nport: 80 # http\n").unwrap();
    std::fs::write(place.join("list"), "a\n").unwrap();
    let text = r#"
runbook #{ title: "Words over ssh", params: #{ place: #{ default: "" } } };
let place = param("place");
let h = host("web-1");
step "Look" {
    let found = h.probe(["cat", place + "/list"]);
    expect("the list", trimmed(found.stdout), "a");
    ensure(h.file(place + "/app.conf").exists(), "there is a configuration");
}
step "Act" {
    h.run(sh `echo ${"it's b"} >> ${place}/list`, #{ undo: sh `sed -i '$d' ${place}/list` });
    h.file(place + "/app.conf").set_yaml("port", 8080);
    h.file(place + "/new").write("made\n", #{ mode: "0640" });
    wait_until("the file is there", #{ timeout: "10s", every: "100ms" }, || h.file(place + "/new").exists());
}
"#;
    bench.write("words.rhai", text.trim_start());
    let parameter = format!("place={}", place.display());
    let run = |more: &[&str]| {
        let mut line = vec!["run", "words.rhai", "-i", "hosts.yaml", "-e", &parameter];
        line.extend(more);
        bench.exits(0, &line)
    };
    let plan = run(&["--dry-run"]);
    assert!(
        plan.contains("-port: 80 # http") && plan.contains("+port: 8080 # http"),
        "{plan}"
    );
    assert_eq!(read(&place.join("list")), "a\n");
    assert!(!place.join("new").exists());
    run(&["--yes"]);
    assert_eq!(read(&place.join("list")), "a\nit's b\n");
    assert_eq!(read(&place.join("app.conf")), "# mine\nport: 8080 # http\n");
    assert_eq!(read(&place.join("new")), "made\n");
    let id = bench.newest();
    assert!(bench.markers().is_empty(), "{:?}", bench.markers());
    bench.exits(0, &["undo", &id, "--yes"]);
    assert_eq!(read(&place.join("list")), "a\n");
    assert_eq!(read(&place.join("app.conf")), "# mine\nport: 80 # http\n");
    assert!(!place.join("new").exists());
    assert!(bench.markers().is_empty(), "{:?}", bench.markers());
}

#[test]
fn a_connection_that_dies_in_mid_command_loses_nothing() {
    let Some(sshd) = Sshd::start("") else { return };
    let bench = bench(&sshd);
    let (effects, go) = (sshd.file("effects"), sshd.file("go"));
    bench.write(
        "long.rhai",
        &format!(
            "runbook #{{ title: \"Long\" }};\nlet h = host(\"web-1\");\n\
             step \"before\" {{ h.run(\"echo before >> {effects}\"); }}\n\
             step \"long\" {{\n  let done = h.run(\"echo begun >> {effects}; while ! test -e {go}; do sleep 0.05; done; \
             echo ended >> {effects}; echo the answer is 42; exit 5\", #{{ expect_exit: [5], timeout: \"60s\" }});\n  \
             expect(\"what it said\", trimmed(done.stdout), \"the answer is 42\");\n  expect(\"its status\", done.exit, 5);\n}}\n\
             step \"after\" {{ h.run(\"echo after >> {effects}\"); }}\n",
            effects = effects.display(),
            go = go.display()
        ),
    );
    let engine = bench
        .command(&["run", "long.rhai", "-i", "hosts.yaml", "--yes"])
        // What the killed engine leaves there goes with the bench.
        .env("TMPDIR", bench.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for("the command", || read(&effects).contains("begun"));
    // The network goes and does not come back while the engine still lives: it is killed as well.
    sshd.drop_connections();
    std::process::Command::new("kill")
        .args(["-9", &engine.id().to_string()])
        .status()
        .unwrap();
    engine.wait_with_output().unwrap();
    std::fs::write(&go, "").unwrap();
    wait_for("the end of the command", || {
        read(&effects).contains("ended")
    });
    let resumed = bench.exits(0, &["resume", "--yes"]);
    assert!(
        resumed.contains("exit status found on the target"),
        "{resumed}"
    );
    assert_eq!(read(&effects), "before\nbegun\nended\nafter\n");
    assert!(bench.markers().is_empty(), "{:?}", bench.markers());
}

#[test]
fn a_connection_that_comes_back_is_taken_up_in_the_same_session() {
    let Some(sshd) = Sshd::start("") else { return };
    let bench = bench(&sshd);
    let (effects, go) = (sshd.file("effects"), sshd.file("go"));
    bench.write(
        "long.rhai",
        &format!(
            "runbook #{{ title: \"Long\" }};\nlet h = host(\"web-1\");\nstep \"long\" {{\n  let done = h.run(\"echo begun >> {}; \
             while ! test -e {}; do sleep 0.05; done; echo ended; echo ended >> {}\", #{{ timeout: \"60s\" }});\n  \
             expect(\"what it said\", trimmed(done.stdout), \"ended\");\n}}\n",
            effects.display(),
            go.display(),
            effects.display()
        ),
    );
    let engine = bench
        .command(&["run", "long.rhai", "-i", "hosts.yaml", "--yes"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for("the command", || read(&effects).contains("begun"));
    sshd.drop_connections();
    std::fs::write(&go, "").unwrap();
    let output = engine.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(read(&effects), "begun\nended\n");
}

/// An inventory of hosts whose connections go through a command each before they reach the private sshd.
fn hosts_behind(bench: &Bench, sshd: &Sshd, hosts: &[(&str, String)]) {
    let mut config = String::new();
    let mut inventory = "hosts:\n".to_owned();
    let file = bench.path().join("ssh_config");
    for (name, before) in hosts {
        config.push_str(&format!(
            "Host {name}\n  ProxyCommand sh -c '{before}; exec ssh -F {} -W 127.0.0.1:{} private'\n  HostKeyAlias [127.0.0.1]:{}\n\
             \x20 IdentityFile {}\n  UserKnownHostsFile {}\n  GlobalKnownHostsFile /dev/null\n  IdentitiesOnly yes\n\
             \x20 IdentityAgent none\n",
            sshd.file("config").display(),
            sshd.port,
            sshd.port,
            sshd.file("user").display(),
            sshd.file("known_hosts").display(),
        ));
        inventory.push_str(&format!(
            "  {name}: {{address: {name}, config: {}}}\n",
            file.display()
        ));
    }
    std::fs::write(file, config).unwrap();
    bench.write("hosts.yaml", &inventory);
}

/// Which host failed or answered, in the order in which the events tell.
fn order(events: &str) -> Vec<String> {
    let events = events
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let ended = events.filter(|event| event["event"] == "operation_ended");
    ended
        .map(|event| {
            let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            let host = word(&event["target"]["host"]);
            format!("{host} {}", word(&event["outcome"]))
        })
        .collect()
}

#[test]
fn a_dry_run_connects_to_the_next_hosts_before_the_first_answers() {
    let Some(sshd) = Sshd::start("") else { return };
    let bench = bench(&sshd);
    let at = |name: &str| bench.path().join(name).display().to_string();
    hosts_behind(
        &bench,
        &sshd,
        &[
            // Does not answer before the two others are asked; and not at all, if that takes too long.
            (
                "h1",
                format!(
                    "n=0; until [ -e {} -a -e {} ]; do n=$((n+1)); [ $n -lt 200 ] || exit 1; sleep 0.1; done",
                    at("h2"),
                    at("h3")
                ),
            ),
            ("h2", format!("echo >> {}; exit 1", at("h2"))),
            ("h3", format!("echo >> {}", at("h3"))),
        ],
    );
    bench.write(
        "look.rhai",
        "runbook #{ title: \"Look\" };\nstep \"go\" {\n  each(hosts(\"all\"), #{ max_failures: 1 }, |h| h.file(\"/etc/passwd\").exists());\n}\n",
    );
    let output = bench.run(&[
        "run",
        "look.rhai",
        "-i",
        "hosts.yaml",
        "--dry-run",
        "-o",
        "json",
    ]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    // One that cannot be reached is told of at its turn, and not tried a second time to say the same.
    assert_eq!(
        order(&String::from_utf8_lossy(&output.stdout)),
        ["h1 ok", "h2 failed", "h3 ok"],
        "{text}"
    );
    assert_eq!(read(&bench.path().join("h2")), "\n", "{text}");
}
