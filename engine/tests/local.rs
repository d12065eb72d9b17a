//! Probes and files through real shells of this machine.

mod support;

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::time::{Duration, Instant};

use runbook::model::{FileImage, FileState, TargetPath};
use runbook::transport::{
    Actor, Cancel, Command, Exit, FileKind, LocalTarget, OUTPUT_LIMIT, Observer, Output, Program,
    TransportError,
};
use support::shells::{Place, places};

const LONG: Duration = Duration::from_secs(30);

fn shell(text: &str) -> Command {
    Command {
        program: Program::Shell(text.into()),
        ..Command::argv([""])
    }
}

fn probe(place: &Place, command: &Command) -> Output {
    place
        .connect()
        .probe(command, LONG, &Cancel::default())
        .unwrap()
}

fn path(place: &Place, name: &str) -> TargetPath {
    TargetPath::parse(place.file(name).to_str().unwrap()).unwrap()
}

fn present(content: &[u8], mode: u32) -> FileState {
    FileState::Present(FileImage {
        content: content.into(),
        mode,
        uid: rustix::process::getuid().as_raw(),
        gid: rustix::process::getgid().as_raw(),
        selinux: None,
    })
}

#[test]
fn exit_statuses_are_exact() {
    for place in places() {
        for code in [0, 1, 126, 127, 129, 137, 143, 192, 193, 255] {
            let output = probe(
                &place,
                &shell(&format!("echo out; echo err >&2; exit {code}")),
            );
            assert_eq!(output.exit, Exit::Code(code), "{}", place.shell);
            assert_eq!(output.stdout.bytes, b"out\n", "{}", place.shell);
            assert_eq!(output.stderr.bytes, b"err\n", "{}", place.shell);
        }
        for signal in [9, 15] {
            let output = probe(&place, &shell(&format!("echo out; kill -{signal} $$")));
            assert_eq!(output.exit, Exit::Signal(signal), "{}", place.shell);
            assert_eq!(output.stdout.bytes, b"out\n");
            assert_eq!(output.stderr.bytes, b"", "{}: {output:?}", place.shell);
        }
        let output = probe(&place, &Command::argv(["no-such-program"]));
        assert_eq!(output.exit, Exit::Code(127));
    }
}

