//! Undo through the real program: from a step on, stuck and continued, killed anywhere and continued; and what may not
//! follow it.

#[path = "support/bench.rs"]
mod bench;

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;

use bench::{Bench, said, tree};

/// Three steps, each with a file and a command that is undone by another; `end` is what comes last.
fn book(bench: &Bench, end: &str) {
    let text = format!(
        r#"runbook #{{ title: "Three steps", params: #{{ dir: #{{ help: "where" }} }} }};
let dir = param("dir");
let here = host("localhost");
for name in ["one", "two", "three"] {{
    step name {{
        here.file(`${{dir}}/${{name}}.conf`).write("new " + name);
        here.run(sh `echo did ${{name}} >> ${{dir}}/log`, #{{ undo: sh `test ! -e ${{dir}}/stuck-${{name}} && echo undid ${{name}} >> ${{dir}}/log` }});
    }}
}}
{end}
"#
    );
    bench.write("three.rhai", &text);
    std::fs::create_dir(place(bench)).unwrap();
    for name in ["one", "two", "three"] {
        std::fs::write(
            place(bench).join(format!("{name}.conf")),
            format!("old {name}"),
        )
        .unwrap();
    }
}

fn place(bench: &Bench) -> std::path::PathBuf {
    bench.path().join("place")
}

fn run(bench: &Bench, status: i32) -> String {
    let dir = format!("dir={}", place(bench).display());
    bench.exits(status, &["run", "three.rhai", "-e", &dir]);
    bench.newest()
}

fn read(directory: &Path, name: &str) -> String {
    std::fs::read_to_string(directory.join(name)).unwrap_or_default()
}

/// The first words of the three files.
fn files(bench: &Bench) -> [bool; 3] {
    ["one", "two", "three"].map(|name| {
        let text = read(&place(bench), &format!("{name}.conf"));
        assert!(
            text == format!("old {name}") || text == format!("new {name}"),
            "{text:?}"
        );
        text.starts_with("new")
    })
}

const DID: &str = "did one\ndid two\ndid three\n";

#[test]
fn undo_to_a_step_puts_back_from_there_on_and_later_the_rest() {
    let bench = Bench::new();
    book(&bench, "");
    let id = run(&bench, 0);
    let text = bench.exits(64, &["undo", &id, "--to", "tow", "--yes"]);
    assert!(text.contains("did you mean \"two\""), "{text}");
    let text = bench.exits(0, &["undo", &id, "--to", "two", "--dry-run"]);
    assert!(
        text.contains("two.conf") && !text.contains("one.conf"),
        "{text}"
    );
    assert_eq!(files(&bench), [true; 3], "a preview changes nothing");
    bench.exits(0, &["undo", &id, "--to", "two", "--yes"]);
    assert_eq!(files(&bench), [true, false, false]);
    assert_eq!(
        read(&place(&bench), "log"),
        format!("{DID}undid three\nundid two\n")
    );
    // What is put back stays so, and what is not done any more cannot be built upon.
    let text = bench.exits(64, &["resume", &id]);
    assert!(text.contains("undone"), "{text}");
    bench.exits(0, &["undo", &id, "--yes"]);
    assert_eq!(files(&bench), [false; 3]);
    let all = format!("{DID}undid three\nundid two\nundid one\n");
    assert_eq!(read(&place(&bench), "log"), all);
    bench.exits(0, &["undo", &id, "--yes"]);
    assert_eq!(read(&place(&bench), "log"), all, "nothing is undone twice");
}

#[test]
fn a_stuck_undo_goes_on_where_it_was() {
    let bench = Bench::new();
    book(&bench, "");
    let id = run(&bench, 0);
    std::fs::write(place(&bench).join("stuck-two"), "").unwrap();
    let text = bench.exits(1, &["undo", &id, "--yes"]);
    assert!(text.contains("exited with 1"), "{text}");
    // What to do next is to go on with it, here and in what is told of the run.
    for text in [&text, &bench.exits(0, &["status", &id])] {
        assert!(text.contains(&format!("runbook undo {id}")), "{text}");
        assert!(!text.contains("runbook resume"), "{text}");
    }
    assert_eq!(files(&bench), [true, true, false]);
    // Again: a command that failed is not run once more without a person's word.
    let before = tree(bench.path());
    let text = bench.exits(3, &["undo", &id, "--yes"]);
    assert!(text.contains("it is not run again by itself"), "{text}");
    let retry = regex::Regex::new(r"runbook (resolve \S+ [0-9a-f]{16} --retry)").unwrap();
    let retry: Vec<&str> = retry.captures(&text).unwrap().extract::<1>().1[0]
        .split(' ')
        .collect();
    let effects = |tree: Vec<(std::path::PathBuf, Vec<u8>)>| -> Vec<_> {
        let outside = tree
            .into_iter()
            .filter(|(path, _)| !path.starts_with(bench.state()));
        outside.collect()
    };
    assert_eq!(effects(tree(bench.path())), effects(before));
    // By her word it is, and still stuck: what was put back is not put back again.
    bench.exits(0, &retry);
    bench.exits(1, &["undo", &id, "--yes"]);
    assert_eq!(read(&place(&bench), "log"), format!("{DID}undid three\n"));
    std::fs::remove_file(place(&bench).join("stuck-two")).unwrap();
    bench.exits(3, &["undo", &id, "--yes"]);
    bench.exits(0, &retry);
    bench.exits(0, &["undo", &id, "--yes"]);
    assert_eq!(files(&bench), [false; 3]);
    assert_eq!(
        read(&place(&bench), "log"),
        format!("{DID}undid three\nundid two\nundid one\n")
    );
}

#[test]
fn a_stuck_undo_goes_on_by_a_persons_word() {
    let bench = Bench::new();
    book(&bench, "");
    let id = run(&bench, 0);
    std::fs::write(place(&bench).join("stuck-two"), "").unwrap();
    bench.exits(1, &["undo", &id, "--yes"]);
    // Put right by hand.
    let log = read(&place(&bench), "log");
    std::fs::write(place(&bench).join("log"), log + "undid two by hand\n").unwrap();
    let records = bench.run(&["show", &id, "--json"]);
    let stuck = String::from_utf8_lossy(&records.stdout)
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|record| {
            record
                .pointer("/record/undoes")
                .is_some_and(|of| !of.is_null())
        })
        .filter_map(|record| record.pointer("/record/id")?.as_str().map(str::to_owned))
        .next_back()
        .expect("the undo that is stuck is in the journal");
    bench.exits(0, &["resolve", &id, &stuck, "--done", "--why", "by hand"]);
    let text = bench.exits(64, &["resume", &id]);
    assert!(text.contains("undo"), "{text}");
    bench.exits(0, &["undo", &id, "--yes"]);
    assert_eq!(files(&bench), [false; 3]);
    assert_eq!(
        read(&place(&bench), "log"),
        format!("{DID}undid three\nundid two by hand\nundid one\n")
    );
}

