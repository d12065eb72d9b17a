//! State directories in difficult places: a disk that fills up, a disk that cannot be written, and several
//! processes at once.

#[path = "support/bench.rs"]
mod bench;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bench::{Bench, LAB, said};
use runbook::journal::{Journal, StateDirectory, verify};
use runbook::model::RunId;

/// A file system in memory of its own, taken down in the end.
struct Mounted(PathBuf);

impl Mounted {
    /// None, with a message, where this process may not mount.
    fn new(place: &Path, size: &str) -> Option<Self> {
        std::fs::create_dir_all(place).unwrap();
        let options = format!("size={size},mode=700");
        let mounted = mount(&[
            "-t",
            "tmpfs",
            "-o",
            &options,
            "tmpfs",
            place.to_str().unwrap(),
        ]);
        if mounted {
            return Some(Self(place.to_owned()));
        }
        eprintln!("skipped: a disk of its own needs the right to mount one");
        None
    }

    fn again(&self, options: &str) {
        let options = format!("remount,{options}");
        assert!(
            mount(&["-o", &options, self.0.to_str().unwrap()]),
            "{options}"
        );
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn mount(arguments: &[&str]) -> bool {
    let run = Command::new("mount")
        .args(arguments)
        .stderr(Stdio::null())
        .status();
    run.is_ok_and(|status| status.success())
}

/// Writes twenty files of 30 kB on this machine, below `out`, and runs a command after every fifth.
fn large(bench: &Bench) -> PathBuf {
    let out = bench.path().join("out");
    std::fs::create_dir(&out).unwrap();
    bench.write(
        "large.rhai",
        &format!(
            "runbook #{{ title: \"Large\" }};\nlet here = host(\"localhost\");\nlet text = \"x\";\n\
             for i in 0..15 {{ text += text; }}\nstep \"write\" {{\n  for i in 0..20 {{\n    \
             here.file(`{0}/file-${{i}}`).write(text + i);\n    \
             if i % 5 == 0 {{ here.run(`echo ${{i}} >> {0}/effects`); }}\n  }}\n}}\n",
            out.display()
        ),
    );
    out
}

#[test]
fn a_full_disk_stops_the_run_and_space_lets_it_go_on() {
    let bench = Bench::new();
    let Some(disk) = Mounted::new(&bench.state(), "600k") else {
        return;
    };
    let out = large(&bench);
    let text = bench.exits(1, &["run", "large.rhai"]);
    let space = text.contains("is full") || text.contains("No space left");
    assert!(text.contains("journal") && space, "{text}");
    assert!(text.contains("runbook resume"), "{text}");
    let done = std::fs::read_dir(&out).unwrap().count();
    assert!(done > 2 && done < 20, "{done}");
    // Without space nothing goes on, and nothing is lost by trying.
    let again = bench.run(&["resume"]);
    assert_eq!(again.status.code(), Some(1), "{}", said(&again));
    disk.again("size=16m");
    bench.exits(0, &["resume"]);
    bench.exits(0, &["verify", &bench.newest()]);
    let wanted: String = (0..20).step_by(5).map(|nth| format!("{nth}\n")).collect();
    assert_eq!(
        std::fs::read_to_string(out.join("effects")).unwrap(),
        wanted
    );
}

#[test]
fn a_disk_that_cannot_be_written_is_read_and_refused() {
    use std::os::unix::process::ExitStatusExt as _;
    let bench = Bench::new();
    let Some(disk) = Mounted::new(&bench.state(), "16m") else {
        return;
    };
    let out = large(&bench);
    // One closed, one left behind with its log.
    bench.exits(0, &["run", "large.rhai"]);
    let closed = bench.newest();
    let killed = bench
        .command(&["run", "large.rhai"])
        .env("RUNBOOK_CRASH_AT", "20")
        .output()
        .unwrap();
    assert_eq!(killed.status.signal(), Some(9));
    let open = bench.newest();
    assert_ne!(open, closed);
    let effects = std::fs::read(out.join("effects")).unwrap();
    disk.again("ro");
    for run in [&closed, &open] {
        bench.exits(0, &["status", run]);
        bench.exits(0, &["verify", run]);
        let shown = bench.run(&["show", run, "--json"]);
        let records = shown.stdout.iter().filter(|byte| **byte == b'\n').count();
        assert!(shown.status.success() && records >= 20, "{}", said(&shown));
    }
    let listed = bench.exits(0, &["list"]);
    assert!(
        listed.contains(&open) && listed.contains(&closed),
        "{listed}"
    );
    for arguments in [
        &["run", "large.rhai"][..],
        &["resume", &open],
        &["undo", &closed, "--yes"],
    ] {
        let text = bench.exits(1, arguments);
        assert!(text.contains("Read-only file system"), "{text}");
    }
    assert_eq!(std::fs::read(out.join("effects")).unwrap(), effects);
    disk.again("rw");
    bench.exits(0, &["resume", &open]);
}

/// A runbook that takes a while.
fn slow(bench: &Bench) {
    bench.write(
        "slow.rhai",
        "runbook #{ title: \"Slow\" };\nlet agent = hosts(\"all\")[0];\nstep \"write\" {\n  \
         for i in 0..60 { agent.file(`/etc/file-${i}`).write(`${i}\\n`); }\n}\n",
    );
}

fn start(bench: &Bench, arguments: &[&str]) -> Child {
    let mut command = bench.command(arguments);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Reads the newest run in every way until `writer` ends; gives how often, and how the writer ended.
fn read_meanwhile(bench: &Bench, mut writer: Child, at_least: usize) -> (usize, Output) {
    let run = bench.newest();
    let state = StateDirectory::open(bench.state()).unwrap();
    let directory = state.run(&RunId::parse(&run).unwrap());
    let over = AtomicBool::new(false);
    let rounds = AtomicUsize::new(0);
    let ended = std::thread::scope(|threads| {
        threads.spawn(|| {
            let mut seen = at_least;
            while !over.load(Ordering::SeqCst) {
                let records = Journal::read(&directory).unwrap().len();
                assert!(records >= seen, "{records} records after {seen}");
                seen = records;
                let verified = verify(&directory).unwrap().records as usize;
                assert!(verified >= seen, "{verified} verified after {seen}");
                rounds.fetch_add(1, Ordering::SeqCst);
            }
        });
        let mut all_right = true;
        while writer.try_wait().unwrap().is_none() {
            let commands = [
                &["list"][..],
                &["status", &run],
                &["verify", &run],
                &["show", &run],
            ];
            all_right &= commands
                .iter()
                .all(|command| bench.run(command).status.success());
        }
        // Said before any panic, which would leave the other thread reading for ever.
        over.store(true, Ordering::SeqCst);
        assert!(all_right, "a reader failed");
        writer.wait_with_output().unwrap()
    });
    (rounds.into_inner(), ended)
}

#[test]
fn a_run_is_read_while_it_writes_and_while_it_is_resumed() {
    let bench = Bench::new();
    slow(&bench);
    let arguments = ["run", "slow.rhai", "--lab", LAB];
    let writer = start(&bench, &arguments);
    let begun = || {
        let runs = std::fs::read_dir(bench.state().join("runs"));
        let any = runs.is_ok_and(|mut runs| runs.next().is_some());
        any && bench.run(&["status"]).status.success()
    };
    while !begun() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let (rounds, ended) = read_meanwhile(&bench, writer, 1);
    assert!(ended.status.success(), "{}", said(&ended));
    let mut total = rounds;
    // A resume after a kill moves the journal to a fresh file under the readers.
    for point in ["30", "60", "90", "120"] {
        bench.exits(0, &["lab", "reset", LAB]);
        let killed = bench
            .command(&arguments)
            .env("RUNBOOK_CRASH_AT", point)
            .output();
        assert!(!killed.unwrap().status.success());
        let (rounds, ended) =
            read_meanwhile(&bench, start(&bench, &["resume"]), point.parse().unwrap());
        assert!(ended.status.success(), "{}", said(&ended));
        total += rounds;
    }
    println!("read and verified {total} times while runs were written");
    assert!(total > 20);
}

#[test]
fn a_second_run_on_the_same_lab_is_refused_and_names_the_first() {
    let bench = Bench::new();
    bench.write(
        "wait.rhai",
        "runbook #{ title: \"Wait\" };\nstep \"wait\" { host(\"localhost\").run(\"sleep 3\"); }\n",
    );
    let mut first = start(&bench, &["run", "wait.rhai"]);
    let started = || bench.run(&["status"]).status.success();
    while !started() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let text = bench.exits(3, &["run", "wait.rhai"]);
    assert!(text.contains(&bench.newest()), "{text}");
    assert!(text.contains(&format!("process {}", first.id())), "{text}");
    assert!(first.wait().unwrap().success());
    bench.exits(0, &["run", "wait.rhai"]);
}