#[test]
fn hostile_words_arrive_as_they_are() {
    let words = [
        "-n",
        "--",
        "$(touch /tmp/pwned)",
        "`id`",
        "a'b\"c",
        "line\nfeed",
        "\n",
        "*",
        "",
        "a\\b",
        "é\u{1}\u{7f}",
        "}",
    ];
    for place in places() {
        let mut all = vec!["sh", "-c", r#"for w do printf '%s\0' "$w"; done"#, "x"];
        all.extend(words);
        let output = probe(&place, &Command::argv(all));
        let expected: String = words.iter().map(|word| format!("{word}\0")).collect();
        assert_eq!(output.stdout.text(), expected, "{}", place.shell);
        let dashed = probe(&place, &Command::argv(["-dash"]));
        assert_eq!(dashed.exit, Exit::Code(127), "{}: {dashed:?}", place.shell);
        let nul = place
            .connect()
            .probe(&Command::argv(["echo", "a\0b"]), LONG, &Cancel::default());
        assert!(
            matches!(nul, Err(TransportError::Refused { .. })),
            "{nul:?}"
        );
    }
}

#[test]
fn input_and_environment_reach_the_command() {
    for place in places() {
        let input: Vec<u8> = (0..=255).cycle().take(300_000).collect();
        let output = probe(
            &place,
            &Command {
                stdin: Some(input.clone()),
                ..Command::argv(["cat"])
            },
        );
        assert!(output.stdout.bytes == input, "{}", place.shell);
        assert_eq!(probe(&place, &Command::argv(["cat"])).stdout.bytes, b"");
        // A command that reads nothing of a large input is no failure.
        let deaf = probe(
            &place,
            &Command {
                stdin: Some(vec![b'x'; 4 << 20]),
                ..Command::argv(["true"])
            },
        );
        assert_eq!(deaf.exit, Exit::Code(0));
        let mut command = shell(
            r#"printf '%s|%s|%s' "$A" "$PATH" "$(env | grep -Ec 'RUNBOOK_(WORDS|EXPORTS|SU|SWEEP|UMASK|JOB)')""#,
        );
        command.env.insert("A".into(), "it's $(id)\nhere".into());
        let output = probe(&place, &command);
        assert!(
            output.stdout.text().starts_with("it's $(id)\nhere|"),
            "{output:?}"
        );
        assert!(
            output.stdout.text().ends_with("|0"),
            "our own variables show: {output:?}"
        );
        command.env.insert("B;id".into(), String::new());
        let bad = place.connect().probe(&command, LONG, &Cancel::default());
        assert!(
            matches!(bad, Err(TransportError::Refused { .. })),
            "{bad:?}"
        );
    }
}

#[test]
fn output_is_capped_and_counted() {
    for place in places() {
        let output = probe(
            &place,
            &shell("head -c 10485760 /dev/zero; head -c 2097152 /dev/zero >&2"),
        );
        assert_eq!(output.stdout.bytes.len(), OUTPUT_LIMIT);
        assert_eq!(
            output.stdout.dropped,
            10_485_760 - OUTPUT_LIMIT as u64,
            "{}",
            place.shell
        );
        assert_eq!(output.stderr.dropped, 1 << 20, "{}", place.shell);
    }
}

#[test]
fn a_timeout_kills_the_whole_group() {
    for place in places() {
        let pids = place.file("pids");
        let text = format!(
            "echo early; trap '' TERM; (trap '' TERM; sleep 100 & echo $! >>{0}; wait; sleep 100) & echo $! >>{0}; echo $$ >>{0}; sleep 100; sleep 100",
            pids.display()
        );
        let begin = Instant::now();
        let output = place
            .connect()
            .probe(
                &shell(&text),
                Duration::from_millis(1500),
                &Cancel::default(),
            )
            .unwrap();
        assert_eq!(output.exit, Exit::TimedOut, "{}", place.shell);
        assert_eq!(output.stdout.bytes, b"early\n");
        assert!(
            begin.elapsed() < Duration::from_secs(15),
            "{:?}",
            begin.elapsed()
        );
        std::thread::sleep(Duration::from_millis(300));
        for pid in std::fs::read_to_string(&pids).unwrap().lines() {
            let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            assert!(
                state.is_empty() || state.contains(") Z"),
                "{}: {pid} lives: {state}",
                place.shell
            );
        }
    }
}

#[test]
fn what_escapes_the_group_does_not_hold_the_probe() {
    for place in places() {
        let begin = Instant::now();
        let output = probe(&place, &shell("setsid sleep 7 & sleep 0.1; echo done"));
        assert_eq!(output.stdout.bytes, b"done\n", "{}", place.shell);
        assert!(begin.elapsed() < Duration::from_secs(6), "{}", place.shell);
    }
}

#[test]
fn interruption_at_once_stops_waiting() {
    let place = places().remove(0);
    let cancel = Cancel::default();
    let begin = Instant::now();
    let result = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(200));
            cancel.request();
            std::thread::sleep(Duration::from_millis(200));
            cancel.request();
        });
        place.connect().probe(&shell("sleep 3"), LONG, &cancel)
    });
    assert!(
        matches!(result, Err(TransportError::Interrupted)),
        "{result:?}"
    );
    assert!(
        begin.elapsed() > Duration::from_millis(390) && begin.elapsed() < Duration::from_secs(2)
    );
}

