//! Ctrl-C through the real program, as a terminal sends it: once, and the command in flight is waited for; twice, and it
//! is ended on its target with its process group. Both times the outcome is recorded and the run can go on.

mod support;

#[path = "support/bench.rs"]
mod bench;

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use bench::{Bench, said};
use support::sshd::Sshd;

/// A command with children, one of which does not listen to TERM; it ends at once when there is a file `quick`.
const BOOK: &str = r#"runbook #{ title: "Long" };
step "Long" {
    each(hosts(), #{ parallel: 3 }, |node| {
        node.run(`cd DIR; echo ${node.name} >> begun; echo $$ >> groups
test -e quick || { (trap '' TERM; sleep 300) & sleep 300 & sleep 300; }`, #{ affects: [] });
    });
}
step "After" { for node in hosts() { node.run(`echo ${node.name} >> DIR/after`); } }"#;

struct Long {
    bench: Bench,
    hosts: Vec<&'static str>,
    _sshd: Option<Sshd>,
}

impl Long {
    fn new(host: &str, hosts: &[&'static str], sshd: Option<Sshd>) -> Self {
        let bench = Bench::new();
        let lines: String = hosts
            .iter()
            .map(|name| format!("  {name}: {host}\n"))
            .collect();
        bench.write("hosts.yaml", &format!("hosts:\n{lines}"));
        bench.write("dir/.keep", "");
        let dir = bench.path().join("dir").display().to_string();
        bench.write("long.rhai", &BOOK.replace("DIR", &dir));
        Self {
            bench,
            hosts: hosts.to_vec(),
            _sshd: sshd,
        }
    }

    fn local() -> Self {
        Self::new("{transport: local}", &["here"], None)
    }

    fn over_ssh() -> Option<Self> {
        let sshd = Sshd::start("MaxSessions 100")?;
        let host = format!(
            "{{address: private, config: {}}}",
            sshd.file("config").display()
        );
        Some(Self::new(&host, &["a", "b", "c"], Some(sshd)))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.bench.path().join("dir").join(name)
    }

    /// The lines of a file, sorted.
    fn lines(&self, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.file(name)).unwrap_or_default();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }

    /// The engine in a process group of its own, as a shell starts it, when all commands have begun.
    fn begun(&self) -> Child {
        let engine = self
            .bench
            .command(&["run", "long.rhai", "-i", "hosts.yaml"])
            .env("TMPDIR", self.bench.path())
            .process_group(0)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        wait_for("the commands", || {
            self.lines("groups").len() == self.hosts.len()
        });
        engine
    }

    /// The processes that are still there of the commands' groups.
    fn alive(&self) -> Vec<String> {
        let groups = self.lines("groups");
        let list = Command::new("ps")
            .args(["-A", "-o", "pgid=,stat=,args="])
            .output()
            .unwrap();
        String::from_utf8_lossy(&list.stdout)
            .lines()
            .filter(|line| {
                let mut words = line.split_whitespace();
                let (group, state) = (words.next().unwrap(), words.next().unwrap());
                groups.iter().any(|one| one == group) && !state.starts_with('Z')
            })
            .map(str::to_owned)
            .collect()
    }

    /// The newest run's outcomes as they are recorded.
    fn outcomes(&self) -> Vec<String> {
        let shown = said(&self.bench.run(&["show", &self.bench.newest(), "--json"]));
        let outcomes = shown
            .lines()
            .filter(|line| line.contains(r#""record":"outcome""#));
        outcomes.map(str::to_owned).collect()
    }
}

/// What Ctrl-C in a terminal does: the signal goes to the whole group.
fn ctrl_c(engine: &Child) {
    let group = format!("-{}", engine.id());
    let sent = Command::new("kill")
        .args(["-INT", "--", &group])
        .status()
        .unwrap();
    assert!(sent.success());
}

fn ended(engine: Child) -> Output {
    let begin = Instant::now();
    let output = engine.wait_with_output().unwrap();
    assert!(
        begin.elapsed() < Duration::from_secs(60),
        "{:?}",
        begin.elapsed()
    );
    output
}

fn wait_for(what: &str, mut there: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !there() {
        assert!(
            begin.elapsed() < Duration::from_secs(60),
            "waited for {what}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn places() -> impl Iterator<Item = Long> {
    [Some(Long::local()), Long::over_ssh()]
        .into_iter()
        .flatten()
}

#[test]
fn once_lets_the_command_come_to_its_end() {
    for long in places() {
        // Ends a moment after it was begun.
        let text = std::fs::read_to_string(long.bench.path().join("long.rhai")).unwrap();
        let waits = "test -e quick || { until test -e go; do sleep 0.05; done; }`";
        let (start, end) = text.split_once("test -e quick").unwrap();
        let end = end.split_once('`').unwrap().1;
        long.bench
            .write("long.rhai", &format!("{start}{waits}{end}"));
        let engine = long.begun();
        ctrl_c(&engine);
        std::thread::sleep(Duration::from_millis(300));
        std::fs::write(long.file("go"), "").unwrap();
        let output = ended(engine);
        assert_eq!(output.status.code(), Some(130), "{}", said(&output));
        assert!(
            said(&output).contains("Ctrl-C once more stops at once"),
            "{}",
            said(&output)
        );
        assert_eq!(long.outcomes().len(), long.hosts.len());
        assert_eq!(long.lines("after"), [""; 0], "nothing more was started");
        long.bench.exits(0, &["resume"]);
        assert_eq!(long.lines("begun"), long.hosts, "each ran once");
        assert_eq!(long.lines("after"), long.hosts);
    }
}

#[test]
fn twice_ends_the_command_and_all_of_its_group() {
    let retry = regex::Regex::new(r"runbook (resolve \S+ [0-9a-f]{16} --retry)").unwrap();
    for long in places() {
        let engine = long.begun();
        assert!(!long.alive().is_empty());
        ctrl_c(&engine);
        std::thread::sleep(Duration::from_millis(300));
        assert!(!long.alive().is_empty(), "once is not enough");
        ctrl_c(&engine);
        let output = ended(engine);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(130), "{text}");
        assert_eq!(long.alive(), [""; 0], "{text}");
        let outcomes = long.outcomes();
        assert_eq!(outcomes.len(), long.hosts.len(), "{text}");
        for outcome in &outcomes {
            assert!(
                outcome.contains("stopped by Ctrl-C") && outcome.contains("signal 15"),
                "{outcome}"
            );
        }
        // It was begun and did not come to its end: whether it is run again is for a person to say.
        let asked = long.bench.exits(3, &["resume"]);
        assert!(asked.contains("was stopped before its end"), "{asked}");
        assert_eq!(long.lines("begun"), long.hosts);
        let named: Vec<&str> = retry
            .captures_iter(&asked)
            .map(|found| found.extract::<1>().1[0])
            .collect();
        assert_eq!(named.len(), long.hosts.len(), "{asked}");
        std::fs::write(long.file("quick"), "").unwrap();
        for line in named {
            assert_eq!(long.lines("after"), [""; 0]);
            long.bench.exits(0, &line.split(' ').collect::<Vec<_>>());
        }
        long.bench.exits(0, &["resume"]);
        let mut twice = [&long.hosts[..], &long.hosts].concat();
        twice.sort_unstable();
        assert_eq!(long.lines("begun"), twice, "once more, by her word");
        assert_eq!(long.lines("after"), long.hosts);
    }
}
