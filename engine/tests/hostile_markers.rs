//! Marker files of a target that say something else than the gate wrote: never taken for an outcome, never kept
//! whole in memory, never the name of something to signal or to open.

mod support;

use std::time::{Duration, Instant};

use runbook::model::{OperationId, OperationKey, RunId};
use runbook::transport::{
    Actor, Cancel, Command, Completion, Exit, InFlight, Launch, OUTPUT_LIMIT, Program, SilentSink,
    TransportError,
};
use support::markers::{file, record};
use support::shells::{Place, places};

fn launch(name: &str) -> Launch {
    Launch {
        marker: OperationId::derive(&RunId::parse("run").unwrap(), 1, &OperationKey(name.into())),
        attempt: 1,
        epoch: 1,
        command: Command {
            program: Program::Shell("echo out; echo err >&2; exit 3".into()),
            ..Command::argv([""])
        },
        timeout: Some(Duration::from_secs(60)),
        detach: false,
    }
}

/// A command that ran to its end, with its markers on the target.
fn ran(place: &Place, name: &str) -> Launch {
    let launch = launch(name);
    let completion = place
        .connect()
        .launch(&launch, &SilentSink, &Cancel::default())
        .unwrap();
    let Completion::Ended(output) = completion else {
        panic!("{completion:?}")
    };
    assert_eq!(output.exit, Exit::Code(3));
    launch
}

/// The record of a command that has ended, up to this line, with another end.
fn rewrite(place: &Place, launch: &Launch, from: &str, end: &[u8]) {
    let kept = record(place, launch);
    let at = kept.find(&format!("\n{from}")).unwrap() + 1;
    let text = [&kept.as_bytes()[..at], end].concat();
    std::fs::write(file(place, launch, "gate"), text).unwrap();
}

fn inquire(place: &Place, launch: &Launch) -> Result<InFlight, TransportError> {
    place.connect().inquire(&launch.marker, 1)
}

