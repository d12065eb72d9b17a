//! Hosts by ssh, against a real sshd on loopback.

mod support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use runbook::model::{
    FileImage, FileState, HostName, OperationId, OperationKey, RunId, Target, TargetPath,
};
use runbook::transport::{
    ActingFleet, Cancel, Command, Completion, Exit, HostAccess, HostFleet, InFlight, Launch,
    OUTPUT_LIMIT, ObservingFleet, Output, Program, Route, SilentSink, SshRoute, TransportError,
};
use support::shells::runtime;
use support::sshd::{Sshd, free_port};

const LONG: Duration = Duration::from_secs(30);

fn host(name: &str) -> Target {
    Target::Host(HostName::parse(name).unwrap())
}

fn access(route: SshRoute) -> HostAccess {
    HostAccess {
        route: Route::Ssh(route),
        become_user: None,
    }
}

fn fleet<const N: usize>(
    sshd: &Sshd,
    parallel: usize,
    hosts: [(&str, HostAccess); N],
) -> HostFleet {
    let hosts: BTreeMap<_, _> = hosts
        .into_iter()
        .map(|(name, access)| (HostName::parse(name).unwrap(), access))
        .collect();
    HostFleet::new(hosts, parallel, runtime().handle().clone())
        .with_marker_directory(sshd.file("markers").to_str().unwrap())
}

fn shell(text: &str) -> Command {
    Command {
        program: Program::Shell(text.into()),
        ..Command::argv([""])
    }
}

fn probe(fleet: &HostFleet, name: &str, command: &Command) -> Result<Output, TransportError> {
    fleet
        .observer(&host(name))
        .unwrap()
        .probe(command, LONG, &Cancel::default())
}

fn launch(name: &str, text: &str) -> Launch {
    Launch {
        marker: OperationId::derive(&RunId::parse("run").unwrap(), 1, &OperationKey(name.into())),
        attempt: 1,
        epoch: 1,
        command: shell(text),
        timeout: Some(LONG),
        detach: false,
    }
}

#[test]
fn commands_and_files_work_as_they_do_here() {
    let Some(sshd) = Sshd::start("") else { return };
    let fleet = fleet(&sshd, 4, [("a", access(sshd.route()))]);
    for code in [0, 1, 127, 137, 255] {
        let output = probe(
            &fleet,
            "a",
            &shell(&format!("echo out; echo err >&2; exit {code}")),
        )
        .unwrap();
        assert_eq!(output.exit, Exit::Code(code));
        assert_eq!(
            (output.stdout.text(), output.stderr.text()),
            ("out\n".into(), "err\n".into())
        );
    }
    assert_eq!(
        probe(&fleet, "a", &shell("kill -9 $$")).unwrap().exit,
        Exit::Signal(9)
    );
    let words = ["printf", "%s|", "-n", "a'b\"c", "$(id)\n", "", "é"];
    let output = probe(&fleet, "a", &Command::argv(words)).unwrap();
    assert_eq!(output.stdout.text(), "-n|a'b\"c|$(id)\n||é|");
    let large = probe(&fleet, "a", &shell("head -c 10485760 /dev/zero")).unwrap();
    assert_eq!(large.stdout.dropped, 10_485_760 - OUTPUT_LIMIT as u64);
    let input: Vec<u8> = (0..=255).cycle().take(900_000).collect();
    let echoed = probe(
        &fleet,
        "a",
        &Command {
            stdin: Some(input.clone()),
            ..Command::argv(["cat"])
        },
    )
    .unwrap();
    assert!(echoed.stdout.bytes == input);

    let actor = fleet.actor(&host("a")).unwrap();
    let path = TargetPath::parse(sshd.file("it's\na file").to_str().unwrap()).unwrap();
    let state = FileState::Present(FileImage {
        content: (0..=255).cycle().take(3 << 20).collect(),
        mode: 0o640,
        uid: rustix::process::getuid().as_raw(),
        gid: rustix::process::getgid().as_raw(),
        selinux: None,
    });
    actor
        .replace_file(&path, &FileState::Absent, &state)
        .unwrap();
    assert!(actor.read_file(&path).unwrap() == state);
    actor
        .replace_file(&path, &state, &FileState::Absent)
        .unwrap();
    assert_eq!(actor.stat(&path).unwrap(), None);
    fleet.close();
}

