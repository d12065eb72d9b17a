//! A runbook of about fifty operations on three host names of one sshd, and how a run of it is judged.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Output;

use serde_json::Value as Json;

use super::bench::{Bench, said};
use super::support::sshd::Sshd;

/// Everything that a run can do on hosts: commands that must not run twice (they append a line), one by argv with
/// input and one with variables, guards, files made, edited and removed, probes, a wait, parallel branches.
const BOOK: &str = r#"
runbook #{ title: "Fifty operations", params: #{ dir: #{ help: "where on the hosts" } } };
let dir = param("dir");
let nodes = hosts("web");
let first = nodes[0];

step "Look" {
    each(nodes, #{ parallel: 3 }, |node| trimmed(node.probe(["uname"]).stdout));
    first.probe(sh `test -d ${dir}`);
}
step "One after the other" {
    for name in ["a", "b", "c", "d", "e", "f"] {
        first.run(sh `echo ${name} >> ${dir}/counter`);
    }
    first.run(["tee", "-a", `${dir}/counter`], #{ stdin: "input\n" });
    first.run(sh `echo "$WORD" >> ${dir}/counter`, #{ env: #{ WORD: "it's $(here)" } });
    first.run(sh `echo guarded >> ${dir}/counter`, #{ unless: sh `test -e ${dir}/never` });
    let said = first.run(sh `echo once >> ${dir}/counter; wc -l < ${dir}/counter`);
    first.file(`${dir}/heard`).write(said.stdout);
}
step "Files" {
    let file = nodes[1].file(`${dir}/app.conf`);
    file.write("size=1\n");
    file.set_line("size", 2);
    file.set_line("color", "it's `red`");
    nodes[1].file(`${dir}/app.yaml`).write("a: 1\n");
    nodes[1].file(`${dir}/app.yaml`).set_yaml("b", 2);
    nodes[1].file(`${dir}/gone`).write("x");
    nodes[1].file(`${dir}/gone`).remove();
}
step "Everywhere at once" {
    each(nodes, #{ parallel: 3 }, |node| {
        let name = node.name;
        node.file(`${dir}/${name}.conf`).write("host=" + name + "\n");
        node.run(sh `echo ${name}-1 >> ${dir}/counter`);
        node.file(`${dir}/${name}.conf`).set_line("round", 2);
        node.run(sh `echo ${name}-2 >> ${dir}/counter; sleep 0.05`);
        node.probe(sh `cat ${dir}/${name}.conf`);
        node.run(sh `echo ${name}-3 >> ${dir}/counter`);
    });
}
step "Wait" {
    first.run(sh `sleep 0.2; echo detached >> ${dir}/counter; touch ${dir}/ready`, #{ detach: true });
    wait_until("it is ready", #{ timeout: "60s", every: "50ms" }, || first.file(`${dir}/ready`).exists());
}
step "Verify" {
    for name in ["x", "y", "z"] { nodes[2].run(sh `echo ${name} >> ${dir}/counter`); }
    each(nodes, |node| expect("the round", trimmed(node.probe(sh `sed -n s/^round=//p ${dir}/${node.name}.conf`).stdout), "2"));
    expect("the size", trimmed(nodes[2].probe(sh `sed -n s/^size=//p ${dir}/app.conf`).stdout), "2");
}
"#;

/// Each line that the commands append, sorted; every one exactly once, in any order of the parallel branches.
const LINES: [&str; 23] = [
    "a",
    "b",
    "c",
    "d",
    "detached",
    "e",
    "f",
    "guarded",
    "input",
    "it's $(here)",
    "n1-1",
    "n1-2",
    "n1-3",
    "n2-1",
    "n2-2",
    "n2-3",
    "n3-1",
    "n3-2",
    "n3-3",
    "once",
    "x",
    "y",
    "z",
];

/// One run with its place on the hosts.
pub struct Trial {
    pub bench: Bench,
}

impl Trial {
    pub fn new(sshd: &Sshd) -> Self {
        let bench = Bench::new();
        bench.write("fifty.rhai", BOOK);
        std::fs::create_dir(bench.path().join("hosts")).unwrap();
        let config = sshd.file("config");
        let host = format!(
            "{{ address: private, config: {} }}",
            serde_json::to_string(&config).unwrap()
        );
        bench.write(
            "hosts.yaml",
            &format!(
                "hosts:\n  n1: {host}\n  n2: {host}\n  n3: {host}\ngroups:\n  web: [n1, n2, n3]\n"
            ),
        );
        Self { bench }
    }

    /// One that needs no other host than this one.
    pub fn local() -> Self {
        let bench = Bench::new();
        Self { bench }
    }

    fn place(&self) -> PathBuf {
        self.bench.path().join("hosts")
    }

    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = self.bench.command(arguments);
        // A killed engine leaves its directory of ssh sockets; it goes with the bench.
        command.env("TMPDIR", self.bench.path());
        command
    }

    /// Starts the runbook, to be killed at this point of the journal if one is given.
    pub fn start(&self, crash_at: Option<&str>) -> Output {
        self.starting(crash_at).output().unwrap()
    }

    /// The same, as a command that nobody has started yet.
    pub fn starting(&self, crash_at: Option<&str>) -> std::process::Command {
        let place = format!("dir={}", self.place().display());
        let mut command = self.command(&[
            "run",
            "fifty.rhai",
            "-i",
            "hosts.yaml",
            "-e",
            &place,
            "-o",
            "json",
        ]);
        if let Some(at) = crash_at {
            command.env("RUNBOOK_CRASH_AT", at);
        }
        command
    }

    /// Goes on after a kill; whether there was anything to go on with.
    pub fn resume(&self) -> Output {
        self.command(&["resume", "-o", "json"]).output().unwrap()
    }

    /// Killed at `at`, resumed, judged. Whether there was such a point.
    pub fn killed_at(&self, at: &str) -> bool {
        let killed = self.start(Some(at));
        if killed.status.signal() != Some(9) {
            assert!(killed.status.success(), "at {at}\n{}", said(&killed));
            return false;
        }
        let mut resumed = self.resume();
        // Killed before its first record, nothing was begun and there is nothing to resume: begin.
        if !resumed.status.success() && self.lines().is_empty() && !self.began() {
            resumed = self.start(None);
        }
        // Killed after its very last record, the run is over, and says so.
        let over = said(&resumed).contains("there is no run to resume");
        assert!(
            resumed.status.success() || over,
            "at {at}\n{}",
            said(&resumed)
        );
        self.judge(&format!("killed at {at}"));
        true
    }

    /// Whether any run has a journal.
    fn began(&self) -> bool {
        self.bench.state().join("runs").is_dir()
            && self
                .bench
                .run(&["show", &self.bench.newest(), "--json"])
                .status
                .success()
    }

    fn lines(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.place().join("counter")).unwrap_or_default();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }

    /// Every effect exactly once, the files as they must be, and nothing of ours left on the hosts.
    pub fn judge(&self, when: &str) {
        assert_eq!(self.lines(), LINES, "{when}: each command exactly once");
        let found: BTreeMap<String, String> = std::fs::read_dir(self.place())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| !path.ends_with("counter"))
            .map(|path| {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                (name, std::fs::read_to_string(path).unwrap())
            })
            .collect();
        let expected = [
            ("app.conf", "size=2\ncolor=it's `red`\n"),
            ("app.yaml", "a: 1\nb: 2\n"),
            ("heard", "10\n"),
            ("n1.conf", "host=n1\nround=2\n"),
            ("n2.conf", "host=n2\nround=2\n"),
            ("n3.conf", "host=n3\nround=2\n"),
            ("ready", ""),
        ];
        let expected: BTreeMap<String, String> = expected
            .into_iter()
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .collect();
        assert_eq!(found, expected, "{when}: the files");
        let left = self.bench.markers();
        assert!(left.is_empty(), "{when}: markers are left: {left:?}");
    }

    /// The names of the newest run's operations: observed in one record, or begun in one and ended in another.
    pub fn operations(&self) -> BTreeSet<String> {
        self.records()
            .iter()
            .filter_map(|record| {
                record
                    .pointer("/record/intent/id")
                    .or_else(|| record.pointer("/record/id"))
            })
            .filter_map(|id| id.as_str().map(str::to_owned))
            .collect()
    }

    /// The newest run's records.
    pub fn records(&self) -> Vec<Json> {
        let shown = self.bench.run(&["show", &self.bench.newest(), "--json"]);
        String::from_utf8_lossy(&shown.stdout)
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}
