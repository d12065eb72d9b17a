//! The gate through real shells of this machine: at most once, whatever dies.

mod support;

use std::sync::Mutex;
use std::time::Duration;

use runbook::transport::{
    Actor, Cancel, Command, Completion, Exit, InFlight, Launch, OUTPUT_LIMIT, OutputSink,
    SilentSink, Stream, TransportError,
};
use support::launches::{alive, detached, inquire, launch, marker, run, start, wait_for};
use support::markers::{field, file, record};
use support::shells::places;

#[derive(Default)]
struct Recorder(Mutex<(Vec<u8>, Vec<u8>)>);

impl OutputSink for Recorder {
    fn output(&self, stream: Stream, bytes: &[u8]) {
        let mut both = self.0.lock().unwrap();
        match stream {
            Stream::Stdout => both.0.extend_from_slice(bytes),
            Stream::Stderr => both.1.extend_from_slice(bytes),
        }
    }
}

#[test]
fn a_launch_gives_status_and_output() {
    for place in places() {
        for (name, text, exit) in [
            ("zero", "exit 0", Exit::Code(0)),
            ("missing", "exit 127", Exit::Code(127)),
            ("last", "exit 255", Exit::Code(255)),
            ("like-a-signal", "exit 137", Exit::Code(137)),
            ("killed", "kill -9 $$", Exit::Signal(9)),
        ] {
            let text = format!("printf 'a\\377\\n'; echo b >&2; {text}");
            let output = run(&place, &launch(name, &text));
            assert_eq!(output.exit, exit, "{}", place.shell);
            assert_eq!(output.stdout.bytes, b"a\xff\n");
            assert_eq!(output.stderr.bytes, b"b\n", "{}", place.shell);
        }
        let mut cat = launch("cat", "");
        cat.command = Command {
            stdin: Some((0..=255).cycle().take(200_000).collect()),
            ..Command::argv([
                "sh",
                "-c",
                r#"cat; printf '%s|%s|' "$1" "$V" >&2; env | grep -E 'RUNBOOK_(WORDS|EXPORTS|SU|SWEEP|UMASK|JOB)' >&2; umask >&2"#,
                "x",
                "it's\n$(id)",
            ])
        };
        cat.command.env.insert("V".into(), "a 'b'\n".into());
        let recorder = Recorder::default();
        let completion = place
            .connect()
            .launch(&cat, &recorder, &Cancel::default())
            .unwrap();
        let Completion::Ended(output) = completion else {
            panic!("not detached")
        };
        let both = recorder.0.into_inner().unwrap();
        assert!(
            output.stdout.bytes == cat.command.stdin.unwrap(),
            "{}",
            place.shell
        );
        assert!(
            output.stderr.text().starts_with("it's\n$(id)|a 'b'\n|0"),
            "{output:?}"
        );
        assert!(
            !output.stderr.text().contains("RUNBOOK"),
            "{:?}",
            output.stderr.text()
        );
        assert!(!output.stderr.text().contains("077"), "our umask shows");
        assert!(both.0 == output.stdout.bytes && both.1 == output.stderr.bytes);
    }
}

#[test]
fn large_output_is_capped_and_counted() {
    for place in places() {
        let output = run(&place, &launch("large", "head -c 10485760 /dev/zero"));
        assert_eq!(output.stdout.bytes.len(), OUTPUT_LIMIT);
        assert_eq!(output.stdout.dropped, 10_485_760 - OUTPUT_LIMIT as u64);
    }
}

#[test]
fn the_same_attempt_never_runs_twice() {
    for place in places() {
        let counter = place.file("counter");
        let text = format!("echo ran >>{}", counter.display());
        run(&place, &launch("once", &text));
        let again = start(&place, &launch("once", &text));
        assert!(
            matches!(again, Err(TransportError::Refused { .. })),
            "{again:?}"
        );
        assert_eq!(std::fs::read_to_string(&counter).unwrap(), "ran\n");
        let next = Launch {
            attempt: 2,
            ..launch("once", &text)
        };
        run(&place, &next);
        assert_eq!(std::fs::read_to_string(&counter).unwrap(), "ran\nran\n");
        assert!(matches!(inquire(&place, &next), InFlight::Ended(_)));
    }
}

#[test]
fn what_was_asked_for_first_never_runs() {
    for place in places() {
        let counter = place.file("counter");
        let late = launch("late", &format!("echo ran >>{}", counter.display()));
        assert_eq!(inquire(&place, &late), InFlight::NeverRan);
        assert_eq!(inquire(&place, &late), InFlight::NeverRan);
        let refused = start(&place, &late);
        assert!(
            matches!(refused, Err(TransportError::Refused { .. })),
            "{refused:?}"
        );
        assert!(!counter.exists());
    }
}

