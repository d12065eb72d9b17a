//! Real processes, real sshd: a run that is killed at any boundary of its journal, or loses its connection in
//! the middle of a command, is resumed to the same end, with every effect exactly once.

mod support;

#[path = "support/bench.rs"]
mod bench;
#[path = "support/kills.rs"]
mod kills;

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use bench::said;
use kills::Trial;
use support::sshd::Sshd;

/// How many records an uninterrupted run has.
fn records(sshd: &Sshd) -> usize {
    let trial = Trial::new(sshd);
    let whole = trial.start(None);
    assert!(whole.status.success(), "{}", said(&whole));
    trial.judge("not killed");
    let operations = trial.operations().len();
    assert!(operations >= 50, "only {operations} operations");
    trial.records().len()
}

/// Kills at each of these points; gives how many of them there were.
fn kill_at(sshd: &Sshd, points: &[String]) -> usize {
    let (next, kills) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|threads| {
        for _ in 0..3 {
            threads.spawn(|| {
                while let Some(at) = points.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let killed = Trial::new(sshd).killed_at(at);
                    kills.fetch_add(usize::from(killed), Ordering::SeqCst);
                }
            });
        }
    });
    kills.into_inner()
}

#[test]
fn killed_at_some_records_over_ssh_it_resumes_to_the_same_end() {
    let Some(sshd) = Sshd::start("MaxSessions 100") else {
        return;
    };
    let last = records(&sshd);
    // Spread over the whole run, every other one before the record instead of after it.
    let spread = (0..4).map(|nth| {
        let at = 2 + nth * (last - 3) / 3;
        format!("{at}{}", if nth % 2 == 0 { "" } else { "-" })
    });
    // And before the very first one, where there is nothing yet to resume.
    let points: Vec<String> = std::iter::once("1-".to_owned()).chain(spread).collect();
    let kills = kill_at(&sshd, &points);
    assert!(kills >= 4, "only {kills} of {points:?} killed the run");
}

#[test]
#[ignore = "heavy: some 600 runs; .ci/proofs does a part"]
fn killed_at_every_boundary_over_ssh_three_times_it_resumes_to_the_same_end() {
    let Some(sshd) = Sshd::start("MaxSessions 100") else {
        return;
    };
    let begin = Instant::now();
    let last = records(&sshd);
    let rounds: usize = std::env::var("RUNBOOK_KILL_ROUNDS")
        .map_or(3, |rounds| rounds.parse().expect("a number of rounds"));
    // A part of them: every n-th, another part each day.
    let every: usize = std::env::var("RUNBOOK_KILL_EVERY")
        .map_or(1, |every| every.parse().expect("a number of points"));
    let day = jiff::Timestamp::now().as_second() as usize / 86_400;
    let points: Vec<String> = (0..rounds)
        .flat_map(|_| (1..=last).flat_map(|at| [format!("{at}-"), at.to_string()]))
        .skip(day % every)
        .step_by(every)
        .collect();
    let kills = kill_at(&sshd, &points);
    println!(
        "{kills} kills at {} points ({rounds} rounds over {last} records) in {:.0?}",
        points.len(),
        begin.elapsed()
    );
    // A few records more or less are the parallel branches' doing; so is a group that is written as one.
    assert!(
        kills * 10 >= points.len() * 9,
        "only {kills} of {} points killed the run",
        points.len()
    );
}

/// What is seen of an operation in the stream of events.
fn is(event: &str, word: &str, summary: &str) -> bool {
    let Ok(event) = serde_json::from_str::<serde_json::Value>(event) else {
        return false;
    };
    event["event"] == word
        && event["summary"]
            .as_str()
            .is_some_and(|s| s.contains(summary))
}

