//! What opening a journal and reading it again costs, by counts, and what of that is safe.

use std::sync::Arc;

use rusqlite::Connection;

use super::encode::READ;
use super::testing::*;
use super::*;
use crate::model::Secrets;

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
fn an_operation_takes_little_memory() {
    // Without what the map keeps beside, and the 16 bytes of a name.
    assert!(size_of::<Trace>() <= 88, "{}", size_of::<Trace>());
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
