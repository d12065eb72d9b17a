//! Records for the tests of the journal.

use std::collections::BTreeMap;

use super::*;
use crate::model::{
    OperationId, OperationKey, RunId, ScopePath, Segment, SourcePosition, Subject, Target,
    TargetPath, Value,
};
use crate::operation::{Class, Report};

pub fn run_id() -> RunId {
    RunId::parse("20260102-100000-abcde").unwrap()
}

pub fn directory(temp: &tempfile::TempDir) -> RunDirectory {
    let state = StateDirectory::open(temp.path().join("state")).unwrap();
    state.run(&run_id())
}

pub fn started() -> Record {
    Record::RunStarted(Box::new(RunHeader {
        schema: 1,
        engine: "0.1.0".into(),
        behaviour: 1,
        run: run_id(),
        title: "test".into(),
        sources: vec![],
        parameters: BTreeMap::from([(
            "p".into(),
            Parameter {
                value: Value::from("v"),
                origin: "default".into(),
            },
        )]),
        inventory: None,
        lab: Some("lab".into()),
        limit: None,
        context: None,
        kubeconfig: None,
        parallel: 1,
        scope: "lab".into(),
        seed: "00".into(),
        plan: None,
    }))
}

pub fn session(epoch: u64) -> Record {
    Record::SessionStarted {
        kind: SessionKind::Run,
        epoch,
        pid: 1,
        operator: "ann@desk".into(),
        engine: "0.1.0".into(),
    }
}

pub fn step() -> ScopePath {
    ScopePath::default().join(Segment::Step {
        title: "one".into(),
        nth: 1,
    })
}

pub fn id(nth: u32) -> OperationId {
    OperationId::derive(&run_id(), 0, &step().operation(nth))
}

pub fn key(text: &str) -> OperationKey {
    OperationKey(text.into())
}

pub fn intent(nth: u32, attempt: u32) -> Intent {
    Intent {
        key: step().operation(nth),
        id: id(nth),
        scope: step(),
        attempt,
        class: Class::Command,
        kind: "host.run".into(),
        target: Target::Run,
        summary: "does something".into(),
        fingerprint: "f".into(),
        arguments: Value::from_entries([("argv", Value::from("true"))]),
        source: Some(SourcePosition {
            file: "a.rhai".into(),
            line: 1,
            column: 2,
        }),
        change: None,
        undo: Some(Value::from("false")),
        deadline: None,
        undoes: None,
    }
}

pub fn change(nth: u32, before: BlobId, after: BlobId) -> Intent {
    Intent {
        class: Class::Change,
        change: Some(ChangeIntent {
            subject: Subject::File(TargetPath::parse("/etc/x").unwrap()),
            before,
            before_fingerprint: "b".into(),
            after,
            after_fingerprint: "a".into(),
            irreversible: None,
        }),
        ..intent(nth, 1)
    }
}

pub fn value(text: &str) -> OutcomeResult {
    OutcomeResult::Value {
        value: Value::from(text),
        changed: true,
    }
}

pub fn failed() -> OutcomeResult {
    OutcomeResult::Failed(RecordedFailure {
        unreachable: false,
        report: Report::new("it failed"),
    })
}

pub fn outcome(nth: u32, attempt: u32, result: OutcomeResult) -> Record {
    Record::Outcome(Box::new(Outcome {
        id: id(nth),
        attempt,
        result,
        recovered: None,
    }))
}