#[test]
fn a_timeout_kills_there() {
    let Some(sshd) = Sshd::start("") else { return };
    let fleet = fleet(&sshd, 4, [("a", access(sshd.route()))]);
    let pid = sshd.file("pid");
    let text = format!("(sleep 50 & echo $! >{}; wait); sleep 50", pid.display());
    let observer = fleet.observer(&host("a")).unwrap();
    let output = observer
        .probe(&shell(&text), Duration::from_secs(1), &Cancel::default())
        .unwrap();
    assert_eq!(output.exit, Exit::TimedOut);
    std::thread::sleep(Duration::from_millis(300));
    let pid = std::fs::read_to_string(pid).unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    assert!(stat.is_empty() || stat.contains(") Z"), "{stat}");
    fleet.close();
}

#[test]
fn a_lost_connection_is_no_failed_command_and_comes_back() {
    let Some(sshd) = Sshd::start("") else { return };
    let fleet = fleet(&sshd, 4, [("a", access(sshd.route()))]);
    let (counter, go) = (sshd.file("counter"), sshd.file("go"));
    let text = format!(
        "echo begin; echo ran >>{}; until [ -e {} ]; do sleep 0.05; done; echo end; exit 5",
        counter.display(),
        go.display()
    );
    let long = launch("long", &text);
    let actor = fleet.actor(&host("a")).unwrap();
    let lost = std::thread::scope(|scope| {
        scope.spawn(|| {
            let begin = Instant::now();
            while !counter.exists() && begin.elapsed() < Duration::from_secs(10) {
                std::thread::sleep(Duration::from_millis(20));
            }
            sshd.drop_connections();
        });
        actor.launch(&long, &SilentSink, &Cancel::default())
    });
    assert!(matches!(lost, Err(TransportError::Lost { .. })), "{lost:?}");
    assert_eq!(actor.inquire(&long.marker, 1).unwrap(), InFlight::Running);
    std::fs::write(&go, "").unwrap();
    let completion = actor
        .attach(&long, (0, 0), &SilentSink, &Cancel::default())
        .unwrap();
    let Completion::Ended(output) = completion else {
        panic!("{completion:?}")
    };
    assert_eq!(
        (output.exit, output.stdout.text().as_str()),
        (Exit::Code(5), "begin\nend\n")
    );
    assert_eq!(std::fs::read_to_string(&counter).unwrap(), "ran\n");

    let lost = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(700));
            sshd.drop_connections();
        });
        probe(&fleet, "a", &shell("sleep 3"))
    });
    assert!(matches!(lost, Err(TransportError::Lost { .. })), "{lost:?}");
    assert_eq!(
        probe(&fleet, "a", &shell("exit 3")).unwrap().exit,
        Exit::Code(3)
    );
    fleet.close();
}