#[test]
fn files_are_read_whole_and_told_apart() {
    for place in places() {
        let here = place.connect();
        let bytes: Vec<u8> = (0..=255).chain(*b"\n\n").cycle().take(100_001).collect();
        for name in ["plain", "-dash", "quo'te \"x\" $(id)", "line\nfeed\n"] {
            std::fs::write(place.file(name), &bytes).unwrap();
            std::fs::set_permissions(place.file(name), PermissionsExt::from_mode(0o4750)).unwrap();
            assert_eq!(
                here.read_file(&path(&place, name)).unwrap(),
                present(&bytes, 0o4750),
                "{} {name:?}",
                place.shell
            );
        }
        symlink("plain", place.file("link")).unwrap();
        assert_eq!(
            here.read_file(&path(&place, "link")).unwrap(),
            present(&bytes, 0o4750)
        );
        assert_eq!(
            here.read_file(&path(&place, "nothing")).unwrap(),
            FileState::Absent
        );
        assert_eq!(
            here.read_file(&path(&place, "plain/below")).unwrap(),
            FileState::Absent
        );
        symlink("gone", place.file("dangling")).unwrap();
        std::fs::File::create(place.file("large"))
            .unwrap()
            .set_len((8 << 20) + 1)
            .unwrap();
        for (name, why) in [
            ("dangling", "does not exist"),
            ("tools", "is a directory"),
            ("large", "has 8388609 bytes"),
        ] {
            match here.read_file(&path(&place, name)) {
                Err(TransportError::Refused { why: said, .. }) => {
                    assert!(said.contains(why), "{said}")
                }
                other => panic!("{other:?}"),
            }
        }
        let device = TargetPath::parse("/dev/null").unwrap();
        assert!(matches!(
            here.read_file(&device),
            Err(TransportError::Refused { .. })
        ));
        // Files of the kernel say that they are empty and are not.
        let kernel = TargetPath::parse("/proc/sys/kernel/ostype").unwrap();
        assert_eq!(
            here.read_file(&kernel).unwrap().content().unwrap(),
            b"Linux\n"
        );
    }
}

#[test]
fn stat_tells_what_is_there() {
    for place in places() {
        let here = place.connect();
        std::fs::write(place.file("f"), "12345").unwrap();
        let real = std::fs::metadata(place.file("f")).unwrap();
        let stat = here.stat(&path(&place, "f")).unwrap().unwrap();
        assert_eq!(
            (stat.kind, stat.size, stat.mode),
            (FileKind::File, 5, real.mode() & 0o7777)
        );
        assert_eq!(
            (stat.uid, stat.gid, stat.modified, stat.inode),
            (real.uid(), real.gid(), real.mtime(), real.ino())
        );
        let device = TargetPath::parse("/dev/null").unwrap();
        assert_eq!(here.stat(&device).unwrap().unwrap().kind, FileKind::Other);
        assert_eq!(
            here.stat(&path(&place, "tools")).unwrap().unwrap().kind,
            FileKind::Directory
        );
        assert_eq!(here.stat(&path(&place, "nothing")).unwrap(), None);
    }
}

/// Puts a program of this name before the system's.
fn instead_of(place: &Place, tool: &str, text: &str) {
    let shim = place.file("tools").join(tool);
    std::fs::write(&shim, text).unwrap();
    std::fs::set_permissions(&shim, PermissionsExt::from_mode(0o755)).unwrap();
}

#[test]
fn a_tool_that_cannot_do_its_work_is_not_a_missing_file() {
    // Busybox takes its own applets, whatever the PATH.
    for place in places().iter().filter(|place| place.shell != "busybox") {
        std::fs::write(place.file("there"), "content\n").unwrap();
        let refused = |connection: &LocalTarget, path: &TargetPath, tool: &str| {
            let said = connection.read_file(path);
            assert!(
                matches!(&said, Err(TransportError::Refused { why, .. })
                    if why.contains(&format!("lacks {tool}"))),
                "{}: {said:?}",
                place.shell
            );
        };
        // As one whose own libraries are missing.
        let broken = "#!/bin/sh\necho 'stat: libc.so.6: No such file or directory' >&2\nexit 127\n";
        instead_of(place, "stat", broken);
        refused(&place.connect(), &path(place, "there"), "stat");
        refused(&place.connect(), &path(place, "absent"), "stat");
        std::fs::remove_file(place.file("tools/stat")).unwrap();

        instead_of(place, "head", "#!/bin/sh\nexit 1\n");
        refused(&place.connect(), &path(place, "there"), "head");
        let absent = place.connect().read_file(&path(place, "absent"));
        assert_eq!(absent.unwrap(), FileState::Absent, "{}", place.shell);
    }
}

fn litter(place: &Place) -> Vec<String> {
    std::fs::read_dir(place.directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with(".runbook"))
        .collect()
}

