//! Commands on a host with systemd are transient units: they outlive the session that started them where logind ends a
//! session's processes, and a unit that is stopped or killed has a known outcome.

mod support;

#[path = "support/bench.rs"]
mod bench;
#[path = "support/machine.rs"]
mod machine;

use std::path::PathBuf;
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use bench::{Bench, said};
use machine::{Machine, NORA};

/// A run against the machine, as one of its users.
struct Scene<'a> {
    machine: &'a Machine,
    user: &'a str,
    bench: Bench,
    /// On the machine and out here.
    place: PathBuf,
}

impl<'a> Scene<'a> {
    fn new(machine: &'a Machine, name: &str, user: &'a str, body: &str) -> Self {
        let bench = Bench::new();
        let place = machine.file(&format!("{name}-{user}"));
        std::fs::create_dir(&place).unwrap();
        machine.says(&["chown", user, place.to_str().unwrap()]);
        let config = serde_json::to_string(&machine.file("config")).unwrap();
        let host = format!("{{ address: private, user: {user}, config: {config} }}");
        bench.write("hosts.yaml", &format!("hosts:\n  n: {host}\n"));
        let book = format!(
            "runbook #{{ title: \"One command\", params: #{{ dir: #{{ help: \"where\" }} }} }};\n\
             let dir = param(\"dir\");\nlet node = host(\"n\");\nstep \"Work\" {{\n{body}\n}}\n"
        );
        bench.write("one.rhai", &book);
        Self {
            machine,
            user,
            bench,
            place,
        }
    }

    fn command(&self, words: &[&str]) -> std::process::Command {
        let mut command = self.bench.command(words);
        command.env("TMPDIR", self.bench.path());
        command
    }

    /// Starts the run and waits until its command has begun.
    fn begun(&self) -> Child {
        let dir = format!("dir={}", self.place.display());
        let engine = self
            .command(&["run", "one.rhai", "-i", "hosts.yaml", "-e", &dir])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        self.wait_for("the command to begin", || {
            self.place.join("effects").exists()
        });
        engine
    }