/// What a tampered file may say, with a process that the test must not lose.
fn nonsense() -> Vec<Vec<u8>> {
    let mut texts: Vec<Vec<u8>> = [
        "",
        "\n",
        "exit",
        "exit ",
        "exit -1\n",
        "exit 99999999999999999999\n",
        "exit 0\nexit 1\n",
        "exit 0; touch pwned\n",
        "exit $(touch pwned)\n",
        "signal -9\n",
        "signal x\n",
        "lost\n",
        "timeout timeout\n",
        "never\n",
        "running\n",
        "} ended 0 0 exit 0\n",
        "\u{1b}[2J exit 0\n",
        "exit ٣\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into();
    texts.push(b"exit \xff\xfe\n".to_vec());
    texts.push(vec![b'x'; 1 << 20]);
    texts
}

#[test]
fn an_exit_status_that_makes_no_sense_is_an_unknown_outcome() {
    for place in places() {
        let launch = ran(&place, "rc");
        let kept = record(&place, &launch);
        for text in nonsense() {
            rewrite(&place, &launch, "exit 3", &text);
            let shown = String::from_utf8_lossy(&text[..text.len().min(60)]).into_owned();
            let answer = inquire(&place, &launch).unwrap();
            assert!(
                matches!(answer, InFlight::Unknown(_)),
                "{}: {shown:?} became {answer:?}",
                place.shell
            );
            std::fs::write(file(&place, &launch, "gate"), &kept).unwrap();
        }
        assert!(matches!(
            inquire(&place, &launch),
            Ok(InFlight::Ended(output)) if output.exit == Exit::Code(3)
        ));
        assert!(!std::path::Path::new("pwned").exists());
    }
}

#[test]
fn a_gate_that_makes_no_sense_is_never_taken_for_a_command_that_did_not_run() {
    for place in places() {
        let launch = ran(&place, "gate");
        let mut texts = nonsense();
        let here = std::process::id();
        for pid in ["-1", "0 0", "../../etc/passwd", "1;kill", "$(touch pwned)"] {
            texts.push(format!("start\nboot x\nepoch 1\npid {pid}\nborn 1\n").into_bytes());
            texts.push(format!("start\nboot x\nepoch 1\npid {here}\nborn {pid}\n").into_bytes());
        }
        for text in texts {
            std::fs::write(file(&place, &launch, "gate"), &text).unwrap();
            let shown = String::from_utf8_lossy(&text[..text.len().min(60)]).into_owned();
            let answer = inquire(&place, &launch).unwrap();
            assert!(
                matches!(answer, InFlight::Unknown(_)),
                "{}: {shown:?} became {answer:?}",
                place.shell
            );
            // Neither does another attempt to launch pass it.
            let again = place
                .connect()
                .launch(&launch, &SilentSink, &Cancel::default());
            assert!(again.is_err(), "{}: {shown:?}: {again:?}", place.shell);
        }
        assert!(!std::path::Path::new("pwned").exists());
    }
}

#[test]
fn a_job_that_makes_no_sense_is_not_looked_up() {
    for place in places() {
        let launch = ran(&place, "job");
        let kept = record(&place, &launch);
        for text in nonsense() {
            rewrite(&place, &launch, "job ", &[b"job ", &text[..]].concat());
            match inquire(&place, &launch).unwrap() {
                InFlight::Unknown(words) => {
                    assert!(!words.contains("may still run"), "{words}");
                    assert!(words.len() < 1000, "{} bytes", words.len());
                }
                other => panic!("{}: {other:?}", place.shell),
            }
            std::fs::write(file(&place, &launch, "gate"), &kept).unwrap();
        }
    }
}

#[test]
fn other_epochs_are_refused_and_nonsense_is_named() {
    for (epoch, words) in [
        ("2", "newer engine"),
        ("9223372036854775807", "newer engine"),
        ("99999999999999999999999", "newer engine"),
        ("-5", "did not write"),
        ("x", "did not write"),
        ("1 0", "did not write"),
        ("$(touch pwned)", "did not write"),
    ] {
        for place in places() {
            let first = ran(&place, "epoch");
            let text = record(&place, &first).replace("\nepoch 1\n", &format!("\nepoch {epoch}\n"));
            std::fs::write(file(&place, &first, "gate"), text).unwrap();
            let second = Launch {
                attempt: 2,
                ..first
            };
            let refused = place
                .connect()
                .launch(&second, &SilentSink, &Cancel::default());
            match refused {
                Err(TransportError::Refused { why, .. }) => {
                    assert!(why.contains(words), "{}: {epoch:?}: {why}", place.shell)
                }
                other => panic!("{}: {epoch:?}: {other:?}", place.shell),
            }
            assert!(!file(&place, &second, "gate").exists());
        }
    }
    assert!(!std::path::Path::new("pwned").exists());
}

/// How much memory this process has ever used, in KiB (proc_pid_status(5)).
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn marker_files_of_a_gigabyte_are_not_read_whole() {
    for place in places() {
        for name in ["gate", "stdout"] {
            let launch = ran(&place, name);
            std::fs::File::options()
                .write(true)
                .open(file(&place, &launch, name))
                .unwrap()
                .set_len(1 << 30)
                .unwrap();
            let begin = Instant::now();
            let before = peak();
            let answer = inquire(&place, &launch).unwrap();
            let grown = peak() - before;
            assert!(grown < 100 << 10, "{name}: {grown} KiB more");
            assert!(
                begin.elapsed() < Duration::from_secs(60),
                "{name}: {:?}",
                begin.elapsed()
            );
            match (name, answer) {
                // What runbook wrote is at the beginning; some shells pass over the NUL bytes that follow.
                ("gate", InFlight::Ended(output)) => {
                    assert_eq!(output.exit, Exit::Code(3));
                }
                ("stdout", InFlight::Ended(output)) => {
                    assert_eq!(output.stdout.bytes.len(), OUTPUT_LIMIT);
                    assert_eq!(output.stdout.dropped, (1 << 30) - OUTPUT_LIMIT as u64);
                }
                ("gate", InFlight::Unknown(_)) => {}
                (_, other) => panic!("{}: {name}: {other:?}", place.shell),
            }
        }
    }
}
