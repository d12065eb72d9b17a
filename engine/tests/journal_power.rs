//! Power failures: kill -9 leaves in the system's memory what a power failure loses. The calls of real
//! processes that write a journal are recorded, and from every beginning of that record the states of the disk
//! are rebuilt in which any part of what was not synced is missing. Each must open, and hold every record that
//! was confirmed by then.

#[path = "support/disk.rs"]
mod disk;
#[path = "support/power.rs"]
mod power;
#[path = "support/sample_journal.rs"]
mod sample_journal;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use disk::{Fault, Lasts};
use power::{Call, Disk, calls};
use runbook::journal::{Journal, JournalError, RunDirectory, Stored};
use runbook::model::Secrets;
use sample_journal::{
    Random, commit_nth, count, directory, for_each, open, private_directory, private_file, scratch,
};

/// Says to this program that it is the process whose calls are recorded, and what it does.
const ROLE: &str = "RUNBOOK_TEST_WRITER";
const PLACE: &str = "RUNBOOK_TEST_PLACE";
/// Records of each process.
const EACH: u32 = 9;

/// Not a test of its own: the process whose calls are recorded. It says in a file which records were confirmed.
#[test]
fn writing_process() {
    let (Ok(role), Ok(place)) = (std::env::var(ROLE), std::env::var(PLACE)) else {
        return;
    };
    let directory = directory(Path::new(&place));
    let mut confirmed = fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(confirmations(Path::new(&place)))
        .unwrap();
    let mut confirm = |seq: u64| confirmed.write_all(&seq.to_le_bytes()).unwrap();
    let (journal, begun) = match role.as_str() {
        "create" | "create-unclosed" => match Journal::create(&directory, Arc::new(Secrets::new()))
        {
            Ok(journal) => (journal, 0),
            Err(_) => return,
        },
        _ => {
            let Ok((journal, records)) = open(&directory) else {
                return;
            };
            // What a resumed run has seen counts as confirmed.
            confirm(records.len() as u64);
            (journal, records.len() as u32)
        }
    };
    for nth in 0..EACH {
        let next = begun + 1 + nth;
        if role == "open-large" && nth < 4 {
            // Enough for the log to be moved into the database in the midst of the run.
            let blob = journal.store_blob("z".repeat(150_000 + nth as usize).as_bytes());
            assert!(!blob.0.is_empty());
        }
        let record =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| commit_nth(&journal, next)));
        match record {
            Ok(stored) => confirm(stored.seq),
            // The disk failed; the run is over.
            Err(_) => break,
        }
    }
    if role.ends_with("unclosed") {
        // As a kill leaves it; the trace goes on with the next process.
        std::process::exit(0);
    }
}

/// Where a writing process confirms, below the watched directory so that it is in the trace.
fn confirmations(place: &Path) -> PathBuf {
    place.join("state/confirmed")
}

/// What a series of processes did.
struct Recorded {
    calls: Vec<Call>,
    /// What the journal held in the end.
    truth: Vec<Stored>,
    place: PathBuf,
}

/// Records processes that work on one journal one after the other. In the first, the sync with number
/// `failing` fails, if there is one.
fn record(shim: &Path, roles: &[&str], failing: Option<usize>) -> Option<Recorded> {
    let scratch = scratch();
    let place = scratch.path();
    let run = directory(place);
    let trace = place.join("trace");
    for (nth, role) in roles.iter().enumerate() {
        let mut writer = Command::new(std::env::current_exe().unwrap());
        writer
            .args(["--exact", "writing_process"])
            .env(ROLE, role)
            .env(PLACE, place)
            .env("SHIM_TRACE", &trace);
        disk::load(&mut writer, shim, &place.join("state"));
        if let (0, Some(call)) = (nth, failing) {
            disk::fail(&mut writer, call, Fault::Error, Lasts::Once);
        }
        let output = writer.output().unwrap();
        assert!(output.status.success(), "{role}: {output:?}");
    }
    let calls = calls(&fs::read(&trace).unwrap());
    let truth = Journal::read(&run).ok()?;
    Some(Recorded {
        calls,
        truth,
        place: place.to_owned(),
    })
}

/// When the power fails.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    /// After each call.
    AnyTime,
    /// As soon as a record was confirmed.
    OnceConfirmed,
}

/// Tries the states in which the disk may be found; gives the number of different ones.
fn every_state(recorded: &Recorded, when: When, most: usize, seed: u64) -> usize {
    let scratch = scratch();
    let target = directory(scratch.path());
    let run = directory(&recorded.place).path().to_owned();
    let _ = fs::remove_dir_all(&recorded.place);
    let mut disk = Disk::default();
    let mut random = Random(seed);
    let mut confirmed = 0;
    let mut seen = BTreeSet::new();
    for (nth, call) in recorded.calls.iter().enumerate() {
        match call {
            Call::Write(path, _, data) if *path == confirmations(&recorded.place) => {
                confirmed = u64::from_le_bytes(data.as_slice().try_into().unwrap()) as usize;
            }
            call => {
                disk.apply(call);
                if when == When::OnceConfirmed {
                    continue;
                }
            }
        }
        disk.states(most, &mut random, |files| {
            let files = journal_files(&run, &files);
            let mut hash = std::hash::DefaultHasher::new();
            std::hash::Hash::hash(&(&files, confirmed), &mut hash);
            if seen.insert(std::hash::Hasher::finish(&hash)) {
                holds(&target, files.as_ref(), confirmed, &recorded.truth, nth);
            }
        });
    }
    seen.len()
}

