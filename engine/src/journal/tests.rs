//! The journal as a whole: what is confirmed is there, and what is not what was written is found.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;
use std::sync::Arc;

use proptest::prelude::*;
use rusqlite::Connection;

use super::testing::*;
use super::*;
use crate::model::{Secrets, Value};

fn none() -> Arc<Secrets> {
    Arc::new(Secrets::new())
}

fn temp() -> (tempfile::TempDir, RunDirectory) {
    let temp = tempfile::tempdir().unwrap();
    let directory = directory(&temp);
    (temp, directory)
}

/// A closed journal with a blob and a few records.
fn sample(directory: &RunDirectory) -> Vec<Stored> {
    let journal = Journal::create(directory, none()).unwrap();
    let (before, after) = (
        journal.store_blob(b"before"),
        journal.store_blob(b"\xffafter"),
    );
    let records = vec![
        started(),
        session(1),
        Record::Intent(Box::new(change(1, before, after))),
        outcome(1, 1, value("x")),
    ];
    records
        .into_iter()
        .map(|record| journal.commit(record).unwrap())
        .collect()
}

#[test]
fn reads_back_what_was_written_and_goes_on() {
    let (_temp, directory) = temp();
    let written = sample(&directory);
    assert_eq!(Journal::read(&directory).unwrap(), written);
    let (journal, opened) = Journal::open(&directory, none()).unwrap();
    assert_eq!(opened, written);
    assert_eq!(journal.commit(session(2)).unwrap().seq, 5);
    let id = journal.store_blob(b"\xff\x00");
    assert_eq!(journal.blob(&id).unwrap(), b"\xff\x00");
    drop(journal);
    assert_eq!(verify(&directory).unwrap().records, 5);
    assert_eq!(verify(&directory).unwrap().mirror_behind, 0);
    for file in ["journal.db", "journal.jsonl"] {
        let mode = fs::metadata(directory.path().join(file))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    assert!(matches!(
        Journal::create(&directory, none()),
        Err(JournalError::Exists(_))
    ));
}

#[test]
fn notes_ride_along_in_one_transaction() {
    let (_temp, directory) = temp();
    let journal = Journal::create(&directory, none()).unwrap();
    journal.commit(started()).unwrap();
    let before = journal.commits();
    journal.note(session(1)).unwrap();
    journal.note(session(2)).unwrap();
    journal.commit_all(vec![session(3), session(4)]).unwrap();
    assert_eq!(journal.commits() - before, 1);
    assert_eq!(Journal::read(&directory).unwrap().len(), 5);
}

#[test]
fn branches_share_transactions_and_readers_see_only_whole_journals() {
    let (_temp, directory) = temp();
    let journal = Journal::create(&directory, none()).unwrap();
    journal.commit(started()).unwrap();
    let (branches, each) = (16, 20);
    std::thread::scope(|scope| {
        for branch in 0..branches {
            let journal = journal.clone();
            scope.spawn(move || {
                for _ in 0..each {
                    let stored = journal.commit(session(branch)).unwrap();
                    assert_eq!(stored.record, session(branch));
                }
            });
        }
        let mut seen = 0;
        while seen < 1 + branches * each {
            let now = Journal::read(&directory).unwrap().len() as u64;
            assert!(now >= seen);
            seen = now;
            verify(&directory).unwrap();
        }
    });
    assert!(
        journal.commits() < branches * each,
        "{} transactions",
        journal.commits()
    );
}

#[test]
fn hides_secrets_from_disk_and_shows_them_to_who_knows() {
    let (_temp, directory) = temp();
    let secrets = none();
    // The second is a word of the format, which must stay readable.
    secrets.add("TOKEN", "hunter\"22").unwrap();
    secrets.add("WORD", "intent").unwrap();
    let journal = Journal::create(&directory, Arc::clone(&secrets)).unwrap();
    journal.commit(started()).unwrap();
    let blob = journal.store_blob(b"{\"a\":\"hunter\\\"22\"}");
    let plain = journal.store_blob(b"key=hunter\"22");
    let record = Record::Intent(Box::new(Intent {
        summary: "say hunter\"22 with intent".into(),
        ..intent(1, 1)
    }));
    journal.commit(record.clone()).unwrap();
    drop(journal);
    for file in ["journal.db", "journal.jsonl"] {
        let bytes = fs::read(directory.path().join(file)).unwrap();
        assert!(
            !String::from_utf8_lossy(&bytes).contains("hunter"),
            "{file}"
        );
    }
    let read = Journal::read(&directory).unwrap();
    let Record::Intent(hidden) = &read[1].record else {
        panic!("{read:?}")
    };
    assert_eq!(hidden.summary, "say ‹secret TOKEN› with ‹secret WORD›");
    let (journal, opened) = Journal::open(&directory, secrets).unwrap();
    assert_eq!(opened[1].record, record);
    assert_eq!(journal.blob(&blob).unwrap(), b"{\"a\":\"hunter\\\"22\"}");
    assert_eq!(journal.blob(&plain).unwrap(), b"key=hunter\"22");
    assert_eq!(
        Journal::read_blob(&directory, &plain).unwrap(),
        "key=‹secret TOKEN›".as_bytes()
    );
}

#[test]
fn a_lost_tail_is_proven_by_the_mirror() {
    let (_temp, directory) = temp();
    sample(&directory);
    edit(&directory, "DELETE FROM record WHERE seq > 2");
    for result in [
        verify(&directory).map(|_| ()),
        Journal::open(&directory, none()).map(|_| ()),
    ] {
        assert!(
            matches!(result, Err(JournalError::Lost { missing: 2, .. })),
            "{result:?}"
        );
    }
}

#[test]
fn a_torn_or_short_mirror_is_completed() {
    let (_temp, directory) = temp();
    sample(&directory);
    let path = layout::mirror(&directory);
    let whole = fs::read(&path).unwrap();
    for length in 0..=whole.len() {
        if length % 37 != 0 && length + 3 < whole.len() {
            continue;
        }
        fs::write(&path, &whole[..length]).unwrap();
        verify(&directory).unwrap();
        drop(Journal::open(&directory, none()).unwrap());
        assert_eq!(
            verify(&directory).unwrap().mirror_behind,
            0,
            "cut at {length}"
        );
        assert_eq!(
            verify(&directory).unwrap().mirror_damaged,
            0,
            "cut at {length}"
        );
    }
}

#[test]
fn a_newer_or_empty_journal_is_refused() {
    let (_temp, directory) = temp();
    sample(&directory);
    edit(&directory, "PRAGMA user_version = 2");
    assert!(matches!(
        Journal::open(&directory, none()),
        Err(JournalError::NewerSchema { found: 2, .. })
    ));
    // Records without a format are damage: to call it a run that never started would lose it.
    edit(&directory, "PRAGMA user_version = 0");
    assert!(matches!(
        Journal::read(&directory),
        Err(JournalError::Corrupt { .. })
    ));
    let (_temp, empty) = temp();
    drop(Journal::create(&empty, none()).unwrap());
    assert!(Journal::read(&empty).unwrap().is_empty());
    assert!(matches!(
        Journal::read_begun(&empty),
        Err(JournalError::NeverStarted(_))
    ));
    // A mirror with content says that there was something.
    std::fs::write(layout::mirror(&empty), "{}\n").unwrap();
    assert!(matches!(
        Journal::read_begun(&empty),
        Err(JournalError::Corrupt { .. })
    ));
    std::fs::write(layout::mirror(&empty), "").unwrap();
    assert!(matches!(
        Journal::open(&empty, none()),
        Err(JournalError::NeverStarted(_))
    ));
}

#[test]
fn a_failed_write_poisons_for_good() {
    let (_temp, directory) = temp();
    let journal = Journal::create(&directory, none()).unwrap();
    journal.commit(started()).unwrap();
    edit(&directory, "ALTER TABLE record RENAME TO elsewhere");
    let first = journal.commit(session(1)).unwrap_err();
    assert!(matches!(first, JournalError::Poisoned(_)), "{first}");
    // The cause is gone, but nobody tries again.
    edit(&directory, "ALTER TABLE elsewhere RENAME TO record");
    assert!(matches!(
        journal.note(session(1)),
        Err(JournalError::Poisoned(_))
    ));
    assert!(matches!(
        journal.commit(session(1)),
        Err(JournalError::Poisoned(_))
    ));
    assert!(journal.poisoned().unwrap().contains("no such table"));
    drop(journal);
    assert!(fresh::is_needed(&directory), "the log was tidied away");
    let (journal, records) = Journal::open(&directory, none()).unwrap();
    assert_eq!(records.len(), 1);
    journal.commit(session(1)).unwrap();
}

fn edit(directory: &RunDirectory, sql: &str) {
    Connection::open(layout::database(directory))
        .unwrap()
        .execute_batch(sql)
        .unwrap();
}

/// Not a test of its own: the process that the next test kills.
#[test]
fn crashing_process() {
    let Ok(root) = std::env::var("RUNBOOK_TEST_CRASHING") else {
        return;
    };
    let directory = StateDirectory::open(root.into()).unwrap().run(&run_id());
    let journal = Journal::create(&directory, none()).unwrap();
    journal.note(started()).unwrap();
    journal.commit_all(vec![session(1), session(2)]).unwrap();
    for epoch in 3..6 {
        journal.commit(session(epoch)).unwrap();
    }
    println!("survived");
}

/// Starts a process that dies at `point`.
fn crash(temp: &tempfile::TempDir, point: &str) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "journal::tests::crashing_process", "--nocapture"])
        .env("RUNBOOK_TEST_CRASHING", temp.path().join("state"))
        .env("RUNBOOK_CRASH_AT", point)
        .output()
        .unwrap();
    assert_eq!(output.status.signal(), Some(9), "{point}: {output:?}");
}