#[test]
fn a_connection_that_dies_during_every_step_costs_nothing() {
    let Some(sshd) = Sshd::start("MaxSessions 100") else {
        return;
    };
    let trial = Trial::new(&sshd);
    // The server's side of each connection is killed whenever one of these operations begins.
    let mut fatal = vec![
        "echo b ",
        "echo e ",
        "tee",
        "echo n1-2",
        "echo n3-3",
        "echo y ",
    ];
    let mut run = trial
        .starting(None)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let stdout = BufReader::new(run.stdout.take().unwrap());
    for event in stdout.lines().map(Result::unwrap) {
        fatal.retain(|summary| {
            let hit = is(&event, "operation_started", summary);
            if hit {
                sshd.drop_connections();
            }
            !hit
        });
    }
    let status = run.wait().unwrap();
    // The run may stop at any of them; what it had seen by then was deadly.
    assert!(fatal.len() < 6, "no connection was killed");
    // Where the loss was seen before anything could be asked, the run stops and says that it can go on.
    let mut resumed = 0;
    let mut done = status.success();
    while !done && resumed < 8 {
        let output = trial.resume();
        assert!(
            matches!(output.status.code(), Some(0 | 4)),
            "{}",
            said(&output)
        );
        done = output.status.success();
        resumed += 1;
    }
    assert!(done, "{status}");
    trial.judge("with lost connections");
}

#[test]
fn an_engine_and_its_connection_killed_in_the_middle_of_a_command_find_its_outcome_on_the_host() {
    use std::os::unix::process::ExitStatusExt;
    let Some(sshd) = Sshd::start("MaxSessions 100") else {
        return;
    };
    let trial = Trial::new(&sshd);
    let place = trial.bench.path().to_owned();
    trial.bench.write(
        "one.rhai",
        &format!(
            r#"runbook #{{ title: "One command" }};
let node = hosts("web")[0];
step "Slow" {{
    let said = node.run("echo begun; echo ran >> {0}/effects; while ! test -e {0}/go; do sleep 0.05; done; echo finished; exit 7", #{{ expect_exit: 7 }});
    node.file("{0}/said").write(said.stdout + said.exit);
}}"#,
            place.display()
        ),
    );
    let mut engine = trial
        .bench
        .command(&["run", "one.rhai", "-i", "hosts.yaml"])
        .env("TMPDIR", &place)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begin = Instant::now();
    while !place.join("effects").exists() {
        assert!(begin.elapsed().as_secs() < 60, "the command never began");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    engine.kill().unwrap();
    assert_eq!(engine.wait().unwrap().signal(), Some(9));
    sshd.drop_connections();
    // Nobody listens now. The command goes on and ends by itself.
    std::fs::write(place.join("go"), "").unwrap();
    let resumed = trial.resume();
    assert!(resumed.status.success(), "{}", said(&resumed));
    let effects = std::fs::read_to_string(place.join("effects")).unwrap();
    assert_eq!(effects, "ran\n", "exactly once");
    assert_eq!(
        std::fs::read_to_string(place.join("said")).unwrap(),
        "begun\nfinished\n7",
        "its output and its exit status"
    );
}

#[test]
fn a_run_that_is_killed_after_its_last_record_leaves_no_markers() {
    use std::os::unix::process::ExitStatusExt;
    let once = |crash_at: Option<String>| {
        let trial = Trial::local();
        trial.bench.write(
            "one.rhai",
            "runbook #{ title: \"One\" };\nstep \"s\" { host(\"localhost\").run(\"true\"); }\n",
        );
        let mut command = trial.bench.command(&["run", "one.rhai"]);
        if let Some(at) = crash_at {
            command.env("RUNBOOK_CRASH_AT", at);
        }
        let output = command.output().unwrap();
        (trial, output)
    };
    let (whole, output) = once(None);
    assert!(output.status.success(), "{}", said(&output));
    let (killed, output) = once(Some(whole.records().len().to_string()));
    assert_eq!(output.status.signal(), Some(9), "{}", said(&output));
    let over = killed.resume();
    assert!(
        said(&over).contains("there is no run to resume"),
        "{}",
        said(&over)
    );
    assert!(killed.bench.markers().is_empty());
}
