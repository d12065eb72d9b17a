//! A disk that fails under a run: every call with which the journal is written fails in every way, once and
//! for good. The program stops with a clear error or goes on rightly; without the fault, the run then comes to
//! the same end as one that nothing disturbed, and each command has run once.

#[path = "support/bench.rs"]
mod bench;
#[path = "support/disk.rs"]
mod disk;
#[path = "support/sample_journal.rs"]
mod sample_journal;

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Output};
use std::sync::Mutex;

use bench::{Bench, LAB, said};
use disk::{Fault, Lasts};
use sample_journal::for_each;
use serde_json::Value as Json;

const BOOK: &str = r#"
runbook #{ title: "Small" };
let host = hosts("all")[0];
step "one" {
    host.file("/etc/small.conf").write("a=1\n");
    host.run("systemctl restart k3s-agent");
}
step "two" {
    host.file("/etc/small.conf").set_line("a", 2);
    host.run("touch /etc/touched");
}
"#;

/// What is done while the disk fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scene {
    /// A whole run.
    Run,
    /// The resumption of a run that was killed in its midst.
    Resume,
}

/// One call that fails.
#[derive(Clone, Copy, Debug)]
struct Case {
    scene: Scene,
    call: usize,
    fault: Fault,
    lasts: Lasts,
}

/// A bench with the runbook, and with a killed run where one is to be resumed.
fn set(scene: Scene) -> Bench {
    let bench = Bench::new();
    bench.write("small.rhai", BOOK);
    if scene == Scene::Resume {
        let killed = command(&bench, Scene::Run)
            .env("RUNBOOK_CRASH_AT", "9")
            .output();
        assert_eq!(killed.unwrap().status.signal(), Some(9));
    }
    bench
}

fn command(bench: &Bench, scene: Scene) -> Command {
    match scene {
        Scene::Run => bench.command(&["run", "small.rhai", "--lab", LAB, "--yes"]),
        Scene::Resume => bench.command(&["resume", "--yes"]),
    }
}

/// What must be the same however a run came to its end: files, links, and how often each command ran.
fn end_state(bench: &Bench) -> (Json, Json, Json) {
    let lab = bench.lab();
    let counts = lab["counts"]["commands"].clone();
    let world = bench.world();
    let files: BTreeMap<&str, Json> = world["hosts"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(host, state)| {
            let files = &state["machine"]["files"];
            let content = |path: &str| files[path]["file"][0]["content"].clone();
            let found =
                serde_json::json!([content("/etc/small.conf"), files["/etc/touched"].is_null()]);
            (host.as_str(), found)
        })
        .collect();
    let mut hosts = lab["hosts"].clone();
    for host in hosts.as_array_mut().unwrap() {
        // Since when it is down, by the lab's clock, which goes on with every contact.
        host.as_object_mut().unwrap().remove("kubelet");
    }
    (hosts, counts, serde_json::to_value(files).unwrap())
}

