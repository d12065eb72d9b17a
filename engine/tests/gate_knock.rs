//! A launch goes on beside the shell that serves it, and is told there when its answer is waited for.

mod support;

use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc;
use std::time::Duration;

use runbook::model::{FileState, TargetPath};
use runbook::transport::{
    Actor, Cancel, Completion, Exit, InFlight, Launch, Observer, OutputSink, SilentSink, Stream,
    TransportError,
};
use support::launches::{alive, inquire, launch, run, wait_for};
use support::markers::{field, record};
use support::shells::{Place, place, places};

/// Nobody may wait longer for what will never come.
const PATIENCE: Duration = Duration::from_secs(20);

/// Makes the `sync` of a gate, which is that of its directory, do this before its work.
fn before_the_gate_is_safe(place: &Place, what: &str) {
    let shim = place.file("tools/sync");
    let text = format!("#!/bin/sh\ncase $1 in */ops) {what} ;; esac\nexec /bin/sync \"$@\"\n");
    std::fs::write(&shim, text).unwrap();
    std::fs::set_permissions(&shim, PermissionsExt::from_mode(0o755)).unwrap();
}

/// Launches it; what came of that, in time.
fn start_in_time(place: &Place, launch: &Launch) -> Result<Completion, TransportError> {
    let (sender, receiver) = mpsc::channel();
    let (connection, launch) = (place.connect(), launch.clone());
    std::thread::spawn(move || {
        let result = connection.launch(&launch, &SilentSink, &Cancel::default());
        let _ = sender.send(result);
    });
    receiver
        .recv_timeout(PATIENCE)
        .expect("nobody noticed that no answer will come")
}

#[test]
fn a_launch_that_is_killed_in_its_gate_is_noticed() {
    // Busybox takes its own applets, whatever the PATH.
    for place in places().iter().filter(|place| place.shell != "busybox") {
        before_the_gate_is_safe(place, "kill -9 $PPID");
        let counter = place.file("counter");
        let killed = launch("killed", &format!("echo ran >>{}", counter.display()));
        let result = start_in_time(place, &killed);
        assert!(
            matches!(result, Err(TransportError::Lost { .. })),
            "{}: {result:?}",
            place.shell
        );
        assert!(!counter.exists(), "{}", place.shell);
        let became = inquire(place, &killed);
        assert!(
            matches!(became, InFlight::Unknown(_)),
            "{}: {became:?}",
            place.shell
        );
    }
}

#[test]
fn a_launch_that_is_killed_while_its_command_runs_is_noticed() {
    for place in places() {
        let long = launch("killed", "sleep 60");
        let result = std::thread::scope(|scope| {
            scope.spawn(|| {
                wait_for("its job", || !field(&place, &long, "job").is_empty());
                let wrapper = field(&place, &long, "pid");
                let kill = std::process::Command::new("kill")
                    .args(["-9", &wrapper])
                    .status();
                assert!(kill.unwrap().success());
            });
            start_in_time(&place, &long)
        });
        assert!(
            matches!(result, Err(TransportError::Lost { .. })),
            "{}: {result:?}",
            place.shell
        );
        let job = field(&place, &long, "job");
        assert!(alive(&job), "{}", place.shell);
        let became = inquire(&place, &long);
        assert!(
            matches!(&became, InFlight::Unknown(words) if words.contains("may still run")),
            "{}: {became:?}",
            place.shell
        );
        let _ = std::process::Command::new("kill")
            .args(["-9", "--", &format!("-{job}")])
            .status();
    }
}

/// Tells what comes.
struct Told(mpsc::Sender<Vec<u8>>);

impl OutputSink for Told {
    fn output(&self, _stream: Stream, bytes: &[u8]) {
        let _ = self.0.send(bytes.to_vec());
    }
}

/// The moment to knock passes while the gate is made safe.
#[test]
fn a_command_is_followed_though_its_gate_took_long() {
    for place in places() {
        if place.shell != "busybox" {
            before_the_gate_is_safe(&place, "sleep 0.3");
        }
        let release = place.file("release");
        let long = launch(
            "long",
            &format!(
                "echo first; until [ -e {} ]; do sleep 0.02; done; echo last",
                release.display()
            ),
        );
        let (sender, receiver) = mpsc::channel();
        std::thread::scope(|scope| {
            let told = Told(sender);
            let engine = scope.spawn(|| {
                let told = told;
                place.connect().launch(&long, &told, &Cancel::default())
            });
            let first = receiver.recv_timeout(PATIENCE);
            std::fs::write(&release, "").unwrap();
            let Completion::Ended(output) = engine.join().unwrap().unwrap() else {
                panic!("{}", place.shell)
            };
            let first = first.expect("nothing was shown while it ran");
            assert!(first.starts_with(b"first"), "{}: {first:?}", place.shell);
            assert_eq!(output.stdout.text(), "first\nlast\n", "{}", place.shell);
        });
    }
}

/// The number of a process's parent.
fn parent(pid: &str) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields = stat.rsplit(") ").next()?;
    fields.split(' ').nth(1).map(str::to_owned)
}

