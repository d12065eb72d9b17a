//! What an operation costs, counted, so that no machine is too slow or too busy to say: exchanges with the target,
//! programs that are started there, transactions of the journal.

mod support;

#[path = "support/bench.rs"]
mod bench;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bench::{Bench, said};
use runbook::model::{
    FileImage, FileState, HostName, OperationId, OperationKey, RunId, Target, TargetPath,
};
use runbook::transport::shell::ShellTarget;
use runbook::transport::shell::link::{Conversation, Exchange, LinkEnd, Receiver, ShellLink};
use runbook::transport::{
    Actor, Cancel, Command, Launch, LocalLink, Observer, SilentSink, TransportError,
};
use support::shells::runtime;

/// Counts what passes.
struct Counting {
    link: LocalLink,
    exchanges: AtomicUsize,
    conversations: AtomicUsize,
}

impl ShellLink for Counting {
    fn target(&self) -> &Target {
        self.link.target()
    }

    fn exchange(
        &self,
        exchange: &Exchange<'_>,
        receiver: &mut dyn Receiver,
        cancel: &Cancel,
    ) -> Result<LinkEnd, TransportError> {
        self.exchanges.fetch_add(1, Ordering::SeqCst);
        self.link.exchange(exchange, receiver, cancel)
    }

    fn converse(
        &self,
        conversation: &Conversation<'_>,
        receiver: &mut dyn Receiver,
        cancel: &Cancel,
    ) -> Option<Result<LinkEnd, TransportError>> {
        self.conversations.fetch_add(1, Ordering::SeqCst);
        self.link.converse(conversation, receiver, cancel)
    }
}

/// A target whose tools write their names into a log before they do their work.
struct Watched {
    directory: tempfile::TempDir,
    target: ShellTarget<Counting>,
}

/// Everything that the exchanges may start.
const TOOLS: &[&str] = &[
    "stat", "readlink", "head", "tail", "id", "tr", "mkdir", "cat", "wc", "mv", "ln", "rm",
    "chmod", "chown", "sync", "touch", "cp", "cmp", "flock", "setsid", "sleep", "ls", "sh",
];

impl Watched {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let tools = directory.path().join("tools");
        std::fs::create_dir(&tools).unwrap();
        for tool in TOOLS {
            let real = std::env::split_paths(&std::env::var_os("PATH").unwrap())
                .map(|path| path.join(tool))
                .find(|path| path.exists());
            let Some(real) = real else { continue };
            let shim = tools.join(tool);
            let log = directory.path().join("log");
            let text = format!(
                "#!/bin/sh\necho {tool} >>'{}'\nexec '{}' \"$@\"\n",
                log.display(),
                real.display()
            );
            std::fs::write(&shim, text).unwrap();
            std::fs::set_permissions(&shim, PermissionsExt::from_mode(0o755)).unwrap();
        }
        let here = Target::Host(HostName::parse("here").unwrap());
        let link = LocalLink::new(here, runtime().handle().clone())
            .with_variable("PATH", tools.to_str().unwrap());
        let counting = Counting {
            link,
            exchanges: AtomicUsize::new(0),
            conversations: AtomicUsize::new(0),
        };
        let target = ShellTarget::new(counting, None)
            .with_marker_directory(directory.path().join("markers").to_str().unwrap());
        Self { directory, target }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What was started since the last time, and how many exchanges and conversations there were.
    fn since(&self) -> (Vec<String>, usize, usize) {
        let log = self.at("log");
        let started = std::fs::read_to_string(&log).unwrap_or_default();
        std::fs::write(&log, "").unwrap();
        let count = |counter: &AtomicUsize| counter.swap(0, Ordering::SeqCst);
        let link = self.target.link();
        (
            started.lines().map(str::to_owned).collect(),
            count(&link.exchanges),
            count(&link.conversations),
        )
    }

    fn launch(&self, name: &str) {
        self.launch_within(name, None);
    }