/// The files of the run, if its directory reached the disk. The index of the log is rebuilt in any case.
fn journal_files(
    run: &Path,
    files: &BTreeMap<PathBuf, Vec<u8>>,
) -> Option<BTreeMap<String, Vec<u8>>> {
    files.contains_key(run).then(|| {
        let inside = files.iter().filter(|(path, _)| path.parent() == Some(run));
        let named = inside.map(|(path, content)| {
            let name = path.file_name().unwrap().to_str().unwrap();
            (name.to_owned(), content.clone())
        });
        named.filter(|(name, _)| !name.ends_with("-shm")).collect()
    })
}

/// Lays a state down and opens it.
fn holds(
    target: &RunDirectory,
    files: Option<&BTreeMap<String, Vec<u8>>>,
    confirmed: usize,
    truth: &[Stored],
    nth: usize,
) {
    let _ = fs::remove_dir_all(target.path());
    if let Some(files) = files {
        private_directory(target.path());
        for (name, content) in files {
            private_file(&target.path().join(name), content);
        }
    }
    let names = || {
        files.map(|files| {
            files
                .iter()
                .map(|(name, content)| (name.clone(), content.len()))
                .collect::<Vec<_>>()
        })
    };
    match open(target) {
        Ok((_journal, records)) => {
            assert!(
                records.len() >= confirmed,
                "after call {nth}: {} of {confirmed} records, in {:?}",
                records.len(),
                names()
            );
            assert_eq!(records, truth[..records.len()], "after call {nth}");
        }
        Err(JournalError::NeverStarted(_) | JournalError::Missing(_) | JournalError::Io { .. })
            if confirmed == 0 => {}
        Err(error) => panic!(
            "after call {nth}, {confirmed} confirmed: {error}, in {:?}",
            names()
        ),
    }
}

/// Opened and closed in an orderly way, left behind unclosed, large enough to move its log.
const LIVES: [&[&str]; 3] = [
    &["create", "open", "open"],
    &["create-unclosed", "open-unclosed", "open"],
    &["create", "open-large"],
];

fn lost_writes(most: usize) {
    let shim = match disk::shim() {
        Ok(shim) => shim,
        Err(why) => return eprintln!("skipped: {why}"),
    };
    let (states, calls) = (AtomicUsize::new(0), AtomicUsize::new(0));
    for_each(LIVES.len(), |nth| {
        let recorded = record(shim, LIVES[nth], None).expect("the journal can be read");
        assert!(recorded.truth.len() >= 2 * EACH as usize);
        calls.fetch_add(recorded.calls.len(), Ordering::SeqCst);
        let found = every_state(&recorded, When::AnyTime, most, nth as u64);
        states.fetch_add(found, Ordering::SeqCst);
    });
    let (states, calls) = (states.into_inner(), calls.into_inner());
    println!(
        "{states} different states of a disk after a power failure in {calls} calls: nothing confirmed was lost"
    );
    assert!(states > 1_000);
}

#[test]
fn what_was_confirmed_survives_lost_writes() {
    lost_writes(4);
}

#[test]
#[ignore = "up to RUNBOOK_POWER_STATES (64) states after each of about 1,600 calls"]
fn lost_writes_in_full() {
    lost_writes(count("RUNBOOK_POWER_STATES", 64));
}

/// Each sync of a first process fails; the next one goes on, and then the power fails. What the failed sync did
/// not write can be read until then, but is not on the disk.
fn failed_syncs(nth: usize, most: usize) {
    let shim = match disk::shim() {
        Ok(shim) => shim,
        Err(why) => return eprintln!("skipped: {why}"),
    };
    let syncs: Vec<usize> = counted(shim).into_iter().step_by(nth).collect();
    let states = AtomicUsize::new(0);
    let continued = AtomicUsize::new(0);
    for_each(syncs.len(), |place| {
        let roles = ["create", "open", "open-unclosed"];
        // Where not even the beginning could be written there is nothing to go on with.
        if let Some(recorded) = record(shim, &roles, Some(syncs[place])) {
            let failed = |call: &Call| matches!(call, Call::FailedSync(_));
            assert!(recorded.calls.iter().any(failed), "no sync failed");
            continued.fetch_add(1, Ordering::SeqCst);
            let found = every_state(&recorded, When::OnceConfirmed, most, place as u64);
            states.fetch_add(found, Ordering::SeqCst);
        }
    });
    let (states, continued) = (states.into_inner(), continued.into_inner());
    println!(
        "{} failed syncs, {continued} of them with a journal to go on with; {states} different states of a disk \
         after a power failure: nothing confirmed was lost",
        syncs.len()
    );
    assert!(continued > 0 && states > 0);
}

/// The numbers of the calls of a first process that are syncs.
fn counted(shim: &Path) -> Vec<usize> {
    let scratch = scratch();
    // As in the recorded lives, so that the numbers are the same.
    directory(scratch.path());
    let list = scratch.path().join("calls");
    let mut writer = Command::new(std::env::current_exe().unwrap());
    writer
        .args(["--exact", "writing_process"])
        .env(ROLE, "create")
        .env(PLACE, scratch.path())
        .env("SHIM_CALLS", &list);
    disk::load(&mut writer, shim, &scratch.path().join("state"));
    assert!(writer.output().unwrap().status.success());
    let text = fs::read_to_string(list).unwrap();
    let syncs = text.lines().enumerate().filter(|(_, kind)| *kind == "sync");
    syncs.map(|(place, _)| place + 1).collect()
}

#[test]
fn what_was_confirmed_after_a_failed_sync_survives_lost_writes() {
    failed_syncs(5, 4);
}

#[test]
#[ignore = "each sync, up to RUNBOOK_POWER_STATES (64) states after each confirmation"]
fn failed_syncs_in_full() {
    failed_syncs(1, count("RUNBOOK_POWER_STATES", 64));
}
