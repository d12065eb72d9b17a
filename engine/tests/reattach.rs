//! A command that outlives the session that began it: a later session goes on with its output where the former stopped
//! and says so, what is recorded of it is whole, and a note of that place that is lost costs a second look and no more.

mod support;

#[path = "support/bench.rs"]
mod bench;
#[path = "support/schema.rs"]
mod schema;

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use bench::{Bench, LAB, said};
use serde_json::Value as Json;
use support::sshd::Sshd;

/// Says `one`, then `two` with the beginning of a third line, then the end of that: each when it is told to.
const BOOK: &str = r#"runbook #{ title: "Slow" };
let node = host("web-1");
step "Slow" {
    let told = node.run(`cd DIR; echo begun >> effects; echo one; echo problem >&2
until test -e go-1; do sleep 0.02; done; echo two; printf thr
until test -e go-2; do sleep 0.02; done; echo ee; exit 7`, #{ expect_exit: 7, timeout: "2m" });
    node.file("DIR/told").write(told.stdout + told.stderr);
}"#;

struct Slow {
    bench: Bench,
    sshd: Sshd,
}

impl Slow {
    fn new() -> Option<Self> {
        let sshd = Sshd::start("MaxSessions 100")?;
        let bench = Bench::new();
        let config = sshd.file("config");
        bench.write(
            "hosts.yaml",
            &format!(
                "hosts:\n  web-1: {{address: private, config: {}}}\n",
                config.display()
            ),
        );
        bench.write("dir/.keep", "");
        bench.write(
            "slow.rhai",
            &BOOK.replace("DIR", &bench.path().join("dir").display().to_string()),
        );
        Some(Self { bench, sshd })
    }

    fn dir(&self) -> PathBuf {
        self.bench.path().join("dir")
    }

    fn go(&self, nth: u32) {
        std::fs::write(self.dir().join(format!("go-{nth}")), "").unwrap();
    }

    fn session(&self, arguments: &[&str]) -> Session {
        let mut child = self
            .bench
            .command(arguments)
            .env("TMPDIR", self.bench.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Session {
            child,
            stdout,
            events: Vec::new(),
        }
    }

    fn run(&self) -> Session {
        self.session(&["run", "slow.rhai", "-i", "hosts.yaml", "-o", "json"])
    }

    /// The engine and its connection die; the command does not. Dies when it has noted that this many bytes were shown:
    /// a moment earlier, they would be shown once more.
    fn die(&self, mut session: Session, shown: u64) {
        let begin = Instant::now();
        while self.noted() != Some(shown) {
            assert!(begin.elapsed() < Duration::from_secs(60), "never noted");
            std::thread::sleep(Duration::from_millis(5));
        }
        session.child.kill().unwrap();
        session.child.wait().unwrap();
        self.sshd.drop_connections();
    }

    /// How many bytes of standard output the newest run has noted as shown.
    fn noted(&self) -> Option<u64> {
        let names = notes(&self.bench);
        let run = self.bench.state().join("runs").join(self.bench.newest());
        let text = std::fs::read_to_string(run.join(names.first()?)).ok()?;
        text.split_whitespace().next()?.parse().ok()
    }

    /// It ran once, and all that it said is in its value.
    fn judge(&self) {
        let read = |name: &str| std::fs::read_to_string(self.dir().join(name)).unwrap();
        assert_eq!(read("effects"), "begun\n");
        assert_eq!(read("told"), "one\ntwo\nthree\nproblem\n");
        assert_eq!(notes(&self.bench), [""; 0], "notes of what is over");
    }
}

/// Bytes of the first line, and of the second.
const ONE: u64 = "one\n".len() as u64;

/// The notes of how much was shown, beside the newest run's journal.
fn notes(bench: &Bench) -> Vec<String> {
    let run = bench.state().join("runs").join(bench.newest());
    let names = std::fs::read_dir(run).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("shown-")).collect()
}

struct Session {
    child: Child,
    stdout: BufReader<ChildStdout>,
    events: Vec<Json>,
}

impl Session {
    /// Reads events until all of this output has been shown.
    fn until(&mut self, stdout: &str) {
        let begin = Instant::now();
        while self.shown("stdout") != stdout {
            assert!(
                begin.elapsed() < Duration::from_secs(60),
                "never said {stdout:?}: {:?}",
                self.events
            );
            let mut line = String::new();
            assert!(
                self.stdout.read_line(&mut line).unwrap() > 0,
                "it ended: {:?}",
                self.events
            );
            self.events.push(serde_json::from_str(&line).unwrap());
        }
    }

    /// Waits for its end.
    fn ends(mut self, status: i32) -> Vec<Json> {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        let rest = rest.lines().map(|line| serde_json::from_str(line).unwrap());
        self.events.extend(rest.collect::<Vec<Json>>());
        let output = self.child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{}", said(&output));
        let published = include_str!("../../docs/events.schema.json");
        let published = serde_json::from_str(published).unwrap();
        for event in &self.events {
            assert_eq!(schema::errors(&published, event), [""; 0], "{event}");
        }
        self.events
    }

    fn shown(&self, stream: &str) -> String {
        shown(&self.events, stream)
    }
}

fn shown(events: &[Json], stream: &str) -> String {
    let texts = events
        .iter()
        .filter(|event| event["event"] == "output" && event["stream"] == stream)
        .map(|event| event["text"].as_str().unwrap());
    texts.collect()
}

/// Whether commands were taken up again, still running, and behind how many bytes of output.
fn taken_up(events: &[Json]) -> Vec<(bool, u64, u64)> {
    let number = |event: &Json, name: &str| event[name].as_u64().unwrap();
    events
        .iter()
        .filter(|event| event["event"] == "taken_up")
        .map(|event| {
            let running = event["running"].as_bool().unwrap();
            (
                running,
                number(event, "stdout_shown"),
                number(event, "stderr_shown"),
            )
        })
        .collect()
}

#[test]
fn a_later_session_goes_on_with_the_output_where_the_former_stopped() {
    let Some(slow) = Slow::new() else { return };
    let mut first = slow.run();
    first.until("one\n");
    slow.die(first, ONE);
    let mut second = slow.session(&["resume", "-o", "json"]);
    slow.go(1);
    second.until("two\n");
    slow.die(second, 2 * ONE);
    slow.go(2);
    let third = slow.session(&["resume", "-o", "json"]).ends(0);
    // The line that had been cut is shown whole.
    assert_eq!(shown(&third, "stdout"), "three\n");
    let [(_, stdout, _)] = taken_up(&third)[..] else {
        panic!("{third:?}");
    };
    assert_eq!(stdout, "one\ntwo\n".len() as u64);
    slow.judge();
}

#[test]
fn a_later_session_says_so_in_words() {
    let Some(slow) = Slow::new() else { return };
    let mut first = slow.run();
    first.until("one\n");
    slow.die(first, ONE);
    let mut second = slow.session(&["resume", "-v"]);
    let mut told = String::new();
    let mut stderr = BufReader::new(second.child.stderr.take().unwrap());
    while !told.contains("still runs") {
        assert!(stderr.read_line(&mut told).unwrap() > 0, "{told}");
    }
    slow.go(1);
    slow.go(2);
    stderr.read_to_string(&mut told).unwrap();
    assert!(second.child.wait().unwrap().success(), "{told}");
    // Standard error may or may not have come by then.
    assert!(
        told.contains("still runs; its output goes on where it stopped, after "),
        "{told}"
    );
    assert!(
        !told.contains("| one") && told.contains("| two\n") && told.contains("| three\n"),
        "{told}"
    );
    slow.judge();
}

#[test]
fn what_a_command_said_when_nobody_listened_is_shown_later() {
    let Some(slow) = Slow::new() else { return };
    let mut first = slow.run();
    first.until("one\n");
    slow.die(first, ONE);
    slow.go(1);
    slow.go(2);
    // Whether it still runs when it is asked makes no difference.
    let second = slow.session(&["resume", "-o", "json"]).ends(0);
    assert_eq!(shown(&second, "stdout"), "two\nthree\n");
    slow.judge();
}

#[test]
fn a_note_that_is_lost_costs_a_second_look_only() {
    let Some(slow) = Slow::new() else { return };
    let mut first = slow.run();
    first.until("one\n");
    slow.die(first, ONE);
    let [note] = &notes(&slow.bench)[..] else {
        panic!("{:?}", notes(&slow.bench));
    };
    let note = slow
        .bench
        .state()
        .join("runs")
        .join(slow.bench.newest())
        .join(note);
    std::fs::write(note, "00000000000000000007 00000000000000000000 torn").unwrap();
    let mut second = slow.session(&["resume", "-o", "json"]);
    second.until("one\n");
    slow.go(1);
    slow.go(2);
    let second = second.ends(0);
    assert_eq!(shown(&second, "stdout"), "one\ntwo\nthree\n");
    assert_eq!(shown(&second, "stderr"), "problem\n");
    assert_eq!(taken_up(&second), [(true, 0, 0)]);
    slow.judge();
}

#[test]
fn a_connection_that_comes_back_repeats_no_output() {
    let Some(slow) = Slow::new() else { return };
    let mut session = slow.run();
    session.until("one\n");
    slow.sshd.drop_connections();
    slow.go(1);
    session.until("one\ntwo\n");
    slow.sshd.drop_connections();
    slow.go(2);
    let events = session.ends(0);
    assert_eq!(shown(&events, "stdout"), "one\ntwo\nthree\n");
    assert_eq!(shown(&events, "stderr"), "problem\n");
    let taken = taken_up(&events);
    assert!(!taken.is_empty(), "{events:?}");
    slow.judge();
}

const ON_THE_LAB: &str = r#"runbook #{ title: "On the lab" };
let node = host("k3s-agent-1");
step "Say" {
    let told = node.run("echo one; echo two");
    node.file("/tmp/told").write(told.stdout);
}
step "Verify" { expect("what it said", node.probe("cat /tmp/told").stdout, "one\ntwo\n"); }
"#;

fn events(output: &std::process::Output) -> Vec<Json> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// What a run of the book on a lab of its own shows, with a variable set.
fn on_a_lab(variable: Option<(&str, &str)>) -> (Bench, Vec<Json>) {
    let bench = Bench::new();
    bench.write("lab.rhai", ON_THE_LAB);
    let mut command = bench.command(&["run", "lab.rhai", "--lab", LAB, "-o", "json"]);
    command.envs(variable);
    let output = command.output().unwrap();
    assert!(
        variable.is_some() || output.status.success(),
        "{}",
        said(&output)
    );
    (bench, events(&output))
}

/// Killed between the end of the command and the record of it: its output was shown, and is recorded by who resumes.
#[test]
fn on_the_lab_output_is_shown_once_and_recorded_whole() {
    let (whole, told) = on_a_lab(None);
    assert_eq!(shown(&told, "stdout"), "one\ntwo\n");
    let records = said(&whole.run(&["show", &whole.newest(), "--json"]));
    let outcome = records
        .lines()
        .find(|line| line.contains("\"outcome\""))
        .unwrap();
    let at = serde_json::from_str::<Json>(outcome).unwrap()["seq"].to_string();
    let (killed, told) = on_a_lab(Some(("RUNBOOK_CRASH_AT", &format!("{at}-"))));
    assert_eq!(shown(&told, "stdout"), "one\ntwo\n");
    let resumed = killed.run(&["resume", "-o", "json"]);
    assert!(resumed.status.success(), "{}", said(&resumed));
    assert_eq!(shown(&events(&resumed), "stdout"), "");
    // A reply that is lost was not shown yet: it is, once, when the target is asked.
    let fault = Some(("RUNBOOK_LAB_FAULT", "lose-connection:k3s-agent-1:1"));
    let (_, told) = on_a_lab(fault);
    assert_eq!(taken_up(&told), [(false, 0, 0)]);
    assert_eq!(shown(&told, "stdout"), "one\ntwo\n");
}