/// The kinds of the calls with which a scene writes its journal, in order.
fn calls(shim: &std::path::Path, scene: Scene) -> Vec<String> {
    let bench = set(scene);
    let mut command = command(&bench, scene);
    disk::load(&mut command, shim, &bench.state());
    let list = bench.path().join("calls");
    let output = command.env("SHIM_CALLS", &list).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let text = std::fs::read_to_string(list).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// Every way in which each call of a scene can fail.
fn cases(shim: &std::path::Path, scene: Scene) -> Vec<Case> {
    let mut cases = Vec::new();
    for (place, kind) in calls(shim, scene).iter().enumerate() {
        let faults: &[(Fault, &[Lasts])] = match kind.as_str() {
            "write" => &[
                (Fault::Error, &[Lasts::Once, Lasts::Sticky]),
                (Fault::NoSpace, &[Lasts::Once, Lasts::Sticky]),
                (Fault::Short, &[Lasts::Once, Lasts::Sticky]),
                (Fault::Full, &[Lasts::Sticky]),
            ],
            "create" | "mkdir" => &[
                (Fault::Error, &[Lasts::Once, Lasts::Sticky]),
                (Fault::NoSpace, &[Lasts::Once, Lasts::Sticky]),
            ],
            _ => &[(Fault::Error, &[Lasts::Once, Lasts::Sticky])],
        };
        for (fault, lasts) in faults {
            cases.extend(lasts.iter().map(|lasts| Case {
                scene,
                call: place + 1,
                fault: *fault,
                lasts: *lasts,
            }));
        }
    }
    cases
}

/// Whether the program itself ended, as it wanted to.
fn ended_by_itself(output: &Output) -> bool {
    // A panic would exit with 101.
    matches!(output.status.code(), Some(code) if code != 101)
}

/// Lets a call fail, then goes on without the fault. Says whether the program went on in spite of it.
fn survives(
    shim: &std::path::Path,
    case: Case,
    wanted: &(Json, Json, Json),
) -> Result<bool, String> {
    let bench = set(case.scene);
    let mut faulty = command(&bench, case.scene);
    disk::load(&mut faulty, shim, &bench.state());
    disk::fail(&mut faulty, case.call, case.fault, case.lasts);
    let output = faulty.output().unwrap();
    let text = said(&output);
    if !ended_by_itself(&output) {
        return Err(format!("{:?}\n{text}", output.status));
    }
    let went_on = output.status.success();
    let clear = text.contains("journal") || text.contains(bench.state().to_str().unwrap());
    if !went_on && !clear {
        return Err(format!("no clear error\n{text}"));
    }
    let rest = come_to_the_end(&bench, case.scene, went_on)
        .map_err(|error| format!("{error}\nafter:\n{text}"))?;
    let end = end_state(&bench);
    if end != *wanted {
        return Err(format!(
            "another end: {}\nwanted: {}\n{rest}\nafter:\n{text}",
            serde_json::json!(end),
            serde_json::json!(wanted)
        ));
    }
    Ok(went_on)
}

/// Without the fault: looks at the journal, and resumes what is not at its end.
fn come_to_the_end(bench: &Bench, scene: Scene, went_on: bool) -> Result<String, String> {
    let runs = bench.state().join("runs");
    let any = std::fs::read_dir(runs).is_ok_and(|mut runs| runs.next().is_some());
    let run = any.then(|| bench.newest());
    let verified = run.as_ref().map(|run| bench.run(&["verify", run]));
    let seen = verified.as_ref().map(said).unwrap_or_default();
    let begun = verified
        .as_ref()
        .is_some_and(|output| output.status.success());
    if !begun {
        let nothing = run.is_none()
            || seen.contains("stopped before its first record")
            || seen.contains("there is no journal");
        if !nothing || went_on || scene == Scene::Resume {
            return Err(format!("verify: {seen}"));
        }
        let anew = command(bench, Scene::Run).output().unwrap();
        return match anew.status.success() {
            true => Ok(seen),
            false => Err(format!("anew: {}", said(&anew))),
        };
    }
    let run = run.expect("it was verified");
    let resumed = bench.run(&["resume", &run, "--yes"]);
    let text = said(&resumed);
    if resumed.status.success() || text.contains("came to its end") {
        return Ok(text);
    }
    Err(format!("resume: {text}"))
}

fn every(scene: Scene, nth: usize) {
    let shim = match disk::shim() {
        Ok(shim) => shim,
        Err(why) => return eprintln!("skipped: {why}"),
    };
    let whole = set(Scene::Run);
    assert!(
        command(&whole, Scene::Run)
            .output()
            .unwrap()
            .status
            .success()
    );
    let wanted = end_state(&whole);
    let once = wanted.1.to_string();
    assert!(once.contains("touch") && !once.contains(":2"), "{once}");
    let all = cases(shim, scene);
    let calls = all.last().map_or(0, |case| case.call);
    // A number that shares no factor with the ways to fail, so that a sample has each of them.
    let cases: Vec<Case> = all.iter().copied().step_by(nth).collect();
    let (stopped, went_on) = (Mutex::new(0), Mutex::new(0));
    let wrong = Mutex::new(Vec::new());
    for_each(cases.len(), |place| {
        let case = cases[place];
        match survives(shim, case, &wanted) {
            Ok(true) => *went_on.lock().unwrap() += 1,
            Ok(false) => *stopped.lock().unwrap() += 1,
            Err(why) => wrong.lock().unwrap().push(format!("{case:?}: {why}")),
        }
    });
    let (stopped, went_on) = (stopped.into_inner().unwrap(), went_on.into_inner().unwrap());
    println!(
        "{scene:?}: {} faults in {calls} calls: {stopped} stopped it with an error, {went_on} did no harm",
        cases.len()
    );
    let wrong = wrong.into_inner().unwrap();
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n\n")
    );
    assert!(stopped > 0 && went_on > 0);
}

#[test]
fn a_call_that_fails_during_a_run_loses_nothing() {
    every(Scene::Run, 13);
}

#[test]
fn a_call_that_fails_during_a_resume_loses_nothing() {
    every(Scene::Resume, 13);
}

#[test]
#[ignore = "every call, every fault: about 1,500 runs"]
fn every_call_that_fails_loses_nothing() {
    every(Scene::Run, 1);
    every(Scene::Resume, 1);
}
