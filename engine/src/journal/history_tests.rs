use jiff::Timestamp;

use super::super::EntryState;
use super::super::testing::*;
use super::*;

fn fold(records: Vec<Record>) -> Result<History, JournalError> {
    let head = vec![started(), session(1)];
    let stored: Vec<Stored> = head
        .into_iter()
        .chain(records)
        .enumerate()
        .map(|(place, record)| Stored {
            seq: place as u64 + 1,
            at: Timestamp::UNIX_EPOCH,
            record,
        })
        .collect();
    History::from_records(&stored)
}

fn begun(nth: u32, attempt: u32) -> Record {
    Record::Intent(Box::new(intent(nth, attempt)))
}

fn retried(nth: u32) -> Record {
    Record::Retried {
        operations: vec![id(nth)],
        by: "ann".into(),
        why: "because".into(),
    }
}

fn resolved(nth: u32, decision: &str) -> Record {
    Record::Resolved {
        operation: id(nth),
        decision: decision.into(),
        by: "ann".into(),
        why: "looked".into(),
    }
}

#[track_caller]
fn refused(records: Vec<Record>, why: &str) {
    let last = records.len() as u64 + 2;
    match fold(records) {
        Err(JournalError::Illegal { seq, what }) => {
            assert!(seq == last && what.contains(why), "record {seq}: {what}");
        }
        other => panic!("accepted: {other:?}"),
    }
}

#[test]
fn follows_an_operation_through_its_attempts() {
    let history = fold(vec![
        begun(1, 1),
        outcome(1, 1, failed()),
        retried(1),
        begun(1, 2),
        outcome(1, 2, value("x")),
    ])
    .unwrap();
    let entry = history.entry(&step().operation(1)).unwrap();
    assert_eq!((entry.attempt, entry.seq, entry.last_seq), (2, 3, 7));
    assert!(matches!(&entry.state, EntryState::Finished { result, .. } if *result == value("x")));
    assert_eq!(history.by_id(&id(1)), Some(entry));
}

#[test]
fn remembers_what_was_decided() {
    let state = |decision: &str| {
        let history = fold(vec![begun(1, 1), resolved(1, decision)]).unwrap();
        let entry = history.by_id(&id(1)).unwrap();
        (entry.state.clone(), entry.next_attempt())
    };
    assert!(matches!(
        state("done"),
        (EntryState::ResolvedDone { .. }, 1)
    ));
    assert!(matches!(state("retry"), (EntryState::Retryable { .. }, 2)));
    assert!(matches!(state("abort"), (EntryState::Aborted { .. }, 1)));
}

#[test]
fn refuses_what_cannot_follow() {
    refused(vec![outcome(1, 1, value("x"))], "never started");
    refused(
        vec![
            begun(1, 1),
            outcome(1, 1, value("x")),
            outcome(1, 1, value("x")),
        ],
        "none open",
    );
    refused(vec![begun(1, 1), outcome(1, 2, value("x"))], "none open");
    refused(
        vec![begun(1, 1), outcome(1, 1, failed()), begun(1, 2)],
        "nobody said retry",
    );
    refused(vec![begun(1, 1), begun(1, 1)], "does not follow");
    refused(vec![begun(1, 2)], "first attempt");
    refused(vec![retried(1)], "never started");
    refused(
        vec![begun(1, 1), outcome(1, 1, value("x")), resolved(1, "done")],
        "finished",
    );
    refused(vec![begun(1, 1), resolved(1, "maybe")], "no decision");
    refused(vec![session(1)], "epoch");
    refused(vec![started()], "started already");
    refused(
        vec![Record::StepEnded {
            path: step(),
            status: StepStatus::Done,
        }],
        "never entered",
    );
}

#[test]
fn a_refused_record_changes_nothing() {
    let mut history = fold(vec![begun(1, 1), begun(2, 1)]).unwrap();
    let before = history.clone();
    let stored = Stored {
        seq: 9,
        at: Timestamp::UNIX_EPOCH,
        record: Record::Retried {
            operations: vec![id(1), id(7)],
            by: String::new(),
            why: String::new(),
        },
    };
    history.apply(&stored).unwrap_err();
    assert_eq!(history, before);
}

#[test]
fn an_edit_moves_keys_and_keeps_undo_and_orphans() {
    let undo = Intent {
        undoes: Some(id(1)),
        key: key("/undo#1"),
        ..intent(9, 1)
    };
    let edit = Record::Edited {
        edition: 1,
        sources: vec![],
        reused: BTreeMap::from([(key("/new#1"), id(1))]),
        orphaned: vec![id(2)],
        by: "ann".into(),
    };
    let history = fold(vec![
        begun(1, 1),
        outcome(1, 1, value("x")),
        begun(2, 1),
        outcome(2, 1, value("y")),
        Record::Intent(Box::new(undo)),
        edit.clone(),
    ])
    .unwrap();
    assert_eq!(history.edition(), 1);
    assert_eq!(history.entry(&key("/new#1")).unwrap().intent.id, id(1));
    assert!(history.entry(&step().operation(1)).is_none());
    assert!(history.entry(&step().operation(2)).is_none());
    assert!(history.by_id(&id(2)).unwrap().orphaned);
    assert_eq!(history.entry(&key("/undo#1")).unwrap().intent.id, id(9));
    assert_eq!(history.entries().count(), 3);
    refused(vec![edit], "never started");
}

#[test]
fn an_ending_lasts_until_the_next_session() {
    let ended = Record::Ended {
        ending: Ending::Failed,
        message: "no".into(),
        failed: vec![],
    };
    let history = fold(vec![ended.clone()]).unwrap();
    assert_eq!(history.ending(), Some(Ending::Failed));
    let history = fold(vec![ended, session(2)]).unwrap();
    assert_eq!((history.ending(), history.epoch()), (None, 2));
}