#[test]
fn a_file_is_made_replaced_and_removed() {
    for place in places() {
        let here = place.connect();
        let file = path(&place, "it's\n");
        let first = present(b"one\n", 0o640);
        let second = present(&[0, 255, 10, 13], 0o4711);
        here.replace_file(&file, &FileState::Absent, &first)
            .unwrap();
        assert_eq!(here.read_file(&file).unwrap(), first, "{}", place.shell);
        here.replace_file(&file, &first, &second).unwrap();
        assert_eq!(here.read_file(&file).unwrap(), second, "{}", place.shell);
        let empty = present(b"", 0o600);
        here.replace_file(&file, &second, &empty).unwrap();
        assert_eq!(here.read_file(&file).unwrap(), empty);
        here.replace_file(&file, &empty, &FileState::Absent)
            .unwrap();
        assert_eq!(here.read_file(&file).unwrap(), FileState::Absent);
        assert_eq!(litter(&place), [""; 0]);
    }
}

#[test]
fn what_changed_meanwhile_is_not_replaced() {
    for place in places() {
        let here = place.connect();
        let file = path(&place, "f");
        let old = present(b"old", 0o644);
        let new = present(b"new", 0o644);
        let changed = |expected: &FileState, wanted: &FileState| {
            let result = here.replace_file(&file, expected, wanted);
            assert!(
                matches!(result, Err(TransportError::Changed { .. })),
                "{}: {result:?}",
                place.shell
            );
        };
        changed(&old, &new);
        std::fs::write(place.file("f"), "other").unwrap();
        std::fs::set_permissions(place.file("f"), PermissionsExt::from_mode(0o644)).unwrap();
        changed(&old, &new);
        changed(&FileState::Absent, &new);
        changed(&old, &FileState::Absent);
        changed(&present(b"other", 0o600), &new);
        assert_eq!(std::fs::read(place.file("f")).unwrap(), b"other");
        assert_eq!(litter(&place), [""; 0]);
    }
}

#[test]
fn links_stay_links() {
    for place in places() {
        let here = place.connect();
        std::fs::create_dir(place.file("d")).unwrap();
        std::fs::write(place.file("d/real"), "old").unwrap();
        std::fs::set_permissions(place.file("d/real"), PermissionsExt::from_mode(0o604)).unwrap();
        symlink("d/real", place.file("link")).unwrap();
        let file = path(&place, "link");
        here.replace_file(&file, &present(b"old", 0o604), &present(b"new", 0o604))
            .unwrap();
        assert!(place.file("link").is_symlink());
        assert_eq!(std::fs::read(place.file("d/real")).unwrap(), b"new");
        assert_eq!(
            std::fs::metadata(place.file("d/real")).unwrap().mode() & 0o7777,
            0o604
        );
        symlink("gone", place.file("dangling")).unwrap();
        let refused = here.replace_file(
            &path(&place, "dangling"),
            &FileState::Absent,
            &present(b"", 0o600),
        );
        assert!(
            matches!(refused, Err(TransportError::Refused { .. })),
            "{refused:?}"
        );
        let refused = here.replace_file(
            &path(&place, "nowhere/f"),
            &FileState::Absent,
            &present(b"", 0o600),
        );
        assert!(
            matches!(refused, Err(TransportError::Refused { .. })),
            "{refused:?}"
        );
    }
}

#[test]
fn of_many_writers_one_wins() {
    for place in places() {
        let file = path(&place, "contested");
        for expected in [FileState::Absent, present(b"w", 0o600)] {
            if expected != FileState::Absent {
                std::fs::write(place.file("contested"), "w").unwrap();
            }
            let wins = std::thread::scope(|scope| {
                let writers: Vec<_> = (0..8)
                    .map(|writer: u8| {
                        let (file, expected, place) = (&file, &expected, &place);
                        scope.spawn(move || {
                            let wanted = present(&[writer; 10], 0o600);
                            place.connect().replace_file(file, expected, &wanted)
                        })
                    })
                    .collect();
                writers
                    .into_iter()
                    .map(|writer| writer.join().unwrap())
                    .filter(|result| match result {
                        Ok(()) => true,
                        Err(TransportError::Changed { .. }) => false,
                        Err(other) => panic!("{other}"),
                    })
                    .count()
            });
            assert_eq!(wins, 1, "{}", place.shell);
            std::fs::set_permissions(place.file("contested"), PermissionsExt::from_mode(0o600))
                .unwrap();
        }
        assert_eq!(litter(&place), [""; 0]);
    }
}