#[test]
fn a_race_for_the_gate_has_one_winner() {
    for place in places() {
        for round in 0..6 {
            let counter = place.file(&format!("counter{round}"));
            let contested = detached(
                &format!("race{round}"),
                &format!("echo ran >>{}", counter.display()),
            );
            let (started, revoked) = std::thread::scope(|scope| {
                let launchers: Vec<_> = (0..4)
                    .map(|_| scope.spawn(|| start(&place, &contested).is_ok()))
                    .collect();
                let askers: Vec<_> = (0..3)
                    .map(|asker| {
                        let (place, contested) = (&place, &contested);
                        scope.spawn(move || {
                            std::thread::sleep(Duration::from_millis(asker * 15 + round * 8));
                            inquire(place, contested) == InFlight::NeverRan
                        })
                    })
                    .collect();
                let started = launchers
                    .into_iter()
                    .filter(|_| true)
                    .map(|l| l.join().unwrap())
                    .filter(|s| *s)
                    .count();
                let revoked = askers
                    .into_iter()
                    .map(|a| a.join().unwrap())
                    .filter(|r| *r)
                    .count();
                (started, revoked)
            });
            if started == 1 {
                assert_eq!(revoked, 0, "{}: started and called off", place.shell);
                wait_for("the end", || {
                    matches!(inquire(&place, &contested), InFlight::Ended(_))
                });
                assert_eq!(
                    std::fs::read_to_string(&counter).unwrap(),
                    "ran\n",
                    "{}",
                    place.shell
                );
            } else {
                assert_eq!(started, 0, "{}", place.shell);
                assert!(revoked > 0, "{}", place.shell);
                assert!(!counter.exists(), "{}: ran though called off", place.shell);
            }
        }
    }
}

#[test]
fn it_outlives_the_engine_and_is_attached_again() {
    for place in places() {
        let release = place.file("release");
        let text = format!(
            "echo first; echo trouble >&2; until [ -e {} ]; do sleep 0.05; done; printf 'last\\n'; exit 7",
            release.display()
        );
        let long = launch("long", &text);
        let cancel = Cancel::default();
        std::thread::scope(|scope| {
            let engine = scope.spawn(|| place.connect().launch(&long, &SilentSink, &cancel));
            wait_for("the gate", || file(&place, &long, "gate").exists());
            std::thread::sleep(Duration::from_millis(200));
            cancel.request();
            cancel.request();
            let stopped = engine.join().unwrap();
            assert!(
                matches!(stopped, Err(TransportError::Interrupted)),
                "{stopped:?}"
            );
        });
        assert_eq!(inquire(&place, &long), InFlight::Running, "{}", place.shell);
        let recorder = Recorder::default();
        let completion = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(300));
                std::fs::write(&release, "").unwrap();
            });
            place
                .connect()
                .attach(&long, (4, 0), &recorder, &Cancel::default())
                .unwrap()
        });
        let Completion::Ended(output) = completion else {
            panic!("{completion:?}")
        };
        assert_eq!(
            (output.exit, output.stdout.text().as_str()),
            (Exit::Code(7), "first\nlast\n")
        );
        assert_eq!(output.stderr.text(), "trouble\n");
        let both = recorder.0.into_inner().unwrap();
        assert_eq!(String::from_utf8(both.0).unwrap(), "t\nlast\n");
        assert_eq!(inquire(&place, &long), InFlight::Ended(output));
    }
}

#[test]
fn a_killed_wrapper_is_an_unknown_outcome() {
    for place in places() {
        let long = detached("killed", "sleep 30");
        assert_eq!(start(&place, &long).unwrap(), Completion::Started);
        wait_for("the job", || !field(&place, &long, "job").is_empty());
        let wrapper = field(&place, &long, "pid");
        let killed = std::process::Command::new("kill")
            .args(["-9", &wrapper])
            .status()
            .unwrap();
        assert!(killed.success());
        wait_for("its death", || !alive(&wrapper));
        let InFlight::Unknown(words) = inquire(&place, &long) else {
            panic!("{}", place.shell)
        };
        let job = field(&place, &long, "job");
        assert!(
            words.contains("killed") && words.contains(job.trim()),
            "{words}"
        );
        let attached = place
            .connect()
            .attach(&long, (0, 0), &SilentSink, &Cancel::default());
        assert!(
            matches!(attached, Err(TransportError::Lost { .. })),
            "{attached:?}"
        );
        let _ = std::process::Command::new("kill")
            .args(["-9", "--", &format!("-{}", job.trim())])
            .status();
    }
}