    fn launch_within(&self, name: &str, timeout: Option<Duration>) {
        let launch = Launch {
            marker: OperationId::derive(
                &RunId::parse("run").unwrap(),
                1,
                &OperationKey(name.into()),
            ),
            attempt: 1,
            epoch: 1,
            command: Command::argv(["/bin/true"]),
            timeout,
            detach: false,
        };
        self.target
            .launch(&launch, &SilentSink, &Cancel::default())
            .unwrap();
    }
}

fn often(started: &[String], tool: &str) -> usize {
    started.iter().filter(|name| *name == tool).count()
}

#[test]
fn a_gated_command_is_one_round_trip_and_two_programs() {
    let watched = Watched::new();
    watched.launch("first");
    watched.launch("second");
    watched.since();
    watched.launch("third");
    let (started, exchanges, conversations) = watched.since();
    assert_eq!((exchanges, conversations), (0, 1), "{started:?}");
    // The gate's sync, the command's session.
    assert_eq!(often(&started, "sync"), 1, "{started:?}");
    assert_eq!(often(&started, "setsid"), 1, "{started:?}");
    assert_eq!(started.len(), 2, "{started:?}");

    watched.launch_within("fourth", Some(Duration::from_secs(60)));
    let (started, exchanges, conversations) = watched.since();
    assert_eq!((exchanges, conversations), (0, 1), "{started:?}");
    // And a watchdog, which may be late.
    assert!(
        (2..=3).contains(&started.len()) && often(&started, "sleep") <= 1,
        "{started:?}"
    );
}

#[test]
fn a_file_is_read_in_one_round_trip_and_written_in_one() {
    let watched = Watched::new();
    let path = TargetPath::parse(watched.at("file").to_str().unwrap()).unwrap();
    std::fs::write(watched.at("file"), "old\n").unwrap();
    watched.target.read_file(&path).unwrap();
    watched.since();
    let before = watched.target.read_file(&path).unwrap();
    let (started, exchanges, conversations) = watched.since();
    assert_eq!((exchanges, conversations), (0, 1), "{started:?}");
    assert!(started.len() <= 3, "{started:?}");
    let FileState::Present(image) = &before else {
        panic!("it is there")
    };
    let after = FileState::Present(FileImage {
        content: b"new\n".into(),
        ..image.clone()
    });
    watched.target.replace_file(&path, &before, &after).unwrap();
    let (mut started, exchanges, conversations) = watched.since();
    // Looked for once for each target.
    started.retain(|tool| tool != "readlink");
    assert_eq!((exchanges, conversations), (0, 1), "{started:?}");
    assert!(started.len() <= 12, "{started:?}");
    assert_eq!(often(&started, "sync"), 2, "{started:?}");
    assert_eq!(std::fs::read(watched.at("file")).unwrap(), b"new\n");
}

#[test]
fn forgetting_many_markers_is_one_round_trip() {
    let watched = Watched::new();
    for name in ["a", "b", "c"] {
        watched.launch(name);
    }
    watched.since();
    let run = RunId::parse("run").unwrap();
    let markers: Vec<OperationId> = ["a", "b", "c"]
        .into_iter()
        .map(|name| OperationId::derive(&run, 1, &OperationKey(name.into())))
        .collect();
    watched.target.forget(&markers).unwrap();
    let (started, exchanges, conversations) = watched.since();
    assert_eq!((exchanges, conversations), (0, 1), "{started:?}");
    assert_eq!(often(&started, "rm"), 1, "{started:?}");
    assert_eq!(
        std::fs::read_dir(watched.at("markers/ops"))
            .unwrap()
            .count(),
        0
    );
}

/// How often the journal was synced while a runbook with this body ran.
fn syncs(bench: &Bench, library: &Path, body: &str, more: &[&str], sync_ms: &str) -> usize {
    bench.write(
        "book.rhai",
        &format!("runbook #{{ title: \"Costs\" }};\n{body}\n"),
    );
    let log = bench.path().join("sync.log");
    let _ = std::fs::remove_file(&log);
    let output = bench
        .command(&[&["run", "book.rhai", "--yes"], more].concat())
        .env("LD_PRELOAD", library)
        .env("SYNC_LOG", &log)
        .env("SYNC_MS", sync_ms)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    std::fs::read_to_string(log)
        .unwrap()
        .lines()
        .filter(|line| line.starts_with("sync ") && line.ends_with("journal.db-wal"))
        .count()
}