/// The process that answers for this command while it runs.
fn teller(place: &Place, launch: &Launch) -> Option<String> {
    let (wrapper, job) = (field(place, launch, "pid"), field(place, launch, "job"));
    // Bash follows a wrapper of its own, elsewhere the wrapper has a process that tells.
    if place.shell == "bash" {
        return parent(&wrapper);
    }
    let processes = std::fs::read_dir("/proc").unwrap();
    let mut names = processes.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.find(|pid| parent(pid).as_ref() == Some(&wrapper) && *pid != job)
}

#[test]
fn whoever_follows_a_command_and_is_killed_is_noticed() {
    for place in places() {
        let release = place.file("release");
        let text = format!(
            "echo first; until [ -e {} ]; do sleep 0.02; done; exit 4",
            release.display()
        );
        // Without a limit, so that there is no watchdog beside the one that tells.
        let long = Launch {
            timeout: None,
            ..launch("long", &text)
        };
        let (sender, receiver) = mpsc::channel();
        let (ended, end) = mpsc::channel();
        let (connection, running, told) = (place.connect(), long.clone(), Told(sender));
        std::thread::spawn(move || {
            let _ = ended.send(connection.launch(&running, &told, &Cancel::default()));
        });
        receiver.recv_timeout(PATIENCE).expect("it is followed");
        let teller = teller(&place, &long).expect("somebody tells");
        let kill = std::process::Command::new("kill")
            .args(["-9", &teller])
            .status();
        assert!(kill.unwrap().success(), "{}", place.shell);
        std::fs::write(&release, "").unwrap();
        let result = end
            .recv_timeout(PATIENCE)
            .expect("nobody noticed that no answer will come");
        assert!(
            matches!(result, Err(TransportError::Lost { .. })),
            "{}: {result:?}",
            place.shell
        );
        let became = inquire(&place, &long);
        assert!(
            matches!(&became, InFlight::Ended(output) if output.stdout.text() == "first\n"),
            "{}: {became:?}",
            place.shell
        );
    }
}

/// Not one of those that are promised, but POSIX. It does not tell a signal from an exit status, and where there is a time
/// limit, one of its answers may wait for it: none here.
#[test]
fn the_korn_shell_of_mirbsd_serves_as_well() {
    let Some(place) = place("mksh") else {
        assert!(std::env::var_os("RUNBOOK_REQUIRE_SHELLS").is_none());
        return;
    };
    let unlimited = |name: &str, text: &str| Launch {
        timeout: None,
        ..launch(name, text)
    };
    let short = run(&place, &unlimited("short", "echo said; exit 3"));
    assert_eq!(
        (short.exit, short.stdout.text().as_str()),
        (Exit::Code(3), "said\n")
    );
    let long = run(
        &place,
        &unlimited("long", "echo first; sleep 0.5; echo last; exit 4"),
    );
    assert_eq!(
        (long.exit, long.stdout.text().as_str()),
        (Exit::Code(4), "first\nlast\n")
    );
    let path = TargetPath::parse(place.file("made").to_str().unwrap()).unwrap();
    let connection = place.connect();
    assert_eq!(connection.read_file(&path).unwrap(), FileState::Absent);
    std::fs::write(place.file("made"), "here\n").unwrap();
    assert!(matches!(
        connection.read_file(&path).unwrap(),
        FileState::Present(_)
    ));
}

/// Which of HUP, USR1, USR2, PIPE, TERM, CHLD are blocked, and which ignored, by what two lines of a process's status say.
/// INT and QUIT are ignored in whatever a shell starts in the background.
fn masks(status: &str) -> Vec<u64> {
    let ours = [1, 10, 12, 13, 15, 17].map(|signal| 1 << (signal - 1));
    let lines = status.lines();
    let masks = lines.map(|line| u64::from_str_radix(line.rsplit('\t').next().unwrap(), 16));
    masks
        .map(|mask| mask.unwrap() & ours.iter().sum::<u64>())
        .collect()
}

/// Neither a knock nor the end of the connection reaches the command.
#[test]
fn a_command_has_the_signals_that_it_would_have_anywhere() {
    let ask = "sleep 0.2; grep -E 'Sig(Ign|Blk)' /proc/$$/status";
    // nohup, say, ignores HUP for all that it starts.
    let anywhere = std::process::Command::new("sh").args(["-c", ask]).output();
    let anywhere = masks(&String::from_utf8(anywhere.unwrap().stdout).unwrap());
    assert_eq!(anywhere.len(), 2);
    for place in places() {
        let output = run(&place, &launch("signals", ask));
        let text = output.stdout.text();
        assert_eq!(masks(&text), anywhere, "{}: {text}", place.shell);
    }
}

#[test]
fn the_launches_of_a_connection_end_one_after_the_other() {
    for place in places() {
        let connection = place.connect();
        for nth in 0..20 {
            let one = launch(&format!("nth-{nth}"), &format!("echo {nth}; exit {nth}"));
            let completion = connection
                .launch(&one, &SilentSink, &Cancel::default())
                .unwrap();
            let Completion::Ended(output) = completion else {
                panic!("{}", place.shell)
            };
            assert_eq!(output.stdout.text(), format!("{nth}\n"), "{}", place.shell);
            assert!(record(&place, &one).contains(&format!("exit {nth}\n")));
        }
        drop(connection);
    }
}
