use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::{Bench, no_cluster, shell};
use crate::lab::fleet::Fault;
use crate::lab::{Lab, LabAccess, LabFleet};
use crate::model::{FileState, TargetPath};
use crate::transport::{
    Cancel, Completion, Exit, InFlight, ObservingFleet as _, SilentSink, TransportError,
};

fn content(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.display().to_string(), std::fs::read(&path).unwrap())
        })
        .collect()
}

#[test]
fn reading_never_writes_a_byte() {
    let bench = Bench::new();
    let before = content(bench.directory.path());
    let empty = tempfile::tempdir().unwrap();
    for directory in [bench.directory.path(), empty.path()] {
        let lab = Lab::open("k3s-double-tunnel", directory, LabAccess::ReadOnly).unwrap();
        assert!(LabFleet::acting(lab.clone(), no_cluster()).is_err());
        let fleet = LabFleet::observing(lab.clone(), no_cluster());
        let observer = fleet.observer(&Bench::target("k3s-agent-1")).unwrap();
        let command = shell("cat /etc/hostname; echo x > /tmp/x; systemctl restart k3s-agent");
        let output = observer
            .probe(&command, Duration::from_secs(5), &Cancel::default())
            .unwrap();
        assert!(
            output.stderr.text().contains("given as a probe"),
            "{output:?}"
        );
        let start = fleet.clock().now();
        fleet
            .clock()
            .sleep(Duration::from_secs(3600), &Cancel::default());
        assert!(
            fleet.clock().now().duration_since(start).as_secs() >= 3600,
            "time passes in memory"
        );
    }
    assert_eq!(content(bench.directory.path()), before);
    assert_eq!(content(empty.path()).len(), 0);
}

#[test]
fn another_process_goes_on_where_this_one_stopped() {
    let bench = Bench::new();
    bench.ok("k3s-agent-1", "echo one > /root/x");
    let other = Lab::open(
        "k3s-double-tunnel",
        bench.directory.path(),
        LabAccess::ReadWrite,
    )
    .unwrap();
    let fleet = LabFleet::acting(other, no_cluster()).unwrap();
    let path = TargetPath::parse("/root/x").unwrap();
    let there = fleet.observer(&Bench::target("k3s-agent-1")).unwrap();
    assert_eq!(there.read_file(&path).unwrap().content().unwrap(), b"one\n");
    bench.ok("k3s-agent-1", "echo two > /root/x");
    assert_eq!(there.read_file(&path).unwrap().content().unwrap(), b"two\n");
}

#[test]
fn a_marker_runs_at_most_once_and_an_inquiry_takes_the_gate() {
    let bench = Bench::new();
    let actor = bench.actor("k3s-agent-1");
    let launch = bench.launch("echo x >> /root/count");
    actor
        .launch(&launch, &SilentSink, &Cancel::default())
        .unwrap();
    let again = actor.launch(&launch, &SilentSink, &Cancel::default());
    assert!(
        matches!(again, Err(TransportError::Refused { .. })),
        "{again:?}"
    );
    assert_eq!(bench.probe("k3s-agent-1", "cat /root/count").1, "x\n");
    let late = bench.launch("echo y >> /root/count");
    assert_eq!(actor.inquire(&late.marker, 1).unwrap(), InFlight::NeverRan);
    assert!(
        actor
            .launch(&late, &SilentSink, &Cancel::default())
            .is_err()
    );
    assert_eq!(
        bench.lab.counts().unwrap().markers[launch.marker.as_str()],
        1
    );
    assert!(
        !bench
            .lab
            .counts()
            .unwrap()
            .markers
            .contains_key(late.marker.as_str())
    );
    let mut old = bench.launch("true");
    old.epoch = 0;
    assert!(
        actor.launch(&old, &SilentSink, &Cancel::default()).is_err(),
        "a lower epoch"
    );
}

#[test]
fn a_detached_command_goes_on_in_virtual_time() {
    let bench = Bench::new();
    let actor = bench.actor("k3s-agent-1");
    let mut launch = bench.launch("sleep 30; echo done");
    launch.detach = true;
    let started = actor
        .launch(&launch, &SilentSink, &Cancel::default())
        .unwrap();
    assert_eq!(started, Completion::Started);
    bench.wait(10);
    assert_eq!(actor.inquire(&launch.marker, 1).unwrap(), InFlight::Running);
    bench.wait(25);
    let InFlight::Ended(output) = actor.inquire(&launch.marker, 1).unwrap() else {
        panic!("it has not ended");
    };
    assert_eq!(
        (output.exit, output.stdout.text()),
        (Exit::Code(0), "done\n".into())
    );
}

#[test]
fn a_time_limit_ends_a_command() {
    let bench = Bench::new();
    let mut launch = bench.launch("sleep 100; echo late");
    launch.timeout = Some(Duration::from_secs(5));
    let ended = bench
        .actor("k3s-agent-1")
        .launch(&launch, &SilentSink, &Cancel::default());
    let Ok(Completion::Ended(output)) = ended else {
        panic!("{ended:?}");
    };
    assert_eq!(
        (output.exit, output.stdout.text()),
        (Exit::TimedOut, String::new())
    );
}

