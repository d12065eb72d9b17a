//! What opening a journal and reading it again costs, by counts, and what of that is safe.

use std::sync::Arc;

use rusqlite::Connection;

use super::encode::READ;
use super::testing::*;
use super::*;
use crate::model::{Secrets, Target};

const OPERATIONS: u32 = 400;

fn none() -> Arc<Secrets> {
    Arc::new(Secrets::new())
}

/// A closed journal of many commands, two records each.
fn many(directory: &RunDirectory) -> usize {
    let journal = Journal::create(directory, none()).unwrap();
    journal.note(started()).unwrap();
    journal.note(session(1)).unwrap();
    for nth in 1..=OPERATIONS {
        journal
            .note(Record::Intent(Box::new(intent(nth, 1))))
            .unwrap();
        journal.note(outcome(nth, 1, value("x"))).unwrap();
    }
    journal.flush().unwrap();
    2 + 2 * OPERATIONS as usize
}

/// How many records `work` reads.
fn read<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = READ.get();
    let result = work();
    (result, READ.get() - before)
}

#[test]
fn opening_reads_each_record_once_and_replay_once_more() {
    let temp = tempfile::tempdir().unwrap();
    let directory = directory(&temp);
    let records = many(&directory);
    let (opened, times) = read(|| Journal::open_history(&directory, none()));
    let (journal, history) = opened.unwrap();
    assert_eq!(times, records);
    let ((), times) = read(|| {
        for trace in history.entries() {
            let entry = trace.entry(&|seq| journal.record(seq)).unwrap();
            assert_eq!(entry.standing(), Standing::Succeeded);
        }
    });
    assert_eq!(times, records - 2);
}

#[test]
fn a_replay_that_meets_what_it_asks_for_reads_only_results() {
    let temp = tempfile::tempdir().unwrap();
    let directory = directory(&temp);
    many(&directory);
    let (journal, history) = Journal::open_history(&directory, none()).unwrap();
    let ((), times) = read(|| {
        for trace in history.entries() {
            let place = trace.answer("host.run", &Target::Run, "f").unwrap();
            assert_eq!(journal.result(place).unwrap(), value("x"));
        }
    });
    assert_eq!(times, OPERATIONS as usize);
    let trace = history.entries().next().unwrap();
    assert_eq!(trace.answer("host.probe", &Target::Run, "f"), None);
    assert_eq!(trace.answer("host.run", &Target::Cluster, "f"), None);
    assert_eq!(trace.answer("host.run", &Target::Run, "g"), None);
    assert!(matches!(
        journal.result(3),
        Err(JournalError::Illegal { seq: 3, .. })
    ));
}

#[test]
fn a_result_that_changed_after_it_was_checked_is_not_replayed() {
    for damage in [
        "UPDATE record SET body = replace(body, 'x', 'y') WHERE seq = 300",
        "UPDATE record SET hash = zeroblob(32) WHERE seq = 299",
        "DELETE FROM record WHERE seq = 299",
        "DELETE FROM record WHERE seq = 300",
    ] {
        let temp = tempfile::tempdir().unwrap();
        let directory = directory(&temp);
        many(&directory);
        let (journal, _) = Journal::open_history(&directory, none()).unwrap();
        Connection::open(directory.path().join("journal.db"))
            .unwrap()
            .execute(damage, [])
            .unwrap();
        let results = (4..=300).step_by(2).map(|seq| journal.result(seq));
        let error = results.collect::<Result<Vec<_>, _>>().unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("is not what was written") || text.contains("not there any more"),
            "{damage}: {text}"
        );
    }
}

#[test]
fn an_operation_takes_little_memory() {
    // Without what the map keeps beside, and the 16 bytes of a name.
    assert!(size_of::<Trace>() <= 80, "{}", size_of::<Trace>());
}

#[test]
fn a_record_that_is_not_written_yet_is_recalled() {
    let temp = tempfile::tempdir().unwrap();
    let directory = directory(&temp);
    let journal = Journal::create(&directory, none()).unwrap();
    journal.commit(started()).unwrap();
    assert_eq!(journal.record(1).unwrap().seq, 1);
    let noted = journal.note(session(1)).unwrap();
    assert_eq!(journal.record(2).unwrap(), noted);
    assert!(matches!(
        journal.record(3),
        Err(JournalError::Illegal { seq: 3, .. })
    ));
    drop(journal);
    // The reader beside it did not keep SQLite from ending the log.
    assert!(!directory.path().join("journal.db-wal").exists());
}