#[test]
#[cfg(target_os = "linux")]
fn an_operation_costs_two_commits_and_a_reading_none() {
    let bench = Bench::new();
    let library = bench.preloaded("sim/sync_log.c");
    let syncs = |body: &str| {
        syncs(
            &bench,
            &library,
            &format!("let h = host(\"localhost\");\n{body}"),
            &[],
            "0",
        )
    };
    let none = syncs("");
    let five = syncs("for i in 0..5 { h.run([\"true\"]); }");
    let readings = syncs("for i in 0..5 { h.probe([\"true\"]); }");
    assert!(five - none <= 10, "{} syncs for five commands", five - none);
    // A second without a commit writes what is noted, on a slow machine as well.
    assert!(
        readings - none <= 4,
        "{} syncs for five readings",
        readings - none
    );
}

#[test]
#[cfg(target_os = "linux")]
fn branches_that_run_at_once_share_their_commits() {
    let bench = Bench::new();
    let library = bench.preloaded("sim/sync_log.c");
    let lab = ["--lab", bench::LAB, "--parallel", "8"];
    let body = |parallel: usize| {
        format!(
            "let items = [1, 2, 3, 4, 5, 6, 7, 8];\n\
             each(items, #{{ parallel: {parallel} }}, |i| {{ for n in 0..5 {{ host(\"k3s-agent-1\").run([\"true\"]); }} }});"
        )
    };
    let in_turn = syncs(&bench, &library, &body(1), &lab, "40");
    let at_once = syncs(&bench, &library, &body(8), &lab, "40");
    // Forty commands: two commits each in turn. At once they share one as far as the machine is fast enough for them
    // to come while the one before is synced; a sync takes long here, so that a busy machine is.
    assert!(in_turn >= 80, "{in_turn} syncs in turn");
    assert!(
        at_once <= in_turn / 2,
        "{at_once} syncs at once, {in_turn} in turn"
    );
}

/// What a run of some commands on each of so many lab hosts allocates: calls and bytes.
fn allocations(bench: &Bench, library: &Path, hosts: usize) -> [f64; 2] {
    let mut lab =
        "title: many hosts\ndescription: For counting.\nstarts: 2026-01-05T08:00:00Z\nhosts:\n"
            .to_owned();
    for nth in 0..hosts {
        lab.push_str(&format!(
            "  host-{nth:04}: {{ interfaces: [{{ name: eth0, kind: ethernet, mtu: 1500, addresses: [10.0.{}.{}/16] }}] }}\n",
            nth / 250,
            nth % 250 + 1
        ));
    }
    let folder = format!("fleet-{hosts}");
    bench.write(&format!("{folder}/lab.yaml"), &lab);
    bench.write(
        "fleet.rhai",
        "runbook #{ title: \"Fleet\" };\n\
         step \"go\" { each(hosts(\"all\"), #{ parallel: 2 }, |h| { for i in 0..3 { h.run([\"true\"]); } }); }\n",
    );
    let told = bench.path().join("allocations");
    let output = bench
        .command(&[
            "run",
            "fleet.rhai",
            "--lab",
            &format!("./{folder}"),
            "--yes",
        ])
        .env("LD_PRELOAD", library)
        .env("ALLOCATIONS", &told)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let told = std::fs::read_to_string(told).unwrap();
    let counts: Vec<f64> = told
        .split_whitespace()
        .map(|count| count.parse().unwrap())
        .collect();
    counts.try_into().unwrap()
}

#[test]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn twice_as_many_hosts_cost_twice_as_much() {
    let bench = Bench::new();
    let library = bench.preloaded("malloc_count.c");
    let [none, some, twice] = [1, 200, 400].map(|hosts| allocations(&bench, &library, hosts));
    for (what, of) in [("calls", 0), ("bytes", 1)] {
        let ratio = (twice[of] - none[of]) / (some[of] - none[of]);
        assert!(
            ratio < 2.15,
            "{ratio:.2} times the {what}: {none:?} {some:?} {twice:?}"
        );
    }
}
