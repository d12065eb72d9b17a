//! The life of a gate's record: who makes it, what is added to it, what of it is believed later.

mod support;

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use runbook::transport::{
    Actor, Cancel, Command, Completion, Exit, InFlight, Launch, SilentSink, TransportError,
};
use support::launches::{inquire, launch, run, start, wait_for};
use support::markers::{field, file, record};
use support::shells::{Place, places};

fn refused(result: &Result<Completion, TransportError>, words: &str) -> bool {
    matches!(result, Err(TransportError::Refused { why, .. }) if why.contains(words))
}

/// Holds up each `wc` of the place, which counts a command's input before its gate is made, until the file `go` is there.
fn hold_before_the_gate(place: &Place) {
    let shim = place.file("tools/wc");
    let text = format!(
        "#!/bin/sh\n: >{0}.$$\nuntil [ -e {1} ]; do sleep 0.01; done\nexec /usr/bin/wc \"$@\"\n",
        place.file("waiting").display(),
        place.file("go").display()
    );
    std::fs::write(&shim, text).unwrap();
    std::fs::set_permissions(&shim, PermissionsExt::from_mode(0o755)).unwrap();
}

fn waiting(place: &Place) -> usize {
    std::fs::read_dir(place.directory.path())
        .unwrap()
        .filter(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            name.to_string_lossy().starts_with("waiting.")
        })
        .count()
}

#[test]
fn of_three_that_stand_before_the_gate_one_passes() {
    // Busybox takes its own applets, whatever the PATH.
    for place in places().iter().filter(|place| place.shell != "busybox") {
        hold_before_the_gate(place);
        let counter = place.file("counter");
        let mut contested = launch("contested", &format!("cat >>{}", counter.display()));
        contested.command.stdin = Some(b"ran\n".to_vec());
        let passed = std::thread::scope(|scope| {
            let all: Vec<_> = (0..3)
                .map(|_| scope.spawn(|| start(place, &contested)))
                .collect();
            wait_for("all to stand there", || waiting(place) == 3);
            std::fs::write(place.file("go"), "").unwrap();
            let ended = all.into_iter().map(|one| one.join().unwrap());
            ended.filter(Result::is_ok).count()
        });
        assert_eq!(passed, 1, "{}", place.shell);
        assert_eq!(std::fs::read_to_string(&counter).unwrap(), "ran\n");
        wait_for("their inputs to go", || {
            let left = std::fs::read_dir(place.file("markers/ops/pending")).unwrap();
            left.count() == 0
        });
    }
}

#[test]
fn a_launch_takes_the_gates_before_it_that_are_open() {
    for place in places() {
        let counter = place.file("counter");
        let first = launch("late", &format!("echo ran >>{}", counter.display()));
        let third = Launch {
            attempt: 3,
            ..first.clone()
        };
        run(&place, &third);
        for attempt in [1, 2] {
            let late = Launch {
                attempt,
                ..first.clone()
            };
            let result = start(&place, &late);
            assert!(
                refused(&result, "called off"),
                "{}: {result:?}",
                place.shell
            );
        }
        assert_eq!(std::fs::read_to_string(&counter).unwrap(), "ran\n");
    }
}

/// Commands inside a change are numbered by the session, from 10,000 on.
#[test]
fn attempts_inside_a_change_leave_no_more_than_their_own_records() {
    for place in places() {
        let attempts = [10_001, 10_007, 20_002];
        let inside = attempts.map(|attempt| Launch {
            attempt,
            ..launch("inside", "true")
        });
        for one in &inside {
            run(&place, one);
        }
        let records = || {
            let names = std::fs::read_dir(place.file("markers/ops")).unwrap();
            let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            names.filter(|name| name.ends_with(".gate")).count()
        };
        assert_eq!(records(), attempts.len(), "{}", place.shell);
        let connection = place.connect();
        connection
            .forget(std::slice::from_ref(&inside[0].marker))
            .unwrap();
        assert_eq!(records(), 0, "{}", place.shell);
    }
}

/// The host restarts: what is told of another boot is what is in its record, without the line that it is on the disk.
fn restart(place: &Place, launch: &Launch, safe: bool) {
    let boot = field(place, launch, "boot");
    let mut text = record(place, launch).replace(&boot, "another-boot");
    text = text.replace("safe\n", "");
    if safe {
        text.push_str("safe\n");
    }
    std::fs::write(file(place, launch, "gate"), text).unwrap();
}

/// A wrapper of its own adds a last line by itself, another one does at the end of the connection.
fn wait_until_nobody_writes(place: &Place, launch: &Launch) {
    wait_for("its record to be whole", || {
        place.shell != "bash" || record(place, launch).ends_with("safe\n")
    });
}

#[test]
fn an_end_that_may_not_be_whole_is_not_believed_after_a_restart() {
    for place in places() {
        let ended = launch("ended", "echo said; exit 4");
        let connection = place.connect();
        connection
            .launch(&ended, &SilentSink, &Cancel::default())
            .unwrap();
        wait_until_nobody_writes(&place, &ended);
        restart(&place, &ended, false);
        let InFlight::Unknown(words) = inquire(&place, &ended) else {
            panic!("{}: believed", place.shell)
        };
        assert!(words.contains("restarted"), "{words}");
        let attached = connection.attach(&ended, (0, 0), &SilentSink, &Cancel::default());
        assert!(
            matches!(attached, Err(TransportError::Lost { .. })),
            "{attached:?}"
        );
        restart(&place, &ended, true);
        let InFlight::Ended(output) = inquire(&place, &ended) else {
            panic!("{}: not believed", place.shell)
        };
        assert_eq!(output.exit, Exit::Code(4));
        assert_eq!(output.stdout.bytes, b"said\n");
    }
}