#[test]
fn a_flipped_bit_in_the_log_loses_nothing_unseen() {
    let (crashed, directory) = temp();
    crash(&crashed, "6");
    let log = fs::read(layout::log(&layout::database(&directory))).unwrap();
    let mut lost = 0;
    for place in (0..log.len()).step_by(499) {
        let (_temp, copy) = temp();
        fs::create_dir_all(copy.path()).unwrap();
        for file in ["journal.db", "journal.jsonl"] {
            fs::copy(directory.path().join(file), copy.path().join(file)).unwrap();
        }
        let mut flipped = log.clone();
        flipped[place] ^= 1;
        fs::write(layout::log(&layout::database(&copy)), flipped).unwrap();
        match verify(&copy) {
            // The sixth was durable, but nobody was told and the mirror does not have it.
            Ok(found) => assert!(found.records >= 5, "byte {place}: {found:?}"),
            Err(_) => lost += 1,
        }
    }
    assert!(lost > 0, "no flipped bit hit the log's content");
}

#[test]
fn a_log_whose_beginning_is_gone_is_not_one_that_never_began() {
    let (_temp, directory) = temp();
    let journal = Journal::create(&directory, none()).unwrap();
    journal.commit(started()).unwrap();
    journal.commit(session(1)).unwrap();
    journal
        .commit(Record::Intent(Box::new(intent(1, 1))))
        .unwrap();
    let path = directory.path();
    let (database, log) = (path.join("journal.db"), path.join("journal.db-wal"));
    let files = [&database, &log].map(|file| std::fs::read(file).unwrap());
    drop(journal);
    let lay = |log_content: &[u8]| {
        std::fs::write(&database, &files[0]).unwrap();
        std::fs::write(&log, log_content).unwrap();
        // Both copies fail: else the mirror shows what is missing.
        std::fs::write(path.join("journal.jsonl"), "").unwrap();
    };
    let mut gone = files[1].clone();
    gone[..512].fill(0);
    lay(&gone);
    let error = verify(&directory).unwrap_err().to_string();
    assert!(
        error.contains("the beginning of its write-ahead log is gone"),
        "{error}"
    );
    // A file made long before anything was written into it.
    lay(&vec![0; files[1].len()]);
    assert!(matches!(
        verify(&directory),
        Err(JournalError::NeverStarted(_))
    ));
}