#[test]
fn reasons_not_to_connect_are_told_apart() {
    let Some(sshd) = Sshd::start("") else { return };
    let at = |port: u16, identity: &str, known: &str| {
        access(SshRoute {
            destination: "127.0.0.1".into(),
            port: Some(port),
            identity: Some(sshd.file(identity)),
            config: Some(sshd.file("config")),
            known_hosts: Some(sshd.file(known)),
            ..SshRoute::default()
        })
    };
    let other_key = std::fs::read_to_string(sshd.file("stranger.pub")).unwrap();
    std::fs::write(
        sshd.file("wrong_hosts"),
        format!("[127.0.0.1]:{} {other_key}", sshd.port),
    )
    .unwrap();
    let fleet = fleet(
        &sshd,
        4,
        [
            ("good", at(sshd.port, "user", "known_hosts")),
            ("refused", at(free_port(), "user", "known_hosts")),
            ("auth", at(sshd.port, "stranger", "known_hosts")),
            ("unknown", at(sshd.port, "user", "no_hosts")),
            ("changed", at(sshd.port, "user", "wrong_hosts")),
        ],
    );
    assert_eq!(
        probe(&fleet, "good", &shell("true")).unwrap().exit,
        Exit::Code(0)
    );
    for (name, words) in [
        ("refused", "nothing listens"),
        ("auth", "accepts none of our keys"),
        ("unknown", "host key is not known"),
        ("changed", "not the one in known_hosts"),
    ] {
        match probe(&fleet, name, &shell("true")) {
            Err(TransportError::Unreachable { why, .. }) => {
                assert!(why.contains(words), "{name}: {why}")
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    assert!(
        !sshd.file("no_hosts").exists(),
        "an unknown key was accepted"
    );
    fleet.close();
}

#[test]
fn many_threads_share_one_connection_within_what_the_server_allows() {
    let Some(sshd) = Sshd::start("MaxSessions 3") else {
        return;
    };
    let fleet = fleet(&sshd, 4, [("a", access(sshd.route()))]);
    std::thread::scope(|scope| {
        for number in 0..16 {
            let fleet = &fleet;
            scope.spawn(move || {
                let output =
                    probe(fleet, "a", &shell(&format!("sleep 0.2; echo {number}"))).unwrap();
                assert_eq!(output.stdout.text(), format!("{number}\n"));
            });
        }
    });
    let log = std::fs::read_to_string(sshd.file("log")).unwrap();
    assert_eq!(log.matches("Accepted publickey").count(), 1, "{log}");
    fleet.close();
}

#[test]
fn no_more_connections_than_allowed_and_all_end() {
    let Some(sshd) = Sshd::start("") else { return };
    let names = ["a", "b", "c", "d", "e", "f"];
    let fleet = fleet(&sshd, 2, names.map(|name| (name, access(sshd.route()))));
    let most = std::thread::scope(|scope| {
        let threads: Vec<_> = names
            .iter()
            .map(|name| {
                let fleet = &fleet;
                scope.spawn(move || {
                    for _ in 0..3 {
                        let output = probe(fleet, name, &shell("sleep 0.1; exit 4")).unwrap();
                        assert_eq!(output.exit, Exit::Code(4));
                    }
                })
            })
            .collect();
        let mut most = 0;
        while threads.iter().any(|thread| !thread.is_finished()) {
            most = most.max(sshd.connections().len());
            std::thread::sleep(Duration::from_millis(10));
        }
        most
    });
    // The server takes a moment to see that a connection has made room for another.
    assert!((1..=3).contains(&most), "{most} connections at once");
    assert!(!sshd.connections().is_empty());
    fleet.close();
    let begin = Instant::now();
    while !sshd.connections().is_empty() {
        assert!(
            begin.elapsed() < Duration::from_secs(10),
            "connections are left"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_no_shell_reaches_is_refused() {
    let lab = HostAccess {
        route: Route::Lab,
        become_user: None,
    };
    let hosts = BTreeMap::from([(HostName::parse("lab").unwrap(), lab)]);
    let fleet = HostFleet::new(hosts, 1, runtime().handle().clone());
    let pod = Target::Pod {
        namespace: "n".into(),
        name: "p".into(),
        container: None,
    };
    for target in [
        host("lab"),
        host("unknown"),
        pod,
        Target::Cluster,
        Target::Run,
    ] {
        assert!(
            matches!(
                fleet.actor(&target).err(),
                Some(TransportError::Refused { .. })
            ),
            "{target}"
        );
        assert!(
            matches!(
                fleet.observer(&target).err(),
                Some(TransportError::Refused { .. })
            ),
            "{target}"
        );
    }
    assert!(matches!(
        fleet.cluster_actor().err(),
        Some(TransportError::Refused { .. })
    ));
}

#[test]
fn hosts_to_come_have_their_shell_before_they_are_asked() {
    // At this level the server's log has a line for each session.
    let Some(sshd) = Sshd::start("LogLevel VERBOSE") else {
        return;
    };
    let names = ["a", "b", "c"];
    let fleet = fleet(&sshd, 3, names.map(|name| (name, access(sshd.route()))));
    let sessions = || {
        let log = std::fs::read_to_string(sshd.file("log")).unwrap();
        log.matches("Starting session: command").count()
    };
    // Nobody has asked anything yet, and perhaps nobody will.
    fleet.expect(&mut names.into_iter().map(host));
    std::thread::sleep(Duration::from_millis(300));
    assert!(sshd.connections().is_empty(), "{:?}", sshd.connections());
    // Twice, as each host before them does.
    for _ in 0..2 {
        fleet.expect(&mut names.into_iter().map(host));
        fleet.observer(&host("a")).unwrap();
    }
    let begin = Instant::now();
    while sessions() < 3 {
        assert!(begin.elapsed() < LONG, "{} sessions", sessions());
        std::thread::sleep(Duration::from_millis(20));
    }
    let path = TargetPath::parse(sshd.file("host.pub").to_str().unwrap()).unwrap();
    for name in names {
        let read = fleet.observer(&host(name)).unwrap().read_file(&path);
        assert!(matches!(read, Ok(FileState::Present(_))), "{read:?}");
    }
    assert_eq!(sessions(), 3, "what was made ready was not used");
    fleet.close();
}

#[test]
fn no_more_hosts_are_made_ready_than_there_may_be_connections() {
    let Some(sshd) = Sshd::start("") else { return };
    let names = ["a", "b", "c", "d", "e"];
    let fleet = fleet(&sshd, 3, names.map(|name| (name, access(sshd.route()))));
    for (nth, name) in names.into_iter().enumerate() {
        fleet.expect(&mut names.into_iter().skip(nth).map(host));
        probe(&fleet, name, &Command::argv(["true"])).unwrap();
        assert!(sshd.connections().len() <= 3, "{:?}", sshd.connections());
    }
    fleet.expect(&mut names.into_iter().map(host));
    fleet.observer(&host("a")).unwrap();
    fleet.close();
    let begin = Instant::now();
    while !sshd.connections().is_empty() {
        assert!(begin.elapsed() < LONG, "{:?}", sshd.connections());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_shell_that_was_made_ready_and_says_no_is_heard() {
    let Some(sshd) = Sshd::start("") else { return };
    let here = sshd.file("sudo");
    let script = format!(
        "#!/bin/sh\necho 'sudo: not you' >&2\ntouch {}\nsleep 2\ntouch {}\nexit 1\n",
        sshd.file("said").display(),
        sshd.file("gone").display()
    );
    std::fs::write(&here, script).unwrap();
    std::fs::set_permissions(&here, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let keys = std::fs::read_to_string(sshd.file("authorized_keys")).unwrap();
    let path = sshd.directory.path().display();
    let keys = format!("command=\"PATH={path}:$PATH; eval \\\"$SSH_ORIGINAL_COMMAND\\\"\" {keys}");
    std::fs::write(sshd.file("authorized_keys"), keys).unwrap();
    let fleet = fleet(
        &sshd,
        2,
        [(
            "a",
            HostAccess {
                become_user: Some("other".into()),
                ..access(sshd.route())
            },
        )],
    );
    let path = TargetPath::parse("/etc/hostname").unwrap();
    // It has said no and is still there, or is gone.
    for sign in ["said", "gone"] {
        let _ = std::fs::remove_file(sshd.file(sign));
        fleet.expect(&mut std::iter::once(host("a")));
        fleet.observer(&host("a")).unwrap();
        let begin = Instant::now();
        while !sshd.file(sign).exists() {
            assert!(begin.elapsed() < LONG, "never {sign}");
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_millis(300));
        let refused = fleet.observer(&host("a")).unwrap().read_file(&path);
        let Err(TransportError::Refused { why, .. }) = refused else {
            panic!("{refused:?}")
        };
        assert!(why.contains("sudo: not you"), "{why}");
    }
    fleet.close();
}