#[test]
fn a_file_is_replaced_only_while_it_is_what_was_read() {
    let bench = Bench::new();
    let actor = bench.actor("k3s-agent-1");
    let path = TargetPath::parse("/etc/rancher/k3s/config.yaml").unwrap();
    let read = actor.read_file(&path).unwrap();
    let FileState::Present(mut image) = read.clone() else {
        panic!();
    };
    assert_eq!(image.mode, 0o600);
    image.content = b"new".to_vec();
    let wanted = FileState::Present(image);
    actor.replace_file(&path, &read, &wanted).unwrap();
    let refused = actor.replace_file(&path, &read, &FileState::Absent);
    assert!(
        matches!(refused, Err(TransportError::Changed { .. })),
        "{refused:?}"
    );
    assert_eq!(actor.read_file(&path).unwrap(), wanted);
}

#[test]
fn a_connection_is_lost_once_after_the_effect_and_a_reboot_loses_what_ran() {
    let bench = Bench::new();
    bench
        .lab
        .change(|world| {
            world
                .faults
                .push(Fault::parse("lose-connection:k3s-agent-1:2").unwrap());
            world
                .faults
                .push(Fault::parse("reboot:k3s-agent-2:2").unwrap());
        })
        .unwrap();
    bench.ok("k3s-agent-1", "true");
    let launch = bench.launch("echo x > /root/x");
    let actor = bench.actor("k3s-agent-1");
    let lost = actor.launch(&launch, &SilentSink, &Cancel::default());
    assert!(matches!(lost, Err(TransportError::Lost { .. })), "{lost:?}");
    assert!(matches!(
        actor.inquire(&launch.marker, 1).unwrap(),
        InFlight::Ended(_)
    ));
    bench.ok("k3s-agent-1", "test -e /root/x");

    let mut detached = bench.launch("sleep 600; echo x");
    detached.detach = true;
    let actor = bench.actor("k3s-agent-2");
    let boot = bench.world(|world| world.hosts["k3s-agent-2"].boot_id.clone());
    actor
        .launch(&detached, &SilentSink, &Cancel::default())
        .unwrap();
    assert!(bench.try_probe("k3s-agent-2", "true").is_err());
    assert!(matches!(
        bench.try_probe("k3s-agent-2", "true").unwrap_err(),
        TransportError::Unreachable { .. }
    ));
    bench.wait(90);
    let gone = actor.inquire(&detached.marker, 1).unwrap();
    assert!(matches!(gone, InFlight::Unknown(_)), "{gone:?}");
    let now = bench
        .probe("k3s-agent-2", "cat /proc/sys/kernel/random/boot_id")
        .1;
    assert_ne!(now.trim(), boot);
    assert_eq!(
        bench
            .probe("k3s-agent-2", "systemctl is-active k3s-agent")
            .0,
        0
    );
}

#[test]
fn the_shell_does_what_a_shell_does() {
    let bench = Bench::new();
    for (text, status, output) in [
        (
            "a='x y'; for w in $a \"$a\"; do printf '%s\\n' \"[$w]\"; done",
            0,
            "[x]\n[y]\n[x y]\n",
        ),
        ("false || echo b && echo c; ! true; echo $?", 0, "b\nc\n1\n"),
        ("echo \"$(echo in | tr i o)${none:-x y}\"", 0, "onx y\n"),
        (
            "if test -f /etc/hostname; then echo yes; else echo no; fi | grep -c yes",
            0,
            "1\n",
        ),
        ("(exit 3); echo $?; exit 4; echo never", 4, "3\n"),
        (
            "set -e; if false; then :; fi; false || echo on; false; echo never",
            1,
            "on\n",
        ),
        (
            "set -u; echo $nothing; echo never",
            2,
            "sh: 1: nothing: parameter not set\n",
        ),
        ("X=1 env | grep ^X=; echo ${X:-unset}", 0, "X=1\nunset\n"),
        (
            "ls /nope 2>/dev/null; echo err >&2 2>/dev/null; echo $?",
            0,
            "0\nerr\n",
        ),
        (
            "cat /sys/class/net/*/mtu | wc -l | head -1 | grep -qE '^[0-9]+$' && echo ok",
            0,
            "ok\n",
        ),
        (
            "printf 'k: \"a\"\\n' | sed -n 's/^k: \"\\(.*\\)\"$/\\1/p'",
            0,
            "a\n",
        ),
    ] {
        assert_eq!(
            bench.probe("k3s-agent-1", text),
            (status, output.to_owned()),
            "{text}"
        );
    }
    let (status, text) = bench.probe("k3s-agent-1", "frobnicate --now");
    assert!(
        status == 127 && text.contains("teach it in a .rhai file"),
        "{text}"
    );
}