/// Only the name of a record is on the disk before the command starts.
#[test]
fn a_record_that_a_power_failure_emptied_is_unknown_and_does_not_stand_in_the_way() {
    for place in places() {
        let first = launch("emptied", "true");
        let connection = place.connect();
        connection
            .launch(&first, &SilentSink, &Cancel::default())
            .unwrap();
        wait_until_nobody_writes(&place, &first);
        std::fs::write(file(&place, &first, "gate"), "").unwrap();
        let InFlight::Unknown(words) = inquire(&place, &first) else {
            panic!("{}: known", place.shell)
        };
        assert!(words.contains("power failure"), "{words}");
        assert!(start(&place, &first).is_err(), "{}", place.shell);
        // A person has decided to run it again.
        let second = Launch {
            attempt: 2,
            ..first
        };
        run(&place, &second);
    }
}

#[test]
fn how_the_last_command_of_a_connection_ended_is_put_on_the_disk_when_nobody_asks_any_more() {
    for place in places() {
        let connection = place.connect();
        let (before, last) = (launch("before", "true"), launch("last", "exit 2"));
        for one in [&before, &last] {
            connection
                .launch(one, &SilentSink, &Cancel::default())
                .unwrap();
        }
        drop(connection);
        wait_for("the line that says so", || {
            record(&place, &last).ends_with("\nsafe\n")
        });
    }
}

#[test]
fn how_a_command_ended_that_nobody_follows_any_more_is_put_on_the_disk() {
    for place in places() {
        let release = place.file("release");
        let text = format!(
            "until [ -e {} ]; do sleep 0.02; done; exit 5",
            release.display()
        );
        let long = launch("long", &text);
        let cancel = Cancel::default();
        std::thread::scope(|scope| {
            let engine = scope.spawn(|| place.connect().launch(&long, &SilentSink, &cancel));
            wait_for("the command to begin", || {
                !field(&place, &long, "job").is_empty()
            });
            cancel.request();
            cancel.request();
            assert!(engine.join().unwrap().is_err());
        });
        assert_eq!(inquire(&place, &long), InFlight::Running, "{}", place.shell);
        std::fs::write(&release, "").unwrap();
        wait_for("the line that says so", || {
            record(&place, &long).ends_with("exit 5\nsafe\n")
        });
        let InFlight::Ended(output) = inquire(&place, &long) else {
            panic!("{}", place.shell)
        };
        assert_eq!(output.exit, Exit::Code(5));
    }
}

/// The watchdog tells after 50 milliseconds that a command takes longer: here that comes at any point of its end. A
/// long input is given to a shell of its own, and a wrapper beside it.
fn ends_at_any_moment(input: usize) {
    for place in places() {
        let connection = place.connect();
        for round in 0..30u32 {
            let pause = Duration::from_millis(35 + u64::from(round));
            let (code, signal) = (round + 1, round % 3 == 2);
            let end = if signal {
                "kill -9 $$".into()
            } else {
                format!("exit {code}")
            };
            let text = format!("echo out; sleep {}; {end}", pause.as_secs_f64());
            let mut one = launch(&format!("moment{round}"), &text);
            one.command.stdin = Some(vec![b'x'; input]);
            let ended = connection.launch(&one, &SilentSink, &Cancel::default());
            let Ok(Completion::Ended(output)) = ended else {
                panic!("{} {round}: {ended:?}", place.shell)
            };
            let expected = match signal {
                true => Exit::Signal(9),
                false => Exit::Code(code.cast_signed()),
            };
            assert_eq!(output.exit, expected, "{} {round}", place.shell);
            assert_eq!(output.stdout.bytes, b"out\n", "{} {round}", place.shell);
        }
    }
}

#[test]
fn the_status_of_a_command_that_ends_when_it_is_handed_over_is_its_own() {
    ends_at_any_moment(0);
}

#[test]
fn the_status_of_a_command_that_ends_when_its_wrapper_is_followed_is_its_own() {
    ends_at_any_moment(40 << 10);
}

#[test]
fn a_command_of_an_earlier_version_has_an_unknown_outcome() {
    for place in places() {
        run(&place, &launch("other", "true"));
        let old = launch("old", "true");
        let directory = place.file(&format!("markers/ops/{}.1", old.marker));
        std::fs::create_dir(&directory).unwrap();
        std::fs::write(directory.join("gate"), "start\n").unwrap();
        let InFlight::Unknown(words) = inquire(&place, &old) else {
            panic!("{}", place.shell)
        };
        assert!(words.contains("earlier version"), "{words}");
        assert!(start(&place, &old).is_err());
        let epochs = place.file(&format!("markers/ops/{}.epoch", old.marker));
        std::fs::create_dir(&epochs).unwrap();
        let connection = place.connect();
        connection
            .forget(std::slice::from_ref(&old.marker))
            .unwrap();
        assert!(!directory.exists() && !epochs.exists(), "{}", place.shell);
    }
}

#[test]
fn nothing_of_the_exchange_reaches_the_command() {
    for place in places() {
        let mut one = launch("open", "");
        one.command = Command::argv(["sh", "-c", "ls /proc/$$/fd; :"]);
        let output = run(&place, &one);
        let text = output.stdout.text();
        let open: Vec<u32> = text.lines().filter_map(|fd| fd.parse().ok()).collect();
        // Its three streams. What shells keep for themselves, and what the tests were started with, is higher.
        let ours = open.iter().filter(|fd| (3..10).contains(*fd)).count();
        assert!(open.contains(&2) && ours == 0, "{}: {open:?}", place.shell);
    }
}