#[test]
fn a_crash_leaves_exactly_the_transactions_before_it() {
    for (point, survivors) in [
        ("1", 1),
        ("3", 3),
        ("3-", 2),
        ("6", 6),
        ("6-", 5),
        ("1-", 0),
    ] {
        let (temp, directory) = temp();
        crash(&temp, point);
        assert_eq!(
            Journal::read(&directory).unwrap().len(),
            survivors,
            "{point}"
        );
        match Journal::open(&directory, none()) {
            Ok((journal, records)) => {
                assert_eq!(records.len(), survivors, "{point}");
                journal.commit(session(9)).unwrap();
                drop(journal);
                assert_eq!(verify(&directory).unwrap().mirror_behind, 0);
            }
            Err(error) => assert!(
                survivors == 0 && matches!(error, JournalError::NeverStarted(_)),
                "{point}: {error}"
            ),
        }
    }
}

/// A bit of a cell of a table is flipped, as SQLite would not notice.
fn flip(directory: &RunDirectory, column: &str, table: &str, row: usize, bit: usize) -> bool {
    let connection = Connection::open(layout::database(directory)).unwrap();
    let select = format!(
        "SELECT rowid, CAST({column} AS BLOB) FROM {table} ORDER BY rowid LIMIT 1 OFFSET {row}"
    );
    let (rowid, mut bytes): (i64, Vec<u8>) = connection
        .query_row(&select, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    let Some(byte) = bytes.get_mut(bit / 8) else {
        return false;
    };
    *byte ^= 1 << (bit % 8);
    let kind = if column == "hash" { "BLOB" } else { "TEXT" };
    let update = format!("UPDATE {table} SET {column} = CAST(?1 AS {kind}) WHERE rowid = ?2");
    connection
        .execute(&update, rusqlite::params![bytes, rowid])
        .unwrap();
    true
}

#[test]
fn every_flipped_bit_is_found() {
    let (_temp, directory) = temp();
    sample(&directory);
    // Chain and hashes alone must find it: the mirror may be behind.
    fs::remove_file(layout::mirror(&directory)).unwrap();
    let cells = [
        ("body", "record", 4),
        ("hash", "record", 4),
        ("at", "record", 4),
        ("text", "blob", 2),
    ];
    for (column, table, rows) in cells {
        for row in 0..rows {
            // Every bit of the short cells, and a spread over the long ones.
            for bit in (0..4096).filter(|bit| *bit < 64 || bit % 23 == 0) {
                if !flip(&directory, column, table, row, bit) {
                    break;
                }
                assert!(
                    verify(&directory).is_err(),
                    "{column} of row {row}, bit {bit}"
                );
                flip(&directory, column, table, row, bit);
            }
        }
    }
    verify(&directory).unwrap();
}

fn any_record() -> impl Strategy<Value = Record> {
    let text = "[a-z\"\\\\‹›\n é]{0,12}";
    prop_oneof![
        (text, any::<bool>()).prop_map(|(text, changed)| Record::Observed {
            intent: Box::new(intent(1, 1)),
            result: OutcomeResult::Value {
                value: Value::from(text),
                changed
            },
        }),
        (1u32..5, 1u32..5)
            .prop_map(|(nth, attempt)| Record::Intent(Box::new(intent(nth, attempt)))),
        (1u32..5, text).prop_map(|(nth, text)| outcome(nth, 1, value(&text))),
        (1u64..9).prop_map(session),
        (text, text).prop_map(|(by, why)| Record::Retried {
            operations: vec![id(1)],
            by,
            why
        }),
        Just(Record::StepEnded {
            path: step(),
            status: StepStatus::Done
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_records_read_back(records in prop::collection::vec((any_record(), any::<bool>()), 1..20)) {
        let (_temp, directory) = temp();
        let secrets = none();
        secrets.add("S", "aaaa").unwrap();
        let journal = Journal::create(&directory, Arc::clone(&secrets)).unwrap();
        let mut written = Vec::new();
        for (record, wait) in records {
            written.push(if wait { journal.commit(record) } else { journal.note(record) }.unwrap());
        }
        drop(journal);
        let (_journal, opened) = Journal::open(&directory, secrets).unwrap();
        prop_assert_eq!(opened, written);
        prop_assert!(verify(&directory).is_ok());
    }
}
