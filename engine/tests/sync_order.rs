//! The order of syncs and effects, as the kernel sees it: a kill shows nothing of it, because what was written and not
//! synced survives a kill. The program runs with a library preloaded that logs the journal's writes and syncs, and
//! the directories that its commands make.
#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Builds the library to preload.
fn preload(directory: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/sim/sync_log.c");
    let library = directory.join("sync_log.so");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&library)
        .arg(source)
        .arg("-ldl")
        .output()
        .expect("the C compiler that builds SQLite is there");
    assert!(
        compiled.status.success(),
        "{}",
        String::from_utf8_lossy(&compiled.stderr)
    );
    library
}

/// One line of the log that matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    /// The write-ahead log was written.
    Write,
    /// It was synced.
    Sync,
    /// A command had its effect.
    Effect(usize),
}

fn event(line: &str) -> Option<Event> {
    let (what, path) = line.split_once(' ')?;
    match what {
        "write" if path.ends_with("journal.db-wal") => Some(Event::Write),
        "sync" if path.ends_with("journal.db-wal") => Some(Event::Sync),
        "effect" => path
            .rsplit_once("effect-")?
            .1
            .parse()
            .ok()
            .map(Event::Effect),
        _ => None,
    }
}

const EFFECTS: usize = 6;

/// What happened in a run of as many commands, one after the other, each with its effect.
fn events() -> Vec<Event> {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let mut book =
        String::from("runbook #{ title: \"order\" };\nlet here = host(\"localhost\");\n");
    for nth in 1..=EFFECTS {
        let path = at(&format!("effect-{nth}"));
        // What is observed before a command must be durable with its intent.
        book.push_str(&format!(
            "let seen = here.probe(\"echo {nth}\");\nhere.run([\"mkdir\", \"{}\"]);\n",
            path.display()
        ));
    }
    std::fs::write(at("book.rhai"), book).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_runbook"))
        .args(["run", "book.rhai", "--yes"])
        .current_dir(directory.path())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", directory.path())
        .env("RUNBOOK_STATE_DIR", at("state"))
        .env("LD_PRELOAD", preload(directory.path()))
        .env("SYNC_LOG", at("log"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let log = std::fs::read_to_string(at("log")).unwrap();
    log.lines().filter_map(event).collect()
}

#[test]
fn every_intent_is_synced_before_its_effect_and_every_outcome_before_the_next_intent() {
    let events = events();
    let mut effects = Vec::new();
    let (mut syncs, mut unsynced) = (0, false);
    for event in &events {
        match event {
            Event::Write => unsynced = true,
            Event::Sync => {
                // A sync of nothing new promises nothing.
                syncs += usize::from(unsynced);
                unsynced = false;
            }
            Event::Effect(nth) => {
                assert!(
                    !unsynced,
                    "effect {nth} began while the journal had writes that were not synced"
                );
                effects.push((*nth, syncs));
                syncs = 0;
            }
        }
    }
    let seen: Vec<usize> = effects.iter().map(|(nth, _)| *nth).collect();
    assert_eq!(seen, (1..=EFFECTS).collect::<Vec<_>>(), "{events:?}");
    for (nth, before) in &effects {
        // The outcome of the command before, then this one's intent.
        let wanted = if *nth == 1 { 1 } else { 2 };
        assert!(
            *before >= wanted,
            "{before} syncs between effect {} and effect {nth}, {wanted} are the least",
            nth - 1
        );
    }
    assert!(
        syncs >= 1 && !unsynced,
        "the last outcome was not synced: {syncs}, {unsynced}"
    );
}