#[test]
fn a_restarted_host_is_an_unknown_outcome() {
    let place = places().remove(0);
    let long = detached("reboot", "sleep 30");
    start(&place, &long).unwrap();
    assert_eq!(inquire(&place, &long), InFlight::Running);
    let gate = file(&place, &long, "gate");
    let text = record(&place, &long);
    let boot = field(&place, &long, "boot");
    std::fs::write(&gate, text.replace(&boot, "another-boot")).unwrap();
    let InFlight::Unknown(words) = inquire(&place, &long) else {
        panic!("known")
    };
    assert!(words.contains("restarted"), "{words}");
    // A process with the same number that was born at another time is not ours.
    let born = field(&place, &long, "born");
    std::fs::write(&gate, text.replace(&format!("born {born}"), "born 1")).unwrap();
    assert!(matches!(inquire(&place, &long), InFlight::Unknown(_)));
    let wrapper = field(&place, &long, "pid");
    let job = field(&place, &long, "job");
    for group in [wrapper.trim(), job.trim()] {
        let _ = std::process::Command::new("kill")
            .args(["-9", "--", &format!("-{group}")])
            .status();
    }
}

#[test]
fn a_timeout_is_kept_by_the_target_alone() {
    // Who is deaf to TERM: the command, or only what it has started.
    for (name, command, child) in [
        ("slow", "trap '' TERM;", ""),
        ("orphan", "", "trap '' TERM;"),
    ] {
        for place in places() {
            let pids = place.file("pids");
            let text = format!(
                "{command} echo early; ({child} sleep 60 & echo $! >>{0}; wait) & echo $! >>{0}; \
                 ({child} while :; do sleep 0.1; done) & echo $! >>{0}; sleep 60; sleep 60",
                pids.display()
            );
            let slow = Launch {
                timeout: Some(Duration::from_secs(1)),
                ..detached(name, &text)
            };
            start(&place, &slow).unwrap();
            let mut last = InFlight::Running;
            wait_for("the end", || {
                last = inquire(&place, &slow);
                last != InFlight::Running
            });
            let InFlight::Ended(output) = last else {
                panic!("{}: {last:?}", place.shell)
            };
            assert_eq!(
                (output.exit, output.stdout.text().as_str()),
                (Exit::TimedOut, "early\n"),
                "{}",
                place.shell
            );
            std::thread::sleep(Duration::from_millis(200));
            for pid in std::fs::read_to_string(&pids).unwrap().lines() {
                assert!(!alive(pid), "{}: {pid} lives", place.shell);
            }
        }
    }
}

#[test]
fn an_older_engine_is_refused() {
    for place in places() {
        run(
            &place,
            &Launch {
                epoch: 12,
                ..launch("fenced", "true")
            },
        );
        let older = Launch {
            epoch: 9,
            attempt: 2,
            ..launch("fenced", "true")
        };
        let refused = start(&place, &older);
        assert!(
            matches!(&refused, Err(TransportError::Refused { why, .. }) if why.contains("epoch 12")),
            "{refused:?}"
        );
        assert_eq!(inquire(&place, &older), InFlight::NeverRan);
        run(
            &place,
            &Launch {
                epoch: 12,
                attempt: 3,
                ..launch("fenced", "true")
            },
        );
    }
}

#[test]
fn markers_are_forgotten() {
    for place in places() {
        run(&place, &launch("a", "true"));
        run(&place, &launch("b", "true"));
        place.connect().forget(&[marker("a")]).unwrap();
        let left: Vec<_> = std::fs::read_dir(place.file("markers/ops"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert!(
            left.iter()
                .all(|name| name.starts_with(marker("b").as_str()))
                && !left.is_empty(),
            "{left:?}"
        );
    }
}

#[test]
fn markers_that_others_could_change_are_refused() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    for place in places() {
        let refused = |words: &str| match start(&place, &launch("x", "true")) {
            Err(TransportError::Refused { why, .. }) => assert!(why.contains(words), "{why}"),
            other => panic!("{}: {other:?}", place.shell),
        };
        std::fs::create_dir_all(place.file("markers/ops")).unwrap();
        std::fs::set_permissions(place.file("markers/ops"), PermissionsExt::from_mode(0o777))
            .unwrap();
        refused("can be written by others");
        std::fs::set_permissions(place.file("markers/ops"), PermissionsExt::from_mode(0o720))
            .unwrap();
        refused("can be written by others");
        std::fs::remove_dir(place.file("markers/ops")).unwrap();
        symlink("/tmp", place.file("markers/ops")).unwrap();
        refused("is a symbolic link");
        std::fs::remove_file(place.file("markers/ops")).unwrap();
        run(&place, &launch("x", "true"));
        let mode = std::fs::metadata(place.file("markers/ops"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}