    fn wait_for(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let begin = Instant::now();
        while !holds() {
            assert!(
                begin.elapsed() < Duration::from_secs(60),
                "{}: waited in vain for {what}; units: {:?}\n{}",
                self.user,
                self.units(),
                self.machine.says(&["systemd-cgls", "--no-pager", "--full"])
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn manager(&self) -> Vec<String> {
        match self.user {
            "root" => Vec::new(),
            user => vec!["--user".into(), format!("--machine={user}@.host")],
        }
    }

    fn units(&self) -> Vec<String> {
        let manager = self.manager();
        let manager: Vec<&str> = manager.iter().map(String::as_str).collect();
        self.machine.units(&manager)
    }

    /// Kills the server's side of every session, and waits until logind has ended them and all that was in them.
    fn sessions_end(&self) {
        for session in self.sessions() {
            let show = [
                "loginctl",
                "show-session",
                &session,
                "--value",
                "-p",
                "Leader",
            ];
            let leader = self.machine.says(&show);
            // Of anybody but root a part of sshd without privileges serves the connection; the leader notices.
            let served = self
                .machine
                .says(&["pgrep", "-P", leader.trim(), "-x", "sshd"]);
            let serves = served.lines().next().unwrap_or(leader.trim());
            self.machine.says(&["kill", "-9", serves]);
        }
        self.wait_for("the sessions to end", || self.sessions().is_empty());
    }

    fn sessions(&self) -> Vec<String> {
        self.machine
            .says(&["loginctl", "list-sessions", "--no-legend", "--no-pager"])
            .lines()
            .filter_map(|line| line.split_whitespace().next())
            .map(str::to_owned)
            .collect()
    }

    fn resume(&self) -> Output {
        self.command(&["resume"]).output().unwrap()
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.place.join(name)).unwrap_or_default()
    }

    /// Whether a process that left its number in this file still runs in the machine.
    fn lives(&self, name: &str) -> bool {
        let pid = self.read(name);
        assert!(!pid.trim().is_empty(), "{name} names no process");
        self.machine
            .inside(&["kill", "-0", pid.trim()])
            .status
            .success()
    }
}

/// Waits for a file, then ends with 7.
const SLOW: &str = r#"let said = node.run(sh `echo begun; echo $$ > ${dir}/pid; echo ran >> ${dir}/effects; while ! test -e ${dir}/go; do sleep 0.05; done; echo finished; exit 7`, #{ expect_exit: 7 });
    node.file(`${dir}/said`).write(said.stdout + said.exit);"#;

#[test]
fn a_command_outlives_the_session_that_started_it() {
    let Some(machine) = Machine::boot() else {
        return;
    };
    machine.says(&["loginctl", "enable-linger", NORA]);
    for user in ["root", NORA] {
        let scene = Scene::new(&machine, "session", user, SLOW);
        let mut engine = scene.begun();
        engine.kill().unwrap();
        engine.wait().unwrap();
        scene.sessions_end();
        assert!(scene.lives("pid"), "{user}: it ended with its session");
        assert_eq!(scene.units().len(), 1, "{user}");
        std::fs::write(scene.place.join("go"), "").unwrap();
        let resumed = scene.resume();
        assert!(resumed.status.success(), "{user}: {}", said(&resumed));
        assert_eq!(scene.read("effects"), "ran\n", "{user}: exactly once");
        assert_eq!(scene.read("said"), "begun\nfinished\n7", "{user}");
        scene.wait_for("the unit to go", || scene.units().is_empty());
    }
}

/// Without lingering a user's units end with the last session: nobody knows how, and nobody guesses.
#[test]
fn without_lingering_a_users_command_ends_with_the_session_and_a_person_decides() {
    let Some(machine) = Machine::boot() else {
        return;
    };
    let scene = Scene::new(&machine, "session", NORA, SLOW);
    let mut engine = scene.begun();
    engine.kill().unwrap();
    engine.wait().unwrap();
    scene.sessions_end();
    scene.wait_for("the command's end", || !scene.lives("pid"));
    let resumed = scene.resume();
    assert_eq!(resumed.status.code(), Some(3), "{}", said(&resumed));
    assert_eq!(scene.read("effects"), "ran\n");
}

#[test]
fn a_unit_that_is_stopped_or_killed_has_a_known_outcome() {
    let Some(machine) = Machine::boot() else {
        return;
    };
    machine.says(&["loginctl", "enable-linger", NORA]);
    for (name, user, how, outcome) in [
        // The command hears of it, and says how it ends.
        ("stop", "root", &["stop"][..], "exited with 9"),
        ("stop", NORA, &["stop"], "exited with 9"),
        // Nobody is left to say anything but systemd.
        ("kill", "root", &["kill", "--signal=KILL"], "signal 9"),
        ("kill", NORA, &["kill", "--signal=KILL"], "signal 9"),
        (
            "main",
            "root",
            &["kill", "--signal=KILL", "--kill-whom=main"],
            "signal 9",
        ),
    ] {
        let body = "node.run(sh `trap 'exit 9' TERM; echo $$ > ${dir}/pid; echo ran >> ${dir}/effects; while :; do sleep 0.05; done`);";
        let scene = Scene::new(&machine, name, user, body);
        let engine = scene.begun();
        let units = scene.units();
        assert_eq!(units.len(), 1, "{name} {user}: {units:?}");
        let manager = scene.manager();
        let mut words = vec!["systemctl"];
        words.extend(manager.iter().map(String::as_str));
        words.extend(how);
        words.push(&units[0]);
        let done = machine.inside(&words);
        assert!(done.status.success(), "{name} {user}: {}", said(&done));
        let ended = engine.wait_with_output().unwrap();
        let text = said(&ended);
        assert_eq!(ended.status.code(), Some(1), "{name} {user}: {text}");
        assert!(text.contains(outcome), "{name} {user}: {text}");
        assert!(!scene.lives("pid"), "{name} {user}: the command lives on");
        assert_eq!(scene.read("effects"), "ran\n", "{name} {user}");
    }
}