#[test]
fn a_record_that_changed_after_it_was_checked_is_not_replayed() {
    let temp = tempfile::tempdir().unwrap();
    let directory = directory(&temp);
    many(&directory);
    let (journal, history) = Journal::open_history(&directory, none()).unwrap();
    Connection::open(directory.path().join("journal.db"))
        .unwrap()
        .execute(
            "UPDATE record SET body = replace(body, 'x', 'y') WHERE seq = 4",
            [],
        )
        .unwrap();
    let trace = history.entries().next().unwrap();
    let error = trace.entry(&|seq| journal.record(seq)).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("record 4 is not what was written"),
        "{error}"
    );
}

#[test]
fn the_end_of_a_run_is_seen_without_the_rest() {
    let temp = tempfile::tempdir().unwrap();
    let directory = directory(&temp);
    many(&directory);
    assert_eq!(Journal::read_ending(&directory).unwrap(), None);
    let (journal, _) = Journal::open_history(&directory, none()).unwrap();
    let ended = Record::Ended {
        ending: Ending::Failed,
        message: String::new(),
        failed: vec![id(3)],
    };
    journal.commit(ended).unwrap();
    assert_eq!(
        Journal::read_ending(&directory).unwrap(),
        Some(Ending::Failed)
    );
    journal.commit(session(2)).unwrap();
    assert_eq!(Journal::read_ending(&directory).unwrap(), None);
    drop(journal);
    let (_, history) = Journal::open_history(&directory, none()).unwrap();
    assert_eq!(history.failed(), [id(3)]);
    let (first, times) = read(|| Journal::read_first(&directory));
    assert_eq!((first.unwrap().len(), times), (1, 1));
}

#[test]
fn a_secret_that_becomes_known_while_records_are_read_ahead_is_revealed() {
    let temp = tempfile::tempdir().unwrap();
    let directory = directory(&temp);
    many(&directory);
    let secrets = none();
    secrets.add("password", "hunter2-hunter2").unwrap();
    let (journal, _) = Journal::open_history(&directory, Arc::clone(&secrets)).unwrap();
    let told = intent(OPERATIONS + 1, 1);
    journal.note(Record::Intent(Box::new(told))).unwrap();
    let written = journal
        .commit(outcome(OPERATIONS + 1, 1, value("hunter2-hunter2")))
        .unwrap();
    drop(journal);
    // A resume knows a secret once its script has come to where it is asked for.
    let secrets = none();
    let (journal, _) = Journal::open_history(&directory, Arc::clone(&secrets)).unwrap();
    for seq in 3..=written.seq - 100 {
        journal.record(seq).unwrap();
    }
    secrets.add("password", "hunter2-hunter2").unwrap();
    for seq in written.seq - 99..written.seq {
        journal.record(seq).unwrap();
    }
    assert_eq!(journal.record(written.seq).unwrap(), written);
}

#[test]
fn a_value_that_looks_like_the_mark_of_a_secret_is_replayed_as_it_was() {
    let temp = tempfile::tempdir().unwrap();
    let directory = directory(&temp);
    many(&directory);
    let secrets = none();
    secrets.add("password", "hunter2-hunter2").unwrap();
    let (journal, _) = Journal::open_history(&directory, Arc::clone(&secrets)).unwrap();
    let told = intent(OPERATIONS + 1, 1);
    journal.note(Record::Intent(Box::new(told))).unwrap();
    let result = value("‹secret password› is hunter2-hunter2");
    let written = journal.commit(outcome(OPERATIONS + 1, 1, result.clone()));
    assert_eq!(journal.result(written.unwrap().seq).unwrap(), result);
}

#[test]
fn who_stops_in_the_middle_of_a_long_replay_leaves_nothing_open() {
    let temp = tempfile::tempdir().unwrap();
    let directory = directory(&temp);
    many(&directory);
    let (journal, _) = Journal::open_history(&directory, none()).unwrap();
    for seq in 3..200 {
        assert_eq!(journal.record(seq).unwrap().seq, seq);
    }
    // Twice, and what was passed over.
    assert_eq!(journal.record(150).unwrap().seq, 150);
    assert_eq!(journal.record(2).unwrap().seq, 2);
    drop(journal);
    assert!(!directory.path().join("journal.db-wal").exists());
}