/// A run that stopped and is half undone: its recorded results are no longer true, so nothing may be built on them.
#[test]
fn a_run_that_is_partly_undone_is_not_resumed() {
    let bench = Bench::new();
    book(&bench, r#"step "four" { ensure(false, "not yet"); }"#);
    let id = run(&bench, 1);
    std::fs::write(place(&bench).join("stuck-two"), "").unwrap();
    bench.exits(1, &["undo", &id, "--yes"]);
    for words in [
        &["resume", &id][..],
        &["resume"],
        &["resume", &id, "--edited", "--yes"],
    ] {
        let text = bench.exits(64, words);
        assert!(text.contains("undo"), "{words:?}: {text}");
    }
    assert_eq!(files(&bench), [true, true, false]);
    // An undo that was only looked at, or refused at its question, leaves the run as it was.
    let bench = Bench::new();
    book(&bench, r#"step "four" { ensure(false, "not yet"); }"#);
    let id = run(&bench, 1);
    bench.exits(0, &["undo", &id, "--dry-run"]);
    bench.exits(3, &["undo", &id]);
    let text = bench.exits(1, &["resume", &id]);
    assert!(text.contains("not yet"), "{text}");
}

#[test]
fn an_undo_that_is_killed_anywhere_is_continued() {
    let whole = Bench::new();
    book(&whole, "");
    run(&whole, 0);
    let first = whole.records() + 1;
    // Before one record, after the next, and so on.
    for (at, before) in (first..).zip(["-", ""].into_iter().cycle()) {
        let bench = Bench::new();
        book(&bench, "");
        let id = run(&bench, 0);
        let killed = bench
            .command(&["undo", &id, "--yes"])
            .env("RUNBOOK_CRASH_AT", format!("{at}{before}"))
            .output()
            .unwrap();
        if killed.status.signal() != Some(9) {
            assert!(killed.status.success(), "{}", said(&killed));
            assert!(
                at > first + 10,
                "an undo has more records than {}",
                at - first
            );
            return;
        }
        let undone = bench.run(&["undo", &id, "--yes"]);
        assert!(undone.status.success(), "{at}{before}: {}", said(&undone));
        assert_eq!(files(&bench), [false; 3], "{at}{before}");
        assert_eq!(
            read(&place(&bench), "log"),
            format!("{DID}undid three\nundid two\nundid one\n"),
            "{at}{before}"
        );
    }
}
