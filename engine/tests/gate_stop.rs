//! A launched command that is stopped, through each shell of this machine: it ends with its process group, how it ended
//! is known, and one that had not begun never will.

mod support;

use runbook::transport::{Actor, Cancel, Exit, InFlight, Launch, SilentSink};
use support::launches::{alive, detached as launch, wait_for};
use support::shells::{Place, places};

/// Starts it, waits until it has made the file `up`, and stops it.
fn stopped(place: &Place, launch: &Launch) -> InFlight {
    let here = place.connect();
    here.launch(launch, &SilentSink, &Cancel::default())
        .unwrap();
    wait_for("the command to begin", || place.file("up").exists());
    here.stop(&launch.marker, launch.attempt, &Cancel::default())
        .unwrap()
}

#[test]
fn a_command_ends_with_its_group_and_how_it_ended_is_known() {
    for place in places() {
        let text = format!(
            "cd {}; (trap '' TERM; sleep 50) & echo $! >deaf; sleep 50 & echo $! >child; echo said; touch up; sleep 50",
            place.file("").display()
        );
        let launch = launch("long", &text);
        let answer = stopped(&place, &launch);
        let InFlight::Ended(output) = &answer else {
            panic!("{}: {answer:?}", place.shell);
        };
        assert_eq!(output.exit, Exit::Signal(15), "{}", place.shell);
        assert_eq!(output.stdout.bytes, b"said\n", "{}", place.shell);
        for child in ["deaf", "child"] {
            let pid = std::fs::read_to_string(place.file(child)).unwrap();
            assert!(!alive(&pid), "{}: {child} still runs", place.shell);
        }
        // It is what it is, however often somebody asks.
        let again = place.connect();
        assert_eq!(again.inquire(&launch.marker, 1).unwrap(), answer);
        assert_eq!(
            again.stop(&launch.marker, 1, &Cancel::default()).unwrap(),
            answer
        );
    }
}

#[test]
fn one_that_tidies_up_says_itself_how_it_ended() {
    for place in places() {
        let text = format!(
            "cd {}; trap 'echo tidied; exit 4' TERM; touch up; while :; do sleep 0.1; done",
            place.file("").display()
        );
        let InFlight::Ended(output) = stopped(&place, &launch("tidy", &text)) else {
            panic!("{}", place.shell);
        };
        assert_eq!(
            (output.exit, &*output.stdout.bytes),
            (Exit::Code(4), &b"tidied\n"[..])
        );
    }
}

#[test]
fn one_that_had_not_begun_never_will() {
    for place in places() {
        let launch = launch("never", &format!("touch {}", place.file("up").display()));
        let here = place.connect();
        let stopped = here.stop(&launch.marker, 1, &Cancel::default());
        assert_eq!(stopped.unwrap(), InFlight::NeverRan, "{}", place.shell);
        assert!(
            here.launch(&launch, &SilentSink, &Cancel::default())
                .is_err()
        );
        assert!(!place.file("up").exists(), "{}", place.shell);
    }
}
